"""
Answers who a token is and what they may do, from the ephemeral Redis where it may, else from Postgres.

Each entry carries the generations of its workspace and of its login (or API key) that were read before Postgres was
asked. What changes rights or ends sessions deletes the generation after COMMIT; the next reader makes another one, at
random, so no entry from before can ever fit again, whenever it is written. Called by the edge.
"""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

from hub import clock
from hub.access.ending import Endings, generation_of
from hub.access.entry import LIFETIME_S, VERSION, Entry, EntryCodec, Found
from hub.access.line import Line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from redis.asyncio import Redis

    from hub.access.entry import Asked
    from hub.db import Notice

# Longer than any entry that carries it; ends so that generations of those who left do not stay.
_GENERATION_S: Final = 3600
# About 20 MiB. Only a hint that saves a round trip: what it says is checked against the entry.
_MOST_OWNERS: Final = 100_000


class AccessCache:
    """
    The cache of one process.

    Attributes:
        outcomes: Look-ups by how they ended; read by /metrics.
        endings: What this process ended, until Redis knows it.
    """

    def __init__(self, redis: Redis, key: bytes, *, line: Line | None = None) -> None:
        self.line = line or Line(redis)
        self.endings = Endings(redis)
        self.outcomes: Counter[str] = Counter()
        self._codec = EntryCodec(key)
        self._owners: OrderedDict[str, UUID] = OrderedDict()

    def on_commit(self, notices: Sequence[Notice]) -> None:
        """Forget what a committed transaction made untrue: at once here, for the other processes in a moment."""
        self.endings.note(notices)

    async def find(self, asked: Asked, load: Callable[[], Awaitable[Found]]) -> Found:
        """
        Answer from the cache or from Postgres.

        Args:
            asked: What is looked for.
            load: Asks Postgres; whatever it raises is passed on and never remembered.

        Returns:
            What Postgres says, or said at most ``LIFETIME_S`` ago with no change known since.
        """
        name = self._codec.name(asked)
        owner = asked.key_id or self._owners.get(name)
        entry, generations = await self._look(name, asked, owner)
        if entry is not None:
            return entry.found
        if generations is None:
            found = await load()
            self._learn(name, asked, found)
            return found
        read_at = clock.now()
        found = await load()
        fresh = Entry(VERSION, read_at, generations, found)
        # Ended while Postgres was asked, and Redis may not know it yet: this answer may be from before.
        if not self.endings.doubts(_scopes(asked, owner)) and _owner_of(asked, found) == owner:
            await self.line.ask(("SET", name, self._codec.encode(name, fresh), "EX", LIFETIME_S))
        return found

    async def _look(
        self, name: str, asked: Asked, owner: UUID | None
    ) -> tuple[Entry | None, tuple[bytes, bytes] | None]:
        """Return an entry that holds, or the generations to write a new one under (None: write none)."""
        scopes = _scopes(asked, owner)
        if self.endings.doubts(scopes):
            return self._ended("doubted")
        answers = await self.line.ask(("GET", name), *(("GET", one) for one in scopes if one))
        if answers is None:
            return self._ended("away")
        data = cast("bytes | None", answers[0])
        entry = None if data is None else self._codec.decode(name, data)
        if data is not None and entry is None:
            self.outcomes["broken"] += 1
        if owner is None:
            if entry is None:
                return self._ended("miss")
            self._learn(name, asked, entry.found)
            return await self._look(name, asked, entry.found.signed_in.login_id)
        read = iter(answers[1:])
        current = tuple(cast("bytes | None", next(read)) if one else b"" for one in scopes)
        whole = await self._made(scopes, current)
        if entry is not None and whole is not None and entry.holds(whole, clock.now()):
            self.outcomes["hit"] += 1
            return entry, None
        self.outcomes["miss" if entry is None else "stale"] += 1
        return None, whole

    def _ended(self, outcome: str) -> tuple[None, None]:
        self.outcomes[outcome] += 1
        return None, None

    async def _made(self, scopes: tuple[str, str], current: tuple[bytes | None, ...]) -> tuple[bytes, bytes] | None:
        """Make the generations that are missing: whichever process comes first decides."""
        missing = [scope for scope, one in zip(scopes, current, strict=True) if one is None]
        if not missing:
            return cast("tuple[bytes, bytes]", current)
        made = [("SET", one, secrets.token_bytes(12), "NX", "EX", _GENERATION_S) for one in missing]
        answers = await self.line.ask(*made, *(("GET", one) for one in missing))
        if answers is None:
            return None
        by_scope = dict(zip(missing, answers[len(missing) :], strict=True))
        whole = tuple(by_scope[scope] if one is None else one for scope, one in zip(scopes, current, strict=True))
        # Deleted again in between: somebody's rights are changing this moment.
        return None if any(one is None for one in whole) else cast("tuple[bytes, bytes]", whole)

    def _learn(self, name: str, asked: Asked, found: Found) -> None:
        if asked.key_id is None:
            self._owners[name] = found.signed_in.login_id
            self._owners.move_to_end(name)
            if len(self._owners) > _MOST_OWNERS:
                self._owners.popitem(last=False)


def _scopes(asked: Asked, owner: UUID | None) -> tuple[str, str]:
    """Name the generations an answer rests on; empty where there is none, or not known yet."""
    workspace = generation_of("workspace", asked.workspace_id) if asked.workspace_id else ""
    kind = "login" if asked.key_id is None else "key"
    return workspace, generation_of(kind, owner) if owner else ""


def _owner_of(asked: Asked, found: Found) -> UUID:
    return asked.key_id or found.signed_in.login_id
