"""Items whose bodies travel by reference, from the writer to the message, over a real Postgres and durable Redis."""

from __future__ import annotations

import asyncio
import dataclasses
from types import SimpleNamespace
from uuid import UUID

import msgspec
import pytest

from connectors import dead_letters, raw_items
from connectors.batches import MAX_BYTES, BatchStore
from connectors.ingress import IngressWriter
from connectors.raw_items import INLINE_LIMIT_BYTES
from hub.envelope import AttachmentRef
from hub.errors import UnsupportedPayload
from hub.inbox import actions
from hub.streams import Entry, partition_of
from tests import factories
from tests.integration.connectors.conftest import Worker, is_drained, make_raw, stored_texts
from tests.integration.connectors.test_intake import drain, read_dead_letters, running, wait_drained

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

LARGE = INLINE_LIMIT_BYTES + 1


class MailConnectors:
    """A channel whose items are ``flag:text`` and a filling; ``file`` ones have an attachment that is part of the item."""

    def __init__(self, *, keeps_raw: bool = True) -> None:
        self.keeps_raw = keeps_raw
        self.contexts = []

    def get(self, channel):
        manifest = SimpleNamespace(capabilities=SimpleNamespace(window_s=0))
        return SimpleNamespace(
            parse=self.parse, keeps_raw=self.keeps_raw, manifest=manifest, expand=None, profile_of=None
        )

    def parse(self, body: bytes, context):
        flag, text, *_ = body.decode().split(":")
        if flag == "bug":
            raise KeyError("a bug")
        if flag == "unsupported":
            raise UnsupportedPayload("calendar")
        files = (AttachmentRef(ref="1", kind="file", filename="a.pdf"),) if flag == "file" else ()
        html = "x" * int(text) if flag == "html" else None
        return [factories.make_item(key=context.key, external_id=context.key, text=text, attachments=files, html=html)]


def body_of(flag: str, text: str, size_bytes: int = LARGE) -> bytes:
    return f"{flag}:{text}:".encode().ljust(size_bytes, b"x")


@pytest.fixture
def connectors():
    return MailConnectors()


@pytest.fixture
def worker(database, streams, routes, connectors):
    made = Worker(database, streams, routes)
    plain = made.deps

    def deps():
        built = plain()
        return dataclasses.replace(built, ports=dataclasses.replace(built.ports, connectors=connectors))

    made.deps = deps
    return made


@pytest.fixture
async def writer(streams, database):
    made = IngressWriter(streams, database)
    yield made
    await made.close()


async def raw_ids(database, workspace) -> set[UUID]:
    async with database.transaction([workspace.id]) as conn:
        return {row["id"] for row in await conn.fetch("SELECT id FROM raw_item")}


async def forgotten(database, workspace) -> None:
    """Wait until the rows that nobody needs are gone: they are deleted just after the acknowledgement."""
    async with asyncio.timeout(10):
        while await raw_ids(database, workspace):
            await asyncio.sleep(0.01)


async def test_large_items_are_stored_in_order_and_forgotten(worker, workspace, database, streams, writer):
    """Large and small items of one account become messages in the order they came; no body is left behind."""
    for number in range(12):
        await writer.append(make_raw(workspace, number, body_of("text", f"m{number}", LARGE if number % 3 else 100)))
    assert len(await raw_ids(database, workspace)) == 8
    assert await streams_bytes(streams, workspace) < 20_000

    async with running(worker):
        await wait_drained(streams, workspace)
        await forgotten(database, workspace)

    assert await stored_texts(database, workspace) == [f"m{number}" for number in range(12)]


async def streams_bytes(streams, workspace) -> int:
    await streams.create_groups()
    return int(await streams._commands.memory_usage(f"in:{{{partition_of(workspace.id)}}}"))


async def test_vendors_retries_leave_nothing_behind(worker, workspace, database, streams, writer):
    """The same large item three times is one message, and each copy's bytes go."""
    async with running(worker) as deps:
        for _ in range(3):
            await writer.append(make_raw(workspace, 1, body_of("text", "once")))
            await wait_drained(streams, workspace)
        await forgotten(database, workspace)

    assert await stored_texts(database, workspace) == ["once"]
    assert deps.ports.metrics.outcomes == {"stored": 1, "duplicate": 2}


@pytest.mark.parametrize("size_bytes", [200, LARGE], ids=["inline", "by reference"])
async def test_items_with_files_keep_their_bytes(worker, workspace, database, streams, writer, size_bytes):
    """Where attachments are parts of the item its bytes stay, once, under the id the store was given."""
    given = []

    async def receive(conn, batch):
        given.extend(one.raw_item_id for one in batch)
        return await actions.receive(conn, batch)

    worker.receive = receive
    body = body_of("file", "see attached", size_bytes)
    async with running(worker):
        await writer.append(make_raw(workspace, 1, body))
        await wait_drained(streams, workspace)
        await attach(database, workspace, given[0])
        await writer.append(make_raw(workspace, 1, body))
        await writer.append(make_raw(workspace, 2, body_of("text", "no file", size_bytes)))
        await wait_drained(streams, workspace)
        async with asyncio.timeout(10):
            while await raw_ids(database, workspace) != {given[0]}:
                await asyncio.sleep(0.01)

    assert given[2] is None
    async with database.transaction([workspace.id]) as conn:
        assert await raw_items.read(conn, workspace.id, given[0]) == body


async def attach(database, workspace, raw_item_id) -> None:
    """Write the attachment's row as the store does in the message's transaction."""
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(
            "INSERT INTO attachment (workspace_id, id, state, kind, filename, mime, raw_item_id, created_at)"
            " VALUES ($1, gen_random_uuid(), 'pending', 'file', 'a.pdf', 'application/pdf', $2, now())",
            workspace.id,
            raw_item_id,
        )


async def test_a_replay_after_a_crash_keeps_the_bytes_files_need(worker, workspace, database, streams, writer):
    """COMMIT, then death before XACK: the successor finds a duplicate, and must not forget what its files come from."""
    await streams.create_groups()
    await writer.append(make_raw(workspace, 1, body_of("file", "see attached")))
    (entry,) = await streams.read_new(partition_of(workspace.id), 10, 0)
    (raw_item_id,) = await raw_ids(database, workspace)
    item = factories.make_item(
        key="SM1", external_id="SM1", text="see attached", attachments=(AttachmentRef(ref="1", kind="file"),)
    )
    async with database.transaction([workspace.id]) as conn:
        await actions.receive(conn, [factories.received(workspace, item)])
    await attach(database, workspace, raw_item_id)

    await drain(worker, workspace)

    assert entry.deliveries == 1
    assert await stored_texts(database, workspace) == ["see attached"]
    assert await raw_ids(database, workspace) == {raw_item_id}


async def test_a_large_dead_letter_keeps_its_bytes_and_replays(
    worker, workspace, database, streams, writer, connectors
):
    """The dead letter has every byte, the raw item goes, and after a fix the message appears, once."""
    body = body_of("bug", "mended")
    await writer.append(make_raw(workspace, 1, body))
    async with running(worker):
        await wait_drained(streams, workspace)
        await forgotten(database, workspace)
    (letter,) = await read_dead_letters(database, workspace)
    assert (letter.size_bytes, letter.error) == (len(body), "KeyError")

    connectors.parse = lambda body, context: [factories.make_item(key=context.key, text=body.decode().split(":")[1])]
    await dead_letters.replay(database, writer.append, workspace.id, letter.id)
    async with running(worker):
        await wait_drained(streams, workspace)
        await forgotten(database, workspace)

    assert await stored_texts(database, workspace) == ["mended"]
    assert await read_dead_letters(database, workspace) == []


async def test_unsupported_large_items_are_forgotten(worker, workspace, database, streams, writer):
    """A kind we do not handle leaves no megabytes behind."""
    await writer.append(make_raw(workspace, 1, body_of("unsupported", "")))

    async with running(worker):
        await wait_drained(streams, workspace)
        await forgotten(database, workspace)

    assert await read_dead_letters(database, workspace) == []


async def test_a_body_that_has_gone_is_a_dead_letter_in_words(worker, workspace, database, streams, writer):
    """An entry whose row was deleted says so to the operator, and its neighbours are stored."""
    await writer.append(make_raw(workspace, 1, body_of("text", "gone")))
    await writer.append(make_raw(workspace, 2, body_of("text", "here")))
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("DELETE FROM raw_item WHERE key = 'SM1'")

    await drain(worker, workspace)

    assert await stored_texts(database, workspace) == ["here"]
    (letter,) = await read_dead_letters(database, workspace)
    assert letter.error == "malformed_payload: The body of this item has gone from the database."


async def test_an_entry_another_worker_finished_is_no_dead_letter(worker, workspace, database, streams, writer):
    """A worker that lost its lease reads an entry late: the body is forgotten because the message is stored."""
    await streams.create_groups()
    await writer.append(make_raw(workspace, 1, body_of("text", "stored")))
    late = await streams.read_new(partition_of(workspace.id), 10, 0)
    async with running(worker) as deps:
        await wait_drained(streams, workspace)
        await forgotten(database, workspace)

    left = await BatchStore(partition_of(workspace.id), deps.ports, lambda: True).store(late)

    assert left == 0
    assert await read_dead_letters(database, workspace) == []


async def test_batches_are_cut_by_bytes(worker, workspace, database, streams, writer):
    """Two hundred long mails are several transactions, none much above the limit."""
    sizes = []

    async def receive(conn, batch):
        sizes.append(sum(len(one.formatted.html) for one in batch))
        return await actions.receive(conn, batch)

    worker.receive = receive
    for number in range(30):
        await writer.append(make_raw(workspace, number, body_of("html", "1000000", 100)))

    await drain(worker, workspace)

    assert sum(sizes) == 30_000_000
    assert max(sizes) <= MAX_BYTES
    assert len(sizes) < 30


async def test_set_aside_keeps_the_bytes(worker, workspace, database, streams, writer):
    """An item that not even the dead letters take is set aside with its body, not with a reference that is swept."""
    await streams.create_groups()
    await writer.append(make_raw(workspace, 1, body_of("text", "kept")))
    (entry,) = await streams.read_new(partition_of(workspace.id), 10, 0)
    store = BatchStore(partition_of(workspace.id), worker.deps().ports, lambda: True)
    item = msgspec.msgpack.decode(entry.payload, type=type(make_raw(workspace, 1)))

    aside = await store._with_body(Entry(entry.id, entry.payload), item)

    whole = msgspec.msgpack.decode(aside.payload, type=type(item))
    assert (whole.reference, whole.body) == ("", body_of("text", "kept"))
    assert not await is_drained(streams, workspace)
