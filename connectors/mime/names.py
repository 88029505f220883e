"""File names from mails, made safe to show and to save. Pure."""

from __future__ import annotations

import re

from connectors.mime.headers import one_line

_LIMIT_CHARS = 150
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')
# Marks that turn "gpj.exe" into what looks like "exe.jpg".
_DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]")
_EXTENSIONS = {
    "application/pdf": ".pdf", "application/zip": ".zip", "application/ms-tnef": ".dat", "application/json": ".json",
    "application/pkcs7-mime": ".p7m", "application/x-pkcs7-mime": ".p7m", "application/octet-stream": ".bin",
    "application/msword": ".doc", "application/rtf": ".rtf", "audio/mpeg": ".mp3", "audio/mp4": ".m4a",
    "audio/wav": ".wav",
    "image/gif": ".gif", "image/heic": ".heic", "image/jpeg": ".jpg", "image/jpg": ".jpg", "image/png": ".png",
    "image/svg+xml": ".svg", "image/tiff": ".tif", "image/webp": ".webp", "message/rfc822": ".eml",
    "message/delivery-status": ".txt", "text/calendar": ".ics", "text/csv": ".csv", "text/html": ".html",
    "text/plain": ".txt", "text/rfc822-headers": ".txt", "text/vcard": ".vcf", "text/x-vcard": ".vcf",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
}  # fmt: skip


def clean_filename(name: str) -> str:
    """
    Take the last piece of a path, without control, direction and shell characters.

    Returns:
        At most 150 characters with the extension kept; ``""`` where nothing is left.
    """
    last = re.split(r"[/\\]", one_line(name))[-1]
    last = _FORBIDDEN.sub("_", _DIRECTION.sub("", last)).strip(" .")
    if len(last) <= _LIMIT_CHARS:
        return last
    stem, dot, extension = last.rpartition(".")
    return (
        f"{stem[: _LIMIT_CHARS - len(extension) - 1]}.{extension}"
        if dot and len(extension) <= 10
        else last[:_LIMIT_CHARS]
    )


def extension_of(mime: str) -> str:
    """Return the usual extension of a type with its dot; ``""`` for unknown ones."""
    return _EXTENSIONS.get(mime.lower(), "")
