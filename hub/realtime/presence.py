"""
Where workers leave who is online with them and who looks at which conversation: no history, no seq, gone by itself.

One entry a worker and workspace; ``presence_rounds.py`` writes it and shows what comes together. Answers are None when
the store is away: unknown, never "nobody". Typing is not kept at all: it is passed on, and clients drop it after
``TYPING_TTL_S``. ``presence_redis.py`` is the real store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# A worker that was killed is believed for this long.
ONLINE_TTL_S = 60.0
# A client that has not said again for this long which conversation it shows does not show it any more.
VIEWING_TTL_S = 30.0
# Somebody who reloads the page is not shown as gone.
LEAVE_GRACE_S = 5.0


class Here(msgspec.Struct, frozen=True):
    """
    Who is in one workspace, on one worker.

    Attributes:
        member_ids: Those online.
        views: Conversations on a screen, each with the member in front of it.
    """

    member_ids: tuple[UUID, ...] = ()
    views: tuple[tuple[UUID, UUID], ...] = ()


class Present(msgspec.Struct, frozen=True):
    """
    Who is in one workspace, on all workers together.

    Attributes:
        member_ids: Those online, sorted, each once.
        viewers: By conversation, sorted, each once.
    """

    member_ids: tuple[UUID, ...]
    viewers: dict[UUID, tuple[UUID, ...]]


class Presence(Protocol):
    """The store."""

    async def keep(
        self, holder: str, here: Mapping[int, Here], ttl_s: float = ONLINE_TTL_S
    ) -> Mapping[int, Present] | None:
        """
        Replace what a worker said of some workspaces; one call for all of them.

        Args:
            holder: The worker.
            here: By workspace; an empty one takes the worker's entry away.
            ttl_s: How long it is to be believed without repetition, 60 at most.

        Returns:
            What all workers say of these workspaces; None while the store is away.
        """
        ...

    async def online(self, workspace_id: int) -> tuple[UUID, ...] | None:
        """Return who is online, sorted, for somebody who only asks."""
        ...


class MemoryPresence:
    """For tests and one process: the same contract over a dictionary and a given clock."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._now_s = monotonic_s
        self._entries: dict[int, dict[str, tuple[float, Here]]] = {}

    async def keep(
        self, holder: str, here: Mapping[int, Here], ttl_s: float = ONLINE_TTL_S
    ) -> Mapping[int, Present] | None:
        """See ``Presence``."""
        for workspace_id, one in here.items():
            self._entries.setdefault(workspace_id, {})[holder] = (self._now_s() + ttl_s, one)
        return {workspace_id: merge(self._live(workspace_id)) for workspace_id in here}

    async def online(self, workspace_id: int) -> tuple[UUID, ...] | None:
        """See ``Presence``."""
        return merge(self._live(workspace_id)).member_ids

    def _live(self, workspace_id: int) -> list[Here]:
        return [here for until_s, here in self._entries.get(workspace_id, {}).values() if until_s > self._now_s()]


def merge(entries: Iterable[Here]) -> Present:
    """Put together what workers say of one workspace."""
    online: set[UUID] = set()
    viewers: dict[UUID, set[UUID]] = {}
    for here in entries:
        online.update(here.member_ids)
        for conversation_id, member_id in here.views:
            viewers.setdefault(conversation_id, set()).add(member_id)
    # By their bytes: the same order, and thirty times as fast as comparing UUIDs.
    return Present(
        tuple(sorted(online, key=_bytes_of)),
        {conversation_id: tuple(sorted(members, key=_bytes_of)) for conversation_id, members in viewers.items()},
    )


def _bytes_of(one: UUID) -> bytes:
    return one.bytes
