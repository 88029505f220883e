"""What members are told, from the event to the row, on a real Postgres."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from hub import clock
from hub.accounts.model import Role
from hub.channels import actions as channels
from hub.inbox import actions as inbox
from hub.notices import actions, reactions, store
from hub.notices.model import Kind, Page, Settings, Telling, Way
from hub.reactor import TRIES, Reaction, Reactor
from hub.realtime.broker import NoticeSignal, Signalled
from tests.factories import make_item, make_workspace, received

pytestmark = pytest.mark.postgres

REACTION = Reaction(reactions.ROOM, reactions.TYPES, reactions.react)


@pytest.fixture
def reactor(database):
    return Reactor(database, [REACTION])


async def write(database, workspace, text="Hello", **more):
    """A contact writes; returns the conversation."""
    async with database.transaction([workspace.id]) as conn:
        await inbox.receive(conn, [received(workspace, make_item(text=text, **more))])
    async with database.snapshot([workspace.id]) as conn:
        return await conn.fetchval("SELECT id FROM conversation ORDER BY created_at DESC LIMIT 1")


async def assign(database, workspace, conversation_id, member_id, actor_id=None):
    async with database.transaction([workspace.id]) as conn:
        await inbox.assign(conn, workspace.id, conversation_id, member_id, actor_id=actor_id)


async def choose(database, workspace, member_id, **changes):
    async with database.transaction([workspace.id]) as conn:
        return await actions.change_settings(conn, workspace.id, member_id, Settings(**changes))


async def told(database, workspace, member_id, *, visible=None, unread_only=False, limit=50, before=None):
    page = Page(member_id, visible, limit, unread_only, before)
    async with database.snapshot([workspace.id]) as conn:
        return await store.list_notices(conn, workspace.id, page)


async def kinds(database, workspace, member_id, **more):
    return [(one.kind, one.amount) for one in await told(database, workspace, member_id, **more)]


async def test_who_is_assigned_is_told(database, workspace, reactor, notices):
    """With the contact's conversation and who did it; their sockets get a signal, nobody else's do."""
    conversation = await write(database, workspace)
    await assign(database, workspace, conversation, workspace.agent_id, workspace.owner_id)
    notices.clear()
    await reactor.catch_up()
    (row,) = await told(database, workspace, workspace.agent_id)
    assert (row.kind, row.conversation_id, row.actor_id) == (Kind.ASSIGNED, conversation, workspace.owner_id)
    assert row.preview.startswith("Hello")
    assert row.inbox_id == workspace.inbox_id
    signals = [one for one in notices if isinstance(one, Signalled)]
    assert signals == [Signalled(workspace.id, NoticeSignal(workspace.agent_id, row.id))]
    assert await told(database, workspace, workspace.owner_id) == []


async def test_who_did_it_is_not_told(database, workspace, reactor):
    """Nobody hears of what they did themselves."""
    conversation = await write(database, workspace)
    await assign(database, workspace, conversation, workspace.agent_id, workspace.agent_id)
    await reactor.catch_up()
    assert await told(database, workspace, workspace.agent_id) == []


async def test_messages_of_my_conversation_are_counted_together(database, workspace, reactor):
    """Three unread messages are one notice; after it was read the next one is a new notice."""
    conversation = await write(database, workspace)
    await assign(database, workspace, conversation, workspace.agent_id)
    await reactor.catch_up()
    for _ in range(3):
        await write(database, workspace)
        await reactor.catch_up()
    assert await kinds(database, workspace, workspace.agent_id) == [(Kind.MESSAGE, 3), (Kind.ASSIGNED, 1)]
    async with database.transaction([workspace.id]) as conn:
        assert await actions.mark_read(conn, workspace.id, workspace.agent_id, None) == 2
    await write(database, workspace)
    await reactor.catch_up()
    assert await kinds(database, workspace, workspace.agent_id, unread_only=True) == [(Kind.MESSAGE, 1)]
    assert len(await told(database, workspace, workspace.agent_id)) == 3


async def test_each_event_is_told_once(database, workspace):
    """Many reactors at once, and again from the start of the log: nothing is counted twice."""
    conversation = await write(database, workspace)
    await assign(database, workspace, conversation, workspace.agent_id)
    for _ in range(5):
        await write(database, workspace)
    await asyncio.gather(*(Reactor(database, [REACTION]).catch_up() for _ in range(4)))
    once = await kinds(database, workspace, workspace.agent_id)
    assert once == [(Kind.MESSAGE, 5), (Kind.ASSIGNED, 1)]
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE reaction_cursor SET seq = 0")
    await Reactor(database, [REACTION]).catch_up()
    assert await kinds(database, workspace, workspace.agent_id) == once


async def test_reading_the_conversation_reads_its_notices(database, workspace, reactor, notices):
    """Whoever has it on screen is not nagged; what came after what they read stays."""
    conversation = await write(database, workspace)
    await assign(database, workspace, conversation, workspace.agent_id)
    await write(database, workspace)
    async with database.snapshot([workspace.id]) as conn:
        seq = await conn.fetchval("SELECT event_seq FROM workspace")
    await write(database, workspace, sender=make_item().sender)
    async with database.transaction([workspace.id]) as conn:
        await inbox.mark_read(conn, workspace.id, conversation, workspace.agent_id, seq)
    await reactor.catch_up()
    assert await kinds(database, workspace, workspace.agent_id, unread_only=True) == [(Kind.MESSAGE, 2)]
    async with database.transaction([workspace.id]) as conn:
        head = await conn.fetchval("SELECT event_seq FROM workspace")
        await inbox.mark_read(conn, workspace.id, conversation, workspace.agent_id, head)
    notices.clear()
    await reactor.catch_up()
    assert await kinds(database, workspace, workspace.agent_id, unread_only=True) == []
    assert Signalled(workspace.id, NoticeSignal(workspace.agent_id)) in notices


async def test_what_is_taken_away_need_not_be_looked_at(database, workspace, reactor):
    """Given to somebody else: the first one's notice is done."""
    conversation = await write(database, workspace)
    await assign(database, workspace, conversation, workspace.agent_id)
    await assign(database, workspace, conversation, workspace.owner_id)
    await reactor.catch_up()
    assert await kinds(database, workspace, workspace.agent_id, unread_only=True) == []
    assert await kinds(database, workspace, workspace.owner_id, unread_only=True) == [(Kind.ASSIGNED, 1)]


async def test_new_conversations_are_told_who_asked(database, workspace, reactor):
    """Off until chosen; then once for the conversation, not for each message, and only where they see the inbox."""
    await choose(database, workspace, workspace.agent_id, kinds={Kind.CONVERSATION: frozenset({Way.IN_APP})})
    await write(database, workspace)
    await write(database, workspace)
    await reactor.catch_up()
    assert await kinds(database, workspace, workspace.agent_id) == [(Kind.CONVERSATION, 1)]
    assert await told(database, workspace, workspace.owner_id) == []


async def test_nobody_is_told_of_what_they_may_not_see(database, workspace, reactor):
    """A restricted inbox tells its own; a notice made before the rights changed is not listed any more."""
    conversation = await write(database, workspace)
    await assign(database, workspace, conversation, workspace.agent_id)
    await reactor.catch_up()
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE inbox SET restricted = true WHERE id = $1", workspace.inbox_id)
    await write(database, workspace)
    await reactor.catch_up()
    assert await kinds(database, workspace, workspace.agent_id) == [(Kind.ASSIGNED, 1)]
    only_other = frozenset({workspace.other_inbox_id})
    assert await told(database, workspace, workspace.agent_id, visible=only_other) == []
    async with database.snapshot([workspace.id]) as conn:
        assert (await store.count_new(conn, workspace.id, workspace.agent_id, only_other)).unread == 0
        assert (await store.count_new(conn, workspace.id, workspace.agent_id, None)).unread == 1


async def test_an_account_that_is_signed_out_is_told_those_in_charge(database, workspace, reactor):
    """Owners and admins, not agents."""
    async with database.transaction([workspace.id]) as conn:
        await channels.mark_needs_sign_in(conn, workspace.id, workspace.sms_id, "The password is no good.")
    await reactor.catch_up()
    (row,) = await told(database, workspace, workspace.owner_id)
    assert (row.kind, row.channel_account_id, row.title) == (Kind.CHANNEL_SIGN_IN, workspace.sms_id, "twilio_sms")
    assert await told(database, workspace, workspace.agent_id) == []


async def test_ways_are_kept(database, workspace, reactor):
    """A kind switched off is not told at all; one without in-app is not listed."""
    nothing = {Kind.ASSIGNED: frozenset(), Kind.MESSAGE: frozenset({Way.EMAIL})}
    await choose(database, workspace, workspace.agent_id, kinds=nothing)
    conversation = await write(database, workspace)
    await assign(database, workspace, conversation, workspace.agent_id)
    await write(database, workspace)
    await reactor.catch_up()
    assert await told(database, workspace, workspace.agent_id) == []
    async with database.snapshot([workspace.id]) as conn:
        rows = await store.unmailed(conn, workspace.id, workspace.agent_id, None, 10)
    assert [one.kind for one in rows] == [Kind.MESSAGE]


async def test_pages_follow_each_other(database, workspace):
    """Newest first, none twice, none left out."""
    now = clock.now()
    tellings = [
        Telling(
            kind=Kind.SECURITY,
            subject=f"s{n}",
            at=now + timedelta(seconds=n // 2),
            member_ids=frozenset({workspace.agent_id}),
        )
        for n in range(7)
    ]
    async with database.transaction([workspace.id]) as conn:
        assert len(await actions.tell(conn, workspace.id, tellings)) == 7
    seen, before = [], None
    while page := await told(database, workspace, workspace.agent_id, limit=3, before=before):
        seen += page
        before = (page[-1].at, page[-1].id)
    assert len({one.id for one in seen}) == 7
    assert seen == sorted(seen, key=lambda one: (one.at, one.id), reverse=True)


async def test_other_tenants_notices_are_out_of_reach(database, workspace):
    """Row security answers, whatever a query asks."""
    other = await make_workspace(database, name="Contoso")
    telling = Telling(kind=Kind.SECURITY, subject="s", at=clock.now(), member_ids=frozenset({workspace.agent_id}))
    async with database.transaction([workspace.id]) as conn:
        (notice_id,) = await actions.tell(conn, workspace.id, [telling])
    async with database.transaction([other.id]) as conn:
        assert (
            await store.mark_read(conn, workspace.id, workspace.agent_id, [notice_id], (clock.now(), clock.now())) == 0
        )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction([other.id]) as conn:
            await store.put_settings(conn, workspace.id, workspace.agent_id, Settings())


async def test_a_bad_event_does_not_hold_up_the_others(database, workspace):
    """It is tried some times by itself and then passed over; what comes after it is told."""
    conversation = await write(database, workspace)
    await assign(database, workspace, conversation, workspace.agent_id)
    seen = []

    async def react(conn, workspace_id, happened):
        for one in happened:
            if one.type == "message_received":
                raise ValueError("cannot be read")
            seen.append(one.type)

    reactor = Reactor(database, [Reaction("notices", reactions.TYPES, react)])
    for _ in range(TRIES):
        await reactor.catch_up()
        assert seen == []
    await reactor.catch_up()
    assert seen == ["conversation_assigned"]
    assert reactor.metrics.passed_over == {"notices": 1}


async def test_hints_are_followed_at_once(database, workspace, reactor, notices):
    """Nobody waits for the next look at everything."""
    running = asyncio.create_task(reactor.run())
    await asyncio.sleep(0)
    conversation = await write(database, workspace)
    await assign(database, workspace, conversation, workspace.agent_id)
    reactor.note([one for one in notices if hasattr(one, "seq")])
    async with asyncio.timeout(5):
        while not await told(database, workspace, workspace.agent_id):
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_old_notices_go(database, workspace):
    """What nobody looked at for so long is found, and dropped."""
    telling = Telling(
        kind=Kind.SECURITY, subject="s", at=clock.now() - timedelta(days=91), member_ids=frozenset({workspace.agent_id})
    )
    async with database.transaction([workspace.id]) as conn:
        (notice_id,) = await actions.tell(conn, workspace.id, [telling])
    async with database.across() as conn:
        assert await store.old_notices(conn, clock.now() - timedelta(days=90), 10) == [(workspace.id, notice_id)]
    async with database.transaction([workspace.id]) as conn:
        await store.drop_notices(conn, workspace.id, [notice_id])
    assert await told(database, workspace, workspace.agent_id) == []


async def test_role_alone_does_not_tell(database, workspace):
    """Those in charge are owners and admins."""
    telling = Telling(kind=Kind.EXPORT_READY, subject="e", at=clock.now(), to_those_in_charge=True)
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE member SET role = $1 WHERE id = $2", Role.ADMIN.value, workspace.agent_id)
        assert len(await actions.tell(conn, workspace.id, [telling])) == 2
