"""
LinkedIn's events about messages, as far as we read them. Pure.

Source: learn.microsoft.com/en-us/linkedin/compliance (Messages) and /dma (Member Changelog), read 2026-11-23; how
``membership`` and ``content`` look inside is by the reference and may differ. Fields we do not name are ignored.
"""

from __future__ import annotations

import json
from typing import Annotated, TypeVar

import msgspec

from hub.envelope import clean_text
from hub.errors import MalformedPayload

Wanted = TypeVar("Wanted")
Id = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,250}$")]
# Milliseconds from 1970 to the year 9999.
Moment = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_000)]


class Content(msgspec.Struct, frozen=True):
    """The text, in ``text`` or, where it is formatted, in ``fallback``."""

    text: str = ""
    fallback: str = ""


class Activity(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    thread: Id
    content: Content = Content()
    subject: str | None = None
    delivered_at: Moment | None = None
    attachments: tuple[msgspec.Raw, ...] = ()


class Event(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Something a member or somebody else did; ``actor`` is ``owner`` where the member did it."""

    owner: Id
    actor: Id
    resource_name: str
    method: str
    activity_id: Id
    processed_at: Moment
    resource_id: Id | None = None
    activity: msgspec.Raw = msgspec.Raw(b"{}")
    processed_activity: msgspec.Raw = msgspec.Raw(b"{}")


class Member(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Somebody in a thread, by LinkedIn's id and, where it says so, by name and by the address of their profile."""

    identity: str
    name: str = ""
    profile_url: str = ""


class Thread(msgspec.Struct, frozen=True):
    membership: tuple[Member, ...] = ()


class Processed(msgspec.Struct, frozen=True, kw_only=True):
    thread: Thread = msgspec.field(default=Thread(), name="thread~")


class Row(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What reading itself must know of an event."""

    resource_name: str = ""
    activity_id: str = ""
    processed_at: int = 0


class Page(msgspec.Struct, frozen=True):
    elements: tuple[msgspec.Raw, ...] = ()


def read(body: bytes | msgspec.Raw, kind: type[Wanted]) -> Wanted:
    """
    Read JSON into a struct; half a surrogate pair becomes U+FFFD.

    Raises:
        MalformedPayload: Not JSON, a field is missing or of another type.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        mended = clean_text(json.dumps(json.loads(bytes(body)), ensure_ascii=False))
        return msgspec.json.decode(mended, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedPayload(f"not of LinkedIn's shape: {error}"[:300]) from error
