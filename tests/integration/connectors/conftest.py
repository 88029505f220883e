"""The worker's parts over real services, and a channel whose bytes are the message."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from uuid import UUID

import pytest

from connectors.entries import BatchPorts
from connectors.intake import IntakeDeps
from connectors.leases import Leases
from connectors.partition import Pace
from hub.envelope import InboundItem, StreamItem
from hub.errors import MalformedPayload, NotFound
from hub.inbox import actions
from hub.streams import PARTITIONS, IngressStreams, partition_of
from tests import factories


class PlainConnectors:
    """Every channel's parser: the body is the text; ``malformed`` is not."""

    def get(self, channel):
        manifest = SimpleNamespace(capabilities=SimpleNamespace(window_s=0))
        return SimpleNamespace(parse=self.parse, keeps_raw=False, manifest=manifest, expand=None, profile_of=None)

    def parse(self, body: bytes, context) -> list[InboundItem]:
        if body == b"malformed":
            raise MalformedPayload("Not of the vendor's shape.")
        return [factories.make_item(key=context.key, external_id=context.key, text=body.decode())]


class KnownRoutes:
    """The accounts of the test's workspaces."""

    def __init__(self) -> None:
        self.known: dict[UUID, object] = {}

    def add(self, workspace) -> None:
        self.known[workspace.sms_id] = SimpleNamespace(workspace_id=workspace.id, channel="twilio_sms", settings={})

    async def find(self, account_id):
        if account_id not in self.known:
            raise NotFound("channel account")
        return self.known[account_id]


@dataclass
class Worker:
    """One worker's parts, built as ``make_deps`` builds them, with a fast pace."""

    database: object
    streams: IngressStreams
    routes: KnownRoutes
    holder: str = "test/0"
    receive: object = actions.receive
    pace: Pace = field(default_factory=lambda: Pace(block_s=0.05, retry_pending_s=0.0, claim_every_s=0.2, hold_s=0.2))

    def deps(self) -> IntakeDeps:
        ports = BatchPorts(
            database=self.database,
            streams=self.streams,
            connectors=PlainConnectors(),
            routes=self.routes,
            receive=self.receive,
        )
        leases = Leases(self.database, self.holder, PARTITIONS)
        return IntakeDeps(streams=self.streams, leases=leases, ports=ports, pace=self.pace, renew_every_s=0.1)


@pytest.fixture
async def streams(redis_durable):
    opened = IngressStreams(redis_durable)
    yield opened
    await opened.close()


@pytest.fixture
def routes(workspace):
    known = KnownRoutes()
    known.add(workspace)
    return known


@pytest.fixture
def worker(database, streams, routes):
    return Worker(database, streams, routes)


def make_raw(workspace, number: int, body: bytes | None = None) -> StreamItem:
    return StreamItem(
        workspace_id=workspace.id,
        channel_account_id=str(workspace.sms_id),
        channel="twilio_sms",
        key=f"SM{number}",
        body=body if body is not None else f"message {number}".encode(),
        received_at_ms=1_760_000_000_000 + number,
    )


async def stored_texts(database, workspace) -> list[str]:
    """The texts of a workspace's messages in the order of their seqs."""
    async with database.transaction([workspace.id]) as conn:
        rows = await conn.fetch("SELECT text FROM message WHERE workspace_id = $1 ORDER BY seq", workspace.id)
    return [row["text"] for row in rows]


async def is_drained(streams, workspace) -> bool:
    backlog = await streams.backlog(partition_of(workspace.id))
    return backlog.pending == 0 and backlog.undelivered == 0
