"""What is kept of a mail: text, formatted text, people; and who may not be written to, on a real Postgres."""

from __future__ import annotations

import msgspec
import pytest

from hub.envelope import DeliveryStatus, InboundItem, ItemKind, Receipt
from hub.errors import ConnectorErrorInfo, ErrorClass
from hub.events import store as events
from hub.inbox import actions, mail_store, store
from hub.inbox.batch import Formatted, OutcomeKind
from hub.realtime.protocol import FRAME_LIMIT_BYTES
from tests.mails import EPOCH, make_mail, make_mailbox, person
from tests.outgoing import mark_sent, queue_and_claim

pytestmark = pytest.mark.postgres

ANA, BOB, EVE = "ana@example.com", "bob@example.com", "eve@example.net"


@pytest.fixture
async def mailbox(database, workspace):
    return await make_mailbox(database, workspace)


async def receive(database, mailbox, *items, formatted=None):
    batch = [msgspec.structs.replace(mailbox.received(one), formatted=formatted) for one in items]
    async with database.transaction([mailbox.workspace_id]) as conn:
        return await actions.receive(conn, batch)


async def suppressions(database, mailbox):
    async with database.transaction([mailbox.workspace_id]) as conn:
        rows = await conn.fetch("SELECT value, reason FROM suppression ORDER BY value")
    return {row["value"]: row["reason"] for row in rows}


async def test_formatted_text_is_stored_beside_the_message(database, mailbox):
    """What was sanitised is kept with its count of remote pictures; the raw HTML of an item never is."""
    (kept,) = await receive(database, mailbox, make_mail(1, ANA), formatted=Formatted("<p>Hi</p>", 2))
    (raw,) = await receive(database, mailbox, make_mail(2, ANA, html="<script>alert(1)</script>"))

    async with database.transaction([mailbox.workspace_id]) as conn:
        found, pictures = await mail_store.get_html(conn, mailbox.workspace_id, kept.message_id)
        rows = [await store.get_message(conn, mailbox.workspace_id, one.message_id) for one in (kept, raw)]
        stored = await conn.fetchval("SELECT count(*) FROM message_html")
    assert (found, pictures, stored) == (Formatted("<p>Hi</p>", 2), {}, 1)
    assert [row.has_html for row in rows] == [True, False]


async def test_long_text_is_cut_and_kept_whole_as_html(database, mailbox):
    """Over 20,000 characters the row has the beginning; nothing of text or quoted part is lost."""
    text, quoted = "line <b>\n" * 5_000 + "THE END", "old " * 3_000 + "THE START"

    (outcome,) = await receive(database, mailbox, make_mail(1, ANA, text=text, quoted=quoted))

    async with database.transaction([mailbox.workspace_id]) as conn:
        row = await store.get_message(conn, mailbox.workspace_id, outcome.message_id)
        found, _ = await mail_store.get_html(conn, mailbox.workspace_id, outcome.message_id)
    assert len(row.text) <= 20_000
    assert row.text.endswith("…")
    assert row.quoted.endswith("…")
    assert row.has_html
    assert "THE END" in found.html
    assert "THE START" in found.html
    assert "<b>" not in found.html


@pytest.mark.parametrize("filler", ["x", "漢", "😀", "\x01", '"'])
async def test_no_mail_makes_an_event_larger_than_a_frame(database, mailbox, filler):
    """Whatever a mail holds (long names, hundreds of recipients, control characters), its events fit into frames."""
    people = tuple(person(f"{'a' * 60}{n}@{'b' * 200}.example", filler * 1_000) for n in range(300))
    mail = make_mail(
        1, ANA, text=filler * 300_000, quoted=filler * 300_000, subject=filler * 5_000, to=people, cc=people
    )
    mail = msgspec.structs.replace(mail, sender=person(ANA, filler * 2_000))

    await receive(database, mailbox, mail)

    async with database.transaction([mailbox.workspace_id]) as conn:
        logged = await events.events_after(conn, mailbox.workspace_id, 0, 500)
        contacts = await conn.fetchval("SELECT count(*) FROM contact")
    assert max(len(one.data) for one in logged) < FRAME_LIMIT_BYTES - 2_000
    assert contacts == 51


async def test_headers_say_who_wrote_to_whom(database, mailbox):
    """Members see the sender, everybody it was addressed to and the subject as it came."""
    mail = make_mail(1, ANA, cc=(person(BOB, "Bob Ito"),), subject="Fwd: Invoice")

    (outcome,) = await receive(database, mailbox, mail)

    async with database.transaction([mailbox.workspace_id]) as conn:
        row = await store.get_message(conn, mailbox.workspace_id, outcome.message_id)
        conversation = await store.get_conversation(conn, mailbox.workspace_id, outcome.conversation_id)
    assert row.headers.subject == "Fwd: Invoice"
    assert [one.address for one in row.headers.to] == ["support@northwind.example"]
    assert [(one.name, one.address) for one in row.headers.cc] == [("Bob Ito", BOB)]
    assert conversation.subject == "Invoice"


def bounce(target, address, code="5.1.1", klass=ErrorClass.RECIPIENT):
    return InboundItem(
        kind=ItemKind.RECEIPT,
        key=f"bounce-{target}-{address}-{code}",
        occurred_at=EPOCH,
        sender=person(address),
        target_external_id=target,
        receipt=Receipt(DeliveryStatus.FAILED, ConnectorErrorInfo(klass, code, "Does not exist.")),
    )


def complaint(target, address, **fields):
    return InboundItem(
        kind=ItemKind.CONSENT,
        key=f"complaint-{target}-{address}",
        occurred_at=EPOCH,
        sender=person(address),
        target_external_id=target,
        consent="stop",
        auto_submitted=True,
        **fields,
    )


async def sent_mail(database, mailbox, workspace):
    (first,) = await receive(database, mailbox, make_mail(1, ANA))
    sent, claimed = await queue_and_claim(database, workspace, first.conversation_id, to=(ANA, BOB))
    await mark_sent(database, workspace, claimed, "ours-1@mail")
    return sent


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (bounce("ours-1@mail", BOB), {BOB: "bounce"}),
        (bounce("ours-1@mail", EVE), {}),
        (bounce("ours-1@mail", BOB, code="5.2.2"), {}),
        (bounce("ours-1@mail", BOB, klass=ErrorClass.PERMANENT), {}),
        (bounce("1@mail", ANA), {}),
        (complaint("ours-1@mail", ANA), {ANA: "complaint"}),
        (complaint("ours-1@mail", EVE), {}),
        (complaint("unknown@mail", ANA), {}),
        (complaint(None, ANA), {}),
    ],
)
async def test_bounces_and_complaints_count_about_our_mail_to_that_person(database, mailbox, workspace, item, expected):
    """Anybody can send a report about anybody: only one about a mail of ours that went there stops us writing."""
    await sent_mail(database, mailbox, workspace)

    await receive(database, mailbox, item, item)

    assert await suppressions(database, mailbox) == expected


async def test_early_bounce_is_applied_when_the_send_is_recorded(database, mailbox, workspace):
    """A server that refuses at once reports before SMTP's answer is recorded; the address is suppressed all the same."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))
    sent, claimed = await queue_and_claim(database, workspace, first.conversation_id, to=(BOB,))
    (early,) = await receive(database, mailbox, bounce("ours-2@mail", BOB))

    await mark_sent(database, workspace, claimed, "ours-2@mail")

    async with database.transaction([workspace.id]) as conn:
        row = await store.get_message(conn, workspace.id, sent.message_id)
    assert (early.kind, row.status) == (OutcomeKind.PENDING, DeliveryStatus.FAILED)
    assert await suppressions(database, mailbox) == {BOB: "bounce"}


async def test_a_mail_from_a_bounced_address_lifts_it_but_not_a_complaint(database, mailbox, workspace):
    """Who writes to us exists; who complained stays left alone, START or not."""
    await sent_mail(database, mailbox, workspace)
    await receive(database, mailbox, bounce("ours-1@mail", BOB), complaint("ours-1@mail", ANA))

    await receive(database, mailbox, make_mail(5, BOB), make_mail(6, ANA, consent="start"))

    assert await suppressions(database, mailbox) == {ANA: "complaint"}


async def test_a_stronger_reason_stays(database, mailbox, workspace):
    """STOP after a bounce is a STOP: a later mail from there does not lift it."""
    await sent_mail(database, mailbox, workspace)
    await receive(database, mailbox, bounce("ours-1@mail", BOB))

    await receive(database, mailbox, make_mail(5, BOB, consent="stop"))

    assert await suppressions(database, mailbox) == {BOB: "stop"}


async def test_copy_in_sent_settles_a_send_nobody_answered(database, mailbox, workspace):
    """The SMTP answer was lost; the server's own copy in Sent, with our id, proves that the mail went out."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))
    sent, _ = await queue_and_claim(database, workspace, first.conversation_id, to=(ANA,))

    echo = make_mail("ours-3", ANA, direction="outbound", correlation_id=str(sent.message_id))
    (outcome,) = await receive(database, mailbox, echo)
    (answer,) = await receive(database, mailbox, make_mail(9, ANA, answers=["ours-3"], subject="ok"))

    async with database.transaction([workspace.id]) as conn:
        row = await store.get_message(conn, workspace.id, sent.message_id)
    assert (outcome.kind, row.status, row.external_id) == (OutcomeKind.STORED, DeliveryStatus.SENT, "ours-3@mail")
    assert answer.conversation_id == first.conversation_id
