"""
What a file is, by its bytes, and how it may be served. Pure.

What is shown in the page is recognised here, strictly; ``puremagic`` only names the many kinds that are downloaded.
What a sender declared decides nothing except between names of the same bytes.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
import puremagic

# How much of a file's beginning ``sniff`` wants to see.
HEAD_BYTES: Final = 64 * 1024
UNKNOWN: Final = "application/octet-stream"

# Shown as they are, after they were made anew from their pixels.
SHOWN_IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
# Shown by a picture of them; the file itself is downloaded.
PREVIEWED: Final = frozenset({"application/pdf", "image/bmp", "image/tiff", "image/avif"})
_AUDIO: Final = frozenset(
    {"audio/mpeg", "audio/mp4", "audio/aac", "audio/ogg", "audio/wav", "audio/webm", "audio/flac"}
)
_VIDEO: Final = frozenset({"video/mp4", "video/webm", "video/ogg", "video/quicktime", "video/3gpp"})
_INLINE: Final = SHOWN_IMAGES | _AUDIO | _VIDEO
# Could act where it is opened: its name stays, its type is not told.
_ACTIVE: Final = re.compile(
    r"(?:text/(?:html|xml|javascript|ecmascript|x-.*|css)|image/svg.*|.*\+xml|application/(?:xml|xhtml.*|javascript|"
    r"ecmascript|x-javascript|x-shockwave-flash|.*executable|x-elf|x-mach-binary|x-sh|x-msdownload|java-archive))"
)
_MIME: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,100}")

_BRANDS: Final = {
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"hevc": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
_MAGIC: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"#!AMR", "audio/amr"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF", "application/x-elf"),
    (b"\xfe\xed\xfa", "application/x-mach-binary"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xca\xfe\xba\xbe", "application/x-mach-binary"),
    (b"#!", "application/x-sh"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf'\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b", "application/gzip"),
    (b"{\\rtf", "application/rtf"),
)
_OFFICE: Final = (
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
)
_OLE: Final = frozenset({"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"})
_TEXTS: Final = frozenset(
    {"text/plain", "text/csv", "text/calendar", "text/vcard", "text/x-vcard", "text/markdown", "application/json"}
)
_MARKUP: Final = re.compile(
    rb"<(?:!doctype|html|head|body|script|svg|iframe|object|embed|style|meta|link|img|a|form|math|\?xml)[\s>/]",
    re.IGNORECASE,
)
_MARKUP_BYTES: Final = 4096


class Served(msgspec.Struct, frozen=True):
    """How a file is handed out: its type, and whether a browser may show it instead of saving it."""

    mime: str
    inline: bool


def sniff(head: bytes, declared: str = "") -> str:
    """
    Say what a file is.

    Args:
        head: Its first bytes, ``HEAD_BYTES`` of them if it has so many.
        declared: What the sender called it; only chooses between names of the same bytes.

    Returns:
        A media type; ``application/octet-stream`` for what nobody recognises.

    Source:
        WHATWG MIME Sniffing (2025-09), sections 6.1, 6.2 and 7.1; ISO/IEC 14496-12 for ``ftyp``.
    """
    declared = clean_mime(declared)
    for magic, mime in _MAGIC:
        if head.startswith(magic):
            return mime
    if b"%PDF-" in head[:1024] and not _MARKUP.search(head[:_MARKUP_BYTES]):
        return "application/pdf"
    return _sniff_container(head, declared) or _sniff_text(head, declared) or _name(head)


def clean_mime(text: str) -> str:
    """Return a declared type in lower case without parameters; empty for what is none."""
    bare = text.partition(";")[0].strip().lower()
    return bare if _MIME.fullmatch(bare) else ""


def kind_of(mime: str) -> str:
    """Return ``image``, ``audio``, ``video`` or ``file``: how members see it."""
    if mime in SHOWN_IMAGES:
        return "image"
    if mime in _AUDIO:
        return "audio"
    return "video" if mime in _VIDEO else "file"


def declared_kind(mime: str) -> str:
    """Return the kind a file claims to be, while its bytes are not here."""
    family = clean_mime(mime).partition("/")[0]
    return family if family in ("image", "audio", "video") else "file"


def served_as(mime: str) -> Served:
    """Return how a file of this type is handed out; everything not known to be harmless is saved, never shown."""
    if mime in _INLINE:
        return Served(mime, inline=True)
    return Served(UNKNOWN if _ACTIVE.fullmatch(mime) else mime, inline=False)


def matches(mime: str, patterns: tuple[str, ...]) -> bool:
    """Say whether a type is one of a channel's, e.g. ``image/*``; no patterns mean any."""
    return not patterns or any(
        mime == pattern or (pattern.endswith("/*") and mime.startswith(pattern[:-1])) for pattern in patterns
    )


def _sniff_container(head: bytes, declared: str) -> str | None:
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _sniff_iso(head, declared)
    if head[:4] == b"\x1aE\xdf\xa3":
        return _either("webm", declared) if b"webm" in head[:64] else "video/x-matroska"
    if head[:4] == b"OggS":
        return "video/ogg" if b"theora" in head[:128] else "audio/ogg"
    if head[:2] == b"BM" and head[14:18] in (b"\x28\0\0\0", b"\x7c\0\0\0", b"\x6c\0\0\0", b"\x0c\0\0\0"):
        return "image/bmp"
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _sniff_zip(head)
    if head[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return declared if declared in _OLE else "application/x-ole-storage"
    return _sniff_frames(head)


def _sniff_iso(head: bytes, declared: str) -> str:
    brand = head[8:12]
    if brand in _BRANDS:
        return _BRANDS[brand]
    return "video/3gpp" if brand[:2] == b"3g" else _either("mp4", declared)


def _either(subtype: str, declared: str) -> str:
    """Sound alone and moving pictures come in the same box; both are played, so the sender's word is enough."""
    return f"audio/{subtype}" if declared.startswith("audio/") else f"video/{subtype}"


def _sniff_zip(head: bytes) -> str:
    if b"[Content_Types].xml" in head or b"_rels/.rels" in head:
        return next((mime for mark, mime in _OFFICE if mark in head), "application/zip")
    if head[30:38] == b"mimetype" and head[38:66].startswith((b"application/vnd.oasis.", b"application/epub+zip")):
        return clean_mime(re.split(rb"[^a-z.+/-]", head[38:110])[0].decode("ascii")) or "application/zip"
    return "application/zip"


def _sniff_frames(head: bytes) -> str | None:
    """MPEG audio without a tag: sync bits, then a version, layer, bit rate and sampling rate that exist."""
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "audio/aac"
    is_layer_3 = head[1] & 0xE6 == 0xE2 and head[1] & 0x18 != 0x08
    return "audio/mpeg" if is_layer_3 and head[2] >> 4 not in (0, 15) and head[2] & 0x0C != 0x0C else None


def _sniff_text(head: bytes, declared: str) -> str | None:
    text = head
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = head.decode("utf-16", "ignore").encode()
    elif not _is_text(head):
        return None
    if markup := _MARKUP.search(text[:_MARKUP_BYTES]):
        word = markup.group().lower()
        is_svg = b"<svg" in text[:_MARKUP_BYTES].lower() and b"<html" not in text[:_MARKUP_BYTES].lower()
        return "image/svg+xml" if is_svg else "application/xml" if word.startswith(b"<?xml") else "text/html"
    if text[:15].upper().startswith(b"BEGIN:VCARD"):
        return "text/vcard"
    if text[:15].upper().startswith(b"BEGIN:VCALENDAR"):
        return "text/calendar"
    return declared if declared in _TEXTS else "text/plain"


def _is_text(head: bytes) -> bool:
    """Old single-byte texts are texts too; control characters are what binary files have."""
    if head and b"\x00" not in head and _is_utf8(head):
        return True
    return bool(head) and not any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head[:_MARKUP_BYTES])


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The last character may be cut in two.
        return len(head) >= HEAD_BYTES and error.start >= len(head) - 4
    return True


def _name(head: bytes) -> str:
    """Ask the library for one of the many kinds nobody looks into; what we show is never its word."""
    if not head:
        return UNKNOWN
    try:
        found = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    names = [clean_mime(one.mime_type) for one in found if one.confidence >= 0.5]
    return next((name for name in names if name and name not in _INLINE | PREVIEWED), UNKNOWN)
