"""
Files inside Outlook's ``winmail.dat`` (TNEF): names and contents. Pure; broken streams give what was readable.

Not the message body and not MAPI properties beyond an attachment's long file name: the mail's own text part says it.
Source: MS-OXTNEF, sections 2.1.1 and 2.1.3 (read 2026-11-22).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

from connectors.mime.charsets import decode_text

SIGNATURE = b"\x78\x9f\x3e\x22"
FILES_LIMIT = 100
_RENDER_DATA, _TITLE, _DATA, _ATTACHMENT_PROPERTIES = 0x9002, 0x8010, 0x800F, 0x9005
_LEVEL_ATTACHMENT = 2
_LONG_FILENAME, _MIME_TAG, _CONTENT_ID = 0x3707, 0x370E, 0x3712
_PROPERTIES_LIMIT = 200
_FIXED_SIZES = {
    0x0002: 4, 0x0003: 4, 0x0004: 4, 0x0005: 8, 0x0006: 8, 0x0007: 8, 0x000A: 4, 0x000B: 4, 0x0014: 8, 0x0040: 8,
    0x0048: 16,
}  # fmt: skip
_VARIABLE = frozenset({0x001E, 0x001F, 0x000D, 0x0102})


class TnefFile(msgspec.Struct):
    """One file; ``content`` is a view into the stream."""

    name: str = ""
    mime: str = ""
    content_id: str = ""
    content: memoryview = memoryview(b"")


def read_tnef(data: bytes) -> list[TnefFile]:
    """
    List the files of a TNEF stream.

    Args:
        data: The decoded ``winmail.dat``.

    Returns:
        Files in order, at most 100; empty where it is no TNEF or holds none.
    """
    if not data.startswith(SIGNATURE):
        return []
    files: list[TnefFile] = []
    for attribute, value in _attributes(memoryview(data)):
        if attribute == _RENDER_DATA:
            if len(files) >= FILES_LIMIT:
                break
            files.append(TnefFile())
        elif files and attribute == _TITLE:
            files[-1].name = files[-1].name or decode_text(bytes(value[:512]).split(b"\x00")[0], None)
        elif files and attribute == _DATA:
            files[-1].content = value
        elif files and attribute == _ATTACHMENT_PROPERTIES:
            _read_properties(value, files[-1])
    return [one for one in files if one.content or one.name]


def _attributes(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    at = 6  # signature and legacy key
    while at + 9 <= len(data):
        level, attribute, _, length = struct.unpack_from("<BHHI", data, at)
        value = data[at + 9 : at + 9 + length]
        if level == _LEVEL_ATTACHMENT:
            yield attribute, value
        elif level != 1:
            return
        at += 9 + length + 2


def _read_properties(data: memoryview, file: TnefFile) -> None:
    """MAPI properties; stops at the first one it cannot measure."""
    try:
        for tag, value in _properties(data):
            if tag == _LONG_FILENAME and value:
                file.name = value
            elif tag == _MIME_TAG:
                file.mime = value
            elif tag == _CONTENT_ID:
                file.content_id = value.strip("<>")
    except struct.error:
        return


def _properties(data: memoryview) -> Iterator[tuple[int, str]]:
    (count,) = struct.unpack_from("<I", data, 0)
    at = 4
    for _ in range(min(count, _PROPERTIES_LIMIT)):
        kind, tag = struct.unpack_from("<HH", data, at)
        at += 4
        if tag >= 0x8000:
            at += 16
            (is_named,) = struct.unpack_from("<I", data, at)
            (length,) = struct.unpack_from("<I", data, at + 4)
            at += 8 + (((length + 3) & ~3) if is_named else 0)
        if kind in _FIXED_SIZES:
            at += _FIXED_SIZES[kind]
        elif kind in _VARIABLE:
            _, length = struct.unpack_from("<II", data, at)
            value = data[at + 8 : at + 8 + length]
            at += 8 + ((length + 3) & ~3)
            if tag in (_LONG_FILENAME, _MIME_TAG, _CONTENT_ID):
                text = bytes(value[:1024])
                yield (
                    tag,
                    (decode_text(text, "utf-16-le") if kind == 0x001F else decode_text(text, None)).rstrip("\x00"),
                )
        else:
            return
