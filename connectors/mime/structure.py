"""
The parts of a mail as places in its bytes: nothing is copied or decoded until asked for. Pure; never raises.

Text, attachments and reports read it; ``read_part`` finds a part again by its path.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from connectors.mime.headers import Headers, decode_base64, read_headers, read_parameters

DEPTH_LIMIT = 20
MIME = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")
PART_LIMIT = 500
_NEWLINE_PROBE_BYTES = 65536
_BOUNDARY_LIMIT_CHARS = 200


@dataclass(frozen=True, slots=True)
class Part:
    """
    One part.

    Attributes:
        path: As IMAP numbers parts: ``1.2``; stable for the same bytes.
        start, end: Where its body lies in the mail.
        mime: Lower case; ``text/plain`` where the mail does not say.
        parameters: Of Content-Type, names in lower case.
        children: For multiparts; empty for leaves.
        is_cut: Whether there were more parts than are read.
    """

    path: str
    headers: Headers
    start: int
    end: int
    mime: str
    parameters: dict[str, str]
    children: tuple[Part, ...] = ()
    is_cut: bool = False

    @property
    def encoding(self) -> str:
        return self.headers.raw("content-transfer-encoding").partition(";")[0].strip().strip('"').lower()

    @property
    def disposition(self) -> tuple[str, dict[str, str]]:
        return read_parameters(self.headers.raw("content-disposition"))

    def walk(self) -> Iterator[Part]:
        """Yield this part and all below, in order."""
        yield self
        for child in self.children:
            yield from child.walk()


class _Budget:
    """How many parts may still be read; keeps a mail of boundaries from becoming a million objects."""

    def __init__(self) -> None:
        self.left = PART_LIMIT


def with_line_feeds(raw: bytes) -> bytes:
    """Return a mail whose lines end with bare CR (old Macintosh) with LF; others as they are."""
    probe = raw[:_NEWLINE_PROBE_BYTES]
    return raw.replace(b"\r", b"\n") if b"\r" in probe and b"\n" not in probe else raw


def read_structure(raw: bytes) -> Part:
    """
    Find all parts.

    Args:
        raw: A whole mail, as ``with_line_feeds`` returns it.

    Returns:
        The root. At most 20 levels and 500 parts; deeper multiparts are leaves.
    """
    return _read(raw, 0, len(raw), "", _Budget(), "text/plain")


def decode_part(raw: bytes, part: Part, limit_bytes: int | None = None) -> bytes:
    """
    Undo a part's transfer encoding, however broken.

    Args:
        raw: The mail the part was found in.
        part: A leaf.
        limit_bytes: Stop after about so many decoded bytes; None for all.

    Returns:
        The content.
    """
    end = part.end if limit_bytes is None else min(part.end, part.start + limit_bytes * 3 + 4)
    body = memoryview(raw)[part.start : end]
    if part.encoding == "base64":
        content = decode_base64(body)
    elif part.encoding == "quoted-printable":
        content = binascii.a2b_qp(body)
    elif part.encoding in ("x-uuencode", "uuencode", "x-uue"):
        content = _decode_uu(bytes(body))
    else:
        content = bytes(body)
    return content if limit_bytes is None else content[:limit_bytes]


def decoded_size(raw: bytes, part: Part) -> int:
    """Estimate a part's decoded size in bytes, exact to the padding, without decoding it."""
    length = part.end - part.start
    if part.encoding != "base64":
        return length
    breaks = raw.count(b"\n", part.start, part.end) + raw.count(b"\r", part.start, part.end)
    padding = raw.count(b"=", max(part.start, part.end - 8), part.end)
    return max(0, (length - breaks) * 3 // 4 - min(padding, 2))


def _read(raw: bytes, start: int, end: int, path: str, budget: _Budget, default: str) -> Part:
    headers, body = read_headers(raw, start, end)
    mime, parameters = read_parameters(headers.raw("content-type"))
    if not MIME.fullmatch(mime):
        mime = "text/plain" if mime.startswith("text") else default
    depth = path.count(".") + 1 if path else 0
    if not mime.startswith("multipart/") or depth >= DEPTH_LIMIT:
        return Part(path or "1", headers, body, end, mime, parameters)
    boundary = _boundary(raw, body, end, parameters.get("boundary", ""))
    spans = _split(raw, body, end, boundary, budget) if boundary else []
    if not spans:
        return Part(path or "1", headers, body, end, "text/plain", {})
    inner = "message/rfc822" if mime == "multipart/digest" else "text/plain"
    children = tuple(
        _read(raw, at, until, f"{path}.{number}" if path else str(number), budget, inner)
        for number, (at, until) in enumerate(spans, 1)
    )
    return Part(path, headers, body, end, mime, parameters, children, is_cut=budget.left <= 0)


def _boundary(raw: bytes, start: int, end: int, declared: str) -> bytes:
    """Where a mail does not name its boundary, or names one that never comes, its first ``--`` line is taken."""
    boundary = b"--" + declared.strip()[:_BOUNDARY_LIMIT_CHARS].encode("utf-8", "replace")
    if len(boundary) > 2 and _next_boundary(raw, start, end, boundary) is not None:
        return boundary
    if raw.startswith(b"--", start, end):
        at = start
    elif (at := raw.find(b"\n--", start, min(end, start + 4096)) + 1) == 0:
        return b""
    line_end = raw.find(b"\n", at, end)
    line = raw[at : line_end if line_end >= 0 else end].rstrip()
    # A signature separator is no boundary, and a real one is followed by part headers.
    follows = raw[line_end + 1 : line_end + 9].lower() if line_end >= 0 else b""
    return line if 3 <= len(line) <= _BOUNDARY_LIMIT_CHARS and follows.startswith(b"content-") else b""


def _split(raw: bytes, start: int, end: int, boundary: bytes, budget: _Budget) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    found = _next_boundary(raw, start, end, boundary)
    while found is not None and budget.left > 0:
        _, after, is_last = found
        if is_last:
            break
        found = _next_boundary(raw, after, end, boundary)
        until = found[0] if found else end
        budget.left -= 1
        spans.append((after, max(after, until)))
    return spans


def _next_boundary(raw: bytes, start: int, end: int, boundary: bytes) -> tuple[int, int, bool] | None:
    """Return where the part before ends, where the one after begins, and whether this is the closing one."""
    at = raw.find(boundary, start, end)
    while at >= 0:
        line_end = raw.find(b"\n", at, end)
        line_end = end if line_end < 0 else line_end
        if at == 0 or at == start or raw[at - 1 : at] == b"\n":
            rest = raw[at + len(boundary) : min(line_end, at + len(boundary) + 80)].strip()
            if not rest or rest.startswith(b"--"):
                before = at - 1 if at > start else at
                before -= before > start and raw[before - 1 : before] == b"\r" and at > start
                return before, min(line_end + 1, end), rest.startswith(b"--")
        at = raw.find(boundary, line_end, end)
    return None


def _decode_uu(body: bytes) -> bytes:
    lines = []
    for line in body.splitlines():
        if line.startswith(b"begin ") or line in (b"end", b"`", b""):
            continue
        try:
            lines.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Encoders that round line lengths up: cut to what the length character says.
            lines.append(_decode_uu_line(line))
    return b"".join(lines)


def _decode_uu_line(line: bytes) -> bytes:
    length = (((line[0] - 32) & 63) * 4 + 5) // 3
    try:
        return binascii.a2b_uu(line[:length])
    except binascii.Error:
        return b""
