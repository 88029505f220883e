"""
The ingress streams of one process: producers append, the leaseholder of a partition reads, acknowledges and trims.

Uses only commands of Redis 7.0, and for reading only such as work at maxmemory: a full Redis must still drain.
Called by ``api/webhooks.py`` (append), ``connectors/intake.py`` (the rest) and ``hub/jobs.py`` (trim, backlog).
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from hub.errors import Unavailable
from hub.log import Dependency, get_logger
from hub.streams.append import Appender
from hub.streams.model import (
    CONSUMER,
    FIELD,
    GROUP,
    PARTITIONS,
    Backlog,
    Claimed,
    Entry,
    StreamMetrics,
    stream_key,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from hub.envelope import StreamItem

COMMAND_TIMEOUT_S = 5.0
MAX_BLOCK_MS = 2_000
SCAN_ENTRIES = 500
# redis-py 8.1 gives up after 5 s by itself, whatever BLOCK says; a reader's socket may be silent for its BLOCK and
# then as long as any command.
# An append that takes longer is given up: it may have been stored, its caller puts the item elsewhere, and its dedupe
# key absorbs the second. Vendors wait 5 to 15 s.
APPEND_TIMEOUT_S = 2.0
READ_TIMEOUT_S = MAX_BLOCK_MS / 1000 + COMMAND_TIMEOUT_S

_RawEntry = tuple[bytes, dict[bytes, bytes] | None]
_log = get_logger("hub.streams")


class IngressStreams:
    """
    The sixteen streams.

    Attributes:
        metrics: Counters, for /metrics.
        server: Whether Redis answers what is asked besides appends.
    """

    def __init__(self, url: str) -> None:
        # Three pools: a blocked read must not hold up a command, and an append must not wait for either.
        self._writing = _client(url, APPEND_TIMEOUT_S)
        self._commands = _client(url, COMMAND_TIMEOUT_S)
        self._reading = _client(url, READ_TIMEOUT_S)
        self.metrics = StreamMetrics()
        self.server = Dependency("ingress_redis", _log)
        self._appender = Appender(self._writing, self.metrics)

    async def append(self, item: StreamItem) -> None:
        """
        Add a raw item to its workspace's stream; returns only once Redis has it on disk.

        Args:
            item: At most 64 KiB of body; larger ones are the caller's to refuse.

        Raises:
            Unavailable: Not stored as far as we know (a lost reply may hide a stored one; the dedupe key absorbs it).
        """
        await self._appender.append(item)

    async def probe(self) -> None:
        """
        Find out whether the streams take items, by adding an entry to a stream nobody reads.

        Raises:
            Unavailable: Redis is away, full or refuses writes.
        """
        # An append lost the streams, so this finds them again: nobody else may append for a while.
        async with _redis_errors(0, self._appender.streams):
            await self._commands.xadd(f"{stream_key(0)}:probe", {FIELD: b""}, maxlen=1, approximate=False)

    async def create_groups(self) -> int:
        """
        Make the consumer group of every partition that has none; called when a worker starts.

        Returns:
            How many were missing: 16 on the first start ever, 0 afterwards.
        """
        created = 0
        for partition in range(PARTITIONS):
            created += await self._create_group(partition)
        return created

    async def read_new(self, partition: int, limit: int, block_ms: int) -> list[Entry]:
        """
        Read entries nobody has read, waiting up to ``block_ms`` (0-2000; 0 does not wait) for the first.

        Raises:
            Unavailable: Redis is away, or the group had gone. What this call was given may be pending: read that first.
        """
        return await self._read(partition, ">", limit, min(block_ms, MAX_BLOCK_MS))

    async def read_own_pending(self, partition: int, after: str, limit: int) -> list[Entry]:
        """
        Read entries that were handed out and never acknowledged, oldest first.

        Args:
            partition: A partition this worker leases.
            after: ``"0"``, or the id of the last entry of the page before.
            limit: Most entries to return.

        Returns:
            Entries with their delivery counts, this delivery included. Content that has gone raises the alarm.
        """
        entries = await self._read(partition, after, limit, None)
        return await self._with_deliveries(partition, entries)

    async def ack(self, partition: int, ids: Sequence[str]) -> int:
        """Acknowledge stored entries; returns how many were pending until now. Safe to repeat."""
        if not ids:
            return 0
        async with _redis_errors(partition, self.server):
            return int(await self._commands.xack(stream_key(partition), GROUP, *ids))

    async def claim_stale(self, partition: int, min_idle_ms: int, limit: int) -> Claimed:
        """
        Take entries that were handed out at least ``min_idle_ms`` ago and never acknowledged.

        Returns:
            The entries, and ids whose content has gone; Redis has dropped those from the pending list, and the alarm
            has been raised.
        """
        async with _redis_errors(partition, self.server):
            reply = await self._commands.xautoclaim(stream_key(partition), GROUP, CONSUMER, min_idle_ms, "0", limit)
        _, claimed, deleted = cast("tuple[bytes, list[_RawEntry], list[bytes]]", reply)
        entries = [_entry(raw) for raw in claimed]
        lost = [raw.decode() for raw in deleted]
        self._alarm_lost(partition, lost)
        return Claimed(await self._with_deliveries(partition, entries), lost)

    async def delivery_counts(self, partition: int, first: str, last: str, limit: int) -> dict[str, int]:
        """Return how often each pending entry from ``first`` to ``last`` was handed out."""
        async with _redis_errors(partition, self.server):
            rows = await self._commands.xpending_range(stream_key(partition), GROUP, min=first, max=last, count=limit)
        return {cast("bytes", row["message_id"]).decode(): int(row["times_delivered"]) for row in rows}

    async def trim(self, partition: int) -> int:
        """
        Remove what every group has stored: entries before the oldest pending one, or before the last one handed out.

        Never by length: MAXLEN would take entries nobody has stored yet. The floor only rises, so one that is stale
        when it is used is merely late.

        Returns:
            How many entries were removed.
        """
        key = stream_key(partition)
        floors: list[tuple[int, int]] = []
        async with _redis_errors(partition, self.server):
            # The last delivered id is read first: what is handed out between the two calls lies above it.
            for group in await self._groups(key):
                pending = await self._commands.xpending(key, cast("bytes", group["name"]))
                floor = cast("bytes | None", pending["min"]) or cast("bytes", group["last-delivered-id"])
                floors.append(_parse_id(floor))
            if not floors or min(floors) == (0, 0):
                return 0
            milliseconds, number = min(floors)
            removed = await self._commands.xtrim(key, minid=f"{milliseconds}-{number}", approximate=False)
        self.metrics.trimmed += removed
        return removed

    async def backlog(self, partition: int) -> Backlog:
        """Measure how far behind a partition is; also kept in ``metrics.backlog``."""
        key = stream_key(partition)
        async with _redis_errors(partition, self.server):
            length = await self._commands.xlen(key)
            groups = await self._groups(key)
        mine = [group for group in groups if group["name"] == GROUP.encode()]
        pending = cast("int", mine[0]["pending"]) if mine else 0
        undelivered = cast("int | None", mine[0].get("lag")) if mine else length
        measured = Backlog(length=length, undelivered=undelivered, pending=pending)
        self.metrics.backlog[partition] = measured
        return measured

    async def set_aside(self, partition: int, entry: Entry) -> None:
        """
        Move an entry that is not a StreamItem to ``in:{p}:unreadable``, with its bytes, and acknowledge it.

        Raises:
            Unavailable: Redis is away or full; the entry stays pending.
        """
        key = stream_key(partition)
        async with _redis_errors(partition, self.server):
            await self._commands.xadd(f"{key}:unreadable", {FIELD: entry.payload or b""})
        await self.ack(partition, [entry.id])

    async def remove(self, partition: int, is_wanted: Callable[[bytes], bool]) -> int:
        """
        Remove entries by their content, stored ones and those not stored yet, also from ``in:{p}:unreadable``.

        Args:
            partition: Any; no lease is needed.
            is_wanted: Says of the bytes of a StreamItem whether it goes.

        Returns:
            How many went.
        """
        removed = 0
        for key in (stream_key(partition), f"{stream_key(partition)}:unreadable"):
            after = "-"
            while True:
                async with _redis_errors(partition, self.server):
                    raws = await self._commands.xrange(key, min=after, max="+", count=SCAN_ENTRIES)
                entries = [_entry(raw) for raw in cast("list[_RawEntry]", raws)]
                ids = [one.id for one in entries if one.payload and is_wanted(one.payload)]
                if ids:
                    # Acknowledged first: an entry that is pending and gone is an alarm.
                    if key == stream_key(partition) and await self._groups(key):
                        await self.ack(partition, ids)
                    async with _redis_errors(partition, self.server):
                        removed += int(await self._commands.xdel(key, *ids))
                if len(entries) < SCAN_ENTRIES:
                    break
                after = f"({entries[-1].id}"
        if removed:
            # The file still holds what was removed until it is written anew; a rewrite that runs already does as well.
            with suppress(Unavailable):
                async with _redis_errors(partition, self.server):
                    await self._commands.bgrewriteaof()
        return removed

    async def close(self) -> None:
        """Wait for appends on their way and close every connection."""
        await self._appender.close()
        for client in (self._writing, self._commands, self._reading):
            await client.aclose()

    async def _read(self, partition: int, after: str, limit: int, block_ms: int | None) -> list[Entry]:
        client = self._reading if block_ms else self._commands
        try:
            async with _redis_errors(partition, self.server):
                reply = await client.xreadgroup(
                    GROUP, CONSUMER, {stream_key(partition): after}, count=limit, block=block_ms or None
                )
        except _GroupMissing as error:
            await self._recreate_group(partition)
            raise Unavailable("The ingress group had gone and was made again.", retry_after_s=0.1) from error
        return [_entry(raw) for _, raws in cast("list[tuple[bytes, list[_RawEntry]]]", reply) for raw in raws]

    async def _with_deliveries(self, partition: int, entries: list[Entry]) -> list[Entry]:
        if not entries:
            return []
        counts = await self.delivery_counts(partition, entries[0].id, entries[-1].id, len(entries))
        self._alarm_lost(partition, [one.id for one in entries if one.payload is None])
        return [Entry(one.id, one.payload, counts.get(one.id, 1)) for one in entries]

    async def _recreate_group(self, partition: int) -> None:
        """A group that was there and is not: Redis came back without its data. Start over from the first entry."""
        self.metrics.groups_missing += 1
        _log.error("ingress_group_missing", partition=partition)
        await self._create_group(partition)

    async def _create_group(self, partition: int) -> int:
        try:
            async with _redis_errors(partition, self.server):
                await self._commands.xgroup_create(stream_key(partition), GROUP, id="0", mkstream=True)
        except _GroupExists:
            return 0
        return 1

    async def _groups(self, key: str) -> list[dict[str, object]]:
        try:
            return cast("list[dict[str, object]]", await self._commands.xinfo_groups(key))
        except ResponseError as error:
            if "no such key" in str(error).lower():
                return []
            raise

    def _alarm_lost(self, partition: int, ids: list[str]) -> None:
        if ids:
            self.metrics.entries_lost += len(ids)
            _log.error("ingress_entries_lost", partition=partition, entries=len(ids), first=ids[0], last=ids[-1])


class _GroupMissing(Unavailable):
    """NOGROUP."""


class _GroupExists(Unavailable):
    """BUSYGROUP."""


@asynccontextmanager
async def _redis_errors(partition: int, server: Dependency) -> AsyncIterator[None]:
    """Turn whatever Redis or the network says into Unavailable; nothing of it can be mended by a caller."""
    try:
        yield
        server.found()
    except (RedisError, OSError) as error:
        if not isinstance(error, ResponseError):
            server.lost(error=type(error).__name__)
        text = str(error)
        kind = Unavailable
        if isinstance(error, ResponseError) and text.startswith("NOGROUP"):
            kind = _GroupMissing
        elif isinstance(error, ResponseError) and text.startswith("BUSYGROUP"):
            kind = _GroupExists
        raise kind(f"Ingress partition {partition} is not answering ({type(error).__name__}).") from error


def _client(url: str, timeout_s: float) -> Redis:
    # RESP2: replies of XREADGROUP and XAUTOCLAIM have one shape on Redis 7.0 and Valkey 9. No automatic retries: a
    # repeated XREADGROUP would leave the first reply's entries pending, unseen.
    return Redis.from_url(
        url,
        protocol=2,
        socket_timeout=timeout_s,
        socket_connect_timeout=min(timeout_s, COMMAND_TIMEOUT_S),
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )


def _entry(raw: _RawEntry) -> Entry:
    entry_id, fields = raw
    return Entry(entry_id.decode(), fields.get(FIELD, b"") if fields else None)


def _parse_id(raw: bytes) -> tuple[int, int]:
    milliseconds, _, number = raw.partition(b"-")
    return int(milliseconds), int(number or 0)
