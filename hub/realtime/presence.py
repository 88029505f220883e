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
ID_BYTES = 16


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
        members: Those online, packed: their ids of 16 bytes, sorted, each once. Thirty UUID objects are 3.5 KB, and
            each worker remembers this of each workspace.
        viewers: By conversation, sorted, each once.
    """

    members: bytes
    viewers: dict[UUID, tuple[UUID, ...]]

    @property
    def member_ids(self) -> tuple[UUID, ...]:
        """Those online, sorted, each once."""
        return unpack_ids(self.members)


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
            What all workers say of these workspaces, the same object as long as they say the same; None while the
            store is away.
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
        return {workspace_id: merge(map(pack, self._live(workspace_id))) for workspace_id in here}

    async def online(self, workspace_id: int) -> tuple[UUID, ...] | None:
        """See ``Presence``."""
        return merge(map(pack, self._live(workspace_id))).member_ids

    def _live(self, workspace_id: int) -> list[Here]:
        return [here for until_s, here in self._entries.get(workspace_id, {}).values() if until_s > self._now_s()]


def pack(here: Here) -> bytes:
    """Write an entry: how many members, a space, their ids, then conversation and member of each view; or nothing."""
    if not here.member_ids and not here.views:
        return b""
    ids = [one.bytes for one in here.member_ids]
    ids += [one.bytes for view in here.views for one in view]
    return b"%d " % len(here.member_ids) + b"".join(ids)


def merge(entries: Iterable[bytes]) -> Present:
    """Put together what workers say of one workspace, packed; no UUID is made of who is only online."""
    online: set[bytes] = set()
    viewers: dict[bytes, set[bytes]] = {}
    for entry in entries:
        count, _, rest = entry.partition(b" ")
        ids = [rest[at : at + ID_BYTES] for at in range(0, len(rest), ID_BYTES)]
        members = int(count or b"0")
        online.update(ids[:members])
        for conversation, member in zip(ids[members::2], ids[members + 1 :: 2], strict=True):
            viewers.setdefault(conversation, set()).add(member)
    return Present(
        b"".join(sorted(online)),
        {
            UUID(bytes=conversation): tuple(UUID(bytes=one) for one in sorted(some))
            for conversation, some in viewers.items()
        },
    )


def unpack_ids(packed: bytes) -> tuple[UUID, ...]:
    """Read ids that stand side by side."""
    return tuple(UUID(bytes=packed[at : at + ID_BYTES]) for at in range(0, len(packed), ID_BYTES))
