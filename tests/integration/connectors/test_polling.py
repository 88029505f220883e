"""Polling over real Postgres and Valkey with a channel that counts: nothing lost, nothing twice, one reader at a time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import pytest

from connectors import cursors
from connectors.base import Account, PolledBatch, Progress, RawItem
from connectors.polled_account import PollingPorts
from connectors.polling import Polling
from hub import clock, tracing
from hub.channels import actions, store
from hub.channels.model import AccountStatus, Route
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, NotFound, Unavailable
from hub.streams import partition_of
from tests.waiting import wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


class Counter:
    """A vendor with numbered items; the cursor is the last number."""

    def __init__(self, items: int, batch: int = 10) -> None:
        self.items = items
        self.batch = batch
        self.readers = 0
        self.most_readers = 0
        self.password = "good"
        self.fails = False
        self.sessions: list[Account] = []
        self.more = asyncio.Event()

    async def poll(self, account: Account, cursor: str | None):
        self.sessions.append(account)
        self.readers += 1
        self.most_readers = max(self.most_readers, self.readers)
        try:
            done = int(cursor or 0)
            while True:
                if account.credentials["password"] != self.password:
                    raise ConnectorError(ConnectorErrorInfo(ErrorClass.AUTH, "refused", "The password is wrong."))
                if self.fails:
                    raise ConnectorError(ConnectorErrorInfo(ErrorClass.RETRYABLE, "away", "The vendor is away."))
                upto = min(self.items, done + self.batch)
                items = [RawItem(key=f"n{number}", body=b"%d" % number) for number in range(done, upto)]
                done = upto
                progress = Progress(done=done, total=self.items, what="Counting") if done < self.items else None
                yield PolledBatch(items=items, cursor=str(done), progress=progress)
                if done == self.items:
                    self.more.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.05):
                            await self.more.wait()
        finally:
            self.readers -= 1

    def is_polled(self, settings) -> bool:
        return settings.get("by") != "calls"

    def get(self, channel: str):
        if channel != "twilio_sms":
            raise NotFound("channel")
        return SimpleNamespace(
            poll=self.poll, polls=self.is_polled, expand=None, backfill=None, classify=lambda error: error.info
        )


class RecordingTracer:
    """Spans as they began, each with a context of its own."""

    def __init__(self) -> None:
        self.began: list[tuple] = []

    def span(self, name, *, kind="internal", parent="", attributes=None):
        context = f"trace-{len(self.began)}"
        self.began.append((name, kind, attributes))
        return tracing.CurrentSpan(SimpleNamespace(traceparent=context, fail=lambda _: None, end=lambda: None))


class World:
    """One workspace's polled account as every worker sees it."""

    def __init__(self, database, streams, workspace, vendor: Counter) -> None:
        self.database = database
        self.streams = streams
        self.workspace = workspace
        self.vendor = vendor
        self.credentials = {"password": "good"}
        self.fresh_credentials: dict[str, str] | None = None
        self.status = AccountStatus.CONNECTED
        self.settings: dict[str, str] = {}
        self.appended: list[str] = []
        self.traces: list[str] = []
        self.tracer = tracing.NO_TRACER
        self.append_fails_after: int | None = None

    def known(self) -> list[Route]:
        one = self.workspace
        return [
            Route(
                workspace_id=one.id,
                id=one.sms_id,
                inbox_id=one.inbox_id,
                channel="twilio_sms",
                status=self.status,
                settings=self.settings,
            )
        ]

    def open(self, route: Route):
        return SimpleNamespace(credentials=self.credentials)

    async def open_account(self, channel_account_id, *, fresh: bool = False):
        if fresh and self.fresh_credentials is not None:
            self.credentials = self.fresh_credentials
        account = Account(
            id=str(channel_account_id),
            workspace_id=self.workspace.id,
            credentials=self.credentials,
            settings=self.settings,
            webhook_url="",
        )
        return account, self.vendor.get("twilio_sms")

    async def append(self, item) -> None:
        if self.append_fails_after is not None and len(self.appended) >= self.append_fails_after:
            raise Unavailable("The message queue does not take messages at the moment.")
        await self.streams.append(item)
        self.appended.append(item.key)
        self.traces.append(item.trace)

    def worker(self, holder: str, ttl_s: float = 5.0) -> Polling:
        ports = PollingPorts(
            database=self.database,
            append=self.append,
            registry=self.vendor,
            open_account=self.open_account,
            tracer=self.tracer,
            pause_s=(0.05, 0.2),
            repeat_s=0.05,
        )
        return Polling(ports, self, holder, ttl_s=ttl_s, look_every_s=0.05)

    async def health(self) -> cursors.Health:
        async with self.database.snapshot([self.workspace.id]) as conn:
            return (await cursors.list_health(conn, self.workspace.id))[self.workspace.sms_id]

    async def row(self):
        async with self.database.snapshot([self.workspace.id]) as conn:
            return await conn.fetchrow(
                "SELECT cursor, holder, error FROM channel_cursor WHERE workspace_id = $1", self.workspace.id
            )

    async def account(self):
        async with self.database.snapshot([self.workspace.id]) as conn:
            return await store.get_channel_account(conn, self.workspace.id, self.workspace.sms_id)

    async def on_stream(self) -> int:
        return (await self.streams.backlog(partition_of(self.workspace.id))).length


@pytest.fixture
async def world(database, streams, workspace):
    await streams.create_groups()
    return World(database, streams, workspace, Counter(35))


@asynccontextmanager
async def running(polling: Polling):
    task = asyncio.create_task(polling.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def expected(count: int) -> list[str]:
    return [f"n{number}" for number in range(count)]


async def test_items_reach_the_stream_and_the_cursor_follows(world):
    """Everything is read once, in order; the cursor, the time and the end of the progress are kept."""
    polling = world.worker("a")
    async with running(polling):
        await wait_until(lambda: len(world.appended) >= 35)
        world.vendor.items = 40
        # Counted once the cursor is saved.
        await wait_until(lambda: polling.metrics.items >= 40)

    health = await world.health()
    assert world.appended == expected(40)
    assert (await world.row())["cursor"] == "40"
    assert (await world.row())["holder"] is None
    assert health.error is None
    assert health.progress is None
    assert health.last_item_at is not None
    assert health.lag_s is not None
    assert health.lag_s < 30


async def test_two_workers_read_an_account_one_at_a_time(world):
    """Of two workers one holds the account; when it stops, the other goes on where it was."""
    first, second = world.worker("a"), world.worker("b")
    async with running(second):
        async with running(first):
            await wait_until(lambda: len(world.appended) >= 35)
            held = [one.held for one in (first, second)]
        world.vendor.items = 50
        await wait_until(lambda: len(world.appended) >= 50)

    assert sorted(len(one) for one in held) == [0, 1]
    assert world.vendor.most_readers == 1
    assert world.appended == expected(50)


async def test_killed_worker_is_followed_after_its_lease(world):
    """A worker that dies without a word is followed when its lease ends; what it had not noted is read again."""
    world.append_fails_after = 17
    dead = world.worker("a", ttl_s=1.0)
    async with running(dead):
        await wait_until(lambda: len(world.appended) >= 17)
        # Dies: its lease stays, and the items after the last cursor are already on the stream.
        dead._running.clear()
        task = next(one for one in asyncio.all_tasks() if one.get_name().startswith("poll-"))
        task.cancel()
    assert (await world.row())["holder"] == "a"
    world.append_fails_after = None
    started_s = clock.monotonic_s()
    async with running(world.worker("b", ttl_s=1.0)):
        await wait_until(lambda: "n34" in world.appended)

    assert clock.monotonic_s() - started_s < 5
    assert world.appended == [*expected(17), *expected(35)[10:]]
    assert set(world.appended) == set(expected(35))


async def test_stream_that_is_away_holds_the_cursor(world):
    """Items that could not be stored are read again: the cursor never runs ahead of them."""
    world.append_fails_after = 20
    async with running(world.worker("a")):
        await wait_until(lambda: len(world.appended) >= 20)
        await asyncio.sleep(0.3)
        row = await world.row()
        health = await world.health()
        world.append_fails_after = None
        await wait_until(lambda: len(world.appended) >= 35)

    assert row["cursor"] == "20"
    assert health.error == "The message queue does not take messages at the moment."
    assert world.appended == expected(35)
    assert (await world.health()).error is None


async def test_paused_account_is_closed_and_resumed(world):
    """Pausing closes the connection at once; resuming goes on from the cursor."""
    async with running(world.worker("a")):
        await wait_until(lambda: len(world.appended) >= 35)
        world.status = AccountStatus.PAUSED
        await wait_until(lambda: world.vendor.readers == 0)
        world.vendor.items = 45
        await asyncio.sleep(0.3)
        while_paused = len(world.appended)
        world.status = AccountStatus.CONNECTED
        await wait_until(lambda: len(world.appended) >= 45)

    assert while_paused == 35
    assert world.appended == expected(45)


async def test_changed_settings_and_keys_restart_the_loop(world):
    """A change is read with at once: the next connection has the new settings and keys."""
    async with running(world.worker("a")):
        await wait_until(lambda: len(world.appended) >= 35)
        world.settings = {"host": "new"}
        await wait_until(lambda: any(one.settings == {"host": "new"} for one in world.vendor.sessions))
        world.vendor.password = "better"
        world.credentials = {"password": "better"}
        world.fresh_credentials = world.credentials
        await wait_until(lambda: world.vendor.sessions[-1].credentials == {"password": "better"})

    assert (await world.account()).status is AccountStatus.CONNECTED


async def test_refused_keys_stop_the_account_with_the_reason(world):
    """AUTH: the account needs a sign-in, its words are shown, and nobody hammers the vendor."""
    world.vendor.password = "changed"
    polling = world.worker("a")
    async with running(polling):
        deadline_s = clock.monotonic_s() + 10
        while (account := await world.account()).status is not AccountStatus.NEEDS_SIGN_IN:
            assert clock.monotonic_s() < deadline_s
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        sessions = len(world.vendor.sessions)
        health = await world.health()
        # A member enters the new password.
        async with world.database.transaction([world.workspace.id]) as conn:
            await actions.mark_connected(conn, world.workspace.id, world.workspace.sms_id)
        world.credentials = {"password": "changed"}
        await wait_until(lambda: len(world.appended) >= 35)

    assert account.status_reason == "The password is wrong."
    assert health.error == "The password is wrong."
    assert sessions == 1
    assert world.appended == expected(35)


async def test_keys_changed_meanwhile_do_not_stop_the_account(world):
    """A refusal of keys that are only in our cache is no reason to call somebody."""
    world.vendor.password = "newer"
    world.fresh_credentials = {"password": "newer"}
    async with running(world.worker("a")):
        await wait_until(lambda: len(world.appended) >= 35)

    assert (await world.account()).status is AccountStatus.CONNECTED


def warned(monkeypatch) -> list[str]:
    """Return the list that every warning of an account's loop goes to."""
    from connectors import polled_account

    lines: list[str] = []
    monkeypatch.setattr(polled_account, "_log", SimpleNamespace(warning=lambda event, **_: lines.append(event)))
    return lines


async def test_vendor_that_is_away_is_logged_once_each_way(world, monkeypatch):
    """Ten failures are one line in the log, and so is the return."""
    lines = warned(monkeypatch)
    world.vendor.fails = True
    async with running(world.worker("a")):
        await wait_until(lambda: len(world.vendor.sessions) >= 6)
        health = await world.health()
        world.vendor.fails = False
        await wait_until(lambda: len(world.appended) >= 35)

    assert lines == ["polled_account_down", "polled_account_up"]
    assert health.error == "The vendor is away."


async def test_one_connection_that_breaks_is_not_logged_as_an_outage(world, monkeypatch):
    """A connection that breaks once and is made again is no outage: nothing is warned of, nothing is lost."""
    lines = warned(monkeypatch)
    world.vendor.fails = True
    async with running(world.worker("a")):
        await wait_until(lambda: len(world.vendor.sessions) >= 1)
        world.vendor.fails = False
        await wait_until(lambda: len(world.appended) >= 35)

    assert lines == []


async def test_outages_of_our_own_stores_are_not_the_accounts(world, monkeypatch):
    """While the streams take nothing the cursor waits and no mailbox is called unreachable: it is not."""
    from connectors import polled_account

    lines: list[str] = []
    monkeypatch.setattr(polled_account, "_log", SimpleNamespace(warning=lambda event, **_: lines.append(event)))
    world.append_fails_after = 12
    polling = world.worker("a")
    async with running(polling):
        await wait_until(lambda: polling.metrics.failures >= 3)
        down = set(polling.metrics.down)
        world.append_fails_after = None
        await wait_until(lambda: "n34" in world.appended)

    assert (lines, down) == ([], set())


async def test_each_item_begins_a_trace(world):
    """Items carry the span that put them on the stream, one each, named by channel alone."""
    world.tracer = RecordingTracer()
    async with running(world.worker("a")):
        await wait_until(lambda: len(world.appended) >= 35)

    assert world.traces == [f"trace-{number}" for number in range(35)]
    assert world.tracer.began == [("poll", "consumer", {"hub.channel": "twilio_sms"})] * 35


async def test_worker_stops_within_five_seconds(world):
    """A connection that does not want to close keeps nobody from stopping, and the lease is given back."""

    async def stubborn(account, cursor):
        try:
            yield PolledBatch(items=(), cursor="0")
            await asyncio.Event().wait()
        finally:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(30)

    world.vendor.poll = stubborn
    polling = world.worker("a")
    task = asyncio.create_task(polling.run())
    await wait_until(lambda: bool(polling.held))
    await asyncio.sleep(0.2)
    started_s = clock.monotonic_s()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert clock.monotonic_s() - started_s < 5
