"""Erasing a person: nothing of them is anywhere afterwards, everything else is as it was, and it may be broken off."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest
import redis as redis_sync
from redis.asyncio import Redis

from connectors.privacy_jobs import Forget
from hub import clock
from hub.attachments import store as attachments
from hub.attachments.model import AttachmentRow, Part
from hub.blobs import new_key
from hub.contacts import profiles
from hub.contacts import store as contacts
from hub.envelope import Identity, StreamItem, ThreadHints
from hub.errors import Conflict, Unavailable
from hub.inbox import actions as inbox
from hub.inbox import replies
from hub.inbox import store as inbox_store
from hub.inbox.model import MessageKind
from hub.privacy import actions, store
from hub.privacy.erasing import Erasing
from hub.streams.model import partition_of, stream_key
from tests.factories import make_item, make_workspace, received
from tests.sealed_texts import KEPT, keep_texts

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

MARKER = "zanzibarmarker"
PHONE = "+15559998877"
MAIL = f"{MARKER}@example.org"


@pytest.fixture
async def ephemeral(redis_ephemeral):
    client = Redis.from_url(redis_ephemeral)
    yield client
    await client.aclose()


@pytest.fixture
def erasing(database, streams, blobs, ephemeral):
    return Erasing(database, streams, blobs, Forget(ephemeral))


async def receive(database, workspace, *items):
    async with database.transaction([workspace.id]) as conn:
        return await inbox.receive(conn, [received(workspace, one) for one in items])


def marked(**overrides):
    sender = Identity(scheme="phone", value=PHONE, display_name=f"Zoe {MARKER}")
    fields = {"sender": sender, "thread_key": PHONE, "text": f"I am {MARKER}"}
    return make_item(**(fields | overrides))


async def contact_of(database, workspace, value=PHONE, scheme="phone"):
    async with database.transaction([workspace.id]) as conn:
        return await contacts.find_identity(conn, workspace.id, scheme, "", value)


async def one_chunk(data):
    yield data


async def leave_traces(database, workspace, outcome, streams, blobs, ephemeral):
    """Put the person wherever something of them can be."""
    ws = workspace.id
    body = f"From={PHONE.replace('+', '%2B')}&Body={MARKER}".encode()
    async with database.transaction([ws]) as conn:
        where = (ws, outcome.conversation_id)
        await replies.queue_message(
            conn,
            *where,
            workspace.author(),
            replies.Draft(client_message_id=clock.new_id(), kind=MessageKind.MESSAGE, text=f"Dear {MARKER}"),
        )
        note = replies.Draft(client_message_id=clock.new_id(), kind=MessageKind.NOTE, text=f"note {MARKER}")
        await replies.queue_message(conn, *where, workspace.author(), note)
        key, piece = new_key(ws), new_key(ws)
        for one in (key, piece):
            await blobs.put(one, one_chunk(f"file of {MARKER}".encode()))
        file_id = clock.new_id()
        rows = [
            ("INSERT INTO attachment (workspace_id, id, message_id, conversation_id, state, kind, filename, mime,"
             " blob_key, created_at) VALUES ($1, $2, $3, $4, 'ready', 'file', $5, 'text/plain', $6, now())",
             (file_id, outcome.message_id, outcome.conversation_id, f"{MARKER}.txt", key)),
            ("INSERT INTO message_html (workspace_id, message_id, html) VALUES ($1, $2, $3)",
             (outcome.message_id, f"<p>{MARKER}")),
            ("INSERT INTO dead_letter (workspace_id, id, channel_account_id, channel, key, body, error, stream, entry_id,"
             " received_at, created_at) VALUES ($1, gen_random_uuid(), $2, 'x', 'k', $3, 'e', 's', '1', now(), now())",
             (workspace.sms_id, body)),
            ("INSERT INTO raw_item (workspace_id, id, channel_account_id, key, body, created_at)"
             " VALUES ($1, gen_random_uuid(), $2, 'k', $3, now())", (workspace.sms_id, body)),
            ("INSERT INTO pending_reference (workspace_id, id, channel_account_id, reference, dedupe_key, item, created_at)"
             " VALUES ($1, gen_random_uuid(), $2, 'r', 'd', $3, now())", (workspace.sms_id, body)),
            ("INSERT INTO intake_spool (workspace_id, id, partition, item, created_at)"
             " VALUES ($1, gen_random_uuid(), 1, $2, now())", (body,)),
            ("INSERT INTO suppression (workspace_id, channel_account_id, scheme, value, reason, created_at)"
             " VALUES ($1, $2, 'phone', $3, 'stop', now())", (workspace.sms_id, PHONE)),
            ("INSERT INTO idempotency_key (workspace_id, caller_id, route, key, id, request_hash, lease_until, status,"
             " body, created_at) VALUES ($1, gen_random_uuid(), 'r', 'k', gen_random_uuid(), sha256(''), now(), 200, $2,"
             " now())", (f'{{"value":"{PHONE}","name":"{MARKER}"}}'.encode(),)),
        ]  # fmt: skip
        for sql, values in rows:
            await conn.execute(sql, ws, *values)
        upload = AttachmentRow(
            workspace_id=ws, id=clock.new_id(), conversation_id=outcome.conversation_id, author_id=workspace.agent_id,
            kind="file", filename=f"{MARKER}-2.txt", mime="text/plain", created_at=clock.now(),
            ref=msgspec.json.encode([Part(piece, 5, "00")]).decode(),
        )  # fmt: skip
        await attachments.insert(conn, [upload])
        await attachments.reserve(conn, ws, [piece], clock.now() + timedelta(hours=26))
    for one in (body, b"x" * 10):
        await streams.append(item(workspace, one))
    with redis_sync.Redis.from_url(str(REDIS["durable"])) as client:
        client.xadd(f"{stream_key(partition_of(ws))}:unreadable", {b"item": body})
    await ephemeral.set(f"bucket:{{buckets}}:{PHONE}", MARKER)
    await ephemeral.set("other", "stays")


REDIS: dict[str, str] = {}


@pytest.fixture(autouse=True)
def urls(redis_durable, redis_ephemeral):
    REDIS.update(durable=redis_durable, ephemeral=redis_ephemeral)


def item(workspace, body):
    return StreamItem(
        workspace_id=workspace.id, channel_account_id=str(workspace.sms_id), channel="twilio_sms", key="k", body=body,
        received_at_ms=1,
    )  # fmt: skip


async def ask_erasure(database, workspace, contact_id):
    async with database.transaction([workspace.id]) as conn:
        person = await store.family(conn, workspace.id, contact_id)
        extent = await store.extent(conn, workspace.id, person.contact_ids)
        return await actions.request_erasure(conn, workspace.actor(), contact_id, extent.digest())


async def found_in_database(owner_url, *needles):
    """Every column of every table that holds one of the needles, in whatever case."""
    owner = await asyncpg.connect(owner_url)
    try:
        columns = await owner.fetch(
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c"
            " JOIN information_schema.tables t USING (table_schema, table_name)"
            " WHERE t.table_schema = 'public' AND t.table_type = 'BASE TABLE'"
            " AND c.data_type IN ('text', 'bytea', 'json', 'jsonb', 'ARRAY', 'tsvector', 'character varying')"
        )
        assert len(columns) > 100
        found = []
        for table, column, kind in columns:
            shown = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
            for needle in needles:
                sql = f'SELECT count(*) FROM "{table}" WHERE position($1 IN lower({shown})) > 0'
                if await owner.fetchval(sql, needle.lower()):
                    found.append(f"{table}.{column}")
        return found
    finally:
        await owner.close()


def found_in_redis(url, *needles):
    """Keys of a Redis that hold one of the needles, in their names or in what they give."""
    with redis_sync.Redis.from_url(url) as client:
        whole = {key: key + repr(_content(client, key)).encode() for key in client.keys("*")}
    return [key for key, bytes_ in whole.items() if any(one.encode() in bytes_.lower() for one in needles)]


def _content(client, key):
    kind = client.type(key)
    return {
        b"stream": lambda: client.xrange(key),
        b"string": lambda: client.get(key),
        b"hash": lambda: client.hgetall(key),
    }.get(kind, lambda: None)()


def found_in_folder(folder: Path, needle):
    return [path for path in folder.rglob("*") if path.is_file() and needle.encode() in path.read_bytes()]


async def test_nothing_of_a_person_is_anywhere(
    database, database_urls, workspace, erasing, streams, blobs, folder, ephemeral
):
    """A marker and the person's number are in no column, no key of both Redises and no file any more."""
    (outcome,) = await receive(database, workspace, marked())
    contact_id = await contact_of(database, workspace)
    await leave_traces(database, workspace, outcome, streams, blobs, ephemeral)
    async with database.transaction([workspace.id]) as conn:
        wanted = actions.NewConsent(purpose="newsletter", state="given", basis="consent", source=f"Form {MARKER}")
        await actions.record_consent(conn, workspace.actor(), contact_id, wanted)
        await actions.request_export(conn, workspace.actor(), contact_id)
        await profiles.keep_avatar(conn, workspace.id, contact_id, MARKER.encode(), clock.now())
        await conn.execute(
            "INSERT INTO contact_profile (workspace_id, contact_id, channel_account_id, scheme, scope, value, wanted_at) "
            "SELECT $1, $2, id, 'phone', '', $3, now() FROM channel_account WHERE workspace_id = $1 LIMIT 1",
            workspace.id,
            contact_id,
            PHONE,
        )
    needles = (MARKER, PHONE, PHONE.replace("+", "%2b"))
    before = await found_in_database(database_urls.owner_url, *needles)
    assert {
        "message.text", "event.data", "contact.name", "contact_identity.value", "dead_letter.body", "raw_item.body",
        "intake_spool.item", "pending_reference.item", "attachment.filename", "message_html.html",
        "idempotency_key.body", "suppression.value", "consent_record.source", "contact_avatar.webp", "contact_profile.value",
    } <= set(before)  # fmt: skip
    assert len(found_in_redis(REDIS["durable"], MARKER)) == 2
    assert len(found_in_redis(REDIS["ephemeral"], MARKER)) == 1
    assert len(found_in_folder(folder, MARKER)) == 2

    asked = await ask_erasure(database, workspace, contact_id)
    assert await erasing.run(workspace.id, asked.id)

    assert await found_in_database(database_urls.owner_url, *needles) == []
    assert found_in_redis(REDIS["durable"], *needles) == []
    assert found_in_redis(REDIS["ephemeral"], *needles) == []
    assert found_in_folder(folder, MARKER) == []
    assert await ephemeral.get("other") == b"stays"
    assert (await streams.backlog(partition_of(workspace.id))).length == 1
    async with database.transaction([workspace.id]) as conn:
        done = await store.get_erasure(conn, workspace.id, asked.id)
        actions_ = [row["action"] for row in await conn.fetch("SELECT action FROM audit_entry ORDER BY id")]
    assert (done.state, done.conversations, done.messages, done.files) == ("done", 1, 3, 2)
    assert "contact.erased" in actions_
    assert not await erasing.run(workspace.id, asked.id)


async def test_the_log_has_no_hole_and_clients_are_told(database, workspace, erasing):
    """Numbers of events stay gapless; removals are told and move the rights, so that everybody starts anew."""
    await receive(database, workspace, marked(), make_item(text="of another"))
    async with database.transaction([workspace.id]) as conn:
        rights = await conn.fetchval("SELECT rights_version FROM workspace")

    asked = await ask_erasure(database, workspace, await contact_of(database, workspace))
    await erasing.run(workspace.id, asked.id)

    async with database.transaction([workspace.id]) as conn:
        rows = await conn.fetch("SELECT seq, type, data::text AS data FROM event ORDER BY seq")
        head = await conn.fetchrow("SELECT event_seq, rights_version FROM workspace")
    assert [row["seq"] for row in rows] == list(range(1, head["event_seq"] + 1))
    types = [row["type"] for row in rows]
    assert "event_erased" in types
    assert types[-2:] == ["conversation_removed", "contacts_removed"]
    assert any("of another" in row["data"] for row in rows)
    assert head["rights_version"] > rights


async def test_a_later_message_makes_a_new_contact(database, workspace, erasing):
    """The same address afterwards is a stranger."""
    await receive(database, workspace, marked())
    before = await contact_of(database, workspace)
    asked = await ask_erasure(database, workspace, before)
    await erasing.run(workspace.id, asked.id)

    await receive(database, workspace, marked(text="Hello again"))

    after = await contact_of(database, workspace)
    assert after is not None
    assert after != before


@pytest.mark.parametrize("kept", KEPT)
async def test_a_shared_conversation_stays_without_them(database, workspace, erasing, database_urls, kept):
    """In a mail thread of somebody else the person's messages are emptied and their address is gone; the rest stays."""
    await keep_texts(database, workspace, kept)
    zoe = Identity(scheme="email", value=MAIL, display_name="Zoe")
    ann = Identity(scheme="email", value="ann@example.net", display_name="Ann")
    hints = ThreadHints(root="root-1")
    answer = ThreadHints(root="root-2", references=("a@x",))
    first = make_item(
        sender=ann, thread=hints, thread_key="root-1", text=f"Hello, {MAIL} is in copy", cc=(zoe,), external_id="a@x",
        subject="Our trip",
    )  # fmt: skip
    second = make_item(
        sender=zoe, thread=answer, thread_key="root-1", text=f"words of {MARKER}", quoted="Hello", external_id="b@x"
    )
    third = make_item(
        sender=ann, thread=answer, thread_key="root-1", text="Fine", quoted=f"words of {MARKER}", external_id="c@x"
    )
    outcomes = [*await receive(database, workspace, first), *await receive(database, workspace, second)]
    outcomes += await receive(database, workspace, third)
    assert len({one.conversation_id for one in outcomes}) == 1

    asked = await ask_erasure(database, workspace, await contact_of(database, workspace, MAIL, "email"))
    await erasing.run(workspace.id, asked.id)

    async with database.transaction([workspace.id]) as conn:
        rows = await inbox_store.list_messages(conn, workspace.id, outcomes[0].conversation_id, None, 10)
        shown = await inbox_store.get_conversation(conn, workspace.id, outcomes[0].conversation_id)
    assert [row.text for row in rows] == ["Hello, [erased] is in copy", "", "Fine"]
    assert (rows[0].headers.subject, shown.preview) == ("Our trip", "Fine")
    assert await found_in_database(database_urls.owner_url, MARKER) == []
    assert await contact_of(database, workspace, "ann@example.net", "email") is not None


class BreakingStreams:
    """Streams that do not answer at first."""

    def __init__(self, streams, failures):
        self.streams, self.failures = streams, failures

    async def remove(self, partition, is_wanted):
        if self.failures:
            self.failures -= 1
            raise Unavailable("away")
        return await self.streams.remove(partition, is_wanted)


async def test_an_erasure_goes_on_where_it_broke_off(database, database_urls, workspace, streams, blobs, ephemeral):
    """While a store is away it stops; after the lease it goes on from its phase and ends the same."""
    await receive(database, workspace, marked())
    asked = await ask_erasure(database, workspace, await contact_of(database, workspace))
    erasing = Erasing(database, BreakingStreams(streams, 1), blobs, Forget(ephemeral))

    with pytest.raises(Unavailable):
        await erasing.run(workspace.id, asked.id)
    async with database.transaction([workspace.id]) as conn:
        assert (await store.get_erasure(conn, workspace.id, asked.id)).phase == "traces"
    assert not await erasing.run(workspace.id, asked.id), "somebody else holds the lease"
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE erasure SET lease_until = now() - interval '1 s'")
    assert await erasing.run(workspace.id, asked.id)

    assert await found_in_database(database_urls.owner_url, MARKER, PHONE) == []


async def test_what_changed_since_the_preview_is_not_erased_blindly(database, workspace):
    """A message more than the person was shown: they are asked again. A second call returns the running erasure."""
    await receive(database, workspace, marked())
    contact_id = await contact_of(database, workspace)
    async with database.transaction([workspace.id]) as conn:
        digest = (await store.extent(conn, workspace.id, [contact_id])).digest()
    await receive(database, workspace, marked(text="one more"))

    with pytest.raises(Conflict):
        async with database.transaction([workspace.id]) as conn:
            await actions.request_erasure(conn, workspace.actor(), contact_id, digest)
    first = await ask_erasure(database, workspace, contact_id)
    again = await ask_erasure(database, workspace, contact_id)
    assert first.id == again.id


async def test_retention_takes_what_is_old_and_closed(database, workspace, erasing, database_urls):
    """Old closed conversations of the inbox go with their events; open ones, young ones and contacts stay."""
    other = Identity(scheme="phone", value="+15551112222")
    (old,) = await receive(database, workspace, marked())
    await receive(database, workspace, make_item(text="young"))
    (opened,) = await receive(database, workspace, make_item(text="old, open", sender=other, thread_key=other.value))
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(
            "UPDATE conversation SET last_activity_at = now() - interval '40 days' WHERE id = ANY ($1)",
            [old.conversation_id, opened.conversation_id],
        )
        await conn.execute(
            "UPDATE conversation SET status = 'closed', closed_at = now() WHERE id = $1", old.conversation_id
        )
        wanted = actions.NewPolicy(inbox_id=workspace.inbox_id, channel_account_id=None, days=30)
        policy = await actions.add_policy(conn, workspace.actor(), wanted)
    async with database.transaction([workspace.id]) as conn:
        assert await actions.queue_retention(conn, workspace.id, policy.id)
    async with database.transaction([workspace.id]) as conn:
        assert not await actions.queue_retention(conn, workspace.id, policy.id), "one runs already"
        (erasure,) = await store.list_erasures(conn, workspace.id, None, 10)

    await erasing.run(workspace.id, erasure.id)

    async with database.transaction([workspace.id]) as conn:
        left = await conn.fetch("SELECT id FROM conversation")
        done = await store.get_erasure(conn, workspace.id, erasure.id)
    assert old.conversation_id not in {row["id"] for row in left}
    assert len(left) == 2
    assert (done.kind, done.state, done.conversations, done.messages) == ("retention", "done", 1, 1)
    assert await contact_of(database, workspace) is not None
    found = await found_in_database(database_urls.owner_url, f"I am {MARKER}")
    assert found == []


async def test_the_application_cannot_empty_events_of_people_no_erasure_names(database, workspace):
    """The function that empties others' conversations looks at an unfinished erasure in its log phase, and at the tenant."""
    await receive(database, workspace, marked())
    asked = await ask_erasure(database, workspace, await contact_of(database, workspace))
    stranger = await make_workspace(database)

    for tenant, error in ((workspace.id, asyncpg.NoDataFoundError), (stranger.id, asyncpg.InsufficientPrivilegeError)):
        with pytest.raises(error):
            async with database.transaction([tenant]) as conn:
                await conn.execute("SELECT hub_erase_person_events($1, $2, 0, 100)", workspace.id, asked.id)
