"""Recording stand-ins for what intake works with: a database, a stream, channels and routes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace
from uuid import UUID

import msgspec

from connectors.entries import BatchPorts
from hub.envelope import InboundItem, ItemKind, StreamItem
from hub.errors import MalformedPayload, NotFound, UnsupportedPayload
from hub.inbox.batch import Outcome, OutcomeKind, ReceivedItem
from hub.streams import Claimed, Entry
from tests.factories import make_item

ACCOUNT_ID = UUID("01890000-0000-7000-8000-000000000001")


class PostgresRefusal(Exception):
    """What a driver raises: an error with an SQLSTATE."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("refused")
        self.sqlstate = sqlstate


class FakeDatabase:
    """Transactions that note their ends, and let a test refuse a COMMIT."""

    def __init__(self, journal: list) -> None:
        self.journal = journal
        self.commit_errors: list[Exception] = []

    @asynccontextmanager
    async def transaction(self, workspace_ids):
        conn = FakeConn(self.journal, tuple(workspace_ids))
        try:
            yield conn
        except BaseException:
            self.journal.append(("rollback", ()))
            raise
        if self.commit_errors:
            raise self.commit_errors.pop(0)
        self.journal.append(("commit", tuple(conn.stored)))


class FakeConn:
    def __init__(self, journal: list, workspace_ids: tuple) -> None:
        self.journal = journal
        self.workspace_ids = workspace_ids
        self.stored: list[str] = []
        self.notices: list = []

    async def execute(self, sql, *arguments):
        assert sql.startswith("INSERT INTO dead_letter")
        self.stored.append(f"dead:{arguments[4]}")
        return "INSERT 0 1"


class FakeStreams:
    """A partition in memory: new entries, pending ones with their delivery counts, and what was acknowledged."""

    def __init__(self, journal: list) -> None:
        self.journal = journal
        self.new: list[Entry] = []
        self.pending: dict[str, Entry] = {}
        self.stale: list[Entry] = []
        self.aside: list[Entry] = []
        self.reads: list[tuple] = []
        self.ack_errors: list[Exception] = []
        self.read_errors: list[Exception] = []

    async def create_groups(self) -> int:
        return 0

    async def read_new(self, partition, limit, block_ms):
        self.reads.append(("new", limit, block_ms))
        if self.read_errors:
            raise self.read_errors.pop(0)
        taken, self.new = self.new[:limit], self.new[limit:]
        self.pending.update({one.id: one for one in taken})
        return taken

    async def read_own_pending(self, partition, after, limit):
        self.reads.append(("pending", after, limit))
        found = [one for one in self.pending.values() if after == "0" or one.id > after][:limit]
        again = [Entry(one.id, one.payload, one.deliveries + 1) for one in found]
        self.pending.update({one.id: one for one in again})
        return again

    async def claim_stale(self, partition, min_idle_ms, limit):
        self.reads.append(("claim", min_idle_ms, limit))
        taken, self.stale = self.stale, []
        return Claimed(taken, [])

    async def ack(self, partition, ids):
        if ids and self.ack_errors:
            raise self.ack_errors.pop(0)
        if ids:
            self.journal.append(("ack", tuple(ids)))
        for one in ids:
            self.pending.pop(one, None)
        return len(ids)

    async def delivery_counts(self, partition, first, last, limit):
        return {first: self.pending[first].deliveries} if first in self.pending else {}

    async def set_aside(self, partition, entry):
        self.aside.append(entry)
        await self.ack(partition, [entry.id])


class FakeConnectors:
    """One channel, ``sms``, whose bytes say what its parser does."""

    def get(self, channel):
        if channel != "sms":
            raise NotFound("channel")
        manifest = SimpleNamespace(capabilities=SimpleNamespace(window_s=0))
        return SimpleNamespace(parse=self.parse, keeps_raw=False, manifest=manifest, expand=None, profile_of=None)

    def parse(self, body: bytes, context) -> list[InboundItem]:
        if body == b"malformed":
            raise MalformedPayload("Not of the vendor's shape.")
        if body == b"unsupported":
            raise UnsupportedPayload("A kind we do not handle.")
        if body == b"bug":
            raise KeyError("a bug in the parser")
        html = body.decode() if body.startswith(b"<") else None
        return [make_item(kind=ItemKind.MESSAGE, key=context.key, text="" if html else body.decode(), html=html)]


class FakeRoutes:
    def __init__(self) -> None:
        self.workspaces: dict[UUID, int] = {}

    async def find(self, account_id):
        if account_id not in self.workspaces:
            raise NotFound("channel account")
        return SimpleNamespace(workspace_id=self.workspaces[account_id], channel="sms", settings={})


class FakeReceive:
    """Stores by key; ``poison`` keys make the whole batch fail, as one bad value does in Postgres."""

    def __init__(self) -> None:
        self.poison: dict[str, Exception] = {}
        self.errors: list[Exception] = []
        self.batches: list[list[str]] = []
        self.items: list[ReceivedItem] = []

    async def __call__(self, conn, batch):
        keys = [one.item.key for one in batch]
        self.batches.append(keys)
        self.items.extend(batch)
        if self.errors:
            raise self.errors.pop(0)
        for key in keys:
            if key in self.poison:
                raise self.poison[key]
        conn.stored.extend(keys)
        return [Outcome(kind=OutcomeKind.STORED) for _ in batch]


class Intake:
    """All of them together, with the journal of what happened in which order."""

    def __init__(self) -> None:
        self.journal: list[tuple[str, tuple]] = []
        self.naps: list[float] = []
        self.database = FakeDatabase(self.journal)
        self.streams = FakeStreams(self.journal)
        self.receive = FakeReceive()
        self.routes = FakeRoutes()
        self.routes.workspaces[ACCOUNT_ID] = 1
        self.ports = BatchPorts(
            database=self.database,
            streams=self.streams,
            connectors=FakeConnectors(),
            routes=self.routes,
            receive=self.receive,
            sleep=self.nap,
        )

    async def nap(self, seconds: float) -> None:
        self.naps.append(seconds)

    def committed(self) -> list[str]:
        return [key for what, keys in self.journal if what == "commit" for key in keys]

    def acked(self) -> list[str]:
        return [one for what, ids in self.journal if what == "ack" for one in ids]


def make_entry(number: int, body: bytes = b"hello", *, deliveries: int = 1, account_id=ACCOUNT_ID, workspace_id=1):
    """Make the stream entry ``{number}-0`` whose dedupe key is ``k{number}``."""
    item = StreamItem(
        workspace_id=workspace_id,
        channel_account_id=str(account_id),
        channel="sms",
        key=f"k{number}",
        body=body,
        received_at_ms=1_760_000_000_000,
    )
    return Entry(f"{number}-0", msgspec.msgpack.encode(item), deliveries)
