"""Mails members send: whom they go to, what thread they are in, who takes part afterwards, on a real Postgres."""

from __future__ import annotations

import pytest

from hub import clock
from hub.envelope import Addressing, DeliveryStatus, Party
from hub.errors import InvalidInput
from hub.events import store as events
from hub.inbox import actions, recipients, store
from tests.mails import OURS, make_mail, make_mailbox, person
from tests.outgoing import claim, mark_sent, queue_and_claim, queue_mail

pytestmark = pytest.mark.postgres

ANA, BOB, CAT, DAN = "ana@example.com", "bob@example.com", "cat@example.com", "dan@example.com"


@pytest.fixture
async def mailbox(database, workspace):
    return await make_mailbox(database, workspace)


async def receive(database, mailbox, *items):
    async with database.transaction([mailbox.workspace_id]) as conn:
        return await actions.receive(conn, [mailbox.received(one) for one in items])


async def choose(database, mailbox, conversation_id, chosen=None):
    async with database.transaction([mailbox.workspace_id]) as conn:
        row = await store.get_conversation(conn, mailbox.workspace_id, conversation_id)
        return await recipients.choose_headers(conn, row, chosen or Addressing())


async def suppress(database, mailbox, address, reason):
    async with database.transaction([mailbox.workspace_id]) as conn:
        await conn.execute(
            "INSERT INTO suppression (workspace_id, channel_account_id, scheme, value, reason, created_at)"
            " VALUES ($1, $2, 'email', $3, $4, $5)",
            mailbox.workspace_id, mailbox.id, address, reason, clock.now(),
        )  # fmt: skip


def addresses(parties):
    return [one.address for one in parties]


async def test_answer_goes_to_everybody_but_us_with_the_latest_subject(database, mailbox):
    """Without a choice an answer goes to who wrote last, with copies to the others, and one Re:."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA, cc=(person(BOB),)))
    to = (person(ANA), person("Support+tag@northwind.example"), person(OURS))
    await receive(
        database, mailbox, make_mail(2, BOB, answers=[1], subject="RE: AW: Two lamps", to=to, cc=(person(CAT),))
    )

    headers = await choose(database, mailbox, first.conversation_id)

    assert headers.subject == "Re: Two lamps"
    assert (addresses(headers.to), addresses(headers.cc)) == ([BOB], [ANA, CAT])


async def test_chosen_people_are_exactly_those_given(database, mailbox):
    """A member who names whom it goes to gets no copy added behind their back."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA, cc=(person(BOB),)))
    chosen = Addressing(subject=" New \n subject ", to=(Party("", " Ana@Example.com "),), bcc=(Party("D", DAN),))

    headers = await choose(database, mailbox, first.conversation_id, chosen)

    assert headers.subject == "New subject"
    assert (addresses(headers.to), headers.cc, addresses(headers.bcc)) == ([ANA], (), [DAN])


@pytest.mark.parametrize(
    ("chosen", "field"),
    [
        (Addressing(to=(Party("", "nobody"),)), "to"),
        (Addressing(cc=(Party("", "a@b\r\nBcc: c@d"),)), "cc"),
        (Addressing(bcc=(Party("", "a b@example.com"),)), "bcc"),
        (Addressing(subject="x" * 301), "subject"),
        (Addressing(to=tuple(Party("", f"a{n}@example.com") for n in range(51))), "cc"),
    ],
)
async def test_what_cannot_be_sent_is_refused_by_field(database, mailbox, chosen, field):
    """A wrong address, a header injection, too long a subject or too many people are refused before anything is written."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))

    with pytest.raises(InvalidInput) as caught:
        await choose(database, mailbox, first.conversation_id, chosen)

    assert caught.value.field == field


async def test_first_of_several_to_is_primary_and_the_rest_goes_along(database, mailbox, workspace):
    """The connector gets everybody, the thread oldest first, what is answered, and its text to quote."""
    (first, _) = await receive(
        database, mailbox, make_mail(1, ANA, cc=(person(BOB),)), make_mail(2, BOB, answers=[1], text="And a bulb")
    )
    _, claimed = await queue_and_claim(
        database, workspace, first.conversation_id, to=(BOB, ANA), cc=(CAT,), bcc=(DAN,), subject="Re: Bulb"
    )

    mail = claimed.outbound
    assert (mail.to.value, [one.value for one in mail.also_to]) == (BOB, [ANA])
    assert ([one.value for one in mail.cc], [one.value for one in mail.bcc]) == ([CAT], [DAN])
    assert (mail.subject, mail.reply_to_external_id, mail.references) == ("Re: Bulb", "2@mail", ("1@mail", "2@mail"))
    assert (mail.quoted, mail.conversation_id) == ("And a bulb", str(first.conversation_id))


async def test_references_keep_the_first_and_the_newest(database, mailbox, workspace):
    """A thread of forty mails is named by its first and its newest 29, oldest first."""
    (first, *_) = await receive(
        database, mailbox, *(make_mail(n, ANA, answers=[n - 1] if n > 1 else []) for n in range(1, 41))
    )

    _, claimed = await queue_and_claim(database, workspace, first.conversation_id, to=(ANA,))

    assert claimed.outbound.references == ("1@mail", *(f"{n}@mail" for n in range(12, 41)))


async def test_follow_up_to_our_own_mail_names_it(database, mailbox, workspace):
    """Where nobody has written yet, a second mail of ours answers the first."""
    echo = make_mail(1, ANA, direction="outbound", to=(person(ANA),))
    (first,) = await receive(database, mailbox, echo)

    headers = await choose(database, mailbox, first.conversation_id)
    _, claimed = await queue_and_claim(database, workspace, first.conversation_id, to=addresses(headers.to))

    assert (addresses(headers.to), claimed.outbound.reply_to_external_id) == ([ANA], "1@mail")


@pytest.mark.parametrize(
    ("reason", "code"), [("complaint", "complained"), ("bounce", "bounced"), ("stop", "opted_out")]
)
async def test_suppressed_primary_fails_with_the_reason(database, mailbox, workspace, reason, code):
    """A mail whose first recipient must not be written to is not sent at all, and says why."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))
    await suppress(database, mailbox, BOB, reason)

    sent = await queue_mail(database, workspace, first.conversation_id, to=(BOB, ANA))
    claimed = await claim(database, workspace)

    async with database.transaction([workspace.id]) as conn:
        row = await store.get_message(conn, workspace.id, sent.message_id)
    assert claimed is None
    assert (row.status, row.error_code) == (DeliveryStatus.FAILED, code)


async def test_suppressed_others_are_left_out(database, mailbox, workspace):
    """The rest of a mail's recipients get it; those who must not be written to do not."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))
    for address in (BOB, CAT, DAN):
        await suppress(database, mailbox, address, "complaint")

    _, claimed = await queue_and_claim(
        database, workspace, first.conversation_id, to=(ANA, BOB), cc=(CAT, "x@example.com"), bcc=(DAN,)
    )

    mail = claimed.outbound
    assert (mail.also_to, [one.value for one in mail.cc], mail.bcc) == ((), ["x@example.com"], ())


async def test_a_stop_of_the_contact_does_not_hold_a_mail_to_others(database, mailbox, workspace):
    """Who said STOP is left alone; a mail in their conversation that goes to somebody else is sent."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))
    await suppress(database, mailbox, ANA, "stop")

    _, claimed = await queue_and_claim(database, workspace, first.conversation_id, to=(BOB,))

    assert claimed.outbound.to.value == BOB


async def test_whom_we_wrote_to_may_answer(database, mailbox, workspace, notices):
    """Recipients we add become contacts and take part: their answer joins, told as events to every client."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))
    _, claimed = await queue_and_claim(
        database, workspace, first.conversation_id, to=(ANA,), cc=(CAT, OURS), bcc=(DAN,)
    )
    await mark_sent(database, workspace, claimed, "ours@mail")

    answers = await receive(
        database,
        mailbox,
        *(make_mail(n, who, answers=["ours"]) for n, who in ((7, CAT), (8, DAN), (9, "eve@example.net"))),
    )

    assert [one.conversation_id == first.conversation_id for one in answers] == [True, True, False]
    async with database.transaction([workspace.id]) as conn:
        logged = await events.events_after(conn, workspace.id, 0, 100)
        known = {row["value"] for row in await conn.fetch("SELECT value FROM contact_identity")}
    assert [one.type for one in logged][:4] == [
        "message_received",
        "message_queued",
        "contact_changed",
        "contact_changed",
    ]
    assert known == {ANA, CAT, DAN, "eve@example.net"}
