"""Replies on a real Postgres, dispatched through the vendor's SDK to the emulator, and its receipts back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import parse_qs
from uuid import UUID

import pytest

from connectors.attempt import Attempts
from connectors.base import Account, Connector, ParseContext, WebhookRequest
from connectors.buckets import MemoryBuckets
from connectors.dispatch import Dispatcher
from connectors.outbox import PostgresDeliveries
from connectors.twilio_sms import make_connector
from connectors.twilio_sms.client import TwilioClient
from hub import clock
from hub.db import Database
from hub.envelope import DeliveryStatus
from hub.inbox import actions, replies, store
from hub.inbox.model import MessageKind
from hub.inbox.replies import Draft
from scripts.emulators.http1 import Answer, Request, listen
from tests.emulators import ACCOUNT_SID, AUTH_TOKEN, NUMBER, EmulatedTwilio
from tests.factories import WorkspaceFacts, make_item, make_workspace, received

pytestmark = [pytest.mark.postgres, pytest.mark.processes]

CONNECTOR = make_connector(TwilioClient(timeout_s=1.0))


class Desk:
    """One workspace's SMS: replies go in, receipts come back through the webhook."""

    def __init__(self, database: Database, workspace: WorkspaceFacts, twilio: EmulatedTwilio) -> None:
        self.database, self.workspace, self.twilio = database, workspace, twilio
        self.webhook_url = "https://hub.example.com/webhooks/twilio_sms/1"
        self.conversation_id = UUID(int=0)
        self.auth_token = AUTH_TOKEN

    async def open(self, channel_account_id: UUID, *, fresh: bool = False) -> tuple[Account, Connector]:
        account = Account(
            id=str(channel_account_id),
            workspace_id=self.workspace.id,
            credentials={"account_sid": ACCOUNT_SID, "auth_token": self.auth_token},
            settings={"phone_number": NUMBER, "segments_per_second": "1000"},
            webhook_url=self.webhook_url,
            base_url=self.twilio.base_url,
        )
        return account, CONNECTOR

    async def begin(self) -> None:
        """A customer writes, so that there is a conversation."""
        async with self.database.transaction([self.workspace.id]) as conn:
            (outcome,) = await actions.receive(conn, [received(self.workspace, make_item())])
        assert outcome.conversation_id is not None
        self.conversation_id = outcome.conversation_id

    async def reply(self, text: str, client_message_id: UUID | None = None) -> UUID:
        draft = Draft(client_message_id=client_message_id or clock.new_id(), kind=MessageKind.MESSAGE, text=text)
        async with self.database.transaction([self.workspace.id]) as conn:
            sent = await replies.queue_message(
                conn, self.workspace.id, self.conversation_id, self.workspace.author(), draft
            )
        return sent.message_id

    async def status(self, message_id: UUID) -> DeliveryStatus | None:
        async with self.database.transaction([self.workspace.id]) as conn:
            message = await store.get_message(conn, self.workspace.id, message_id)
        assert message is not None
        return message.status

    async def until(self, message_id: UUID, *wanted: DeliveryStatus) -> None:
        async def reached() -> bool:
            return await self.status(message_id) in wanted

        await until(reached)

    async def hook(self, request: Request) -> Answer:
        """What ingress and intake do together, without their streams."""
        assert CONNECTOR.verify is not None
        assert CONNECTOR.split is not None
        query = "?" + "&".join(f"{name}={value}" for name, value in request.query)
        now = datetime.now(UTC)
        call = WebhookRequest(
            method="POST", url=self.webhook_url + query, headers=request.headers, body=request.body, received_at=now
        )
        account, _ = await self.open(self.workspace.sms_id)
        CONNECTOR.verify(call, account)
        for raw in CONNECTOR.split(call):
            items = CONNECTOR.parse(raw.body, ParseContext(received_at=now, key=raw.key, settings={}))
            async with self.database.transaction([self.workspace.id]) as conn:
                await actions.receive(conn, [received(self.workspace, item) for item in items])
        return Answer(200, b"<Response/>", "text/xml")

    @asynccontextmanager
    async def dispatching(self) -> AsyncIterator[Dispatcher]:
        outbox = PostgresDeliveries(self.database)
        dispatcher = Dispatcher(outbox, Attempts(outbox, MemoryBuckets(), self.open))
        stop = asyncio.Event()
        task = asyncio.create_task(dispatcher.run(stop))
        try:
            yield dispatcher
        finally:
            stop.set()
            await asyncio.wait_for(task, 10)


async def until(condition: Callable[[], Awaitable[bool]], timeout_s: float = 15.0) -> None:
    """Wait for an asynchronous condition."""
    async with asyncio.timeout(timeout_s):
        while not await condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def desk(database, workspace, twilio) -> AsyncIterator[Desk]:
    desk = Desk(database, workspace, twilio)
    await desk.begin()
    async with listen(desk.hook) as listener:
        desk.webhook_url = f"http://127.0.0.1:{listener.port}/webhooks/twilio_sms/1"
        yield desk


async def test_reply_is_sent_once_and_its_receipts_tick(desk):
    """Queued, sent through the SDK, delivered by the vendor's callbacks; one request for the same send twice."""
    again = clock.new_id()
    message_id = await desk.reply("On its way", again)
    assert await desk.reply("On its way", again) == message_id
    async with desk.dispatching(), desk.dispatching():
        await desk.until(message_id, DeliveryStatus.DELIVERED)
    (request,) = desk.twilio.sends()
    fields = parse_qs(request["body"])
    assert (fields["Body"], fields["To"]) == (["On its way"], ["+15550001111"])
    assert fields["StatusCallback"] == [f"{desk.webhook_url}?mid={message_id}"]


async def test_replies_of_one_conversation_keep_their_order(desk):
    """Twelve replies, two dispatchers: in order, each once."""
    ids = [await desk.reply(f"part {number}") for number in range(12)]
    async with desk.dispatching(), desk.dispatching():
        await desk.until(ids[-1], DeliveryStatus.SENT, DeliveryStatus.DELIVERED)
    bodies = [parse_qs(request["body"])["Body"][0] for request in desk.twilio.sends()]
    assert bodies == [f"part {number}" for number in range(12)]


async def test_throttle_is_obeyed(desk):
    """After a 429 with Retry-After nothing goes out for that long, then the message does, as its first try."""
    desk.twilio.control(
        "next", answers=[{"kind": "status", "status": 429, "code": 20429, "headers": {"Retry-After": "1"}}]
    )
    message_id = await desk.reply("Hi")
    async with desk.dispatching() as dispatcher:
        await until_true(lambda: len(desk.twilio.sends()) == 1)
        throttled = clock.monotonic_s()
        await desk.until(message_id, DeliveryStatus.DELIVERED)
        assert clock.monotonic_s() - throttled > 0.9
        assert dispatcher.attempts.counters.rate_limited >= 1
    assert len(desk.twilio.sends()) == 2


async def test_timeout_after_acceptance_is_unknown_until_the_receipt(desk):
    """The vendor took it and never answered: unknown, not sent again, and settled by the callback with our id."""
    desk.twilio.control("callbacks", order=["sent", "delivered"], delay_s=0, hold=True)
    desk.twilio.control("next", answers=[{"kind": "hold"}])
    message_id = await desk.reply("Hi")
    following = await desk.reply("And another")
    async with desk.dispatching():
        await desk.until(message_id, DeliveryStatus.UNKNOWN)
        assert await desk.status(following) is DeliveryStatus.QUEUED
        desk.twilio.control("release")
        await desk.until(message_id, DeliveryStatus.DELIVERED)
        await desk.until(following, DeliveryStatus.DELIVERED)
    assert len(desk.twilio.sends()) == 2


async def test_lost_answer_is_found_by_asking(desk):
    """No callback comes: after the wait the vendor is asked, and the one message there is ours."""
    desk.twilio.control("callbacks", order=[])
    desk.twilio.control("next", answers=[{"kind": "reset"}])
    message_id = await desk.reply("Hi")
    async with desk.dispatching() as dispatcher:
        await desk.until(message_id, DeliveryStatus.UNKNOWN)
        async with desk.database.transaction([desk.workspace.id]) as conn:
            await conn.execute("UPDATE delivery SET due_at = now()")
        dispatcher.wake()
        await desk.until(message_id, DeliveryStatus.SENT)
        assert dispatcher.attempts.counters.reconciled == 1
    async with desk.database.transaction([desk.workspace.id]) as conn:
        message = await store.get_message(conn, desk.workspace.id, message_id)
    assert message is not None
    assert message.external_id == desk.twilio.state()["messages"][0]["sid"]
    assert len(desk.twilio.sends()) == 1


async def test_interrupted_send_is_not_repeated(desk):
    """A dispatcher that vanished in the middle of a call leaves an unknown; another one asks instead of sending."""
    desk.twilio.control("callbacks", order=[])
    message_id = await desk.reply("Hi")
    outbox = PostgresDeliveries(desk.database)
    (wanted,) = await outbox.due(clock.now(), 10, ())
    assert await outbox.claim(wanted, 0) is not None
    async with desk.dispatching():
        await desk.until(message_id, DeliveryStatus.UNKNOWN)
    assert desk.twilio.sends() == []


async def test_refused_recipient_fails_with_words(desk):
    """The vendor's opt-out is shown to the member."""
    desk.twilio.control("opt_out", number="+15550001111")
    message_id = await desk.reply("Hi")
    async with desk.dispatching():
        await desk.until(message_id, DeliveryStatus.FAILED)
    async with desk.database.transaction([desk.workspace.id]) as conn:
        message = await store.get_message(conn, desk.workspace.id, message_id)
    assert message is not None
    assert (message.error_code, message.error_message) == ("21610", "The recipient opted out with STOP.")


async def test_refused_keys_pause_the_account_until_they_are_mended(desk):
    """The account needs a sign-in and says why, the message waits; with good keys and a connected account it goes."""
    desk.auth_token = "wrong"
    message_id = await desk.reply("Hi")
    async with desk.dispatching() as dispatcher:
        await until(lambda: account_status(desk, "needs_sign_in"))
        sends = len(desk.twilio.sends())
        dispatcher.wake()
        await asyncio.sleep(1.2)
        assert len(desk.twilio.sends()) == sends
        assert await desk.status(message_id) is DeliveryStatus.QUEUED
        desk.auth_token = AUTH_TOKEN
        async with desk.database.transaction([desk.workspace.id]) as conn:
            await conn.execute("UPDATE channel_account SET status = 'connected'")
        await desk.until(message_id, DeliveryStatus.DELIVERED)


async def test_two_workspaces_with_the_same_number_do_not_cross(desk, database, twilio):
    """Same customer, same vendor account: each workspace's reply is its own."""
    other = Desk(database, await make_workspace(database, name="Other"), twilio)
    await other.begin()
    other.webhook_url = desk.webhook_url.replace("/1", "/2")
    twilio.control("callbacks", order=[])
    mine, theirs = await desk.reply("mine"), await other.reply("theirs")
    async with desk.dispatching():
        await desk.until(mine, DeliveryStatus.SENT)
        await other.until(theirs, DeliveryStatus.SENT)
    sent = {message["body"]: message["sid"] for message in twilio.state()["messages"]}
    for one, message_id, body in ((desk, mine, "mine"), (other, theirs, "theirs")):
        async with database.transaction([one.workspace.id]) as conn:
            message = await store.get_message(conn, one.workspace.id, message_id)
        assert message is not None
        assert message.external_id == sent[body]


async def account_status(desk: Desk, wanted: str) -> bool:
    async with desk.database.transaction([desk.workspace.id]) as conn:
        found = await conn.fetchrow(
            "SELECT status, status_reason FROM channel_account WHERE id = $1", desk.workspace.sms_id
        )
    assert found is not None
    return found["status"] == wanted and bool(found["status_reason"])


async def until_true(condition: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return await asyncio.to_thread(condition)

    await until(asked)
