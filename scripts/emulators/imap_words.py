"""Reads IMAP commands and writes IMAP answers: tokens, sets, search keys, parts of messages. Pure (RFC 3501)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses

from scripts.emulators.mailboxes import Mail

Token = bytes | list["Token"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}$")
_SECTION = re.compile(rb"BODY(\.PEEK)?\[([^\]]*)\](?:<(\d+)(?:\.(\d+))?>)?", re.IGNORECASE)


class Bad(Exception):
    """A command that cannot be read; its text follows ``BAD``."""


def literal_at_end(line: bytes) -> tuple[int, bool] | None:
    """Return the size of the literal a line announces and whether the client waits to be asked for it."""
    found = _LITERAL.search(line)
    return (int(found.group(1)), not found.group(2)) if found else None


def read_tokens(parts: Sequence[bytes]) -> list[Token]:
    """
    Cut a command into tokens.

    Args:
        parts: Line, literal, line, literal … as they came; each line without its end.

    Returns:
        Atoms, quoted strings and literals as bytes, parenthesised lists as lists. ``BODY[…]<…>`` is one atom.

    Raises:
        Bad: Brackets or quotes are open.
    """
    stack: list[list[Token]] = [[]]
    for index, part in enumerate(parts):
        if index % 2:
            stack[-1].append(part)
        else:
            _read_line(_LITERAL.sub(b"", part) if index < len(parts) - 1 else part, stack)
    if len(stack) != 1:
        raise Bad("a bracket is open")
    return stack[0]


def _read_line(line: bytes, stack: list[list[Token]]) -> None:
    at = 0
    while at < len(line):
        char = line[at : at + 1]
        if char == b" ":
            at += 1
        elif char == b"(":
            stack.append([])
            at += 1
        elif char == b")":
            if len(stack) == 1:
                raise Bad("a bracket is closed that was not open")
            done = stack.pop()
            stack[-1].append(done)
            at += 1
        elif char == b'"':
            text, at = _read_quoted(line, at + 1)
            stack[-1].append(text)
        else:
            text, at = _read_atom(line, at)
            stack[-1].append(text)


def _read_quoted(line: bytes, at: int) -> tuple[bytes, int]:
    found = bytearray()
    while at < len(line):
        if line[at : at + 1] == b'"':
            return bytes(found), at + 1
        if line[at : at + 1] == b"\\":
            at += 1
        found += line[at : at + 1]
        at += 1
    raise Bad("a quote is open")


def _read_atom(line: bytes, start: int) -> tuple[bytes, int]:
    at, depth = start, 0
    while at < len(line):
        char = line[at : at + 1]
        depth += (char == b"[") - (char == b"]")
        if depth == 0 and char in (b" ", b"(", b")"):
            break
        at += 1
    return line[start:at], at


def text_of(token: Token) -> str:
    """Return a token's text; a list is an error."""
    if isinstance(token, list):
        raise Bad("a list where a text was expected")
    return token.decode("utf-8", "replace")


def quoted(text: str | bytes) -> bytes:
    """Write a string, as a literal where quotes would not do."""
    data = text.encode() if isinstance(text, str) else text
    if any(byte in b'"\\\r\n\0' or byte > 126 for byte in data):
        return b"{%d}\r\n%b" % (len(data), data)
    return b'"%b"' % data


def in_set(numbers: str, value: int, highest: int) -> bool:
    """Say whether a value is in a set like ``3,7:*``; ``n:*`` always holds the highest (RFC 3501 section 6.4.8)."""
    for part in numbers.split(","):
        first, colon, last = part.partition(":")
        low = highest if first == "*" else int(first)
        high = (highest if last == "*" else int(last)) if colon else low
        if min(low, high) <= value <= max(low, high):
            return True
    return False


# ── search ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def matches(keys: Sequence[Token], mail: Mail, number: int, highest: tuple[int, int]) -> bool:
    """
    Say whether a message fits search keys.

    Args:
        keys: What follows SEARCH, charset taken away.
        mail: The message.
        number: Its sequence number.
        highest: The highest sequence number and the highest UID.

    Raises:
        Bad: A key is unknown.
    """
    rest = list(keys)
    while rest:
        if not _match_one(rest, mail, number, highest):
            return False
    return True


def _match_one(rest: list[Token], mail: Mail, number: int, highest: tuple[int, int]) -> bool:
    token = rest.pop(0)
    if isinstance(token, list):
        return matches(token, mail, number, highest)
    name = text_of(token).upper()
    if name[0].isdigit() or name[0] == "*":
        return in_set(name, number, highest[0])
    if name == "NOT":
        return not _match_one(rest, mail, number, highest)
    if name == "OR":
        first = _match_one(rest, mail, number, highest)
        second = _match_one(rest, mail, number, highest)
        return first or second
    if name == "UID":
        return in_set(text_of(rest.pop(0)), mail.uid, highest[1])
    if name == "HEADER":
        header, wanted = text_of(rest.pop(0)), text_of(rest.pop(0))
        return _has(mail, header, wanted)
    return _match_word(name, rest, mail)


_FLAGS = {name: f"\\{name.capitalize()}" for name in ("SEEN", "DELETED", "ANSWERED", "FLAGGED", "DRAFT")}
_HEADERS = {"SUBJECT", "FROM", "TO", "CC", "BCC"}


def _match_word(name: str, rest: list[Token], mail: Mail) -> bool:
    received = mail.received_at.date()
    if name == "ALL":
        return True
    if name in _FLAGS:
        return _FLAGS[name] in mail.flags
    if name.startswith("UN") and name[2:] in _FLAGS:
        return _FLAGS[name[2:]] not in mail.flags
    if name in _HEADERS:
        return _has(mail, name, text_of(rest.pop(0)))
    if name in ("SINCE", "BEFORE", "ON"):
        day = datetime.strptime(text_of(rest.pop(0)), "%d-%b-%Y").replace(tzinfo=UTC).date()
        return {"SINCE": received >= day, "BEFORE": received < day, "ON": received == day}[name]
    if name in ("LARGER", "SMALLER"):
        size = int(text_of(rest.pop(0)))
        return len(mail.raw) > size if name == "LARGER" else len(mail.raw) < size
    if name in ("TEXT", "BODY"):
        return text_of(rest.pop(0)).lower().encode() in mail.raw.lower()
    raise Bad(f"unknown search key {name}")


def _has(mail: Mail, header: str, wanted: str) -> bool:
    values = headers_of(mail.raw).get_all(header) or []
    return any(wanted.lower() in str(value).lower() for value in values)


# ── parts of a message ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Section:
    """``BODY[…]`` of a FETCH: ``label`` is how the answer names it."""

    label: bytes
    data: bytes
    peek: bool


def headers_of(raw: bytes) -> Message:
    """Read a message's header."""
    return BytesParser(policy=policy.compat32).parsebytes(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", headersonly=True)


def read_section(item: bytes, raw: bytes) -> Section | None:
    """Cut what a FETCH item asks out of a message; None where the item is no section."""
    found = _SECTION.fullmatch(item)
    if found is None:
        return None
    name = found.group(2).decode("ascii", "replace")
    data = _part(name, raw)
    label = b"BODY[%b]" % found.group(2)
    if found.group(3) is not None:
        start = int(found.group(3))
        data = data[start : start + int(found.group(4))] if found.group(4) else data[start:]
        label += b"<%d>" % start
    return Section(label, data, peek=found.group(1) is not None)


def _part(name: str, raw: bytes) -> bytes:
    head, _, body = raw.partition(b"\r\n\r\n")
    head += b"\r\n\r\n"
    upper = name.upper()
    if not name:
        return raw
    if upper == "TEXT":
        return body
    if upper == "HEADER":
        return head
    if upper.startswith("HEADER.FIELDS"):
        wanted = {one.lower() for one in re.findall(r"[^\s()]+", name.partition("(")[2])}
        is_not = upper.startswith("HEADER.FIELDS.NOT")
        kept = [line for key, line in _lines(head) if (key in wanted) != is_not]
        return b"".join(kept) + b"\r\n"
    return _numbered(upper, raw)


def _numbered(name: str, raw: bytes) -> bytes:
    """``1.2`` or ``1.2.MIME``: one part of a multipart, encoded as it is."""
    message: Message = BytesParser(policy=policy.compat32).parsebytes(raw)
    wants_head = name.endswith(".MIME")
    for number in name.removesuffix(".MIME").split("."):
        parts = message.get_payload() if message.is_multipart() else [message]
        if not number.isdigit() or not isinstance(parts, list) or int(number) > len(parts):
            return b""
        message = parts[int(number) - 1]  # type: ignore[assignment]  # compat32 gives Message
    whole = with_wire_ends(message.as_bytes())
    head, _, body = whole.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n" if wants_head else body


def with_wire_ends(data: bytes) -> bytes:
    """Return text with CRLF at each line's end."""
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _lines(head: bytes) -> list[tuple[str, bytes]]:
    """The header's fields, each with its folded lines."""
    found: list[tuple[str, bytes]] = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and found:
            key, before = found[-1]
            found[-1] = (key, before + line + b"\r\n")
        elif line:
            found.append((line.partition(b":")[0].decode("latin-1").strip().lower(), line + b"\r\n"))
    return found


def structure(message: Message) -> bytes:
    """Write BODYSTRUCTURE without its extensions (RFC 3501 section 7.4.2)."""
    kind, _, subtype = message.get_content_type().partition("/")
    payload = message.get_payload()
    if message.is_multipart() and isinstance(payload, list) and kind == "multipart":
        return b"(%b %b)" % (b"".join(structure(one) for one in payload), quoted(subtype))  # type: ignore[arg-type]
    body = message.as_bytes().partition(b"\n\n")[2]
    pairs = b" ".join(quoted(str(one)) for pair in (message.get_params() or [])[1:] for one in pair)
    fields = [
        quoted(kind),
        quoted(subtype),
        b"(%b)" % pairs if pairs else b"NIL",
        quoted(message["content-id"]) if message["content-id"] else b"NIL",
        b"NIL",
        quoted(str(message.get("content-transfer-encoding", "7bit"))),
        b"%d" % len(with_wire_ends(body)),
    ]
    if kind == "text":
        fields.append(b"%d" % body.count(b"\n"))
    return b"(%b)" % b" ".join(fields)


def internal_date(moment: datetime) -> bytes:
    """Write INTERNALDATE."""
    moment = moment.astimezone(UTC)
    return f'"{moment.day:2d}-{_MONTHS[moment.month - 1]}-{moment:%Y %H:%M:%S} +0000"'.encode()


def read_internal_date(text: str) -> datetime:
    """Read the date of an APPEND."""
    try:
        return datetime.strptime(text.strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)
    except ValueError as error:
        raise Bad("not a date") from error


_MACROS = {
    b"ALL": [b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE", b"ENVELOPE"],
    b"FAST": [b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"],
}
_OLD_NAMES = {b"RFC822": b"BODY[]", b"RFC822.HEADER": b"BODY.PEEK[HEADER]", b"RFC822.TEXT": b"BODY[TEXT]"}


def fetch_items(token: Token) -> list[bytes]:
    """Read what a FETCH asks for, macros and old names written out."""
    given = token if isinstance(token, list) else [token]
    items: list[bytes] = []
    for one in given:
        if isinstance(one, list):
            raise Bad("a list inside a list")
        name = one if one.upper().startswith((b"BODY[", b"BODY.PEEK[")) else one.upper()
        items += _MACROS.get(name, [_OLD_NAMES.get(name, name)])
    return items


def envelope(raw: bytes) -> bytes:
    """Write ENVELOPE."""
    headers = headers_of(raw)

    def addresses(name: str) -> bytes:
        found = [one for one in getaddresses([str(value) for value in headers.get_all(name) or []]) if one[1]]
        rows = [
            b"(%b NIL %b %b)" % (quoted(shown) if shown else b"NIL", quoted(local), quoted(domain))
            for shown, address in found
            for local, _, domain in [address.rpartition("@")]
        ]
        return b"(%b)" % b"".join(rows) if rows else b"NIL"

    def text(name: str) -> bytes:
        return quoted(str(headers[name])) if headers[name] else b"NIL"

    sender = addresses("from")
    fields = [text("date"), text("subject"), sender, sender, sender, *map(addresses, ("to", "cc", "bcc"))]
    return b"(%b)" % b" ".join([*fields, text("in-reply-to"), text("message-id")])
