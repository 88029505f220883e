"""Files of received messages: fetched from the vendor, checked, told to members; and what nobody needs is swept."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from connectors.base import Account, Connector, RawReader
from connectors.fetching import Fetcher
from connectors.files import file_jobs, make_reader, sweep_trash, sweep_unsent
from connectors.twilio_sms import CONNECTOR
from hub import clock
from hub.attachments import actions as uploads
from hub.attachments import store
from hub.attachments.actions import Upload
from hub.attachments.keeping import Keeper
from hub.blobs import Blobs
from hub.db import Database
from hub.envelope import AttachmentRef
from hub.errors import InvalidInput, NotFound
from hub.inbox import actions, deliveries, replies
from hub.inbox import store as inbox
from hub.inbox.files import FileLimits
from hub.inbox.model import MessageKind
from tests import pictures
from tests.emulators import ACCOUNT_SID, AUTH_TOKEN, EmulatedTwilio
from tests.factories import WorkspaceFacts, make_item, make_workspace, received

pytestmark = pytest.mark.postgres

LIMIT_BYTES = 5_000_000


class Desk:
    """One workspace whose vendor is the emulator, or a function of the test's."""

    def __init__(self, database: Database, workspace: WorkspaceFacts, blobs: Blobs, base_url: str = "") -> None:
        self.database, self.workspace, self.blobs = database, workspace, blobs
        self.keeper = Keeper(database, blobs)
        self.connector = CONNECTOR
        self.auth_token = AUTH_TOKEN
        self.base_url = base_url
        self.is_known = True
        self.fetcher = Fetcher(database, self.keeper, self.open, LIMIT_BYTES)

    async def open(self, channel_account_id: UUID, *, fresh: bool = False) -> tuple[Account, Connector]:
        if not self.is_known:
            raise NotFound("channel account")
        account = Account(
            id=str(channel_account_id),
            workspace_id=self.workspace.id,
            credentials={"account_sid": ACCOUNT_SID, "auth_token": self.auth_token},
            settings={},
            webhook_url="https://hub.example.com/webhooks/twilio_sms/1",
            base_url=self.base_url,
        )
        return account, self.connector

    async def receive(self, *refs: AttachmentRef, raw_item_id: UUID | None = None) -> inbox.MessageRow:
        one = received(self.workspace, make_item(text="", attachments=refs))
        one = replace_struct(one, raw_item_id=raw_item_id)
        async with self.database.transaction([self.workspace.id]) as conn:
            (outcome,) = await actions.receive(conn, [one])
            assert outcome.message_id is not None
            return await inbox.get_message(conn, self.workspace.id, outcome.message_id)

    async def fetch(self) -> None:
        """Fetch what is due, once."""
        await self.fetcher.look()
        await self.fetcher.wait()

    async def message(self, message: inbox.MessageRow) -> inbox.MessageRow:
        async with self.database.transaction([self.workspace.id]) as conn:
            return await inbox.get_message(conn, self.workspace.id, message.id)

    async def row(self, attachment_id: UUID) -> store.AttachmentRow:
        async with self.database.transaction([self.workspace.id]) as conn:
            return await store.get(conn, self.workspace.id, attachment_id)

    async def make_due(self) -> None:
        async with self.database.transaction([self.workspace.id]) as conn:
            await conn.execute("UPDATE attachment SET due_at = $1 WHERE state = 'pending'", clock.now())

    async def upload(self, data: bytes, filename: str = "a.txt") -> UUID:
        """A member's upload, ready to be sent."""

        async def chunks() -> AsyncIterator[bytes]:
            yield data

        wanted = Upload(author_id=self.workspace.agent_id, filename=filename)
        async with self.database.transaction([self.workspace.id]) as conn:
            row = await uploads.begin_upload(conn, self.workspace.id, wanted, LIMIT_BYTES)
        part = await self.keeper.store(self.workspace.id, chunks(), LIMIT_BYTES)
        async with self.database.transaction([self.workspace.id]) as conn:
            row = await uploads.add_part(conn, row, part)
        settled = await self.keeper.check(row, [part])
        async with self.database.transaction([self.workspace.id]) as conn:
            assert await uploads.settle(conn, row, settled) is not None
        return row.id

    async def reply(self, conversation_id: UUID, *ids: UUID, limits: FileLimits | None = None, text: str = "") -> UUID:
        draft = replies.Draft(
            client_message_id=clock.new_id(),
            kind=MessageKind.MESSAGE,
            text=text,
            attachment_ids=ids,
            file_limits=limits or FileLimits(),
        )
        async with self.database.transaction([self.workspace.id]) as conn:
            sent = await replies.queue_message(conn, self.workspace.id, conversation_id, self.workspace.author(), draft)
        return sent.message_id

    def vendor(self, fetch) -> None:
        """Let a function of the test be the vendor's files."""
        self.connector = replace(CONNECTOR, fetch=fetch)


def replace_struct(struct, **changes):
    import msgspec

    return msgspec.structs.replace(struct, **changes)


@pytest.fixture
def desk(database, workspace, blobs) -> Desk:
    return Desk(database, workspace, blobs)


def photo_ref(url: str = "https://api.twilio.com/x") -> AttachmentRef:
    return AttachmentRef(ref=url, kind="image", mime="image/jpeg")


async def events_of(desk: Desk, message_id: UUID) -> list[str]:
    async with desk.database.transaction([desk.workspace.id]) as conn:
        rows = await conn.fetch("SELECT type FROM event ORDER BY seq")
    return [row["type"] for row in rows]


async def test_received_files_are_pending_at_once(desk) -> None:
    """The message is there before its files are: they are listed, named and pending."""
    message = await desk.receive(photo_ref(), AttachmentRef(ref="x", kind="file", filename="../a.pdf"))

    async with desk.database.transaction([desk.workspace.id]) as conn:
        conversation = await inbox.get_conversation(conn, desk.workspace.id, message.conversation_id)
    assert [(one.state, one.kind, one.filename) for one in message.attachments] == [
        ("pending", "image", "image.jpg"),
        ("pending", "file", "a.pdf"),
    ]
    assert conversation.preview == "2 files"


@pytest.mark.processes
async def test_photo_by_mms_is_fetched_with_keys_that_stay_at_the_first_host(
    database, workspace, blobs, twilio: EmulatedTwilio
) -> None:
    """The emulator wants keys for the address, and refuses them at the store it redirects to."""
    photo = pictures.photo(300, 200)
    path = twilio.control("media", body=base64.b64encode(photo).decode(), content_type="image/jpeg")["path"]
    desk = Desk(database, workspace, blobs, twilio.base_url)
    message = await desk.receive(photo_ref(twilio.base_url + path))

    await desk.fetch()

    (shown,) = (await desk.message(message)).attachments
    assert (shown.state, shown.kind, shown.width, shown.height) == ("ready", "image", 200, 300)
    assert shown.has_thumbnail
    assert await events_of(desk, message.id) == ["message_received", "message_attachments_changed"]


@pytest.mark.processes
async def test_file_that_is_gone_fails_in_words(database, workspace, blobs, twilio: EmulatedTwilio) -> None:
    """404 is final: the message says so, and nothing is asked again."""
    desk = Desk(database, workspace, blobs, twilio.base_url)
    path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/MM1/Media/ME1"
    message = await desk.receive(photo_ref(twilio.base_url + path))

    await desk.fetch()

    (shown,) = (await desk.message(message)).attachments
    assert (shown.state, shown.error) == ("failed", "The file is no longer there.")


@pytest.mark.processes
async def test_wrong_keys_are_tried_again_later(database, workspace, blobs, twilio: EmulatedTwilio) -> None:
    """A member may mend the keys: the file waits, and comes then."""
    photo = pictures.photo(90, 60)
    path = twilio.control("media", body=base64.b64encode(photo).decode(), content_type="image/jpeg")["path"]
    desk = Desk(database, workspace, blobs, twilio.base_url)
    desk.auth_token = "wrong"
    message = await desk.receive(photo_ref(twilio.base_url + path))

    await desk.fetch()
    waiting = (await desk.message(message)).attachments[0].state
    desk.auth_token = AUTH_TOKEN
    await desk.make_due()
    await desk.fetch()

    assert waiting == "pending"
    assert (await desk.message(message)).attachments[0].state == "ready"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.twilio.com/a", "https://169.254.169.254/latest/meta-data", "https://localhost/a",
        "https://api.twilio.com.evil.example/a", "https://user@api.twilio.com:22/a", "file:///etc/passwd", "https://[::1]/",
    ],
)  # fmt: skip
async def test_addresses_elsewhere_are_never_asked(desk, url) -> None:
    """A message cannot make us call another host than its vendor's, whatever its address looks like."""
    message = await desk.receive(photo_ref(url))

    await desk.fetch()

    (shown,) = (await desk.message(message)).attachments
    assert (shown.state, shown.error) == ("failed", "The file's address is not one we fetch from.")


async def test_file_larger_than_the_limit_is_cut_off(desk) -> None:
    """A vendor that never stops sending is left; nothing of it stays."""
    given = 0

    async def endless(account: Account, ref: AttachmentRef, read_raw: RawReader) -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 1_000_000
            yield b"x" * 1_000_000

    desk.vendor(endless)
    message = await desk.receive(photo_ref())

    await desk.fetch()

    (shown,) = (await desk.message(message)).attachments
    assert (shown.state, shown.error) == ("failed", "The file is larger than 5 MB.")
    assert given <= LIMIT_BYTES + 2_000_000
    assert await desk.blobs.keys(desk.workspace.id) == []


async def test_vendor_s_library_that_breaks_is_tried_again_ten_times(desk) -> None:
    """Whatever a vendor's library raises puts the file off, longer each time; the tenth time it fails."""

    async def broken(account: Account, ref: AttachmentRef, read_raw: RawReader) -> AsyncIterator[bytes]:
        yield b"x"
        raise KeyError("surprise")

    desk.vendor(broken)
    message = await desk.receive(photo_ref())
    waits: list[int] = []
    for _ in range(9):
        await desk.fetch()
        row = await desk.row(message.attachments[0].id)
        assert row.due_at is not None
        waits.append(round((row.due_at - clock.now()).total_seconds()))
        await desk.make_due()
    await desk.fetch()

    assert waits == [10, 30, 90, 270, 810, 2430, 7200, 7200, 7200]
    assert (await desk.message(message)).attachments[0].state == "failed"


async def test_part_of_a_raw_item_is_cut_out_of_it(desk) -> None:
    """Mail's files are parts of the mail: the connector gets its bytes."""
    raw_item_id = clock.new_id()
    async with desk.database.transaction([desk.workspace.id]) as conn:
        await conn.execute(
            "INSERT INTO raw_item (workspace_id, id, channel_account_id, key, body, created_at) "
            "VALUES ($1, $2, $3, 'k', $4, $5)",
            desk.workspace.id, raw_item_id, desk.workspace.sms_id, b"head|the file", clock.now(),
        )  # fmt: skip

    async def part(account: Account, ref: AttachmentRef, read_raw: RawReader) -> AsyncIterator[bytes]:
        yield (await read_raw()).partition(b"|")[2]

    desk.vendor(part)
    message = await desk.receive(AttachmentRef(ref="1", kind="file", filename="a.txt"), raw_item_id=raw_item_id)

    await desk.fetch()

    (shown,) = (await desk.message(message)).attachments
    assert (shown.state, shown.size_bytes, shown.mime) == ("ready", 8, "text/plain")


async def test_two_workers_fetch_a_file_once(desk) -> None:
    """The lease keeps the second away, and one event is told."""
    calls = 0

    async def slow(account: Account, ref: AttachmentRef, read_raw: RawReader) -> AsyncIterator[bytes]:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.2)
        yield b"hello"

    desk.vendor(slow)
    other = Fetcher(desk.database, desk.keeper, desk.open, LIMIT_BYTES)
    message = await desk.receive(photo_ref())
    await asyncio.gather(desk.fetcher.look(), other.look())
    await asyncio.gather(desk.fetcher.wait(), other.wait())

    assert calls == 1
    assert await events_of(desk, message.id) == ["message_received", "message_attachments_changed"]


async def test_removed_account_ends_its_files(desk) -> None:
    """One that is missing for long is gone; its files fail in words."""
    message = await desk.receive(photo_ref())
    desk.is_known = False
    for _ in range(3):
        await desk.fetch()
        await desk.make_due()

    assert (await desk.message(message)).attachments[0].state == "failed"


async def test_reply_with_files_shows_and_sends_them(desk) -> None:
    """A member's uploads become the message's; the delivery carries them, and the connector can read their bytes."""
    begun = await desk.receive()
    file_id = await desk.upload(b"the offer", "offer.txt")

    message_id = await desk.reply(begun.conversation_id, file_id)

    async with desk.database.transaction([desk.workspace.id]) as conn:
        message = await inbox.get_message(conn, desk.workspace.id, message_id)
        conversation = await inbox.get_conversation(conn, desk.workspace.id, begun.conversation_id)
    async with desk.database.across() as conn:
        (due,) = await deliveries.due(conn, clock.now(), 1)
    async with desk.database.transaction([desk.workspace.id]) as conn:
        claimed = await deliveries.claim(conn, due, 30)
    assert claimed is not None
    read = make_reader(desk.database, desk.blobs, desk.workspace.id)
    assert [(one.filename, one.state) for one in message.attachments] == [("offer.txt", "ready")]
    assert (message.text, conversation.preview) == ("", "offer.txt")
    (outbound,) = claimed.outbound.attachments
    assert (outbound.id, outbound.size_bytes) == (str(file_id), 9)
    assert b"".join([chunk async for chunk in read(outbound.id)]) == b"the offer"


async def test_file_is_sent_once_and_only_by_its_author(desk) -> None:
    """Neither a second message nor a colleague takes it; nothing is written where it is refused."""
    begun = await desk.receive()
    file_id = await desk.upload(b"x")
    await desk.reply(begun.conversation_id, file_id)
    with pytest.raises(InvalidInput) as twice:
        await desk.reply(begun.conversation_id, file_id)
    stranger_id = await desk.upload(b"y")
    desk.workspace = replace_struct(desk.workspace, agent_id=desk.workspace.owner_id)
    with pytest.raises(InvalidInput) as other:
        await desk.reply(begun.conversation_id, stranger_id)

    assert twice.value.field == other.value.field == "attachments"


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (FileLimits(allowed=False), "takes no files"),
        (FileLimits(count=1), "at most 1 files"),
        (FileLimits(each_bytes=3), "too large for this channel"),
        (FileLimits(all_bytes=15), "too large together"),
        (FileLimits(mimes=("image/*", "application/pdf")), "of a kind"),
    ],
)
async def test_channel_s_limits_hold_before_the_vendor_sees_anything(desk, limits, words) -> None:
    """What the channel would refuse is refused while it can still be changed."""
    begun = await desk.receive()
    ids = [await desk.upload(b"12345678"), await desk.upload(b"12345678")]

    with pytest.raises(InvalidInput, match=words):
        await desk.reply(begun.conversation_id, *ids, limits=limits)


async def test_files_of_another_workspace_do_not_exist(desk) -> None:
    """Neither to send nor to read: row-level security answers."""
    other = await make_workspace(desk.database, name="Contoso")
    begun = await desk.receive()
    stranger = Desk(desk.database, replace_struct(other, agent_id=desk.workspace.agent_id), desk.blobs)
    file_id = await stranger.upload(b"theirs")

    with pytest.raises(InvalidInput):
        await desk.reply(begun.conversation_id, file_id)
    with pytest.raises(NotFound):
        await desk.row(file_id)
    with pytest.raises(NotFound):
        _ = [chunk async for chunk in make_reader(desk.database, desk.blobs, desk.workspace.id)(str(file_id))]


async def test_unsent_uploads_are_swept_after_a_day(desk) -> None:
    """A forgotten upload goes with all its blobs; a sent one stays."""
    begun = await desk.receive()
    sent = await desk.upload(pictures.photo(), "sent.jpg")
    await desk.reply(begun.conversation_id, sent)
    forgotten = await desk.upload(pictures.photo(), "forgotten.jpg")
    young = await desk.upload(b"young")
    async with desk.database.transaction([desk.workspace.id]) as conn:
        await conn.execute(
            "UPDATE attachment SET created_at = $1 WHERE id = ANY ($2)",
            clock.now() - timedelta(hours=25),
            [forgotten, sent],
        )

    assert await sweep_unsent(desk.database) == 1
    await sweep_trash(desk.database, desk.blobs)

    with pytest.raises(NotFound):
        await desk.row(forgotten)
    rows = [await desk.row(sent), await desk.row(young)]
    named = {key for row in rows for key in (row.blob_key, row.thumbnail_key, row.preview_key) if key}
    assert set(await desk.blobs.keys(desk.workspace.id)) == named


async def test_deleted_message_leaves_no_blob(desk) -> None:
    """The row goes with its message, and the next sweep takes the bytes and pictures."""
    begun = await desk.receive()
    message_id = await desk.reply(begun.conversation_id, await desk.upload(pictures.pdf(), "a.pdf"))
    assert len(await desk.blobs.keys(desk.workspace.id)) == 3

    async with desk.database.transaction([desk.workspace.id]) as conn:
        await conn.execute("DELETE FROM message WHERE id = $1", message_id)
    removed = await sweep_trash(desk.database, desk.blobs)

    assert removed == 3
    assert await desk.blobs.keys(desk.workspace.id) == []
    assert await sweep_trash(desk.database, desk.blobs) == 0


async def test_blob_of_a_process_that_died_is_swept(desk) -> None:
    """Noted before it was stored: a day later nothing names it, and it goes."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"orphan"

    await desk.keeper.store(desk.workspace.id, chunks(), 100)
    young = await sweep_trash(desk.database, desk.blobs)
    async with desk.database.transaction([desk.workspace.id]) as conn:
        await conn.execute("UPDATE blob_trash SET created_at = $1", clock.now())
    old = await sweep_trash(desk.database, desk.blobs)

    assert (young, old) == (0, 1)
    assert await desk.blobs.keys(desk.workspace.id) == []


async def test_jobs_have_names(desk) -> None:
    """The worker runs both sweeps."""
    assert [job.name for job in file_jobs(desk.database, desk.blobs)] == ["unsent_files", "trashed_blobs"]
