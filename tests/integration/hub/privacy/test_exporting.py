"""Exports: everything of a person and nothing of others, sealed on the disk, gone with its row."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta

import pytest

from connectors.privacy_jobs import privacy_jobs
from hub import clock
from hub.blobs import new_key
from hub.channels.sealing import Sealer
from hub.contacts import store as contacts
from hub.envelope import Identity
from hub.errors import ConfigurationError, NotFound
from hub.inbox import actions as inbox
from hub.privacy import actions, store
from hub.privacy.exporting import Exporting
from hub.sealed import MARK
from tests.factories import make_item, make_workspace, received
from tests.sealed_texts import KEPT, keep_texts

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

SEALER = Sealer({1: "k" * 32})
PHONE = "+15551230000"


@pytest.fixture
def exporting(database, blobs):
    return Exporting(database, blobs, SEALER)


async def one_chunk(data):
    yield data


@pytest.fixture
async def person(database, workspace, blobs):
    """A contact with a message and a file, beside another one."""
    sender = Identity(scheme="phone", value=PHONE, display_name="Zoe")
    mine = make_item(sender=sender, thread_key=PHONE, text="words of Zoe\nin two lines")
    async with database.transaction([workspace.id]) as conn:
        batch = [received(workspace, mine), received(workspace, make_item(text="of another"))]
        outcome, _ = await inbox.receive(conn, batch)
        key = new_key(workspace.id)
        await blobs.put(key, one_chunk(b"bytes of a file"))
        await conn.execute(
            "INSERT INTO attachment (workspace_id, id, message_id, conversation_id, state, kind, filename, mime, blob_key,"
            " created_at) VALUES ($1, $2, $3, $4, 'ready', 'file', '../a b.txt', 'text/plain', $5, now())",
            *(workspace.id, clock.new_id(), outcome.message_id, outcome.conversation_id, key),
        )
        return await contacts.find_identity(conn, workspace.id, "phone", "", PHONE)


async def ask(database, workspace, contact_id):
    async with database.transaction([workspace.id]) as conn:
        return await actions.request_export(conn, workspace.actor(), contact_id)


async def fetch(exporting, workspace, export_id):
    return b"".join([one async for one in await exporting.open(workspace.id, export_id, clock.now())])


@pytest.mark.parametrize("kept", KEPT)
async def test_an_export_holds_everything_of_one_person(database, workspace, person, exporting, kept):
    """Contact, identities, consents, conversations, messages, files with their bytes, events and audit; nobody else."""
    await keep_texts(database, workspace, kept)
    async with database.transaction([workspace.id]) as conn:
        wanted = actions.NewConsent(purpose="newsletter", state="given", basis="consent", source="Form 7")
        await actions.record_consent(conn, workspace.actor(), person, wanted)
    asked = await ask(database, workspace, person)

    assert await exporting.run(workspace.id, asked.id)

    whole = await fetch(exporting, workspace, asked.id)
    async with database.transaction([workspace.id]) as conn:
        export = await store.get_export(conn, workspace.id, asked.id)
    assert (export.state, export.size_bytes, export.done) == ("ready", len(whole), export.total)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        texts = {one: archive.read(one) for one in archive.namelist()}
    rows = {name: json.loads(text) for name, text in texts.items() if name.endswith(".json")}
    assert rows["contact.json"][0]["name"] == "Zoe"
    assert rows["identities.json"][0]["value"] == PHONE
    assert rows["consents.json"][0]["purpose"] == "newsletter"
    assert len(rows["conversations.json"]) == 1
    assert {one["action"] for one in rows["audit.json"]} == {"consent.recorded", "contact.export_requested"}
    messages = [json.loads(line) for line in texts["messages.jsonl"].splitlines()]
    assert [one["text"] for one in messages] == ["words of Zoe\nin two lines"]
    events = [json.loads(line) for line in texts["events.jsonl"].splitlines()]
    assert [one["type"] for one in events] == ["message_received"]
    assert [data for name, data in texts.items() if name.startswith("files/") and ".." in name.split("/")] == []
    assert b"bytes of a file" in texts.values()
    assert not any(b"of another" in text or MARK.encode() in text for text in texts.values())


async def test_an_export_is_sealed_on_the_disk(database, workspace, person, exporting, blobs, folder):
    """No blob but the person's own file holds a readable word; a part in another place, or another key, does not open."""
    asked = await ask(database, workspace, person)
    await exporting.run(workspace.id, asked.id)

    readable = [path for path in folder.rglob("*") if path.is_file() and path.read_bytes()[:2] == b"PK"]

    assert readable == []
    stranger = Exporting(database, blobs, Sealer({1: "x" * 32}))
    with pytest.raises(ConfigurationError):
        await fetch(stranger, workspace, asked.id)
    other = await make_workspace(database)
    with pytest.raises(NotFound):
        await exporting.open(other.id, asked.id, clock.now())


async def test_an_export_ends_after_seven_days(database, workspace, person, exporting, blobs, streams, redis_ephemeral):
    """The job forgets the row, and with it the key; the parts are swept as blobs without a row."""
    asked = await ask(database, workspace, person)
    await exporting.run(workspace.id, asked.id)
    with pytest.raises(NotFound):
        await exporting.open(workspace.id, asked.id, clock.now() + timedelta(days=7))
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE contact_export SET expires_at = now()")

    (drop,) = [one for one in privacy_jobs(database, streams, blobs, SEALER, None) if one.name == "old_exports"]
    assert await drop.run() == 1

    async with database.transaction([workspace.id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM blob_trash WHERE created_at <= now()") == 1


async def test_a_second_worker_leaves_an_export_alone(database, workspace, person, exporting):
    """One lease at a time; one that broke off is begun anew, and given up after five attempts."""
    asked = await ask(database, workspace, person)
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(
            "UPDATE contact_export SET state = 'running', attempt = 1, lease_until = now() + interval '1 h'"
        )
    assert not await exporting.run(workspace.id, asked.id)
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE contact_export SET attempt = 5, lease_until = now() - interval '1 s'")
    assert not await exporting.run(workspace.id, asked.id)
    async with database.transaction([workspace.id]) as conn:
        assert (await store.get_export(conn, workspace.id, asked.id)).state == "failed"
