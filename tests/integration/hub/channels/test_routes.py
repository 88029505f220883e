"""The route cache: what it knows, how soon it learns, and how long it lasts without Postgres."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub import clock
from hub.channels import actions, routes
from hub.channels.model import AccountChange, NewAccount
from hub.channels.routes import ChannelRoutes
from hub.channels.sealing import Sealer
from hub.db import Database
from hub.embedded.binaries import find_postgres
from hub.embedded.postgres import EmbeddedPostgres, PostgresOptions
from hub.errors import NotFound, Unavailable
from hub.migrations import runner
from scripts.benchmarks.services import in_memory
from tests import factories
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from tests.conftest import RecordedNotices

pytestmark = pytest.mark.postgres

SEALER = Sealer({1: "o" * 32})


class Clock:
    """A monotonic clock that moves when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class CountingDatabase:
    """Counts how often the cache asks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.asked = 0

    @contextlib.asynccontextmanager
    async def across(self) -> AsyncIterator[object]:
        self.asked += 1
        async with self._database.across() as conn:
            yield conn


async def connect(database: Database, workspace_id: int, secret: str = "first") -> UUID:
    new = NewAccount(
        workspace_id=workspace_id,
        id=clock.new_id(),
        channel="twilio_sms",
        name="Desk",
        credentials={"auth_token": secret},
        settings={"phone_number": "+15550001"},
        external_ref="AC1",
    )
    async with database.transaction([workspace_id]) as conn:
        return (await actions.connect(conn, SEALER, new)).id


@pytest.fixture
async def own_postgres() -> AsyncIterator[tuple[EmbeddedPostgres, Database]]:
    """A migrated Postgres of this test's own, that it may stop."""
    top = Path(tempfile.mkdtemp(prefix="hub-test-", dir=in_memory()))
    postgres = EmbeddedPostgres(
        find_postgres(), top / "data", top / "run", top / "log", PostgresOptions(is_durable=False)
    )
    try:
        urls = await postgres.start()
        await runner.upgrade(urls.owner_url, urls.login_role)
        database = await Database.open(urls.database_url, lambda _: None, max_size=3)
        yield postgres, database
        await database.close()
    finally:
        await postgres.stop()
        shutil.rmtree(top, ignore_errors=True)


async def test_find_and_open_every_tenants_accounts(database: Database, workspace: factories.WorkspaceFacts):
    """Accounts of all workspaces are routed to their own tenant and open with their own secrets."""
    other = await factories.make_workspace(database)
    mine, theirs = await connect(database, workspace.id, "mine"), await connect(database, other.id, "theirs")
    cache = ChannelRoutes(database, SEALER)
    for account_id, workspace_id, secret in ((mine, workspace.id, "mine"), (theirs, other.id, "theirs")):
        route = await cache.find(account_id)
        assert (route.workspace_id, route.settings) == (workspace_id, {"phone_number": "+15550001"})
        assert cache.open(route).credentials == {"auth_token": secret}


async def test_text_of_a_route_holds_no_secret(database: Database, workspace: factories.WorkspaceFacts):
    """Neither the cache, nor a route, nor an opened account shows a secret when printed."""
    account_id = await connect(database, workspace.id, "hush-hush")
    cache = ChannelRoutes(database, SEALER)
    route = await cache.find(account_id)
    assert "hush-hush" not in f"{cache!r}{route!r}{cache.open(route)!r}"


async def test_routes_last_an_hour_without_postgres(own_postgres: tuple[EmbeddedPostgres, Database]):
    """With Postgres stopped a known account is found for an hour, then no more; a fresh process knows none."""
    postgres, database = own_postgres
    account_id = await connect(database, (await factories.make_workspace(database)).id)
    now = Clock()
    cache = ChannelRoutes(database, SEALER, monotonic_s=now)
    await cache.refresh()
    await postgres.stop()
    with pytest.raises(Unavailable):
        await cache.refresh()
    now.now_s += routes.USABLE_FOR_S - 1
    route = await cache.find(account_id)
    assert cache.open(route).credentials == {"auth_token": "first"}
    # It may have been connected just before Postgres went: not knowing it is our fault.
    with pytest.raises(Unavailable):
        await cache.find(clock.new_id())
    now.now_s += 2
    with pytest.raises(Unavailable):
        await cache.find(account_id)
    with pytest.raises(Unavailable):
        await ChannelRoutes(database, SEALER).find(account_id)


async def test_a_miss_asks_at_once_but_a_flood_asks_once(database: Database, workspace: factories.WorkspaceFacts):
    """A new account is found by its first call; a thousand unknown ids at once cost one question."""
    now, counting = Clock(), CountingDatabase(database)
    cache = ChannelRoutes(counting, SEALER, monotonic_s=now)  # type: ignore[arg-type]  # a recording fake
    await cache.refresh()
    account_id = await connect(database, workspace.id)
    now.now_s += routes.MISS_EVERY_S
    found = await asyncio.gather(*(cache.find(account_id) for _ in range(50)))
    assert {route.id for route in found} == {account_id}
    assert counting.asked == 2
    unknown = [cache.find(clock.new_id()) for _ in range(1000)]
    answers = await asyncio.gather(*unknown, return_exceptions=True)
    assert {type(answer) for answer in answers} == {NotFound}
    assert counting.asked == 3


async def test_an_account_is_found_though_somebody_just_asked(database: Database, workspace: factories.WorkspaceFacts):
    """Stray calls a moment before, or a question under way, do not make a new account's first call fail."""
    cache = ChannelRoutes(database, SEALER)
    with pytest.raises(NotFound):
        await cache.find(clock.new_id())
    first = await connect(database, workspace.id)
    assert (await cache.find(first)).id == first

    under_way = asyncio.create_task(cache.find(clock.new_id()))
    await asyncio.sleep(0)
    second = await connect(database, workspace.id)
    assert (await cache.find(second)).id == second
    assert isinstance((await asyncio.gather(under_way, return_exceptions=True))[0], NotFound)


async def test_paused_accounts_stay_and_removed_ones_go(database: Database, workspace: factories.WorkspaceFacts):
    """A paused account is found with its status; a removed one is not, and its secrets are dropped."""
    account_id = await connect(database, workspace.id)
    cache = ChannelRoutes(database, SEALER)
    route = await cache.find(account_id)
    cache.open(route)
    async with database.transaction([workspace.id]) as conn:
        await actions.pause(conn, workspace.id, account_id)
    await cache.refresh()
    assert (await cache.find(account_id)).status == "paused"
    async with database.transaction([workspace.id]) as conn:
        await actions.remove(conn, workspace.id, account_id)
    await cache.refresh()
    with pytest.raises(NotFound):
        await cache.find(account_id)
    with pytest.raises(NotFound):
        cache.open(route)


async def test_run_learns_of_a_change_from_its_event(
    database: Database, workspace: factories.WorkspaceFacts, notices: RecordedNotices
):
    """New credentials are used as soon as the change's event was noticed, long before the next regular reading."""
    account_id = await connect(database, workspace.id)
    cache = ChannelRoutes(database, SEALER)
    running = asyncio.create_task(cache.run())
    try:
        assert cache.open(await cache.find(account_id)).credentials == {"auth_token": "first"}
        wanted = AccountChange(workspace_id=workspace.id, id=account_id, credentials={"auth_token": "second"})
        notices.clear()
        async with database.transaction([workspace.id]) as conn:
            await actions.change(conn, SEALER, wanted)
        cache.notice(notices)
        route = await cache.find(account_id)
        await wait_until(lambda: cache.open(route).credentials == {"auth_token": "second"})
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_run_comes_back_after_an_outage(
    database: Database, workspace: factories.WorkspaceFacts, monkeypatch: pytest.MonkeyPatch
):
    """A failed reading is tried again soon, without anybody asking."""
    monkeypatch.setattr(routes, "RETRY_EVERY_S", 0.01)
    failures = [True, True]

    class Flaky(CountingDatabase):
        @contextlib.asynccontextmanager
        async def across(self) -> AsyncIterator[object]:
            if failures:
                failures.pop()
                raise Unavailable("away")
            async with super().across() as conn:
                yield conn

    cache = ChannelRoutes(Flaky(database), SEALER)  # type: ignore[arg-type]  # a recording fake
    running = asyncio.create_task(cache.run())
    try:
        await wait_until(cache.is_usable)
        assert (await cache.find(workspace.sms_id)).channel == "twilio_sms"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_accounts_that_are_one_at_the_vendor_are_found_over_all_workspaces(database: Database):
    """For calls of a vendor's app, from memory; a removed account, another channel and an empty name find nothing."""
    first, second = await factories.make_workspace(database), await factories.make_workspace(database, name="Contoso")
    ours, theirs = await connect(database, first.id), await connect(database, second.id, "other")
    counting = CountingDatabase(database)
    cache = ChannelRoutes(counting, SEALER)  # type: ignore[arg-type]
    assert cache.named("twilio_sms", "AC1") == []
    await cache.refresh()
    found = cache.named("twilio_sms", "AC1")
    assert {(one.workspace_id, one.id) for one in found} == {(first.id, ours), (second.id, theirs)}
    assert {cache.open(one).credentials["auth_token"] for one in found} == {"first", "other"}
    assert cache.named("gmail", "AC1") == cache.named("twilio_sms", "") == cache.named("twilio_sms", "AC2") == []
    assert counting.asked == 1
    async with database.transaction([first.id]) as conn:
        await actions.remove(conn, first.id, ours)
    await cache.refresh()
    assert [one.id for one in cache.named("twilio_sms", "AC1")] == [theirs]
