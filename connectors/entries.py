"""
Reads one stream entry: decodes it and lets its channel parse it. Also what intake counts and what it needs of others.

Stores nothing: ``connectors/batches.py`` does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import msgspec

from connectors.base import ParseContext
from hub.envelope import StreamItem
from hub.errors import MalformedPayload, NotFound, Unavailable, UnsupportedPayload
from hub.inbox.batch import Outcome, ReceivedItem
from hub.log import get_logger
from hub.metrics import Distribution
from hub.tracing import NO_TRACER, Tracer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from connectors.base import Connector
    from hub.channels.model import Route
    from hub.db import TenantConn
    from hub.streams import Entry

# Of all partitions of one worker. Few enough that batches fill up under load (each costs six round trips and an fsync
# whatever its size), enough that a workspace somebody keeps locked does not hold up the others.
BATCHES_AT_ONCE = 4

_decoder = msgspec.msgpack.Decoder(StreamItem)
_log = get_logger("connectors.intake")


class Transactions(Protocol):
    def transaction(self, workspace_ids: list[int]) -> AbstractAsyncContextManager[TenantConn]: ...


class Acknowledging(Protocol):
    """What is needed of ``hub.streams.IngressStreams`` here."""

    async def ack(self, partition: int, ids: Sequence[str]) -> int: ...
    async def set_aside(self, partition: int, entry: Entry) -> None: ...


class Connectors(Protocol):
    def get(self, channel: str) -> Connector: ...


class Routes(Protocol):
    async def find(self, account_id: UUID) -> Route: ...


@dataclass(slots=True)
class IntakeMetrics:
    """
    What intake did in this process; read by /metrics.

    Attributes:
        outcomes: Items by what ``receive`` made of them: ``stored``, ``duplicate``, …
        failures: Entries that failed by an error of their own, each time.
        put_off: Times a workspace was left alone because somebody kept it locked, or its statements took too long.
        orphaned: Entries of workspaces that no longer exist, acknowledged.
        unreadable: Alarm: entries that are not StreamItems, set aside.
        unavailable: Times Postgres or Redis was waited for.
        stopped: Alarm: partitions at a standstill because of too many dead letters.
        seconds: How long the oldest item of each batch had been on its way, from the edge to COMMIT.
        lag_s: By partition, how long the last stored item had been waiting since the edge took it.
    """

    batches: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    unsupported: int = 0
    failures: int = 0
    put_off: int = 0
    dead_letters: int = 0
    orphaned: int = 0
    unreadable: int = 0
    unavailable: int = 0
    stopped: set[int] = field(default_factory=set)
    lag_s: dict[int, float] = field(default_factory=dict)
    seconds: Distribution = field(default_factory=Distribution)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPorts:
    """
    What storing a batch needs; ``receive`` is ``hub.inbox.actions.receive``.

    Attributes:
        turns: Taken for each batch: a partition that waits for its turn gathers a larger batch meanwhile.
        signing_key: Of one channel account (``hub.channels.signing``).
    """

    database: Transactions
    streams: Acknowledging
    connectors: Connectors
    routes: Routes
    receive: Callable[[TenantConn, Sequence[ReceivedItem]], Awaitable[list[Outcome]]]
    metrics: IntakeMetrics = field(default_factory=IntakeMetrics)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(BATCHES_AT_ONCE))
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    tracer: Tracer = NO_TRACER
    signing_key: Callable[[int, UUID], bytes] = lambda workspace_id, account_id: b""  # noqa: ARG005  tests sign nothing


@dataclass(frozen=True, slots=True)
class Parsed:
    entry: Entry
    item: StreamItem
    received: list[ReceivedItem]


@dataclass(frozen=True, slots=True)
class Failed:
    """An entry with an error of its own; ``is_final`` when trying again cannot help."""

    entry: Entry
    item: StreamItem
    error: BaseException
    is_final: bool = False


async def read_entry(ports: BatchPorts, partition: int, entry: Entry) -> Parsed | Failed | None:
    """
    Decode an entry and have its channel's connector parse it.

    Args:
        ports: The rest of the system.
        partition: Where it stood.
        entry: As the stream gave it.

    Returns:
        What to store, or what is wrong with it; None when it needs nothing but its acknowledgement.

    Raises:
        Unavailable: The channel accounts cannot be read, or Redis is away.
    """
    if entry.payload is None:
        return None
    try:
        item = _decoder.decode(entry.payload)
        account_id = UUID(item.channel_account_id)
    except (msgspec.DecodeError, ValueError):
        ports.metrics.unreadable += 1
        _log.error("intake_entry_unreadable", partition=partition, entry=entry.id)
        await ports.streams.set_aside(partition, entry)
        return None
    try:
        route = await ports.routes.find(account_id)
        if (route.workspace_id, route.channel) != (item.workspace_id, item.channel):
            return Failed(entry, item, NotFound("channel account of this channel in this workspace"), is_final=True)
        received_at = datetime.fromtimestamp(item.received_at_ms / 1000, UTC)
        context = ParseContext(
            received_at=received_at,
            key=item.key,
            settings=route.settings,
            account_id=item.channel_account_id,
            workspace_id=item.workspace_id,
            signing_key=ports.signing_key(item.workspace_id, account_id),
        )
        found = ports.connectors.get(item.channel).parse(item.body, context)
    except UnsupportedPayload:
        ports.metrics.unsupported += 1
        return None
    except Unavailable:
        raise
    except Exception as error:  # loop: a parser's bug is one entry's failure
        return Failed(entry, item, error, is_final=isinstance(error, MalformedPayload))
    received = [
        ReceivedItem(workspace_id=item.workspace_id, channel_account_id=account_id, channel=item.channel, item=one)
        for one in found
    ]
    return Parsed(entry, item, received) if received else None
