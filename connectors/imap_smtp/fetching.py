"""Fetches mails without marking them as read, and of huge ones only what can be shown. Blocking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

import msgspec

from connectors.imap_smtp.session import Session

BOUNDARY = "hub-left-at-the-server"
TEXT_LIMIT_BYTES = 1024 * 1024
HEADER_LIMIT_BYTES = 256 * 1024

_Answer = Mapping[bytes, object]


class Listed(msgspec.Struct, frozen=True):
    """A mail in a folder, not fetched yet."""

    uid: int
    size_bytes: int
    arrived_at: datetime


def list_mails(session: Session, uids: Sequence[int]) -> list[Listed]:
    """Ask for size and arrival of mails in the selected folder; those gone since are left out. By UID, ascending."""
    if not uids:
        return []
    answers = cast("Mapping[int, _Answer]", session.fetch(uids, [b"RFC822.SIZE", b"INTERNALDATE"]))
    return [
        Listed(uid, int(cast("int", answer.get(b"RFC822.SIZE") or 0)), _aware(answer.get(b"INTERNALDATE")))
        for uid, answer in sorted(answers.items())
        if uid in set(uids)
    ]


def fetch_whole(session: Session, uids: Sequence[int]) -> dict[int, bytes]:
    """Fetch mails of the selected folder as they are; those gone since are left out."""
    answers = cast("Mapping[int, _Answer]", session.fetch(uids, [b"BODY.PEEK[]"]))
    return {uid: body for uid, answer in answers.items() if isinstance(body := answer.get(b"BODY[]"), bytes)}


def fetch_cut(session: Session, mail: Listed) -> bytes | None:
    """
    Fetch a huge mail's headers and text, with a note about what was left at the server.

    Args:
        session: Its folder is selected.
        mail: Larger than the mailbox's limit.

    Returns:
        A mail of at most about 1.3 MiB that reads like the original without its files; None when it is gone.
    """
    answers = cast("Mapping[int, _Answer]", session.fetch([mail.uid], [b"BODYSTRUCTURE", b"BODY.PEEK[HEADER]"]))
    answer = answers.get(mail.uid)
    header = answer.get(b"BODY[HEADER]") if answer else None
    if answer is None or not isinstance(header, bytes):
        return None
    path, media = find_text(answer.get(b"BODYSTRUCTURE"))
    text = b""
    if path:
        wanted = f"BODY.PEEK[{path}]<0.{TEXT_LIMIT_BYTES}>".encode()
        parts = cast("Mapping[int, _Answer]", session.fetch([mail.uid], [wanted])).get(mail.uid, {})
        text = next((one for name, one in parts.items() if name.startswith(b"BODY[") and isinstance(one, bytes)), b"")
    return cut_mail(header[:HEADER_LIMIT_BYTES], media, text, mail.size_bytes)


def cut_mail(header: bytes, media: str, text: bytes, size_bytes: int) -> bytes:
    """
    Put together what is kept of a huge mail.

    Args:
        header: As sent.
        media: ``Content-Type`` and ``Content-Transfer-Encoding`` lines of the text part.
        text: The text part as sent, perhaps cut.
        size_bytes: Of the whole mail.
    """
    kept = [line for line in _unfolded(header) if not line.lower().startswith((b"content-", b"mime-version"))]
    note = f"This mail has {size_bytes / 1024 / 1024:.0f} MB. Its files were left in the mailbox."
    lines = [
        *kept,
        b"MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{BOUNDARY}"'.encode(),
        b"",
        f"--{BOUNDARY}".encode(),
        media.encode(),
        b"",
        text,
        f"--{BOUNDARY}".encode(),
        b"Content-Type: text/plain; charset=us-ascii",
        b"",
        note.encode(),
        f"--{BOUNDARY}--".encode(),
        b"",
    ]
    return b"\r\n".join(lines)


def find_text(structure: object, path: str = "") -> tuple[str, str]:
    """
    Find the part of a BODYSTRUCTURE to read.

    Args:
        structure: As IMAPClient parses it: nested tuples, the parts of a multipart first in a list.
        path: Where it stands.

    Returns:
        Its number, e.g. ``1.1``, and its two content lines; plain text before HTML. Empty where there is no text.
    """
    found = [one for one in _texts(structure, path) if one[1]]
    plain = [one for one in found if one[1].lower().startswith("content-type: text/plain")]
    return (plain or found or [("", "Content-Type: text/plain")])[0]


def _texts(structure: object, path: str) -> list[tuple[str, str]]:
    if not isinstance(structure, tuple) or not structure or path.count(".") > 20:
        return []
    if isinstance(structure[0], list):
        prefix = f"{path}." if path else ""
        return [found for number, one in enumerate(structure[0], 1) for found in _texts(one, f"{prefix}{number}")]
    if len(structure) < 6 or _word(structure[0]).lower() != "text":
        return []
    parameters = structure[2] if isinstance(structure[2], tuple) else ()
    pairs = dict(zip(map(_word, parameters[::2]), map(_word, parameters[1::2]), strict=False))
    charset = next((value for name, value in pairs.items() if name.lower() == "charset"), "us-ascii")
    kind = f"Content-Type: text/{_word(structure[1]).lower()}; charset={charset}"
    return [(path or "1", f"{kind}\r\nContent-Transfer-Encoding: {_word(structure[5]) or '7bit'}")]


def _unfolded(header: bytes) -> list[bytes]:
    """Return the header's fields, each with its folded lines."""
    fields: list[bytes] = []
    for line in header.replace(b"\r\n", b"\n").split(b"\n"):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] += b"\r\n" + line
        elif line.strip():
            fields.append(line)
    return fields


def _word(value: object) -> str:
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else ""
    return "".join(char for char in text if char.isprintable() and char not in '";\\')[:100]


def _aware(value: object) -> datetime:
    if not isinstance(value, datetime):
        return datetime.fromtimestamp(0, UTC)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
