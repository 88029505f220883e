"""Items that come before the message they are about, on a real Postgres."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from hub import clock, jobs
from hub.envelope import DeliveryStatus, SendResult
from hub.errors import ConnectorErrorInfo, ErrorClass
from hub.events import store as events
from hub.inbox import actions, deliveries, mail_store, replies, store
from hub.inbox.batch import OutcomeKind
from hub.inbox.model import MessageKind
from tests.factories import make_item, make_receipt, make_workspace, received

pytestmark = pytest.mark.postgres

DELIVERED, READ, FAILED = DeliveryStatus.DELIVERED, DeliveryStatus.READ, DeliveryStatus.FAILED


async def receive(database, workspace, *items, channel="twilio_sms"):
    async with database.transaction([workspace.id]) as conn:
        return await actions.receive(conn, [received(workspace, one, channel=channel) for one in items])


async def pending(database, workspace):
    async with database.transaction([workspace.id]) as conn:
        return await conn.fetchval("SELECT count(*) FROM pending_reference")


async def send(database, workspace):
    """Queue a reply and claim its delivery, as dispatch does before it calls the vendor."""
    (first,) = await receive(database, workspace, make_item())
    async with database.transaction([workspace.id]) as conn:
        draft = replies.Draft(client_message_id=clock.new_id(), kind=MessageKind.MESSAGE, text="On its way.")
        sent = await replies.queue_message(conn, workspace.id, first.conversation_id, workspace.author(), draft)
    async with database.across() as conn:
        (due,) = await deliveries.due(conn, clock.now(), 1)
    async with database.transaction([workspace.id]) as conn:
        claimed = await deliveries.claim(conn, due, 30)
    return sent, claimed


async def mark_sent(database, workspace, claimed, external_id="SMearly"):
    async with database.transaction([workspace.id]) as conn:
        await deliveries.mark_sent(conn, claimed, SendResult((external_id,)))


async def get(database, workspace, message_id):
    async with database.transaction([workspace.id]) as conn:
        return await store.get_message(conn, workspace.id, message_id)


async def test_receipts_before_the_vendors_answer_are_applied_with_it(database, workspace):
    """Receipts that overtake the answer to our send wait, survive repetition, and are applied once, in their order."""
    sent, claimed = await send(database, workspace)
    early = [make_receipt("SMearly", DELIVERED), make_receipt("SMearly", READ)]

    outcomes = await receive(database, workspace, *early, early[0])
    again = await receive(database, workspace, early[1])
    waiting = await pending(database, workspace)
    await mark_sent(database, workspace, claimed)

    assert {one.kind for one in (*outcomes, *again)} == {OutcomeKind.PENDING}
    assert (waiting, await pending(database, workspace)) == (2, 0)
    row = await get(database, workspace, sent.message_id)
    assert (row.status, row.external_id) == (READ, "SMearly")
    async with database.transaction([workspace.id]) as conn:
        logged = await events.events_after(conn, workspace.id, 0, 100)
    said = [one.data.decode().split('"status":"')[1][:9] for one in logged if one.type == "message_status_changed"]
    assert [one.split('"')[0] for one in said] == ["sending", "sent", "delivered", "read"]


async def test_receipt_repeated_after_it_was_applied_is_a_duplicate(database, workspace):
    """What waited and was applied is known by its key: the vendor's retry changes nothing more."""
    sent, claimed = await send(database, workspace)
    await receive(database, workspace, make_receipt("SMearly", DELIVERED))
    await mark_sent(database, workspace, claimed)

    (again,) = await receive(database, workspace, make_receipt("SMearly", DELIVERED))

    assert again.kind is OutcomeKind.DUPLICATE
    assert (await get(database, workspace, sent.message_id)).version == again.seq


async def test_early_failure_carries_its_reason(database, workspace):
    """A failure that waited fails the message with the vendor's words."""
    sent, claimed = await send(database, workspace)
    error = ConnectorErrorInfo(ErrorClass.RECIPIENT, "30005", "Unknown destination handset.")
    receipt = make_receipt("SMearly", FAILED)
    receipt = type(receipt)(**{name: getattr(receipt, name) for name in receipt.__struct_fields__} | {
        "receipt": type(receipt.receipt)(status=FAILED, error=error)})  # fmt: skip
    await receive(database, workspace, receipt)

    await mark_sent(database, workspace, claimed)

    row = await get(database, workspace, sent.message_id)
    assert (row.status, row.error_code) == (FAILED, "30005")
    async with database.transaction([workspace.id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM suppression") == 0


@pytest.mark.parametrize("order", ["one_batch", "one_batch_receipt_last", "two_batches"])
async def test_receipt_before_its_echo(database, workspace, order):
    """A receipt of a message sent from the vendor's own app waits for the echo, within a batch or over several."""
    echo = make_item(direction="outbound", external_id="SMecho", key="SMecho")
    receipt = make_receipt("SMecho", DELIVERED)

    match order:
        case "one_batch":
            await receive(database, workspace, receipt, echo, receipt)
        case "one_batch_receipt_last":
            await receive(database, workspace, receipt)
            await receive(database, workspace, receipt, echo, make_receipt("SMecho", DeliveryStatus.SENT))
        case "two_batches":
            await receive(database, workspace, receipt)
            await receive(database, workspace, echo)

    async with database.transaction([workspace.id]) as conn:
        rows = await conn.fetch("SELECT status FROM message")
    assert [row["status"] for row in rows] == ["delivered"]
    assert await pending(database, workspace) == 0


async def test_receipt_racing_with_the_vendors_answer_is_never_lost(database, workspace):
    """Receipt and answer in two transactions at once: whichever is first, the message ends as delivered."""
    for number in range(8):
        sent, claimed = await send(database, workspace)
        external_id = f"SMrace{number}"
        await asyncio.gather(
            receive(database, workspace, make_receipt(external_id, DELIVERED)),
            mark_sent(database, workspace, claimed, external_id),
        )
        assert (await get(database, workspace, sent.message_id)).status is DELIVERED
    assert await pending(database, workspace) == 0


async def test_early_receipts_never_cross_accounts_or_workspaces(database, workspace):
    """A receipt that waits in another workspace or account is not applied to our message of the same id."""
    other = await make_workspace(database, name="Other")
    sent, claimed = await send(database, workspace)
    await receive(database, other, make_receipt("SMearly", READ))
    await receive(database, workspace, make_receipt("SMearly", READ), channel="livechat")

    await mark_sent(database, workspace, claimed)

    assert (await get(database, workspace, sent.message_id)).status is DeliveryStatus.SENT
    assert (await pending(database, workspace), await pending(database, other)) == (1, 1)


async def test_early_items_of_an_account_are_capped_oldest_first(database, workspace, monkeypatch):
    """Receipts of messages somebody else sends through the same vendor account cannot fill the table."""
    monkeypatch.setattr(mail_store, "PENDING_LIMIT", 5)
    for start in (0, 4):
        batch = [make_receipt(f"SM{number}", DELIVERED) for number in range(start, start + 4)]
        await receive(database, workspace, *batch)

    async with database.transaction([workspace.id]) as conn:
        rows = await conn.fetch("SELECT reference FROM pending_reference ORDER BY reference")
    assert [row["reference"] for row in rows] == ["SM3", "SM4", "SM5", "SM6", "SM7"]


async def test_old_early_items_are_dropped_by_the_job(database, workspace):
    """After seven days an early item is forgotten; younger ones stay."""
    await receive(database, workspace, make_receipt("SMold", DELIVERED), make_receipt("SMnew", DELIVERED))
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(
            "UPDATE pending_reference SET created_at = $1 WHERE reference = 'SMold'", clock.now() - timedelta(days=8)
        )

    job = jobs.expiry_job("early_items", database, mail_store.old_pending, mail_store.drop_pending, timedelta(days=7))
    did = await job.run()

    async with database.transaction([workspace.id]) as conn:
        rows = await conn.fetch("SELECT reference FROM pending_reference")
    assert (did, [row["reference"] for row in rows]) == (1, ["SMnew"])
