"""Reads one event of LinkedIn's about a message. Pure: the bytes in, our structs out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from connectors.base import ParseContext
from connectors.linkedin.shapes import Activity, Event, Member, Processed, read
from hub.envelope import Direction, Identity, InboundItem, ItemKind, clean_text
from hub.errors import MalformedPayload, UnsupportedPayload

SCHEME: Final = "linkedin"
# An address a member may open; the hub itself never does.
PROFILE: Final = "profile_url"
MESSAGES: Final = "messages"
_PROFILE_URL: Final = re.compile(r"https://([a-z]{2,3}\.|www\.)?linkedin\.com/in/[A-Za-z0-9%_-]{1,200}/?")
_FILE: Final = "A file: open the conversation at LinkedIn to see it."


def parse(body: bytes, context: ParseContext) -> Sequence[InboundItem]:
    """
    Read one event.

    Args:
        body: As ``poll`` gave it.
        context: Holds the dedupe key.

    Raises:
        MalformedPayload: Not of LinkedIn's shape.
        UnsupportedPayload: About something else than a new message, or in a thread that names nobody.
    """
    event = read(body, Event)
    if event.resource_name != MESSAGES or event.method != "CREATE":
        raise UnsupportedPayload("an event about something else than a new message")
    activity = read(event.activity, Activity)
    is_ours = event.actor == event.owner
    others = [one for one in _members(event) if one.identity != event.owner]
    if is_ours and not others:
        raise UnsupportedPayload("a message of ours in a thread that names nobody else")
    person = others[0] if is_ours else next((one for one in others if one.identity == event.actor), None)
    text = clean_text(activity.content.text or activity.content.fallback)
    return [
        InboundItem(
            kind=ItemKind.MESSAGE,
            key=context.key,
            occurred_at=_moment(event.processed_at if activity.delivered_at is None else activity.delivered_at),
            thread_key=activity.thread,
            direction=Direction.OUTBOUND if is_ours else Direction.INBOUND,
            sender=_identity(person or Member(identity=event.actor)),
            external_id=event.resource_id or event.activity_id,
            text=text,
            unreadable="" if text.strip() else _FILE,
        )
    ]


def _members(event: Event) -> tuple[Member, ...]:
    """Whom LinkedIn names in the thread; a shape we do not know names nobody, and the message is read all the same."""
    try:
        return read(event.processed_activity, Processed).thread.membership
    except MalformedPayload:
        return ()


def _identity(member: Member) -> Identity:
    if not re.fullmatch(r"[!-~]{1,250}", member.identity):
        raise MalformedPayload("a member without a usable id")
    known = _PROFILE_URL.fullmatch(member.profile_url)
    name = clean_text(member.name).strip()[:200]
    aliases = (Identity(PROFILE, member.profile_url.rstrip("/")),) if known else ()
    return Identity(SCHEME, member.identity, display_name=name or None, aliases=aliases)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
