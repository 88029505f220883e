"""
What Meta's Conversations API tells of the past, and each message of it written as the event it once was. Pure.

Source: developers.facebook.com/docs/messenger-platform/conversations, docs/graph-api/reference/message and
docs/instagram-platform/instagram-api-with-instagram-login/conversations-api, read 2026-11-24. "To get the message ID
use the conversation endpoint or Webhooks": a message's id is the same in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from connectors.meta.shapes import Attachment, Event, Message, Payload, Person, ReplyTo, Story

CONVERSATION_FIELDS: Final = "id,updated_time"
MESSAGE_FIELDS: Final = ("id", "created_time", "from", "to", "message", "attachments", "shares")


class _Who(msgspec.Struct, frozen=True):
    """A page and its people have names; Instagram's ``username`` is left to the question about the person."""

    id: str = ""
    name: str | None = None


class _To(msgspec.Struct, frozen=True):
    data: tuple[_Who, ...] = ()


class _Picture(msgspec.Struct, frozen=True):
    url: str | None = None


class _File(msgspec.Struct, frozen=True):
    mime_type: str | None = None
    file_url: str | None = None
    image_data: _Picture | None = None
    video_data: _Picture | None = None


class _Files(msgspec.Struct, frozen=True):
    data: tuple[_File, ...] = ()


class _Share(msgspec.Struct, frozen=True):
    link: str | None = None
    name: str | None = None


class _Shares(msgspec.Struct, frozen=True):
    data: tuple[_Share, ...] = ()


class _Link(msgspec.Struct, frozen=True):
    link: str | None = None


class _Stories(msgspec.Struct, frozen=True):
    mention: _Link | None = None
    reply_to: _Link | None = None


class PastMessage(msgspec.Struct, frozen=True, rename={"sender": "from"}):
    """One message; of those Meta withholds there is an ``id`` alone."""

    id: str
    created_time: str = ""
    sender: _Who | None = None
    to: _To | None = None
    message: str | None = None
    attachments: _Files | None = None
    shares: _Shares | None = None
    sticker: str | None = None
    story: _Stories | None = None
    is_unsupported: bool = False


class Conversation(msgspec.Struct, frozen=True):
    id: str
    updated_time: str | int = ""


class _Cursors(msgspec.Struct, frozen=True):
    after: str = ""


class _Paging(msgspec.Struct, frozen=True):
    """``next`` is a whole address with the token in it: that there is one is all we read."""

    cursors: _Cursors | None = None
    next: str | None = None


class _Page(msgspec.Struct, frozen=True):
    paging: _Paging | None = None

    @property
    def after(self) -> str:
        """What to ask for the next page by; empty on the last one."""
        if self.paging is None or not self.paging.next or self.paging.cursors is None:
            return ""
        return self.paging.cursors.after


class Conversations(_Page, frozen=True):
    data: tuple[Conversation, ...] = ()


class Messages(_Page, frozen=True):
    data: tuple[PastMessage, ...] = ()


def read_moment(text: str | int) -> datetime | None:
    """
    Read a time of the Graph API.

    Args:
        text: ISO 8601 with an offset, or seconds since 1970.

    Returns:
        The moment, UTC; None for what is none.
    """
    try:
        if isinstance(text, int) or text.isdigit():
            return datetime.fromtimestamp(int(text), UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None


def write_event(message: PastMessage, ours: str) -> Event | None:
    """
    Write a message as the event its webhook call once had.

    Args:
        message: As Meta tells it.
        ours: Id of our page or account.

    Returns:
        The event; None where it is not known when it was written, by whom, or to whom.
    """
    at, sender = read_moment(message.created_time), message.sender
    if at is None or sender is None or not message.id:
        return None
    is_echo = sender.id == ours
    others = message.to.data if message.to is not None else ()
    if is_echo:
        recipient = next((one for one in others if one.id != ours), None)
    else:
        # To whom it was is left out at times; a conversation has two sides.
        recipient = next((one for one in others if one.id == ours), _Who(ours)) if sender.id else None
    if recipient is None or not recipient.id:
        return None
    return Event(
        sender=_person(sender),
        recipient=_person(recipient),
        timestamp=int(at.timestamp() * 1000),
        message=Message(
            mid=message.id,
            text=message.message,
            attachments=tuple(_attachments(message)),
            reply_to=_reply_to(message),
            is_echo=is_echo,
            is_unsupported=message.is_unsupported,
        ),
    )


def _person(who: _Who) -> Person:
    return Person(id=who.id, name=who.name)


def _attachments(message: PastMessage) -> Iterator[Attachment]:
    for one in message.attachments.data if message.attachments is not None else ():
        if one.image_data is not None and one.image_data.url:
            yield _attachment("image", one.image_data.url)
        elif one.video_data is not None and one.video_data.url:
            yield _attachment("video", one.video_data.url)
        elif one.file_url:
            is_sound = (one.mime_type or "").startswith("audio/")
            yield _attachment("audio" if is_sound else "file", one.file_url)
    if message.sticker:
        yield _attachment("sticker", message.sticker)
    if message.story is not None and message.story.mention is not None:
        yield _attachment("story_mention", message.story.mention.link)
    for shared in message.shares.data if message.shares is not None else ():
        # A link that somebody wrote is told twice.
        if shared.link and shared.link not in (message.message or "") and shared.link != message.sticker:
            yield _attachment("share", shared.link, shared.name)


def _attachment(kind: str, url: str | None, title: str | None = None) -> Attachment:
    return Attachment(type=kind, payload=Payload(url=url, title=title))


def _reply_to(message: PastMessage) -> ReplyTo | None:
    if message.story is None or message.story.reply_to is None:
        return None
    return ReplyTo(story=Story(url=message.story.reply_to.link))
