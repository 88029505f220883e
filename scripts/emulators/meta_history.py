"""
What Meta's Conversations API tells of the past, for ``scripts/emulators/meta.py``: pages, newest first, fields by name.

A conversation is ``{id, updated_time, messages}``; a message has all it could be asked for. Of Instagram's
conversations the 20 newest messages are told, and of older ones the ids.

Source: developers.facebook.com/docs/messenger-platform/conversations, docs/graph-api/reference/message and
docs/graph-api/results (paging), read 2026-11-24.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

TOLD_OF_INSTAGRAM = 20
CONVERSATION_FIELDS = {"id", "updated_time", "participants", "messages", "link", "message_count", "unread_count"}
BOTH = {"id", "created_time", "from", "to", "message", "attachments", "shares", "reactions", "tags"}
MESSAGE_FIELDS = {"page": BOTH | {"sticker"}, "instagram": BOTH | {"story", "is_unsupported"}}
PLATFORMS = {"page": "messenger", "instagram": "instagram"}
Count = Annotated[int, msgspec.Meta(ge=1, le=100)]


class Reading(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The query of a conversation's messages."""

    fields: str = "id,created_time"
    limit: Count = 25
    after: str = ""
    appsecret_proof: str = ""


class Listing(Reading, forbid_unknown_fields=True, kw_only=True):
    """The query of the conversations."""

    platform: Literal["messenger", "instagram"]
    fields: str = "id,updated_time"


class Past:
    """
    The conversations of one page or account.

    Args:
        kind: ``page`` or ``instagram``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.conversations_by_id: dict[str, dict[str, Any]] = {}

    def conversations(self, asked: Listing) -> dict[str, Any] | str:
        """Return a page of conversations, or why there is none."""
        if asked.platform != PLATFORMS[self.kind]:
            return f"The token is of no account of {asked.platform}"
        newest = sorted(self.conversations_by_id.values(), key=lambda one: one["updated_time"], reverse=True)
        return _page(newest, asked, CONVERSATION_FIELDS - {"messages"})

    def messages(self, conversation: str, asked: Reading) -> dict[str, Any] | str:
        """Return a page of a conversation's messages, or why there is none."""
        known = self.conversations_by_id.get(conversation)
        if known is None:
            return "Unsupported get request. Object does not exist"
        newest = sorted(known["messages"], key=lambda one: one["created_time"], reverse=True)
        if self.kind == "instagram":
            newest[TOLD_OF_INSTAGRAM:] = [{"id": one["id"]} for one in newest[TOLD_OF_INSTAGRAM:]]
        return _page(newest, asked, MESSAGE_FIELDS[self.kind])


def _page(rows: Sequence[Mapping[str, Any]], asked: Reading, known: set[str]) -> dict[str, Any] | str:
    wanted = asked.fields.split(",")
    if unknown := sorted(set(wanted) - known):
        return f"Tried accessing nonexisting field ({unknown[0]})"
    first = _place(asked.after) if asked.after else 0
    if first is None:
        return "Invalid cursors values"
    shown = rows[first : first + asked.limit]
    data = [{name: one[name] for name in {"id", *wanted} if name in one} for one in shown]
    last = first + len(shown)
    return {
        "data": data,
        "paging": {"cursors": {"before": _cursor(first), "after": _cursor(last)}, "has_next": last < len(rows)},
    }


def _cursor(place: int) -> str:
    return base64.urlsafe_b64encode(f"place:{place}".encode()).decode()


def _place(cursor: str) -> int | None:
    try:
        return int(base64.urlsafe_b64decode(cursor).decode().removeprefix("place:"))
    except ValueError:
        return None
