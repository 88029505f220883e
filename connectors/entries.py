"""
Reads one stream entry: decodes it, fetches a body that travelled by reference, and lets its channel parse it. Also what
intake counts and what it needs of others.

Stores nothing: ``connectors/batches.py`` does.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import msgspec

from connectors.base import ParseContext
from connectors.raw_items import INLINE_LIMIT_BYTES, reference_of
from hub import clock, html
from hub.envelope import ItemKind, StreamItem
from hub.errors import MalformedPayload, NotFound, Unavailable, UnsupportedPayload
from hub.inbox.batch import Formatted, Outcome, ReceivedItem
from hub.log import get_logger
from hub.metrics import Distribution
from hub.tracing import NO_TRACER, Tracer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from connectors.base import Connector
    from hub.channels.model import Route
    from hub.db import TenantConn
    from hub.envelope import InboundItem
    from hub.streams import Entry

# Of all partitions of one worker. Few enough that batches fill up under load (each costs six round trips and an fsync
# whatever its size), enough that a workspace somebody keeps locked does not hold up the others.
BATCHES_AT_ONCE = 4
# Bodies that travelled by reference are up to 25 MiB each, and parsing takes some times that.
LOADS_AT_ONCE = 2

_decoder = msgspec.msgpack.Decoder(StreamItem)
_log = get_logger("connectors.intake")


def sanitise_html(text: str) -> Formatted:
    """Clean the HTML of an item, as the store keeps it."""
    clean = html.sanitise(text)
    return Formatted(clean.html, clean.remote_images)


class Transactions(Protocol):
    def transaction(self, workspace_ids: list[int]) -> AbstractAsyncContextManager[TenantConn]: ...


class Acknowledging(Protocol):
    """What is needed of ``hub.streams.IngressStreams`` here."""

    async def ack(self, partition: int, ids: Sequence[str]) -> int: ...
    async def set_aside(self, partition: int, entry: Entry) -> None: ...
    async def delivery_counts(self, partition: int, first: str, last: str, limit: int) -> dict[str, int]: ...


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
        hints: Entries that only said that there is something, noted.
        failures: Entries that failed by an error of their own, each time.
        put_off: Times a workspace was left alone because somebody kept it locked, or its statements took too long.
        orphaned: Entries of workspaces that no longer exist, acknowledged.
        loaded: Bodies that travelled by reference, read from Postgres.
        unreadable: Alarm: entries that are not StreamItems, set aside.
        unavailable: Times Postgres or Redis was waited for.
        stopped: Alarm: partitions at a standstill because of too many dead letters.
        seconds: How long the oldest item of each batch had been on its way, from the edge to COMMIT.
        lag_s: By partition, how long the last stored item had been waiting since the edge took it.
    """

    batches: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    unsupported: int = 0
    hints: int = 0
    failures: int = 0
    put_off: int = 0
    dead_letters: int = 0
    orphaned: int = 0
    loaded: int = 0
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
        loads: Taken for each body that travelled by reference, until it is parsed: bounds memory.
        signing_key: Of one channel account (``hub.channels.signing``).
        hinted: Told after COMMIT that hints wait.
        sanitise: Cleans the HTML of an item (``hub.html``); what it makes is the only HTML that is stored.
    """

    database: Transactions
    streams: Acknowledging
    connectors: Connectors
    routes: Routes
    receive: Callable[[TenantConn, Sequence[ReceivedItem]], Awaitable[list[Outcome]]]
    metrics: IntakeMetrics = field(default_factory=IntakeMetrics)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(BATCHES_AT_ONCE))
    loads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LOADS_AT_ONCE))
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    sanitise: Callable[[str], Formatted] = sanitise_html
    tracer: Tracer = NO_TRACER
    hinted: Callable[[], None] = lambda: None
    signing_key: Callable[[int, UUID], bytes] = lambda workspace_id, account_id: b""  # noqa: ARG005  tests sign nothing


@dataclass(frozen=True, slots=True)
class Parsed:
    """
    What to store of an entry.

    Attributes:
        size_bytes: About what storing it sends to Postgres.
        raw_item_id: The row its files are to be cut out of; it exists already where the item travelled by reference.
    """

    entry: Entry
    item: StreamItem
    received: list[ReceivedItem]
    size_bytes: int = 0
    raw_item_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """An entry with an error of its own; ``is_final`` when trying again cannot help."""

    entry: Entry
    item: StreamItem
    error: BaseException
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """An entry that needs nothing but its acknowledgement; ``item`` where it could be read."""

    entry: Entry
    item: StreamItem | None = None


@dataclass(frozen=True, slots=True)
class Hinted:
    """An entry that only says that there is something: noted for whoever reads its account, then acknowledged."""

    entry: Entry
    item: StreamItem
    body: bytes


Read = Parsed | Failed | Skipped | Hinted
Loader = Callable[[StreamItem], Awaitable[bytes | None]]


async def read_entry(ports: BatchPorts, partition: int, entry: Entry, load: Loader) -> Read:
    """
    Decode an entry and have its channel's connector parse it.

    Args:
        ports: The rest of the system.
        partition: Where it stood.
        entry: As the stream gave it.
        load: Fetches the body of an item that travelled by reference; None when it has gone.

    Returns:
        What to store, or what is wrong with it.

    Raises:
        Unavailable: The channel accounts or the body cannot be read, or Redis is away.
    """
    if entry.payload is None:
        return Skipped(entry)
    try:
        item = _decoder.decode(entry.payload)
        UUID(item.channel_account_id)
        reference_of(item)
    except (msgspec.DecodeError, ValueError):
        ports.metrics.unreadable += 1
        _log.error("intake_entry_unreadable", partition=partition, entry=entry.id)
        await ports.streams.set_aside(partition, entry)
        return Skipped(entry)
    if not item.reference:
        return await _parse(ports, entry, item, item.body)
    async with ports.loads:
        body = await load(item)
        if body is not None:
            ports.metrics.loaded += 1
            return await _parse(ports, entry, item, body)
    if not await ports.streams.delivery_counts(partition, entry.id, entry.id, 1):
        # Another holder of the lease stored and acknowledged it meanwhile, and the body was forgotten.
        return Skipped(entry)
    return Failed(entry, item, MalformedPayload("The body of this item has gone from the database."), is_final=True)


async def _parse(ports: BatchPorts, entry: Entry, item: StreamItem, body: bytes) -> Read:
    account_id = UUID(item.channel_account_id)
    try:
        route = await ports.routes.find(account_id)
        if (route.workspace_id, route.channel) != (item.workspace_id, item.channel):
            return Failed(entry, item, NotFound("channel account of this channel in this workspace"), is_final=True)
        context = ParseContext(
            received_at=datetime.fromtimestamp(item.received_at_ms / 1000, UTC),
            key=item.key,
            settings=route.settings,
            account_id=item.channel_account_id,
            workspace_id=item.workspace_id,
            signing_key=ports.signing_key(item.workspace_id, account_id),
        )
        connector = ports.connectors.get(item.channel)
        if item.hint:
            return _hinted(ports, entry, item, body, connector)
        if len(body) <= INLINE_LIMIT_BYTES:
            found = connector.parse(body, context)
        else:
            # Seconds of work: the leases must be renewed meanwhile.
            found = await asyncio.to_thread(connector.parse, body, context)
    except UnsupportedPayload:
        ports.metrics.unsupported += 1
        return Skipped(entry, item)
    except Unavailable:
        raise
    except Exception as error:  # loop: a parser's bug is one entry's failure
        return Failed(entry, item, error, is_final=isinstance(error, MalformedPayload))
    if not found:
        return Skipped(entry, item)
    has_parts = connector.keeps_raw and any(one.attachments for one in found)
    raw_item_id = (reference_of(item) or clock.new_id()) if has_parts else None
    window_s = connector.manifest.capabilities.window_s
    received = [_receive(ports, item, connector, _windowed(one, window_s), raw_item_id) for one in found]
    size_bytes = len(item.body) + sum(_size_bytes(one) for one in found)
    return Parsed(entry, item, received, size_bytes, raw_item_id)


def _hinted(ports: BatchPorts, entry: Entry, item: StreamItem, body: bytes, connector: Connector) -> Read:
    if connector.expand is None:
        ports.metrics.unsupported += 1
        return Skipped(entry, item)
    ports.metrics.hints += 1
    return Hinted(entry, item, body)


def _receive(
    ports: BatchPorts, item: StreamItem, connector: Connector, one: InboundItem, raw_item_id: UUID | None
) -> ReceivedItem:
    """Say where an item came in; its HTML is cleaned here, for that takes CPU and the transaction locks a workspace."""
    return ReceivedItem(
        workspace_id=item.workspace_id,
        channel_account_id=UUID(item.channel_account_id),
        channel=item.channel,
        item=msgspec.structs.replace(one, html=None) if one.html else one,
        formatted=ports.sanitise(one.html) if one.html else None,
        raw_item_id=raw_item_id if one.attachments else None,
        historical=item.historical,
        asks_profile=connector.profile_of is not None,
    )


def _windowed(item: InboundItem, window_s: int) -> InboundItem:
    """Say until when a message lets us answer, where the vendor left that to its documentation."""
    if not window_s or item.kind is not ItemKind.MESSAGE or not item.opens_window or item.window_expires_at:
        return item
    return msgspec.structs.replace(item, window_expires_at=item.occurred_at + timedelta(seconds=window_s))


def _size_bytes(item: InboundItem) -> int:
    """About what storing an item sends to Postgres: its texts, and a little for each address and file."""
    texts = len(item.text) + len(item.html or "") + len(item.quoted) + len(item.subject)
    return texts + 200 * (1 + len(item.to) + len(item.cc) + len(item.attachments))
