"""Hints, history and renewals over real Postgres and Valkey: nothing lost, nothing twice, one reader at a time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest

from connectors import cursors, upkeep
from connectors.base import Maintained, PolledBatch, Progress, RawItem
from connectors.maintaining import Maintaining
from hub import clock
from hub.channels import store
from hub.channels.actions import change, merge_kept
from hub.channels.model import AccountChange, AccountStatus
from hub.channels.sealing import Sealer
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass
from tests.integration.connectors.test_polling import Counter, World, running
from tests.waiting import wait_until

SEALER = Sealer({1: "o" * 32})

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


class Hinting(Counter):
    """A vendor that only says "something is there"; it may be polled too, and has a past."""

    def __init__(self, *, polls: bool) -> None:
        super().__init__(0)
        self.polls = polls
        self.asked: list[tuple[str, str | None]] = []
        self.expanding = 0
        self.failures = 0
        self.past = 0
        self.past_cursors: list[str | None] = []
        self.gate: asyncio.Event | None = None

    async def expand(self, account, hint, cursor):
        self.asked.append((hint.key, cursor))
        self.readers += 1
        self.most_readers = max(self.most_readers, self.readers)
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.failures:
                self.failures -= 1
                raise ConnectorError(ConnectorErrorInfo(ErrorClass.RETRYABLE, "away", "The vendor is away."))
            items = [RawItem(key=f"n{number}", body=b"x") for number in range(int(cursor or 0), self.items)]
            yield PolledBatch(items=items, cursor=str(self.items))
        finally:
            self.readers -= 1

    async def backfill(self, account, cursor):
        self.past_cursors.append(cursor)
        for number in range(int(cursor or 0), self.past):
            if self.failures:
                self.failures -= 1
                raise ConnectorError(ConnectorErrorInfo(ErrorClass.RETRYABLE, "away", "The vendor is away."))
            progress = Progress(done=number + 1, total=self.past, what="Reading")
            yield PolledBatch(items=[RawItem(key=f"p{number}", body=b"x")], cursor=str(number + 1), progress=progress)

    def get(self, channel: str):
        return SimpleNamespace(
            poll=self.poll if self.polls else None,
            polls=lambda settings: True,
            expand=self.expand,
            backfill=self.backfill if self.past else None,
            classify=lambda error: error.info,
        )


async def hint(world: World, *keys: str) -> None:
    async with world.database.transaction([world.workspace.id]) as conn:
        for key in keys:
            raw = RawItem(key=key, body=b"{}", hint=True)
            await upkeep.keep_hint(conn, world.workspace.id, world.workspace.sms_id, raw)


async def hints_left(world: World) -> int:
    async with world.database.transaction([world.workspace.id]) as conn:
        poll = cursors.Poll(world.workspace.id, world.workspace.sms_id, "")
        return len(await upkeep.list_hints(conn, poll))


@pytest.fixture
async def world(database, streams, workspace):
    await streams.create_groups()
    return World(database, streams, workspace, Hinting(polls=False))


async def test_hints_that_wait_become_one_expand_and_the_lease_ends(world):
    """Three hints are one question, from where the last one ended; then nobody holds the account."""
    world.vendor.items = 5
    await hint(world, "h1", "h2", "h3", "h3")
    polling = world.worker("a")
    async with running(polling):
        await wait_until(lambda: len(world.appended) == 5 and not polling.held)
        world.vendor.items = 7
        await hint(world, "h4")
        polling.hint()
        await wait_until(lambda: len(world.appended) == 7 and not polling.held)
    assert world.vendor.asked == [("h3", None), ("h4", "5")]
    assert (await world.row())["holder"] is None
    assert await hints_left(world) == 0


async def test_a_hint_outlives_a_vendor_that_is_away(world):
    """The hint goes only once all is stored; until then it is followed again from the same cursor."""
    world.vendor.items, world.vendor.failures = 3, 2
    await hint(world, "h1")
    async with running(world.worker("a")):
        await wait_until(lambda: len(world.appended) == 3)
    assert world.vendor.asked == [("h1", None)] * 3


async def test_a_hint_makes_a_polled_account_look_at_once_under_one_lease(world):
    """While one worker polls, a hint interrupts its waiting; never do two read the account."""
    world.vendor.polls = True
    one, two = world.worker("a"), world.worker("b")
    async with running(one), running(two):
        await wait_until(lambda: bool(one.held or two.held))
        world.vendor.items = 4
        await hint(world, "h1")
        await wait_until(lambda: len(world.appended) >= 4 and world.vendor.asked != [])
    assert world.appended == [f"n{number}" for number in range(4)]
    assert world.vendor.most_readers == 1


async def test_history_is_read_once_and_goes_on_where_it_stopped(world):
    """After a failure it goes on at the kept cursor; its items are marked, live ones are not; then it is over."""
    marked: list[tuple[str, bool]] = []
    append = world.append

    async def noting(item) -> None:
        marked.append((item.key, item.historical))
        if item.key == "p1":
            world.vendor.failures = 1
        await append(item)

    world.append = noting
    world.settings, world.vendor.past, world.vendor.items = {"bring_in_history": "true"}, 4, 1
    await hint(world, "h1")
    polling = world.worker("a")
    async with running(polling):
        await wait_until(lambda: len(marked) == 5 and not polling.held)
    assert sorted(marked) == [("n0", False), *((f"p{number}", True) for number in range(4))]
    assert world.vendor.past_cursors == [None, "2"]
    health = await world.health()
    assert (health.error, health.progress) == (None, None)


class Renewing:
    """A channel whose ``maintain`` follows a script."""

    def __init__(self, world: World, sealer) -> None:
        self.answers: list[Maintained | Exception] = []
        self.calls = 0
        self.now = clock.now()
        self.world = world
        self.status = AccountStatus.CONNECTED
        self.maintaining = Maintaining(world.database, world, self, self.open_account, sealer, now=lambda: self.now)

    def get(self, channel: str):
        return SimpleNamespace(
            maintain=self.maintain, classify=lambda error: error.info, manifest=SimpleNamespace(id=channel)
        )

    async def open_account(self, channel_account_id, *, fresh: bool = False):
        account, _ = await self.world.open_account(channel_account_id)
        return account, self.get("twilio_sms")

    async def maintain(self, account, now):
        self.calls += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_renewals_run_at_connect_and_when_due_and_keep_what_came_back(world):
    """Once at connect, then at the moment named; settings and credentials are merged over what is there."""
    renewing = Renewing(world, SEALER)
    first = renewing.now + timedelta(days=1)
    async with world.database.transaction([world.workspace.id]) as conn:
        keys = {"account_sid": "AC1", "auth_token": "t"}
        await change(
            conn, SEALER, AccountChange(workspace_id=world.workspace.id, id=world.workspace.sms_id, credentials=keys)
        )
    renewing.answers = [Maintained(next_at=first, settings={"watch": "w1"}, credentials={"token": "new"})]
    renewing.now += timedelta(seconds=5)
    done = await asyncio.gather(renewing.maintaining.run_due(), renewing.maintaining.run_due())
    assert (sum(done), renewing.calls) == (1, 1)
    account = await world.account()
    assert account.settings["watch"] == "w1"
    async with world.database.snapshot([world.workspace.id]) as conn:
        kept = await store.open_credentials(conn, SEALER, world.workspace.id, world.workspace.sms_id)
    assert kept == {"account_sid": "AC1", "auth_token": "t", "token": "new"}
    assert await renewing.maintaining.run_due() == 0
    renewing.now = first
    renewing.answers = [Maintained(next_at=first + timedelta(days=1))]
    assert await renewing.maintaining.run_due() == 1


async def test_a_renewal_that_fails_is_tried_again_with_growing_pauses_and_shown(world):
    """Members read why; each pause is longer; a success takes the words back."""
    renewing = Renewing(world, SEALER)
    renewing.now += timedelta(seconds=5)
    away = ConnectorError(ConnectorErrorInfo(ErrorClass.RETRYABLE, "away", "The vendor is away."))
    renewing.answers = [away, away, Maintained(next_at=renewing.now + timedelta(days=1))]
    for pause_s in (0, 30, 60):
        renewing.now += timedelta(seconds=max(0, pause_s - 1))
        assert await renewing.maintaining.run_due() == (0 if pause_s else 1)
        if pause_s:
            assert (await world.health()).error == "The vendor is away."
            renewing.now += timedelta(seconds=1)
            assert await renewing.maintaining.run_due() == 1
    assert (await world.health()).error is None


async def test_refused_keys_ask_a_person_and_the_renewal_follows_their_mending(world):
    """Nothing runs while the account needs a sign-in, and at once when it is in use again."""
    renewing = Renewing(world, SEALER)
    renewing.now += timedelta(seconds=5)
    renewing.answers = [ConnectorError(ConnectorErrorInfo(ErrorClass.AUTH, "refused", "Sign in again."))]
    await renewing.maintaining.run_due()
    assert (await world.account()).status is AccountStatus.NEEDS_SIGN_IN
    renewing.now += timedelta(days=2)
    assert await renewing.maintaining.run_due() == 0
    async with world.database.transaction([world.workspace.id]) as conn:
        await conn.execute("UPDATE channel_account SET status = 'connected', status_reason = ''")
    renewing.answers = [Maintained(next_at=renewing.now + timedelta(days=1))]
    assert await renewing.maintaining.run_due() == 1


async def test_what_came_back_is_not_kept_for_an_account_that_was_removed(world):
    """Removal forgets secrets for good, whatever a call under way brings."""
    account = (world.workspace.id, world.workspace.sms_id)
    async with world.database.transaction([world.workspace.id]) as conn:
        await conn.execute("UPDATE channel_account SET status = 'removed', credentials_sealed = NULL")
    async with world.database.transaction([world.workspace.id]) as conn:
        await merge_kept(conn, SEALER, account, {"watch": "w"}, {"token": "new"})
        sealed = await conn.fetchval("SELECT credentials_sealed FROM channel_account WHERE id = $1", account[1])
    assert sealed is None
