"""What a message of Messenger or Instagram says: text, files, and in words what has neither. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from connectors.meta.product import Product
from connectors.meta.shapes import Attachment, Message
from hub.envelope import AttachmentRef, clean_text

_MOST_FILES: Final = 20
_URL_CHARS: Final = 4_000
_FILES: Final = {"image": "image", "audio": "audio", "video": "video", "file": "file", "sticker": "image"}
# Of these we have an address of the picture or film, and cannot know which it is.
_SHOWN: Final = {
    "story_mention": "Mentioned you in their story",
    "ig_story": "Shared a story",
    "ig_reel": "Shared a reel",
    "reel": "Shared a reel",
    "ig_post": "Shared a post",
    "post": "Shared a post",
    "share": "Shared something",
}


class Content(msgspec.Struct, frozen=True, kw_only=True):
    text: str = ""
    quoted: str = ""
    attachments: tuple[AttachmentRef, ...] = ()
    unreadable: str = ""


def read_content(message: Message, product: Product) -> Content:
    """
    Read what a message says.

    Args:
        message: As Meta told it.
        product: Names itself where something cannot be shown.

    Returns:
        Text, files, and why there is neither, where there is not.
    """
    if message.is_unsupported:
        return Content(unreadable=f"{product.vendor} cannot hand this kind of message over: open it there.")
    lines = [clean_text(message.text or "")]
    files: list[AttachmentRef] = []
    for one in message.attachments[:_MOST_FILES]:
        url = _address(one)
        if one.type in _FILES and url:
            files.append(AttachmentRef(ref=url, kind=_FILES[one.type]))
        else:
            lines.append(_in_words(one, url))
    text = "\n".join(line for line in lines if line.strip())
    quoted = ""
    if message.reply_to is not None and message.reply_to.story is not None:
        quoted = "\n".join(line for line in ("In answer to your story", message.reply_to.story.url or "") if line)
    if not text.strip() and not files:
        return Content(
            quoted=clean_text(quoted), unreadable=f"This message has nothing we can show: open {product.vendor}."
        )
    return Content(text=text, quoted=clean_text(quoted), attachments=tuple(files))


def _in_words(one: Attachment, url: str) -> str:
    payload = one.payload
    title = clean_text(one.title or (payload.title if payload else None) or "").strip()
    if payload is not None and payload.coordinates is not None:
        at = f"?mlat={payload.coordinates.lat:.6f}&mlon={payload.coordinates.long:.6f}"
        return f"Location: {title + ', ' if title else ''}https://www.openstreetmap.org/{at}"
    words = _SHOWN.get(one.type, title)
    return ": ".join(part for part in (words, title if words != title else "", url) if part)


def _address(one: Attachment) -> str:
    found = (one.payload.url if one.payload else None) or one.url or ""
    return (
        found if found.startswith(("https://", "http://")) and len(found) <= _URL_CHARS and found.isprintable() else ""
    )
