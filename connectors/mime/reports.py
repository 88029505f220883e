"""
Machine-readable reports: delivery status (RFC 3464), read receipts (RFC 8098), complaints (RFC 5965). Pure.

Bounces that only people can read are in ``bounces.py``. What is no report, or names no mail, is a mail like any other.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from connectors.mime.addresses import normalise_address, read_addresses
from connectors.mime.headers import Headers, read_headers, read_ids
from connectors.mime.structure import Part, decode_part

_STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_MDN_TYPES = frozenset({"message/disposition-notification", "message/global-disposition-notification"})
_HEADER_TYPES = frozenset(
    {"text/rfc822-headers", "message/rfc822-headers", "message/rfc822", "message/global", "message/global-headers"}
)
_PART_LIMIT_BYTES = 256 * 1024
RECIPIENT_LIMIT = 50
_CODE = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_SMTP_CODE = re.compile(r"\b([45]\d\d)\b")
# Relays that write their own Message-ID (Amazon SES) keep this one.
TOKEN_HEADER = "x-message-token"  # noqa: S105  a field's name

Action = Literal["failed", "delayed", "delivered", "relayed", "read", "processed"]


class Outcome(msgspec.Struct, frozen=True):
    """What became of a mail for one recipient; ``code`` is RFC 3463's or SMTP's, ``""`` for none."""

    address: str
    action: Action
    code: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """
    A report about one mail.

    Attributes:
        target_ids: Message-IDs the report gives for it, the likeliest first.
        outcomes: By recipient; empty for complaints.
        complaint: Feedback-Type of a complaint, else ``""``.
        sender: From of the returned mail, where it is returned.
    """

    target_ids: tuple[str, ...]
    outcomes: tuple[Outcome, ...] = ()
    complaint: str = ""
    sender: str = ""


def read_report(raw: bytes, root: Part) -> Report | None:
    """
    Read a report.

    Args:
        raw: A mail.
        root: Its structure.

    Returns:
        The report, or None where the mail is none.
    """
    if not root.children:
        return None
    # A mail that has a report attached, to show it to somebody, is no report: only the root's own parts count.
    by_type: dict[str, Part] = {}
    for part in root.children[:10]:
        by_type.setdefault(part.mime, part)
    original = returned_headers(raw, root)
    for mime, part in by_type.items():
        if mime in _STATUS_TYPES:
            return _delivery(raw, part, original)
        if mime in _MDN_TYPES:
            return _disposition(raw, part, original)
        if mime == "message/feedback-report":
            return _complaint(raw, part, original)
    return None


def returned_headers(raw: bytes, root: Part) -> Headers:
    """Return the header fields of the mail a report gives back; empty where it gives none."""
    for part in root.children[:10]:
        if part.mime in _HEADER_TYPES:
            data = decode_part(raw, part, _PART_LIMIT_BYTES)
            headers, _ = read_headers(data.lstrip(b"\r\n"), 0, len(data.lstrip(b"\r\n")))
            return headers
    return Headers([])


def target_ids(headers: Headers) -> tuple[str, ...]:
    """Return the ids of a returned mail: our token first, then its Message-ID."""
    return tuple(dict.fromkeys([*read_ids(headers.raw(TOKEN_HEADER)), *read_ids(headers.raw("message-id"))]))


def read_code(text: str) -> str:
    """Return the first status code in a diagnostic: ``5.1.1``, else ``550``, else ``""``."""
    if found := _CODE.search(text[:4000]):
        return found[1]
    found = _SMTP_CODE.search(text[:4000])
    return found[1] if found else ""


def _delivery(raw: bytes, part: Part, original: Headers) -> Report:
    groups = _groups(decode_part(raw, part, _PART_LIMIT_BYTES))
    outcomes: list[Outcome] = []
    for group in groups:
        action = group.raw("action").partition(";")[0].strip().lower()
        if action and len(outcomes) < RECIPIENT_LIMIT:
            address = group.raw("original-recipient") or group.raw("final-recipient")
            outcomes.append(Outcome(_typed_address(address), _action(action), _status(group)))
    ids = list(target_ids(original))
    for group in groups:
        ids += read_ids(group.raw("x-original-message-id")) + read_ids(group.raw("original-envelope-id"))
    return Report(target_ids=tuple(dict.fromkeys(ids)), outcomes=tuple(outcomes), sender=_sender(original))


def _disposition(raw: bytes, part: Part, original: Headers) -> Report:
    groups = _groups(decode_part(raw, part, _PART_LIMIT_BYTES)) or [Headers([])]
    fields = groups[0]
    ids = dict.fromkeys([*read_ids(fields.raw("original-message-id")), *target_ids(original)])
    kind = fields.raw("disposition").partition(";")[2].partition("/")[0].strip().lower()
    action: Action = "read" if kind == "displayed" else "processed"
    outcome = Outcome(_typed_address(fields.raw("final-recipient")), action)
    return Report(target_ids=tuple(ids), outcomes=(outcome,), sender=_sender(original))


def _complaint(raw: bytes, part: Part, original: Headers) -> Report:
    groups = _groups(decode_part(raw, part, _PART_LIMIT_BYTES)) or [Headers([])]
    fields = groups[0]
    people = [_typed_address(one) for one in fields.raw_all("removal-recipient") + fields.raw_all("original-rcpt-to")]
    people += [one.value for one in read_addresses(original.raw("to"))]
    named = tuple(Outcome(one, "processed") for one in dict.fromkeys(people) if one)[:1]
    sender = _sender(original) or normalise_address(fields.raw("original-mail-from"))
    kind = fields.raw("feedback-type").strip().lower()[:40] or "abuse"
    return Report(target_ids=target_ids(original), outcomes=named, complaint=kind, sender=sender)


def _groups(data: bytes) -> list[Headers]:
    """Fields come in groups with blank lines between; the first is about the message, the others about recipients."""
    groups = []
    for block in re.split(rb"\n[ \t]*\r?\n", data.strip() + b"\n")[: RECIPIENT_LIMIT + 10]:
        stripped = block.strip(b"\r\n") + b"\n\n"
        headers, _ = read_headers(stripped, 0, len(stripped))
        if headers:
            groups.append(headers)
    return groups


def _action(word: str) -> Action:
    match word:
        case "failed" | "delayed" | "delivered":
            return word
        case _:
            return "relayed"


def _status(group: Headers) -> str:
    return read_code(group.raw("status")) or read_code(group.raw("diagnostic-code"))


def _typed_address(value: str) -> str:
    """``rfc822; user@example.org``, with or without the type."""
    return normalise_address(value.rpartition(";")[2])


def _sender(original: Headers) -> str:
    found = read_addresses(original.raw("from"))
    return found[0].value if found else ""
