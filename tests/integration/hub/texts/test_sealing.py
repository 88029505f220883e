"""Texts of a workspace sealed, sealed with another key, and open again: what is read is the same, what is kept is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from hub import clock
from hub.accounts.model import Role
from hub.channels.sealing import Sealer
from hub.db import Database
from hub.envelope import Identity, ItemKind, SendResult, ThreadHints
from hub.errors import ConfigurationError, Conflict, Forbidden
from hub.events import store as events
from hub.events.model import LogRange
from hub.inbox import act_store, change_store, deliveries, mail_store, replies, store
from hub.inbox import actions as inbox
from hub.inbox.batch import Formatted
from hub.inbox.model import MessageKind
from hub.inbox.store import ConversationFilter
from hub.inbox.wanted import WantedAct
from hub.sealed import BLIND_MARK, MARK
from hub.texts import actions
from hub.texts import store as texts
from hub.texts.keyring import Keyring
from hub.texts.model import SealingState
from hub.texts.rewriting import Rewriting
from tests.factories import make_item, make_workspace, received

pytestmark = pytest.mark.postgres

WORD = "quetzalword"
KEY = "k" * 32


@pytest.fixture
def sealer():
    return Sealer({1: KEY})


@pytest.fixture
def database(database, sealer):
    database.keyring = Keyring(sealer)
    return database


@pytest.fixture
async def owner(database_urls):
    connection = await asyncpg.connect(database_urls.owner_url)
    yield connection
    await connection.close()


async def receive(database, workspace, *items, formatted=None):
    batch = [msgspec.structs.replace(received(workspace, one), formatted=formatted) for one in items]
    async with database.transaction([workspace.id]) as conn:
        return await inbox.receive(conn, batch)


def mail(**overrides):
    fields = {
        "sender": Identity(scheme="email", value="ann@example.org"),
        "thread": ThreadHints(root="r1", subject=f"Re: {WORD} invoice"),
        "subject": f"{WORD} invoice",
        "text": f"mail says {WORD}",
        "quoted": f"> {WORD} was said",
        "to": (Identity(scheme="email", value="us@example.org"),),
    }
    return make_item(**(fields | overrides))


async def fill(database, workspace, tag):
    """Say the secret everywhere a text of a message can be kept; returns the conversation of the SMS."""
    sms = make_item(text=f"{tag} sms {WORD}", thread_key="+1555", sender=Identity(scheme="phone", value="+1555"))
    edited = make_item(
        kind=ItemKind.EDIT, target_external_id=sms.external_id, external_id=None, text=f"{tag} edited {WORD}",
        occurred_at=datetime(2026, 11, 22, 13, 0, tzinfo=UTC), revision=1,
    )  # fmt: skip
    answer = make_item(
        text=f"{tag} answers", thread_key="+1555", sender=Identity(scheme="phone", value="+1555"),
        reply_to_external_id=sms.external_id,
    )  # fmt: skip
    first, *_ = await receive(database, workspace, sms, edited, answer)
    await receive(database, workspace, mail(), formatted=Formatted(f"<p>{WORD}</p>"))
    async with database.transaction([workspace.id]) as conn:
        where = (workspace.id, first.conversation_id)
        for kind in (MessageKind.MESSAGE, MessageKind.NOTE):
            draft = replies.Draft(client_message_id=clock.new_id(), kind=kind, text=f"{tag} {kind} {WORD}")
            sent = (await replies.queue_message(conn, *where, workspace.author(), draft)).message_id
    async with database.transaction([workspace.id]) as conn:
        await inbox.close(conn, *where, actor_id=workspace.agent_id)
    async with database.transaction([workspace.id]) as conn:
        await inbox.reopen(conn, *where, actor_id=workspace.agent_id)
    async with database.transaction([workspace.id]) as conn:
        # An edit that waits for its vendor.
        await events.lock(conn, [workspace.id])
        row, message = await store.get_conversation(conn, *where), await store.get_message(conn, workspace.id, sent)
        act = WantedAct(id=clock.new_id(), kind="edit", text=f"{tag} waits {WORD}")
        await act_store.insert(conn, row, message, act, row.version)
    return first


async def set_sealed(database, sealer, workspace, wanted, role=Role.OWNER):
    async with database.transaction([workspace.id]) as conn:
        return await actions.set_sealed(conn, sealer, workspace.actor(role), wanted=wanted)


async def sealing_of(database, workspace):
    async with database.snapshot([workspace.id]) as conn:
        return (await texts.get_kept(conn, workspace.id)).sealing


async def read_all(database, workspace):
    """Read everything as the edge, the sockets and dispatch do."""
    ws = workspace.id
    async with database.snapshot([ws]) as conn:
        rows = await store.list_conversations(conn, ws, ConversationFilter())
        messages = [one for row in rows for one in await store.list_messages(conn, ws, row.id, None, 100)]
        htmls = [(await mail_store.get_html(conn, ws, one.id))[0] for one in messages if one.has_html]
        versions = [await change_store.list_versions(conn, ws, one.id) for one in messages]
        logged = await events.event_ranges(conn, [LogRange(ws, 0, 1000)])
        said = [msgspec.json.decode(one.data) for found in logged.values() for one in found]
        # What a subject is found by is nobody's to read.
        rows = [msgspec.structs.replace(row, subject_key="") for row in rows]
        return rows, messages, htmls, versions, said


async def kept_texts(owner, workspace):
    """Every row of every table of a workspace as the disk, a dump or a replica shows it, by table."""
    tables = await owner.fetch(
        "SELECT DISTINCT table_name AS name FROM information_schema.columns"
        " WHERE column_name = 'workspace_id' AND table_schema = 'public'"
    )
    found = {}
    for table in tables:
        rows = await owner.fetch(
            f'SELECT row_to_json(t)::text AS data FROM "{table["name"]}" t WHERE workspace_id = $1', workspace.id
        )
        found[table["name"]] = "\n".join(row["data"] for row in rows)
    return found


async def tables_that_say(owner, workspace, text):
    spelled = (text, text.encode().hex())
    kept = await kept_texts(owner, workspace)
    return {name for name, data in kept.items() if any(one in data for one in spelled)}


async def test_what_is_stored_is_sealed_and_read_as_before(database, owner, workspace, sealer):
    """Sealing leaves no word of a message in any row of the workspace, whoever reads sees the same, opening undoes it."""
    await fill(database, workspace, "one")
    before = await read_all(database, workspace)
    said_in = await tables_that_say(owner, workspace, WORD)
    assert said_in >= {"message", "message_html", "message_version", "conversation", "event", "delivery"}

    assert (await set_sealed(database, sealer, workspace, wanted=True)).state is SealingState.SEALING
    assert await Rewriting(database, chunk_rows=3).run(workspace.id)

    done = await sealing_of(database, workspace)
    assert (done.state, done.done) == (SealingState.SEALED, done.total)
    assert "Search cannot" in done.search
    assert await tables_that_say(owner, workspace, WORD) == set()
    assert await read_all(database, workspace) == before

    await set_sealed(database, sealer, workspace, wanted=False)
    await Rewriting(database, chunk_rows=3).run(workspace.id)
    assert (await sealing_of(database, workspace)).state is SealingState.OPEN
    assert await read_all(database, workspace) == before
    assert await tables_that_say(owner, workspace, MARK) == set()
    assert await tables_that_say(owner, workspace, BLIND_MARK) == set()
    assert await tables_that_say(owner, workspace, WORD) == said_in


async def test_what_comes_is_sealed_at_once_and_told_in_the_open(database, owner, workspace, sealer, notices):
    """From the moment it is asked for nothing new is kept readable; who may read hears it as before."""
    await set_sealed(database, sealer, workspace, wanted=True)
    notices.clear()
    first = await fill(database, workspace, "two")
    assert await tables_that_say(owner, workspace, WORD) == set()
    told = b"".join(one.data for one in notices if hasattr(one, "data"))
    assert WORD.encode() in told
    assert MARK.encode() not in told
    rows, messages, htmls, versions, said = await read_all(database, workspace)
    assert {row.subject for row in rows} >= {f"{WORD} invoice"}
    assert f"two edited {WORD}" in {one.text for one in messages}
    assert [one.reply_to.text for one in messages if one.reply_to] == [f"two edited {WORD}"]
    assert htmls == [Formatted(f"<p>{WORD}</p>")]
    assert [one.text for every in versions for one in every] == [f"two sms {WORD}"]
    assert MARK not in repr(said)
    assert first.conversation_id


async def claim_next(database, workspace):
    async with database.across() as conn:
        due = await deliveries.due(conn, clock.now(), 10)
    async with database.transaction([workspace.id]) as conn:
        return await deliveries.claim(conn, due[0], 30)


async def test_a_reply_goes_out_as_it_was_written(database, owner, workspace, sealer):
    """Dispatch gets the text of a sealed message, and of a sealed edit."""
    await set_sealed(database, sealer, workspace, wanted=True)
    first = (await receive(database, workspace, make_item()))[0]
    draft = replies.Draft(client_message_id=clock.new_id(), kind=MessageKind.MESSAGE, text=f"reply {WORD}")
    async with database.transaction([workspace.id]) as conn:
        await replies.queue_message(conn, workspace.id, first.conversation_id, workspace.author(), draft)
    async with database.transaction([workspace.id]) as conn:
        await events.lock(conn, [workspace.id])
        sent = (await store.list_messages(conn, workspace.id, first.conversation_id, None, 1))[0]
        row = await store.get_conversation(conn, workspace.id, first.conversation_id)
        act = WantedAct(id=clock.new_id(), kind="edit", text=f"edit {WORD}")
        await act_store.insert(conn, row, sent, act, sent.version + 1)
    claimed = await claim_next(database, workspace)
    assert claimed.outbound.text == f"reply {WORD}"
    async with database.transaction([workspace.id]) as conn:
        await deliveries.mark_sent(conn, claimed, SendResult(external_ids=("SMx",)))
    assert (await claim_next(database, workspace)).act.text == f"edit {WORD}"
    assert await tables_that_say(owner, workspace, WORD) == set()


async def test_a_mail_finds_its_conversation_by_a_sealed_subject(database, workspace, sealer):
    """Subjects are compared without being readable, while they are being sealed and afterwards."""
    unthreaded = {"thread": ThreadHints(root="other", subject=f"AW: {WORD} invoice")}
    known = (await receive(database, workspace, mail()))[0]
    await set_sealed(database, sealer, workspace, wanted=True)
    during = (await receive(database, workspace, mail(**unthreaded)))[0]
    await Rewriting(database).run(workspace.id)
    sealed = (await receive(database, workspace, mail(**unthreaded)))[0]
    await set_sealed(database, sealer, workspace, wanted=False)
    opening = (await receive(database, workspace, mail(**unthreaded)))[0]
    assert {one.conversation_id for one in (during, sealed, opening)} == {known.conversation_id}


async def test_a_deleted_message_goes_from_the_sealed_log(database, workspace, sealer):
    """What a deleted message said is in no event any more, also where the list showed its start and is sealed."""
    await set_sealed(database, sealer, workspace, wanted=True)
    sms = make_item(text=f"take back {WORD}")
    first = (await receive(database, workspace, sms))[0]
    async with database.transaction([workspace.id]) as conn:
        await inbox.close(conn, workspace.id, first.conversation_id, actor_id=None)
    assert WORD in repr(await read_all(database, workspace))
    gone = make_item(kind=ItemKind.DELETE, target_external_id=sms.external_id, external_id=None)
    await receive(database, workspace, gone)
    assert WORD not in repr(await read_all(database, workspace))


async def test_another_key_takes_over_while_messages_come(database, owner, workspace, sealer):
    """After a change of the key everything is sealed with the new one; the old one goes after a week."""
    await set_sealed(database, sealer, workspace, wanted=True)
    await fill(database, workspace, "old")
    work = Rewriting(database, chunk_rows=2)
    await work.run(workspace.id)
    before = await read_all(database, workspace)
    async with database.transaction([workspace.id]) as conn:
        await actions.change_key(conn, sealer, workspace.actor())
    with pytest.raises(Conflict):
        await set_sealed(database, sealer, workspace, wanted=False)
    await work.run(workspace.id)
    assert await read_all(database, workspace) == before
    assert await tables_that_say(owner, workspace, f"{MARK}{workspace.id}:1000:") == set()
    assert "message" in await tables_that_say(owner, workspace, f"{MARK}{workspace.id}:1001:")
    await owner.execute("UPDATE workspace_key SET retired_at = retired_at - interval '8 days'")
    async with database.across() as conn:
        assert workspace.id in await texts.due(database, clock.now(), 10)
    assert await work.run(workspace.id)
    assert await owner.fetchval("SELECT array_agg(id) FROM workspace_key") == [1001]


async def test_a_broken_off_job_goes_on_where_it_was(database, owner, workspace, sealer):
    """A second process goes on with the chunk after the last committed one, once the lease has ended."""
    await fill(database, workspace, "one")
    before = await read_all(database, workspace)
    await set_sealed(database, sealer, workspace, wanted=True)
    work = Rewriting(database, chunk_rows=2)
    async with database.transaction([workspace.id]) as conn:
        claimed = await texts.claim(conn, workspace.id, clock.now(), clock.now() + timedelta(minutes=1))
    after = await work.step(claimed)
    assert await work.step(claimed) is None
    assert not await work.run(workspace.id)
    await owner.execute("UPDATE text_sealing SET lease_until = now()")
    assert after.place
    assert await work.run(workspace.id)
    assert await read_all(database, workspace) == before
    assert await tables_that_say(owner, workspace, WORD) == set()


async def test_an_event_that_was_emptied_meanwhile_stays_empty(database, owner, workspace, sealer):
    """The job never writes back what an erasure took, and the log cannot be rewritten without the job."""
    await fill(database, workspace, "one")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction([workspace.id]) as conn:
            await conn.execute("SELECT hub_reseal_events($1, '{1}', '{}', '{}')", workspace.id)
    await set_sealed(database, sealer, workspace, wanted=True)
    await owner.execute("UPDATE text_sealing SET phase = 'events'")
    async with database.transaction([workspace.id]) as conn:
        old = await conn.fetchval("SELECT data::text FROM event WHERE workspace_id = $1 AND seq = 1", workspace.id)
        await owner.execute("UPDATE event SET data = '{}' WHERE workspace_id = $1 AND seq = 1", workspace.id)
        amount = await conn.fetchval(
            "SELECT hub_reseal_events($1, '{1}', $2::text[], $3::text[])", workspace.id, [old], [old]
        )
    assert amount == 0


async def test_a_text_moved_elsewhere_does_not_open(database, owner, workspace, sealer):
    """A sealed text copied to another message, or another workspace, is shown as it stands and not as what it says."""
    await set_sealed(database, sealer, workspace, wanted=True)
    one, two = await receive(database, workspace, make_item(text=WORD), make_item(text="two"))
    other = await make_workspace(database)
    three = (await receive(database, other, make_item(text="three")))[0]
    for target in (two, three):
        await owner.execute(
            "UPDATE message SET text = (SELECT text FROM message WHERE id = $1) WHERE id = $2",
            one.message_id, target.message_id,
        )  # fmt: skip
    for where, target in ((workspace, two), (other, three)):
        async with database.snapshot([where.id]) as conn:
            row = await store.get_message(conn, where.id, target.message_id)
        assert row.text.startswith(MARK)


async def test_who_writes_like_a_sealed_text_is_quoted_as_they_wrote(database, workspace, sealer):
    """A customer's text that looks sealed is kept and shown as any other, sealed or not."""
    odd = f"{MARK}{workspace.id}:1000:x:text:AAAA"
    await receive(database, workspace, make_item(text=odd))
    await set_sealed(database, sealer, workspace, wanted=True)
    await receive(database, workspace, make_item(text=odd))
    await Rewriting(database).run(workspace.id)
    _, messages, *_ = await read_all(database, workspace)
    assert [one.text for one in messages] == [odd, odd]


async def test_nobody_but_an_owner_seals(database, workspace, sealer):
    """Admins may not, and a key is not changed where nothing is sealed."""
    with pytest.raises(Forbidden):
        await set_sealed(database, sealer, workspace, wanted=True, role=Role.ADMIN)
    with pytest.raises(Conflict):
        async with database.transaction([workspace.id]) as conn:
            await actions.change_key(conn, sealer, workspace.actor())


async def test_a_process_without_keys_writes_nothing_in_the_open(database, database_urls, workspace, sealer):
    """Where texts are to be sealed and there is no key, the write fails."""
    await set_sealed(database, sealer, workspace, wanted=True)
    keyless = await Database.open(database_urls.database_url, lambda _: None, max_size=2)
    with pytest.raises(ConfigurationError):
        await receive(keyless, workspace, make_item(text=WORD))
    await keyless.close()


async def test_receiving_asks_for_a_key_once(database, workspace, sealer):
    """A batch for a workspace that seals needs no query of its own for the key, once it is remembered."""
    await set_sealed(database, sealer, workspace, wanted=True)
    counted = []
    real = texts.read_keys

    async def read_keys(conn, names):
        counted.append(list(names))
        return await real(conn, names)

    database.keyring = Keyring(sealer)
    texts.read_keys = read_keys
    try:
        for _ in range(3):
            await receive(database, workspace, make_item())
    finally:
        texts.read_keys = real
    assert counted == [[(workspace.id, 1000)]]


async def test_what_vendors_sent_is_not_kept_in_the_open_for_long(database, owner, workspace, sealer):
    """Where texts are sealed a raw item goes after an hour instead of weeks, unless a file is still to be cut out of it."""
    for body in (b"done", b"waits"):
        raw_id = clock.new_id()
        await owner.execute(
            "INSERT INTO raw_item (workspace_id, id, channel_account_id, key, body, created_at)"
            " VALUES ($1, $2, $3, 'k', $4, now() - interval '2 hours')", workspace.id, raw_id, workspace.sms_id, body,
        )  # fmt: skip
    await owner.execute(
        "INSERT INTO attachment (workspace_id, id, state, kind, filename, mime, raw_item_id, created_at)"
        " VALUES ($1, $2, 'pending', 'file', 'a', 'text/plain', $2, now())", workspace.id, raw_id,
    )  # fmt: skip
    old = "SELECT count(*) FROM hub_old_raw_items(now() - interval '30 days', 10)"
    async with database.across() as conn:
        assert await conn.fetchval(old) == 0
    await set_sealed(database, sealer, workspace, wanted=True)
    async with database.across() as conn:
        assert await conn.fetchval(old) == 1
