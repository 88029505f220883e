"""Tokens renewed against a server whose refresh tokens roll: raced, refused, and while the vendor is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from connectors.attempt import Attempts
from connectors.base import OAuthApp
from connectors.buckets import MemoryBuckets
from connectors.dispatch import Dispatcher, open_with
from connectors.outbox import PostgresDeliveries
from connectors.renewal import Renewals
from hub import clock
from hub.channels import actions as channels
from hub.channels import store
from hub.channels.connecting.model import challenge_of
from hub.channels.model import AccountChange, AccountStatus, NewAccount, Token
from hub.channels.routes import ChannelRoutes
from hub.channels.sealing import Sealer
from hub.config import read_settings
from hub.db import Database
from hub.envelope import DeliveryStatus
from hub.errors import ConnectorError, ErrorClass
from hub.inbox import actions, replies
from hub.inbox import store as inbox
from hub.inbox.model import MessageKind
from hub.inbox.replies import Draft
from tests import oauth_channel
from tests.factories import WorkspaceFacts, make_item, received
from tests.integration.connectors.test_dispatch import until
from tests.oauth_channel import CALLBACK, CONNECTOR, Vendor

pytestmark = pytest.mark.postgres

SEALER = Sealer({1: "k" * 32})
SOON, LATER, PAST = timedelta(seconds=60), timedelta(hours=1), timedelta(seconds=-5)


class Worker:
    """A process's parts: its own copy of the accounts, its own renewals."""

    def __init__(self, bench: Bench) -> None:
        self.routes = ChannelRoutes(bench.database, SEALER)
        self.renewals = Renewals(bench.database, SEALER, self.routes, bench.settings)
        self.open = open_with(self.routes, oauth_channel.as_registry(), bench.settings, None, self.renewals)

    async def token(self, account_id: UUID, *, fresh: bool = False) -> str:
        account, _ = await self.open(account_id, fresh=fresh)
        return account.credentials["access_token"]


@dataclass
class Bench:
    """A workspace with an account that somebody signed in."""

    database: Database
    workspace: WorkspaceFacts
    vendor: Vendor

    def __post_init__(self) -> None:
        plain = read_settings({"HOME": "/tmp", "HUB_SECRET_KEY": "k" * 32})
        self.settings = oauth_channel.with_letters(plain, self.vendor)
        self.account_id = clock.new_id()

    async def grant(self) -> dict[str, str]:
        """Sign somebody in at the vendor."""
        app = OAuthApp(
            client_id="our-app", client_secret="our-secret", base_url=self.vendor.origin, redirect_uri=CALLBACK
        )
        assert CONNECTOR.oauth is not None
        verifier = "v" * 50
        url = CONNECTOR.oauth.authorize_url(app, "s" * 43, challenge_of(verifier), {})
        code = (await self.vendor.agree(url))["code"]
        return dict((await CONNECTOR.oauth.exchange(app, code, verifier)).credentials)

    async def connect(self, ends_in: timedelta) -> None:
        new = NewAccount(
            workspace_id=self.workspace.id,
            id=self.account_id,
            channel="letters",
            name="Desk",
            credentials=await self.grant(),
            settings={},
            token=Token(clock.now() + ends_in, clock.now() - LATER),
        )
        async with self.database.transaction([self.workspace.id]) as conn:
            await channels.connect(conn, SEALER, new)

    async def stored(self) -> dict[str, str]:
        async with self.database.snapshot([self.workspace.id]) as conn:
            return await store.open_credentials(conn, SEALER, self.workspace.id, self.account_id)

    async def status(self) -> tuple[AccountStatus, str]:
        async with self.database.snapshot([self.workspace.id]) as conn:
            account = await store.get_channel_account(conn, self.workspace.id, self.account_id)
        return account.status, account.status_reason

    async def queue(self, text: str) -> UUID:
        """A customer writes to the account, and a member answers."""
        item = received(self.workspace, make_item(key=f"k-{text}"))
        item = type(item)(**{**_fields(item), "channel_account_id": self.account_id, "channel": "letters"})
        async with self.database.transaction([self.workspace.id]) as conn:
            (outcome,) = await actions.receive(conn, [item])
        assert outcome.conversation_id is not None
        draft = Draft(client_message_id=clock.new_id(), kind=MessageKind.MESSAGE, text=text)
        async with self.database.transaction([self.workspace.id]) as conn:
            sent = await replies.queue_message(
                conn, self.workspace.id, outcome.conversation_id, self.workspace.author(), draft
            )
        return sent.message_id

    async def is_at(self, message_id: UUID, wanted: DeliveryStatus) -> bool:
        async with self.database.transaction([self.workspace.id]) as conn:
            message = await inbox.get_message(conn, self.workspace.id, message_id)
        return message is not None and message.status is wanted

    @asynccontextmanager
    async def dispatching(self, worker: Worker) -> AsyncIterator[Dispatcher]:
        outbox = PostgresDeliveries(self.database)
        dispatcher = Dispatcher(outbox, Attempts(outbox, MemoryBuckets(), worker.open))
        stop = asyncio.Event()
        task = asyncio.create_task(dispatcher.run(stop))
        try:
            yield dispatcher
        finally:
            stop.set()
            await asyncio.wait_for(task, 10)


def _fields(item) -> dict[str, object]:
    return {name: getattr(item, name) for name in item.__struct_fields__}


@pytest.fixture
async def bench(database: Database, workspace: WorkspaceFacts) -> AsyncIterator[Bench]:
    async with oauth_channel.serving() as vendor:
        yield Bench(database, workspace, vendor)


async def test_token_that_lasts_is_left_alone(bench: Bench):
    """Nobody is asked while a token is good for more than two minutes."""
    await bench.connect(LATER)
    before = await bench.stored()
    assert await Worker(bench).token(bench.account_id) == before["access_token"]
    assert bench.vendor.oauth.renewals == 0


async def test_of_many_workers_one_renews_and_all_use_the_result(bench: Bench):
    """The refresh token rolls: asked twice, the vendor would end the grant. What is used is what was committed."""
    await bench.connect(SOON)
    before = await bench.stored()
    bench.vendor.gate = asyncio.Event()
    workers = [Worker(bench) for _ in range(3)]
    asking = [asyncio.create_task(one.token(bench.account_id)) for one in workers for _ in range(2)]
    await asyncio.wait_for(bench.vendor.asked.wait(), 10)
    await until(_async(lambda: sum(one.renewals.metrics.waited for one in workers) >= 5))
    bench.vendor.gate.set()
    tokens = set(await asyncio.gather(*asking))
    after = await bench.stored()
    assert tokens == {after["access_token"]} != {before["access_token"]}
    assert (bench.vendor.oauth.renewals, bench.vendor.oauth.refused) == (1, [])
    assert sum(one.renewals.metrics.renewed for one in workers) == 1
    assert after["refresh_token"] != before["refresh_token"]
    # A worker that comes later, and the same ones again: nobody asks.
    assert await Worker(bench).token(bench.account_id) == await workers[0].token(bench.account_id)
    assert bench.vendor.oauth.renewals == 1


async def test_stale_copy_of_another_process_takes_what_was_renewed(bench: Bench):
    """Its refused token is the old one: it reads the row and renews nothing."""
    await bench.connect(SOON)
    late = Worker(bench)
    await late.routes.refresh()
    fresh = await Worker(bench).token(bench.account_id)
    assert await late.token(bench.account_id) == fresh
    assert await late.token(bench.account_id, fresh=True) == fresh
    assert bench.vendor.oauth.renewals == 1


async def test_who_signs_in_again_during_a_renewal_wins(bench: Bench):
    """The renewal's answer is dropped: theirs is newer, and may be of another grant."""
    await bench.connect(SOON)
    bench.vendor.gate = asyncio.Event()
    asking = asyncio.create_task(Worker(bench).token(bench.account_id))
    await asyncio.wait_for(bench.vendor.asked.wait(), 10)
    change = AccountChange(
        workspace_id=bench.workspace.id,
        id=bench.account_id,
        credentials={"access_token": "theirs", "refresh_token": "theirs-too"},
        token=Token(clock.now() + LATER, clock.now()),
    )
    async with bench.database.transaction([bench.workspace.id]) as conn:
        await channels.change(conn, SEALER, change)
    bench.vendor.gate.set()
    assert await asking == "theirs"
    assert (await bench.stored())["refresh_token"] == "theirs-too"


async def test_what_a_member_changes_during_a_renewal_is_kept_beside_it(bench: Bench):
    """A change made of older credentials does not bring an old, spent refresh token back."""
    await bench.connect(SOON)
    read = await bench.stored()
    fresh = await Worker(bench).token(bench.account_id)
    change = AccountChange(
        workspace_id=bench.workspace.id,
        id=bench.account_id,
        credentials={**read, "client_id": "own"},
        read_credentials=read,
    )
    async with bench.database.transaction([bench.workspace.id]) as conn:
        await channels.change(conn, SEALER, change)
    after = await bench.stored()
    assert (after["client_id"], after["access_token"]) == ("own", fresh)
    assert after["refresh_token"] != read["refresh_token"]


async def test_vendor_that_is_away_is_left_alone_and_the_old_token_used(bench: Bench):
    """While the old token is still good it goes on; ended, the call waits; the vendor is not asked at each."""
    await bench.connect(SOON)
    before = await bench.stored()
    worker = Worker(bench)
    bench.vendor.oauth.away = True
    for _ in range(3):
        assert await worker.token(bench.account_id) == before["access_token"]
    assert worker.renewals.metrics.failed == 1
    async with bench.database.transaction([bench.workspace.id]) as conn:
        await conn.execute("UPDATE channel_account SET token_expires_at = $1", clock.now() + PAST)
    await worker.routes.refresh()
    with pytest.raises(ConnectorError) as refused:
        await worker.token(bench.account_id)
    assert refused.value.info.klass is ErrorClass.RETRYABLE
    assert await bench.status() == (AccountStatus.CONNECTED, "")
    bench.vendor.oauth.away = False
    assert await Worker(bench).token(bench.account_id) != before["access_token"]


async def test_message_is_sent_over_a_token_that_was_revoked(bench: Bench):
    """The send is refused, the token renewed once, the message sent once; nobody has to do anything."""
    await bench.connect(LATER)
    message_id = await bench.queue("hello")
    bench.vendor.oauth.end_access()
    worker = Worker(bench)
    async with bench.dispatching(worker):
        await until(lambda: bench.is_at(message_id, DeliveryStatus.SENT))
    assert (bench.vendor.sent, bench.vendor.oauth.renewals) == (["hello"], 1)
    assert await bench.status() == (AccountStatus.CONNECTED, "")


@pytest.mark.parametrize("ends_in", [PAST, LATER], ids=["ended", "revoked"])
async def test_queue_waits_for_the_sign_in_and_goes_out_after_it(bench: Bench, ends_in: timedelta):
    """Only a person can mend it: the account says why, the message stays, and goes out by itself afterwards."""
    await bench.connect(ends_in)
    message_id = await bench.queue("hello")
    bench.vendor.oauth.end_grants()
    worker = Worker(bench)
    async with bench.dispatching(worker) as dispatcher:

        async def is_signed_out() -> bool:
            return (await bench.status())[0] is AccountStatus.NEEDS_SIGN_IN

        await until(is_signed_out)
        assert (await bench.status())[1] == "Letters wants you to sign in again."
        # Put back in a transaction of its own, after the account's.
        await until(lambda: bench.is_at(message_id, DeliveryStatus.QUEUED))
        change = AccountChange(
            workspace_id=bench.workspace.id,
            id=bench.account_id,
            credentials=await bench.grant(),
            token=Token(clock.now() + LATER, clock.now()),
        )
        async with bench.database.transaction([bench.workspace.id]) as conn:
            await channels.change(conn, SEALER, change)
        await worker.routes.refresh()
        dispatcher.wake()
        await until(lambda: bench.is_at(message_id, DeliveryStatus.SENT))
    assert bench.vendor.sent == ["hello"]


def _async(condition):
    async def ask() -> bool:
        return condition()

    return ask
