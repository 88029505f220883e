"""
Header fields of a mail, read from raw bytes: fields, encoded words, parameters, ids, dates. Pure; never raises.

Python's own ``email.policy.default`` raises on Message-IDs and charsets that real mail has, so nothing of it is used.
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from connectors.mime.charsets import decode_text
from connectors.mime.model import ID_LIMIT_CHARS
from hub.envelope import clean_text

# Real mail has 4-40 KiB of headers; a megabyte happens with long recipient lists.
_BLOCK_LIMIT_BYTES = 2 * 1024 * 1024
_FIELD_LIMIT = 2000
_VALUE_LIMIT_BYTES = 1024 * 1024
_WORDS_LIMIT_CHARS = 16 * 1024
_IDS_LIMIT = 100
_PARAMETER_LIMIT = 64

_FIELD = re.compile(rb"^([!-9;-~]{1,200})[ \t]*:(.*(?:\n[ \t].*)*)$", re.MULTILINE)
_BLANK_LINE = re.compile(rb"\r?\n[ \t]*\r?\n")
_KNOWN = re.compile(
    rb"^(?:content-type|mime-version|subject|to|from|date|message-id|received|content-transfer-encoding)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?((?:[^?]|\?(?!=)){0,998})(?:\?=|$)(\s+(?==\?))?")
_ID = re.compile(r"<\s{0,4}([^<>\s]{1,998})\s{0,4}>")
_PARAMETER = re.compile(r';\s*([^\s=;"]{1,80})\s*=\s*("(?:[^"\\]|\\.)*(?:"|$)|[^;]*)')
_CONTINUED = re.compile(r"([^*]+)(?:\*(\d{1,3}))?(\*)?")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x80-\x9f\u2028\u2029\ufeff]+")


class Headers:
    """The fields of one header block, in order, values raw and unfolded only when asked for."""

    __slots__ = ("_fields",)

    def __init__(self, fields: list[tuple[str, bytes]]) -> None:
        self._fields: dict[str, list[bytes]] = {}
        for name, value in fields:
            self._fields.setdefault(name, []).append(value)

    def __bool__(self) -> bool:
        return bool(self._fields)

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def raw(self, name: str) -> str:
        """Return the first field of a name, unfolded, encoded words as they are; ``""`` where there is none."""
        values = self._fields.get(name)
        return _unfold(values[0]) if values else ""

    def raw_all(self, name: str) -> list[str]:
        """Return all fields of a name, unfolded."""
        return [_unfold(value) for value in self._fields.get(name, ())]

    def text(self, name: str) -> str:
        """Return the first field of a name, decoded, one line, without control characters."""
        return one_line(decode_words(self.raw(name)))

    def names(self) -> list[str]:
        """Return the names of all fields, lower case."""
        return list(self._fields)


def read_headers(raw: bytes, start: int, end: int) -> tuple[Headers, int]:
    """
    Read a header block.

    Args:
        raw: The whole mail, lines ended by LF or CRLF.
        start: Where the block begins.
        end: Where the surrounding part ends.

    Returns:
        The fields, and where the body begins. At most 2 MiB and 2,000 fields are read.
    """
    if raw.startswith((b"\n", b"\r\n"), start, end):
        return Headers([]), min(end, raw.index(b"\n", start) + 1)
    blank = _BLANK_LINE.search(raw, start, end)
    block_end, body = (blank.start(), blank.end()) if blank else (end, end)
    fields: list[tuple[str, bytes]] = []
    at, limit = start, min(block_end, start + _BLOCK_LIMIT_BYTES)
    for found in _FIELD.finditer(raw, start, limit):
        if found.start() > at and _is_body(raw, at, found.start(), limit, has_fields=bool(fields)):
            return Headers(fields), at
        if len(fields) < _FIELD_LIMIT:
            fields.append((found[1].decode("ascii").lower(), found[2][:_VALUE_LIMIT_BYTES]))
        at = found.end() + 1
    if at < limit and _is_body(raw, at, limit, limit, has_fields=bool(fields)):
        return Headers(fields), at
    return Headers(fields), body


def decode_words(text: str) -> str:
    """
    Decode RFC 2047 encoded words, also broken ones; characters cut in two between words are put together.

    Args:
        text: Unfolded header text; only the first 16 KiB are decoded.

    Returns:
        Decoded text.
    """
    text = text[:_WORDS_LIMIT_CHARS]
    if "=?" not in text:
        return text
    pieces: list[str] = []
    pending, charset, at = b"", "", 0
    for found in _ENCODED_WORD.finditer(text):
        if pending and (found.start() > at or found[1].lower() != charset):
            pieces.append(decode_text(pending, charset))
            pending = b""
        pieces.append(text[at : found.start()])
        charset, at = found[1].lower(), found.end()
        pending += _word_bytes(found[2], found[3])
    pieces += [decode_text(pending, charset) if pending else "", text[at:]]
    return "".join(pieces)


def one_line(text: str) -> str:
    """Make text fit for one line: control characters and line separators become a space, ends are stripped."""
    return clean_text(_CONTROL.sub(" ", text)).strip()


def read_parameters(text: str) -> tuple[str, dict[str, str]]:
    """
    Read ``value; name=value`` fields with RFC 2231 continuations and charsets.

    Args:
        text: An unfolded field; the first 16 KiB count.

    Returns:
        The value in lower case, and the parameters, names in lower case.
    """
    text = text[:_WORDS_LIMIT_CHARS]
    pieces: dict[str, list[tuple[int, bool, str]]] = {}
    for count, found in enumerate(_PARAMETER.finditer(text)):
        parts = _CONTINUED.fullmatch(found[1].lower())
        if count >= _PARAMETER_LIMIT or parts is None:
            continue
        value = _unquote(found[2])
        pieces.setdefault(parts[1], []).append((int(parts[2] or 0), bool(parts[3]), value))
    # Values a filename* gives win over the plain one some programs send beside it.
    return (
        one_line(text.partition(";")[0]).lower(),
        {name: _join_parameter(sorted(parts)) for name, parts in pieces.items()},
    )


def read_ids(text: str) -> list[str]:
    """
    Read Message-IDs without their angle brackets, in order, at most 100 (the last ones).

    Args:
        text: A raw, unfolded Message-ID, In-Reply-To or References field.

    Returns:
        Ids of at most 250 characters; longer ones are left out. Ids without brackets count where they have an ``@``.
    """
    text = decode_words(text[-_WORDS_LIMIT_CHARS:])
    found = _ID.findall(text) or [word.strip("<>,;") for word in text.split() if "@" in word]
    return [clean_text(one) for one in found if 0 < len(one) <= ID_LIMIT_CHARS][-_IDS_LIMIT:]


def read_date(text: str) -> datetime | None:
    """Read a Date field as UTC; None where it is broken or out of any calendar."""
    try:
        moment = parsedate_to_datetime(text[:100])
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None


def _is_body(raw: bytes, at: int, until: int, limit: int, *, has_fields: bool) -> bool:
    """A line that is no field ends the headers, unless more real fields follow (a broken fold, an mbox From line)."""
    if not raw[at:until].strip() or (not has_fields and raw.startswith((b"From ", b">From "), at)):
        return False
    return _KNOWN.search(raw, at, min(limit, at + 65536)) is None


def _unfold(value: bytes) -> str:
    joined = value.replace(b"\r\n", b"").replace(b"\n", b"") if b"\n" in value else value
    return decode_text(joined, None).strip()


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    if encoding in "qQ":
        return binascii.a2b_qp(data.replace(b" ", b"_"), header=True)
    return decode_base64(data)


def decode_base64(data: bytes | memoryview) -> bytes:
    """
    Decode base64, leaving out what is not of its alphabet and an incomplete end.

    Args:
        data: Encoded bytes.

    Returns:
        Decoded bytes, ``b""`` for none.
    """
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        kept = re.sub(rb"[^A-Za-z0-9+/]+", b"", data)
        # One left-over character holds six bits: less than a byte.
        kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
        return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))


def _unquote(value: str) -> str:
    value = value.strip()
    if not value.startswith('"'):
        return value
    inner = value[1:-1] if value.endswith('"') and len(value) > 1 else value[1:]
    # A backslash before a letter is a Windows path of a program that does not escape.
    return re.sub(r'\\(["\\])', r"\1", inner)


def _join_parameter(parts: list[tuple[int, bool, str]]) -> str:
    if any(is_encoded for _, is_encoded, _ in parts):
        parts = [one for one in parts if one[1] or one[0] > 0] or parts
        first = parts[0][2]
        charset, _, rest = first.split("'", 2) if parts[0][1] and first.count("'") >= 2 else ("", "", first)
        data = b"".join(
            unquote_to_bytes(value) if is_encoded else value.encode("utf-8", "surrogatepass")
            for _, is_encoded, value in [(0, parts[0][1], rest), *parts[1:]]
        )
        return one_line(decode_text(data, charset or None))
    return one_line(decode_words("".join(value for _, _, value in parts)))
