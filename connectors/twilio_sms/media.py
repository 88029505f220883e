"""Files of picture messages: which Twilio takes."""

from __future__ import annotations

from typing import Final

# What the API takes for MMS, by what our own check calls it.
# Source: twilio.com/docs/messaging/guides/accepted-mime-types, read 2026-11-22.
MEDIA_TYPES: Final = frozenset(
    {
        *("image/jpeg", "image/png", "image/gif", "image/bmp", "image/tiff", "image/heic", "image/heif"),
        *("audio/mp4", "audio/mpeg", "audio/ogg", "audio/webm", "audio/amr", "audio/ac3", "audio/3gpp", "audio/aac"),
        *("video/mp4", "video/mpeg", "video/quicktime", "video/webm", "video/3gpp"),
        *("text/vcard", "text/x-vcard", "text/csv", "text/rtf", "text/calendar"),
        *("application/pdf", "application/rtf"),
    }
)
