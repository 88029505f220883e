"""
Who is online and who looks at which conversation: no history, no seq, entries that expire by themselves.

Typing is not kept at all: it is passed on, and clients drop it after ``TYPING_TTL_S``. Answers are None when the store
is away: unknown, never "nobody". ``presence_redis.py`` is the real store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ONLINE_TTL_S = 60
VIEWING_TTL_S = 30
# Somebody who reloads the page is not shown as gone.
LEAVE_GRACE_S = 5


class Viewers(msgspec.Struct, frozen=True):
    """Who has a conversation on screen, sorted, and whether that just changed."""

    member_ids: tuple[UUID, ...]
    is_changed: bool


class Presence(Protocol):
    """A holder is one connection or process: a member with two of them is gone when both are."""

    async def online(self, workspace_id: int, holder: str, member_ids: Sequence[UUID]) -> tuple[UUID, ...] | None:
        """Keep members online for another 60 s on behalf of ``holder``; returns everybody online, sorted."""
        ...

    async def leave(self, workspace_id: int, holder: str, member_id: UUID) -> None:
        """Let a member go offline in five seconds, unless somebody keeps them."""
        ...

    async def view(self, workspace_id: int, conversation_id: UUID, holder: str, member_id: UUID) -> Viewers | None:
        """Note that a member looks at a conversation for the next 30 s."""
        ...

    async def unview(self, workspace_id: int, conversation_id: UUID, holder: str, member_id: UUID) -> Viewers | None:
        """Note that a member does not look at a conversation any more."""
        ...


class MemoryPresence:
    """For tests and one process: the same contract over a dictionary and a given clock."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._now_s = monotonic_s
        self._sets: dict[object, dict[tuple[UUID, str], float]] = {}

    async def online(self, workspace_id: int, holder: str, member_ids: Sequence[UUID]) -> tuple[UUID, ...] | None:
        """See ``Presence``."""
        self._expire(workspace_id)
        entries = self._sets.setdefault(workspace_id, {})
        entries.update({(one, holder): self._now_s() + ONLINE_TTL_S for one in member_ids})
        return _members(entries)

    async def leave(self, workspace_id: int, holder: str, member_id: UUID) -> None:
        """See ``Presence``."""
        entries = self._sets.get(workspace_id, {})
        if (member_id, holder) in entries:
            entries[member_id, holder] = self._now_s() + LEAVE_GRACE_S

    async def view(self, workspace_id: int, conversation_id: UUID, holder: str, member_id: UUID) -> Viewers | None:
        """See ``Presence``."""
        key = (workspace_id, conversation_id)
        expired = self._expire(key)
        entries = self._sets.setdefault(key, {})
        is_new = (member_id, holder) not in entries
        entries[member_id, holder] = self._now_s() + VIEWING_TTL_S
        return Viewers(_members(entries), is_changed=is_new or expired)

    async def unview(self, workspace_id: int, conversation_id: UUID, holder: str, member_id: UUID) -> Viewers | None:
        """See ``Presence``."""
        key = (workspace_id, conversation_id)
        expired = self._expire(key)
        entries = self._sets.setdefault(key, {})
        was_there = entries.pop((member_id, holder), None) is not None
        return Viewers(_members(entries), is_changed=was_there or expired)

    def _expire(self, key: object) -> bool:
        entries = self._sets.get(key, {})
        over = [entry for entry, until_s in entries.items() if until_s <= self._now_s()]
        for entry in over:
            del entries[entry]
        return bool(over)


def _members(entries: dict[tuple[UUID, str], float]) -> tuple[UUID, ...]:
    return tuple(sorted({member_id for member_id, _ in entries}))
