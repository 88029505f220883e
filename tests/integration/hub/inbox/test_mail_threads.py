"""Which conversation a mail joins, on a real Postgres."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from hub import clock
from hub.envelope import Direction
from hub.events import store as events
from hub.inbox import actions, store
from hub.inbox.batch import OutcomeKind
from hub.inbox.model import ConversationStatus
from tests.factories import make_workspace
from tests.mails import OURS, make_mail, make_mailbox, person

pytestmark = pytest.mark.postgres

ANA, BOB, EVE = "ana@example.com", "bob@example.com", "eve@example.net"


@pytest.fixture
async def mailbox(database, workspace):
    return await make_mailbox(database, workspace)


async def receive(database, mailbox, *items):
    async with database.transaction([mailbox.workspace_id]) as conn:
        return await actions.receive(conn, [mailbox.received(one) for one in items])


async def read(database, mailbox, outcome):
    async with database.transaction([mailbox.workspace_id]) as conn:
        return await store.get_conversation(conn, mailbox.workspace_id, outcome.conversation_id)


async def close(database, mailbox, outcome, days_ago=0):
    async with database.transaction([mailbox.workspace_id]) as conn:
        await actions.close(conn, mailbox.workspace_id, outcome.conversation_id, actor_id=None)
    async with database.transaction([mailbox.workspace_id]) as conn:
        await conn.execute(
            "UPDATE conversation SET closed_at = $2 WHERE id = $1",
            outcome.conversation_id,
            clock.now() - timedelta(days=days_ago),
        )


async def test_reply_joins_by_reference_whatever_its_subject(database, mailbox):
    """A reply that names a message we have is shown in its conversation, and the latest subject is kept."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))
    (second,) = await receive(database, mailbox, make_mail(2, ANA, answers=[1], subject="Re: Lamp and bulb"))

    assert second.conversation_id == first.conversation_id
    row = await read(database, mailbox, second)
    assert (row.subject, row.subject_key) == ("Lamp and bulb", "lamp and bulb")


async def test_reply_joins_by_an_older_reference_where_the_newest_is_unknown(database, mailbox):
    """References are tried from the newest; one mail of the chain we never saw does not split the thread."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))

    (third,) = await receive(database, mailbox, make_mail(3, ANA, answers=[2, 1]))

    assert third.conversation_id == first.conversation_id


async def test_reply_joins_by_our_signature_alone(database, mailbox):
    """An answer to a mail whose sending is not recorded yet (no reference known) is joined by the id we signed."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))

    (answer,) = await receive(
        database, mailbox, make_mail(2, ANA, answers=["ours-unseen"], subject="Oh", proved=[first.conversation_id])
    )

    assert answer.conversation_id == first.conversation_id


async def test_stranger_quoting_a_known_message_id_is_not_joined(database, mailbox):
    """Whoever names one of our messages without taking part opens a conversation of their own that shows nothing."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA, text="My address is 12 High Street"))

    (forged,) = await receive(database, mailbox, make_mail(66, EVE, answers=[1]))

    assert forged.conversation_id != first.conversation_id
    async with database.transaction([mailbox.workspace_id]) as conn:
        logged = await events.events_after(conn, mailbox.workspace_id, forged.seq - 1, 10)
    assert b"High Street" not in logged[0].data
    assert str(first.conversation_id).encode() not in logged[0].data


async def test_forged_or_stolen_signed_id_is_not_joined(database, mailbox):
    """Even a signature of ours proves only the conversation: a sender who takes no part is not let in by it."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))

    (stolen, nonsense) = await receive(
        database,
        mailbox,
        make_mail(66, EVE, proved=[first.conversation_id]),
        make_mail(67, ANA, proved=["no-uuid", clock.new_id()], subject="Another matter"),
    )

    assert len({first.conversation_id, stolen.conversation_id, nonsense.conversation_id}) == 3


async def test_same_message_id_in_two_workspaces_does_not_cross(database, mailbox, workspace):
    """A mailing list's mail has one Message-ID in both; each workspace keeps its own conversation."""
    other = await make_mailbox(database, await make_workspace(database, name="Other"))
    async with database.transaction([mailbox.workspace_id, other.workspace_id]) as conn:
        first = await actions.receive(conn, [one.received(make_mail(1, ANA)) for one in (mailbox, other)])
    async with database.transaction([mailbox.workspace_id, other.workspace_id]) as conn:
        second = await actions.receive(
            conn,
            [
                one.received(make_mail(2, ANA, answers=[1], proved=[foreign.conversation_id]))
                for one, foreign in zip((mailbox, other), reversed(first), strict=True)
            ],
        )

    assert [one.conversation_id for one in second] == [one.conversation_id for one in first]
    assert first[0].conversation_id != first[1].conversation_id
    for one, outcome in zip((mailbox, other), second, strict=True):
        async with database.transaction([one.workspace_id]) as conn:
            assert [row["id"] for row in await conn.fetch("SELECT id FROM conversation")] == [outcome.conversation_id]


async def test_same_message_id_in_two_accounts_does_not_cross(database, mailbox, workspace):
    """One mail to two of our addresses is a conversation in each; an answer stays with the account it came to."""
    sales = await make_mailbox(database, workspace, "sales@northwind.example")
    (first,) = await receive(database, mailbox, make_mail(1, ANA))
    (copy,) = await receive(database, sales, make_mail(1, ANA))

    (answer,) = await receive(database, sales, make_mail(2, ANA, answers=[1], proved=[first.conversation_id]))

    assert answer.conversation_id == copy.conversation_id != first.conversation_id
    async with database.transaction([mailbox.workspace_id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM contact") == 1


@pytest.mark.parametrize(("sender", "days", "joins"), [(ANA, 29, True), (ANA, 31, False), (EVE, 1, False)])
async def test_subject_fallback_needs_the_person_and_thirty_days(database, mailbox, sender, days, joins):
    """A reply without usable references joins a conversation of its subject if its sender is in it, for 30 days."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA, subject="Lampe: kaputt"))
    async with database.transaction([mailbox.workspace_id]) as conn:
        await conn.execute("UPDATE conversation SET last_activity_at = $1", clock.now() - timedelta(days=days))

    (answer,) = await receive(database, mailbox, make_mail(2, sender, subject="AW: Re: LAMPE: kaputt"))

    assert joins == (answer.conversation_id == first.conversation_id)


async def test_subject_of_a_new_mail_never_joins(database, mailbox):
    """The same subject without a reply mark is a new matter."""
    (first, second) = await receive(database, mailbox, make_mail(1, ANA), make_mail(2, ANA))

    assert first.conversation_id != second.conversation_id


async def test_somebody_copied_takes_part(database, mailbox):
    """Who was in Cc may answer: their mail joins, is theirs by name, and the conversation stays the first contact's."""
    (first,) = await receive(
        database, mailbox, make_mail(1, ANA, cc=(person(BOB, "Bob Ito"), person("Support+x1@northwind.example")))
    )

    (answer,) = await receive(database, mailbox, make_mail(2, BOB, answers=[1]))

    assert answer.conversation_id == first.conversation_id
    async with database.transaction([mailbox.workspace_id]) as conn:
        message = await store.get_message(conn, mailbox.workspace_id, answer.message_id)
        names = {row["name"] for row in await conn.fetch("SELECT name FROM contact")}
        people = await conn.fetch("SELECT contact_id FROM conversation_participant")
        logged = await events.events_after(conn, mailbox.workspace_id, 0, 10)
    row = await read(database, mailbox, answer)
    body = msgspec.json.decode(logged[-1].data)
    assert (message.author_name, names) == ("Bob Ito", {"", "Bob Ito"})
    assert [one["contact_id"] for one in people] == [message.author_id]
    assert body["contact"]["id"] == str(row.contact_id) != str(message.author_id)
    assert [one.type for one in logged] == ["message_received", "contact_changed", "message_received"]
    assert message.headers.sender.address == BOB


async def test_answers_within_one_batch_are_joined(database, mailbox):
    """A poll brings a whole thread at once; its mails find each other, by reference and by subject."""
    outcomes = await receive(
        database,
        mailbox,
        make_mail(1, ANA, cc=(person(BOB),)),
        make_mail(2, BOB, answers=[1], to=(person(ANA), person(OURS))),
        make_mail(3, ANA, subject="Re: Broken lamp"),
    )

    assert len({one.conversation_id for one in outcomes}) == 1


@pytest.mark.parametrize(("days", "same"), [(6, True), (8, False)])
async def test_answer_to_a_closed_conversation(database, mailbox, days, same):
    """Within the inbox's days it reopens; later it opens a new one under the same thread, which then goes on there."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))
    await close(database, mailbox, first, days)

    (second,) = await receive(database, mailbox, make_mail(2, ANA, answers=[1]))
    (third,) = await receive(database, mailbox, make_mail(3, ANA, answers=[1]))

    assert same == (second.conversation_id == first.conversation_id)
    assert third.conversation_id == second.conversation_id
    old, new = await read(database, mailbox, first), await read(database, mailbox, second)
    assert (new.thread_key, new.status) == (old.thread_key, ConversationStatus.OPEN)


async def test_stranger_never_takes_a_closed_thread_over(database, mailbox):
    """Who claims the root of an old thread gets another key: its own people's late answer is not shown to them."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))
    await close(database, mailbox, first, 20)

    (forged,) = await receive(database, mailbox, make_mail(66, EVE, answers=[1]))
    (late,) = await receive(database, mailbox, make_mail(2, ANA, answers=[1]))

    assert len({first.conversation_id, forged.conversation_id, late.conversation_id}) == 3


async def test_stranger_who_writes_again_keeps_one_conversation(database, mailbox):
    """Each further mail that quotes the foreign id goes to the stranger's own conversation."""
    await receive(database, mailbox, make_mail(1, ANA))

    outcomes = await receive(database, mailbox, make_mail(66, EVE, answers=[1]), make_mail(67, EVE, answers=[1]))

    assert outcomes[0].conversation_id == outcomes[1].conversation_id


async def test_answer_follows_a_moved_conversation(database, mailbox, workspace):
    """A conversation moved to another inbox keeps its thread."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))
    async with database.transaction([workspace.id]) as conn:
        await actions.move(conn, workspace.id, first.conversation_id, workspace.other_inbox_id, actor_id=None)

    (answer,) = await receive(database, mailbox, make_mail(2, ANA, answers=[1]))

    row = await read(database, mailbox, answer)
    assert (answer.conversation_id, row.inbox_id) == (first.conversation_id, workspace.other_inbox_id)


async def test_mail_an_agent_sent_from_another_program_joins_and_is_answered(database, mailbox):
    """The copy in Sent joins by its recipients, and the customer's answer to it joins by its Message-ID."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))
    echo = make_mail(2, ANA, answers=[1], direction=Direction.OUTBOUND, to=(person(ANA),), cc=(person(BOB),))

    (sent,) = await receive(database, mailbox, echo)
    (answer,) = await receive(database, mailbox, make_mail(3, BOB, answers=[2], subject="Thanks"))

    assert first.conversation_id == sent.conversation_id == answer.conversation_id
    async with database.transaction([mailbox.workspace_id]) as conn:
        message = await store.get_message(conn, mailbox.workspace_id, sent.message_id)
    assert (message.direction, message.status, message.headers.sender) == ("outbound", "sent", None)


async def test_echo_to_other_people_opens_its_own(database, mailbox):
    """A forward to somebody outside (their address is the only recipient) is not shown as an answer to the customer."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA))

    echo = make_mail(2, EVE, answers=[1], direction=Direction.OUTBOUND, to=(person(EVE),))
    (sent,) = await receive(database, mailbox, echo)

    assert sent.conversation_id != first.conversation_id


async def test_broken_sender_with_one_message_id_for_ever_hides_nothing(database, mailbox):
    """Another mail under a known Message-ID is stored; the same mail under another key is not."""
    first, other = make_mail(1, ANA), make_mail(1, EVE, key="sha256:other", text="Invoice")
    again = msgspec.structs.replace(first, key="other-folder")

    outcomes = await receive(database, mailbox, first, other, again)

    kinds = [one.kind for one in outcomes]
    assert kinds == [OutcomeKind.STORED, OutcomeKind.STORED, OutcomeKind.DUPLICATE]


async def test_two_writers_race_on_one_new_thread(database, mailbox):
    """Mails of one unseen thread that arrive in two transactions at once end in one conversation, without an error."""
    for number in range(10, 100, 10):
        mails = [make_mail(number + at, ANA, answers=[f"unseen-{number}"], subject="X") for at in range(4)]
        results = await asyncio.gather(*(receive(database, mailbox, one) for one in mails))
        assert len({one.conversation_id for (one,) in results}) == 1


async def test_row_level_security_hides_threads_of_other_workspaces(database, mailbox):
    """The reads of mail name no tenant: without the right one in the transaction they find nothing."""
    (first,) = await receive(database, mailbox, make_mail(1, ANA, cc=(person(BOB),)))
    other = await make_workspace(database, name="Other")

    async with database.transaction([other.id]) as conn:
        for table in ("conversation_participant", "message_html", "pending_reference"):
            assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 0
    async with database.transaction([mailbox.workspace_id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM conversation_participant") == 1
    assert first.conversation_id
