"""Files of messages: what members see of one, its row, its name. Pure."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

# Most files of one message, whatever the channel says.
COUNT_LIMIT: Final = 10
# One PATCH of a resumable upload, and the largest file that may come in one POST.
CHUNK_BYTES: Final = 8 * 1024 * 1024
FILENAME_LIMIT_BYTES: Final = 255

State = Literal["pending", "ready", "failed"]
Variant = Literal["original", "thumbnail", "preview"]

_EXTENSIONS: Final = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "application/pdf": ".pdf",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/amr": ".amr",
    "audio/mp4": ".m4a",
    "video/mp4": ".mp4",
    "video/3gpp": ".3gp",
    "video/quicktime": ".mov",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "text/calendar": ".ics",
    "text/plain": ".txt",
}


class Attachment(msgspec.Struct, frozen=True):
    """
    A file of a message.

    Attributes:
        kind: ``image``, ``audio``, ``video`` or ``file``; as declared while pending, by its bytes afterwards.
        filename: Without a path or control characters.
        mime: As declared while pending, by its bytes afterwards.
        state: ``pending`` until the bytes are here and checked.
        width: Pixels, for pictures and videos where known.
        has_thumbnail: A small picture of it can be had.
        has_preview: A large picture of it can be had, where the file itself is not shown (PDF).
        inline: Belongs into the formatted text, is not listed under it.
        error: Why it failed, in words.
    """

    id: UUID
    kind: str
    filename: str
    mime: str
    size_bytes: int
    state: State
    width: int | None = None
    height: int | None = None
    has_thumbnail: bool = False
    has_preview: bool = False
    inline: bool = False
    error: str | None = None


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A piece of a file that is stored; ``sha256`` in hexadecimal."""

    key: str
    size_bytes: int
    sha256: str


_parts = msgspec.json.Decoder(tuple[Part, ...])


class AttachmentRow(msgspec.Struct, frozen=True, kw_only=True):
    """
    A row of ``attachment``.

    Attributes:
        message_id: None while nobody has sent it.
        author_id: Who uploaded it: a member, or a visitor's subject; None for what a vendor brought.
        inline_cid: Content-ID by which a formatted text names it.
        ref: The vendor's reference; of an upload the parts that are stored.
        raw_item_id: The raw item it is part of.
        upload_offset: Bytes of an upload that are stored.
        attempt: Fetches so far.
        due_at: When it is fetched next; None for uploads.
    """

    workspace_id: int
    id: UUID
    message_id: UUID | None = None
    conversation_id: UUID | None = None
    channel_account_id: UUID | None = None
    author_id: UUID | None = None
    state: State = "pending"
    kind: str
    filename: str
    mime: str
    size_bytes: int = 0
    width: int | None = None
    height: int | None = None
    inline: bool = False
    inline_cid: str | None = None
    blob_key: str | None = None
    thumbnail_key: str | None = None
    preview_key: str | None = None
    ref: str | None = None
    raw_item_id: UUID | None = None
    upload_offset: int = 0
    attempt: int = 0
    due_at: datetime | None = None
    lease_until: datetime | None = None
    error: str | None = None
    created_at: datetime

    def view(self) -> Attachment:
        """Return the row as members see it."""
        return Attachment(
            id=self.id,
            kind=self.kind,
            filename=self.filename,
            mime=self.mime,
            size_bytes=self.size_bytes,
            state=self.state,
            width=self.width,
            height=self.height,
            has_thumbnail=self.thumbnail_key is not None,
            has_preview=self.preview_key is not None,
            inline=self.inline,
            error=self.error,
        )

    def parts(self) -> tuple[Part, ...]:
        """Return the stored parts of an upload, in order."""
        return _parts.decode(self.ref) if self.author_id is not None and self.ref else ()

    def key_of(self, variant: Variant) -> str | None:
        """Return the blob of a variant, None where there is none."""
        match variant:
            case "original":
                return self.blob_key
            case "thumbnail":
                return self.thumbnail_key
            case "preview":
                return self.preview_key


def clean_filename(name: str, mime: str = "", kind: str = "file") -> str:
    """
    Make a name safe to show, to store and to send.

    Args:
        name: As a stranger wrote it; may be empty or a path of any system.
        mime: Gives an extension where there is no name.
        kind: The name where there is none.

    Returns:
        1-255 bytes of UTF-8 in NFC, without a path, control, formatting (bidirectional, zero width) or unassigned
        characters, not beginning with a dot; its extension is kept when it is cut.
    """
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    shown = "".join(char if char.isprintable() else " " for char in last if unicodedata.category(char) != "Cf")
    plain = " ".join(shown.split()).lstrip(". ").rstrip(". ")
    if not plain:
        plain = kind + _EXTENSIONS.get(mime.partition(";")[0].strip().lower(), "")
    return _cut(plain)


def _cut(name: str) -> str:
    if len(name.encode()) <= FILENAME_LIMIT_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    tail = f"{dot}{extension}" if dot and len(extension.encode()) <= 16 else ""
    room = FILENAME_LIMIT_BYTES - len(tail.encode())
    return (stem if tail else name).encode()[:room].decode("utf-8", "ignore").rstrip(". ") + tail
