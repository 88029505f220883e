"""Names and pictures asked of a vendor: kept once, never over a member's words, never before a member's message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from connectors import profiles as profiles_job
from connectors.base import Account, Limit, Profile
from connectors.buckets import MemoryBuckets
from connectors.profiles import PAUSES, Profiles
from connectors.twilio_sms import CONNECTOR
from hub import clock
from hub.attachments.keeping import Keeper
from hub.contacts import profiles, store
from hub.contacts.actions import ContactPatch, change_contact
from hub.envelope import Identity
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass
from hub.inbox import actions, replies
from hub.inbox.model import MessageKind
from scripts.emulators.http1 import Answer, listen
from tests import pictures
from tests.factories import make_item, received

pytestmark = pytest.mark.postgres

NAMELESS = Identity(scheme="psid", value="7712345", scope="page")
AWAY = ConnectorError(ConnectorErrorInfo(ErrorClass.RETRYABLE, "away", "The vendor is away."))


class Desk:
    """One workspace whose vendor knows what people are called."""

    def __init__(self, database, workspace, blobs) -> None:
        self.database, self.workspace = database, workspace
        self.answers: list[Profile | Exception] = []
        self.asked: list[Identity] = []
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.now = clock.now()
        self.base_url = ""
        self.limit = Limit(rate=100.0, per_s=1.0, burst=100)
        self.monotonic_s = 0.0
        keeper = Keeper(database, blobs)
        buckets = MemoryBuckets(lambda: self.monotonic_s)
        self.job = Profiles(database, buckets, self.open, keeper.draw_thumbnail, now=lambda: self.now)

    async def open(self, channel_account_id: UUID, *, fresh: bool = False):
        account = Account(
            id=str(channel_account_id),
            workspace_id=self.workspace.id,
            credentials={},
            settings={},
            webhook_url="",
            base_url=self.base_url,
        )
        manifest = msgspec.structs.replace(CONNECTOR.manifest, limits={profiles_job.LIMIT: (self.limit,)})
        return account, replace(CONNECTOR, manifest=manifest, profile_of=self.profile_of)

    async def profile_of(self, account: Account, identity: Identity) -> Profile:
        self.asked.append(identity)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def write(self, sender: Identity = NAMELESS, *, asks: bool = True) -> UUID:
        """Let somebody write; returns the conversation."""
        item = received(self.workspace, make_item(sender=sender, thread_key=sender.value))
        async with self.database.transaction([self.workspace.id]) as conn:
            (outcome,) = await actions.receive(conn, [msgspec.structs.replace(item, asks_profile=asks)])
        self.now = max(self.now, clock.now()) + timedelta(seconds=1)
        return outcome.conversation_id

    async def contact(self, sender: Identity = NAMELESS) -> store.Contact:
        async with self.database.transaction([self.workspace.id]) as conn:
            found = await store.find_identity(conn, self.workspace.id, sender.scheme, sender.scope, sender.value)
            return await store.get_contact(conn, self.workspace.id, found)

    async def change(self, name: str) -> None:
        contact = await self.contact()
        async with self.database.transaction([self.workspace.id]) as conn:
            await change_contact(
                conn, self.workspace.id, contact.id, ContactPatch(name=name), actor_id=self.workspace.agent_id
            )

    async def told(self) -> list[str]:
        """Names in the events about contacts, in order."""
        async with self.database.transaction([self.workspace.id]) as conn:
            rows = await conn.fetch(
                "SELECT data -> 'contact' ->> 'name' AS name FROM event WHERE workspace_id = $1"
                " AND type = 'contact_changed' ORDER BY seq",
                self.workspace.id,
            )
        return [row["name"] for row in rows]


@pytest.fixture
def desk(database, workspace, blobs):
    return Desk(database, workspace, blobs)


@asynccontextmanager
async def picture_at(desk: Desk, content: bytes) -> AsyncIterator[str]:
    async def answer(request) -> Answer:
        return Answer(200, content, "image/jpeg")

    async with listen(answer) as listener:
        desk.base_url = f"http://127.0.0.1:{listener.port}"
        yield f"{desk.base_url}/nadia.jpg"


async def test_name_and_picture_are_asked_once_and_told(desk):
    """Who writes by an id only has a name and a small picture afterwards, members hear of it, and nobody asks again."""
    await desk.write()
    assert (await desk.contact()).name == ""
    async with picture_at(desk, pictures.photo()) as url:
        desk.answers = [Profile(name=" Nadia\n Brandt ", avatar_url=url)]
        assert await desk.job.run_due() == 1
    await desk.write()
    desk.now += timedelta(days=30)
    assert await desk.job.run_due() == 0

    contact = await desk.contact()
    assert (contact.name, desk.asked) == ("Nadia Brandt", [NAMELESS])
    assert await desk.told() == ["Nadia Brandt"]
    workspace, _, token = contact.avatar.partition("-")
    async with desk.database.transaction([desk.workspace.id]) as conn:
        webp = await profiles.read_avatar(conn, desk.workspace.id, token)
    assert (workspace, webp[8:12]) == (str(desk.workspace.id), b"WEBP")


async def test_channels_that_bring_names_and_people_who_have_one_are_not_asked_about(desk):
    """Only a channel with such a question asks, and only about contacts without a name."""
    await desk.write(asks=False)
    await desk.write(Identity(scheme="psid", value="1", scope="page", display_name="Ana"))
    assert await desk.job.run_due() == 0


@pytest.mark.parametrize("wanted", ["Ms Brandt", ""])
async def test_what_a_member_wrote_stays(desk, wanted):
    """A name a member gave or took away between question and answer is not written over; the picture is news."""
    await desk.write()
    await desk.change("N.")
    await desk.change(wanted)
    desk.answers = [Profile(name="Nadia Brandt")]
    await desk.job.run_due()
    assert (await desk.contact()).name == wanted
    await desk.write()
    desk.now += timedelta(days=30)
    assert await desk.job.run_due() == 0


async def test_handle_stands_in_for_a_name(desk):
    """Who shows no name is called by their handle; an empty answer changes nothing and is the last."""
    other = Identity(scheme="psid", value="2", scope="page")
    await desk.write()
    await desk.write(other)
    desk.answers = [Profile(name=" ", handle="nadia.b"), Profile()]
    assert await desk.job.run_due() == 2
    assert ((await desk.contact()).name, (await desk.contact(other)).name) == ("nadia.b", "")
    desk.now += timedelta(days=1)
    assert await desk.job.run_due() == 0
    assert await desk.told() == ["nadia.b"]


async def test_account_with_a_members_message_waiting_is_left_alone(desk):
    """A question never goes before what a member sends; a message that waits for another try holds up nobody."""
    conversation_id = await desk.write()
    draft = replies.Draft(client_message_id=clock.new_id(), kind=MessageKind.MESSAGE, text="Hello")
    async with desk.database.transaction([desk.workspace.id]) as conn:
        await replies.queue_message(conn, desk.workspace.id, conversation_id, desk.workspace.author(), draft)
    desk.now = clock.now() + timedelta(seconds=1)
    assert await desk.job.run_due() == 0
    async with desk.database.transaction([desk.workspace.id]) as conn:
        later = "UPDATE delivery SET due_at = due_at + interval '1 hour' WHERE workspace_id = $1"
        await conn.execute(later, desk.workspace.id)
    desk.answers = [Profile(name="Nadia")]
    assert await desk.job.run_due() == 1


async def test_failures_are_tried_with_growing_pauses_and_then_left(desk):
    """Each pause is the next of the list; after the last the contact is left, until they write a week later."""
    await desk.write()
    for pause in PAUSES:
        desk.answers = [AWAY]
        assert await desk.job.run_due() == 1
        desk.now += pause - timedelta(seconds=1)
        assert await desk.job.run_due() == 0
        desk.now += timedelta(seconds=1)
    desk.answers = [AWAY]
    assert await desk.job.run_due() == 1
    desk.now += timedelta(days=1)
    await desk.write()
    assert await desk.job.run_due() == 0
    async with desk.database.transaction([desk.workspace.id]) as conn:
        await conn.execute("UPDATE contact_profile SET wanted_at = wanted_at - interval '8 days'")
    await desk.write()
    desk.answers = [Profile(name="Nadia")]
    assert await desk.job.run_due() == 1
    assert (await desk.contact()).name == "Nadia"


async def test_nobody_the_vendor_knows_is_asked_about_once(desk):
    """A final answer is not doubted."""
    await desk.write()
    desk.answers = [ConnectorError(ConnectorErrorInfo(ErrorClass.RECIPIENT, "2018218", "No profile."))]
    assert await desk.job.run_due() == 1
    desk.now += timedelta(days=1)
    assert await desk.job.run_due() == 0


async def test_rate_is_the_accounts_and_being_slowed_down_is_no_try(desk):
    """An empty bucket ends the round; the vendor's own pause is kept, and the question is asked after it."""
    desk.limit = Limit(rate=1.0, per_s=60.0, burst=1)
    others = [Identity(scheme="psid", value=str(number), scope="page") for number in range(2)]
    for one in others:
        await desk.write(one)
    slow = ConnectorErrorInfo(ErrorClass.RATE_LIMITED, "613", "Too often.", retry_after_s=120.0)
    desk.answers = [ConnectorError(slow)]
    assert await desk.job.run_due() == 1
    desk.monotonic_s += 119
    desk.now += timedelta(seconds=119)
    assert await desk.job.run_due() == 0
    desk.monotonic_s += 1
    desk.now += timedelta(seconds=2)
    desk.answers = [Profile(name="Ana")]
    assert await desk.job.run_due() == 1
    assert desk.answers == []
    async with desk.database.transaction([desk.workspace.id]) as conn:
        tries = await conn.fetch("SELECT attempt FROM contact_profile WHERE workspace_id = $1", desk.workspace.id)
    assert max(row["attempt"] for row in tries) == 1


@pytest.mark.parametrize("url", ["http://192.0.2.1/a.png", "https://127.0.0.1/a.png", "https://10.0.0.1/a.png"])
async def test_address_that_is_not_fetched_from_costs_the_picture_alone(desk, url):
    """A private or unencrypted address is never asked; the name is kept."""
    await desk.write()
    desk.answers = [Profile(name="Nadia", avatar_url=url)]
    await desk.job.run_due()
    contact = await desk.contact()
    assert (contact.name, contact.avatar) == ("Nadia", "")


@pytest.mark.parametrize("content", [b"<svg onload='x'/>", b"x" * (profiles_job.PICTURE_BYTES + 1), b""])
async def test_what_is_no_small_picture_is_no_picture(desk, content):
    """Bytes decide, not what a vendor calls them; a file that is too large is not read to its end."""
    await desk.write()
    async with picture_at(desk, content) as url:
        desk.answers = [Profile(name="Nadia", avatar_url=url)]
        await desk.job.run_due()
    contact = await desk.contact()
    assert (contact.name, contact.avatar) == ("Nadia", "")


async def test_two_workers_ask_once(desk, database, blobs):
    """A claimed question is nobody else's, however many look at once."""
    await desk.write()
    second = Desk(database, desk.workspace, blobs)
    second.now = desk.now
    desk.answers = second.answers = [Profile(name="Nadia")]
    assert sum(await asyncio.gather(desk.job.run_due(), second.job.run_due())) == 1
    assert [*desk.asked, *second.asked] == [NAMELESS]


async def test_answer_about_somebody_erased_meanwhile_is_for_nobody(desk):
    """What came back is kept nowhere, and the next contact has its turn."""
    conversation_id = await desk.write()
    contact, other = await desk.contact(), Identity(scheme="psid", value="2", scope="page")
    await desk.write(other)

    async def erase() -> None:
        async with desk.database.transaction([desk.workspace.id]) as conn:
            await conn.execute("DELETE FROM message WHERE conversation_id = $1", conversation_id)
            await conn.execute("DELETE FROM conversation WHERE id = $1", conversation_id)
            await conn.execute("DELETE FROM contact WHERE id = $1", contact.id)

    desk.meanwhile = erase
    desk.answers = [Profile(name="Nadia"), Profile(name="Ana")]
    assert await desk.job.run_due() == 2
    assert (await desk.contact(other)).name == "Ana"
    assert await desk.told() == ["Ana"]
