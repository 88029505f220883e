"""
Every action through `verify_action`, for members who see everything and for one who sees half.

The vectors it makes are stored in tests/golden and replayed by the front end; ids and times in them are made stable,
so that a change of a vector is a change of the protocol. `HUB_WRITE_GOLDEN=1` writes them anew.
"""

from __future__ import annotations

import json
import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub import clock
from hub.accounts.model import Actor, Role
from hub.attachments import store as files
from hub.contacts import actions as contacts
from hub.demo import actions as demo
from hub.envelope import AttachmentRef, DeliveryStatus, ItemKind, Receipt
from hub.errors import ConnectorErrorInfo, ErrorClass
from hub.inbox import actions, acts, deliveries, replies
from hub.inbox.fetched import settle_fetched
from hub.inbox.model import MessageKind
from tests.factories import WorkspaceFacts, make_item, make_receipt, received
from tests.mails import make_mail, person
from tests.outgoing import claim, mark_sent, queue_and_claim
from tests.verify_action import verify_action

pytestmark = pytest.mark.postgres

GOLDEN = Path(__file__).parents[1] / "golden"
UUID_PATTERN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME_PATTERN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")


class Desk:
    """A workspace at work: what each step of a story does."""

    def __init__(self, database: Any, workspace: WorkspaceFacts) -> None:
        self.database, self.workspace = database, workspace
        self.conversation_id: Any = None

    async def receive(self, **fields: Any) -> None:
        item = make_item(external_id=None, **fields)
        async with self.database.transaction([self.workspace.id]) as conn:
            (outcome,) = await actions.receive(conn, [received(self.workspace, item)])
        self.conversation_id = outcome.conversation_id

    async def about(self, kind: ItemKind, target: str | None, at: datetime, **fields: Any) -> None:
        fields = {"external_id": None, "text": ""} | fields
        item = make_item(kind=kind, key=f"{kind}{at}{fields}", target_external_id=target, occurred_at=at, **fields)
        async with self.database.transaction([self.workspace.id]) as conn:
            (outcome,) = await actions.receive(conn, [received(self.workspace, item)])
        self.conversation_id = outcome.conversation_id

    async def reply(self, kind: MessageKind = MessageKind.MESSAGE) -> replies.Sent:
        draft = replies.Draft(client_message_id=clock.new_id(), kind=kind, text="On its way.")
        async with self.database.transaction([self.workspace.id]) as conn:
            return await replies.queue_message(
                conn, self.workspace.id, self.conversation_id, self.workspace.author(), draft
            )

    async def run(self, action: Any, *arguments: Any) -> None:
        async with self.database.transaction([self.workspace.id]) as conn:
            await action(conn, self.workspace.id, self.conversation_id, *arguments, actor_id=self.workspace.agent_id)


async def story_message_opens(desk: Desk) -> None:
    await desk.receive(text="Where is my parcel?")


async def story_reply_is_sent_and_delivered(desk: Desk) -> None:
    await desk.receive()
    sent = await desk.reply()
    async with desk.database.across() as conn:
        (due,) = await deliveries.due(conn, clock.now(), 1)
    async with desk.database.transaction([desk.workspace.id]) as conn:
        await deliveries.claim(conn, due, 30)
    receipt = make_receipt("SMgolden", DeliveryStatus.DELIVERED, correlation_id=str(sent.message_id))
    async with desk.database.transaction([desk.workspace.id]) as conn:
        await actions.receive(conn, [received(desk.workspace, receipt)])


async def story_photo_is_fetched(desk: Desk) -> None:
    """A photo comes pending, with a text file that turns out to be gone."""
    refs = (AttachmentRef(ref="photo", kind="image", mime="image/jpeg"), AttachmentRef(ref="gone", kind="file"))
    await desk.receive(text="", attachments=refs)
    async with desk.database.across() as conn:
        due = await files.due(conn, clock.now(), 10)
    async with desk.database.transaction([desk.workspace.id]) as conn:
        rows = [await files.get(conn, *one) for one in due]
    for row in sorted(rows, key=lambda row: row.ref or ""):
        async with desk.database.transaction([desk.workspace.id]) as conn:
            ready = files.Settled(
                state="ready", kind="image", mime="image/png", size_bytes=7, width=3, height=4, blob_key="1/ab/cd",
                thumbnail_key="1/ab/ce",
            )  # fmt: skip
            failed = files.Settled(state="failed", kind="file", mime=row.mime, error="The file is no longer there.")
            await settle_fetched(conn, row, ready if row.ref == "photo" else failed)


async def story_note_assign_close_reopen(desk: Desk) -> None:
    await desk.receive()
    await desk.reply(MessageKind.NOTE)
    await desk.run(actions.assign, desk.workspace.agent_id)
    await desk.run(actions.close)
    await desk.receive(text="One more thing")


async def story_snooze_and_wake(desk: Desk) -> None:
    await desk.receive()
    await desk.run(actions.snooze, clock.now() + timedelta(hours=1))
    async with desk.database.transaction([desk.workspace.id]) as conn:
        await conn.execute("SELECT 1")
    await desk.run(actions.reopen)


async def story_read_and_unread(desk: Desk) -> None:
    await desk.receive()
    for seq in (1, 0):
        async with desk.database.transaction([desk.workspace.id]) as conn:
            await actions.mark_read(conn, desk.workspace.id, desk.conversation_id, desk.workspace.owner_id, seq)


async def story_moved_away_and_back(desk: Desk) -> None:
    await desk.receive()
    await desk.reply()
    await desk.run(actions.move, desk.workspace.other_inbox_id)
    await desk.receive(text="Are you there?")
    await desk.run(actions.move, desk.workspace.inbox_id)
    await desk.receive(text="Hello?")


async def story_contact_renamed(desk: Desk) -> None:
    await desk.receive()
    async with desk.database.transaction([desk.workspace.id]) as conn:
        contact_id = await conn.fetchval("SELECT id FROM contact")
        patch = contacts.ContactPatch(name="Ana Okafor")
        await contacts.change_contact(conn, desk.workspace.id, contact_id, patch, actor_id=desk.workspace.owner_id)


async def story_demo_removed(desk: Desk) -> None:
    await desk.receive()
    await desk.reply()
    async with desk.database.transaction([desk.workspace.id]) as conn:
        await conn.execute("UPDATE channel_account SET demo = true WHERE id = $1", desk.workspace.sms_id)
    # Without emptying the log: a client that missed events from before that starts from a snapshot.
    for step in (demo.remove_some, demo.remove_accounts):
        async with desk.database.transaction([desk.workspace.id]) as conn:
            await step(conn, desk.workspace.id, desk.workspace.owner_id)


async def story_mail_thread_of_two_people(desk: Desk) -> None:
    """Ana writes with a copy to Bob, Bob answers all, we answer both with a copy to a third, and that answer fails."""
    ana, bob = "ana@example.com", "bob@example.com"
    mails = [
        make_mail(1, ana, to=(), cc=(person(bob, "Bob Ito"),)),
        make_mail(2, bob, answers=[1], to=(person(ana),), subject="Re: Broken lamp and bulb", quoted="> Mail 1"),
    ]
    for mail in mails:
        async with desk.database.transaction([desk.workspace.id]) as conn:
            (outcome,) = await actions.receive(conn, [received(desk.workspace, mail)])
    people = {"to": (bob, ana), "cc": ("cat@example.com",)}
    _, claimed = await queue_and_claim(desk.database, desk.workspace, outcome.conversation_id, **people)
    await mark_sent(desk.database, desk.workspace, claimed, "ours@mail")
    error = ConnectorErrorInfo(ErrorClass.RECIPIENT, "5.1.1", "This mail address does not exist.")
    bounce = make_receipt(
        "ours@mail",
        DeliveryStatus.FAILED,
        sender=person("cat@example.com"),
        receipt=Receipt(DeliveryStatus.FAILED, error),
    )
    async with desk.database.transaction([desk.workspace.id]) as conn:
        await actions.receive(conn, [received(desk.workspace, bounce)])


async def story_message_is_edited_and_reacted_to(desk: Desk) -> None:
    """Ana mends a word, an edit that was overtaken comes late, and she reacts to what we answered, twice in one."""
    start = make_item().occurred_at
    await desk.about(ItemKind.MESSAGE, None, start, external_id="m1", text="helo")
    await desk.about(ItemKind.EDIT, "m1", start + timedelta(seconds=60), text="hello", revision=2)
    await desk.about(ItemKind.EDIT, "m1", start + timedelta(seconds=30), text="hallo", revision=1)
    for second, emoji, removed in ((70, "👍", False), (80, "", True), (80, "🎉", False)):
        at = start + timedelta(seconds=second)
        await desk.about(ItemKind.REACTION, "m1", at, reaction=emoji, removed=removed)


async def story_message_is_deleted(desk: Desk) -> None:
    """Ana takes back what she wrote and edited, and what quotes it shows it no more."""
    start = make_item().occurred_at
    await desk.about(ItemKind.MESSAGE, None, start, external_id="m1", text="My card is 4242")
    await desk.about(ItemKind.EDIT, "m1", start + timedelta(seconds=10), text="My card is 4343")
    await desk.about(ItemKind.MESSAGE, None, start, external_id="m2", text="See above", reply_to_external_id="m1")
    await desk.about(ItemKind.DELETE, "m1", start + timedelta(seconds=90))


async def story_our_edit_is_made_and_refused(desk: Desk) -> None:
    """A reply is edited, which the vendor does, and edited again, which it refuses."""
    await desk.about(ItemKind.MESSAGE, None, make_item().occurred_at, external_id="m1", text="Where is it?")
    sent = await desk.reply()
    claimed = await claim(desk.database, desk.workspace)
    await mark_sent(desk.database, desk.workspace, claimed, "ours")
    place = acts.Place(desk.workspace.id, desk.conversation_id, sent.message_id)
    doer, able = acts.Doer(id=desk.workspace.agent_id), acts.Allowed(edit=True)
    for text, error in (("Tomorrow.", None), ("Today.", ConnectorErrorInfo(ErrorClass.PERMANENT, "old", "Too old."))):
        async with desk.database.transaction([desk.workspace.id]) as conn:
            await acts.edit_message(conn, place, text, doer, able)
        claimed = await claim(desk.database, desk.workspace)
        async with desk.database.transaction([desk.workspace.id]) as conn:
            await (acts.mark_done(conn, claimed) if error is None else acts.mark_failed(conn, claimed, error))


STORIES = [
    story_message_is_edited_and_reacted_to,
    story_message_is_deleted,
    story_our_edit_is_made_and_refused,
    story_message_opens,
    story_reply_is_sent_and_delivered,
    story_photo_is_fetched,
    story_note_assign_close_reopen,
    story_snooze_and_wake,
    story_read_and_unread,
    story_moved_away_and_back,
    story_contact_renamed,
    story_demo_removed,
    story_mail_thread_of_two_people,
]


def actors(workspace: WorkspaceFacts) -> dict[str, Actor]:
    everything = workspace.actor()
    half = msgspec.structs.replace(everything, role=Role.AGENT, visible_inboxes=frozenset({workspace.inbox_id}))
    other = msgspec.structs.replace(half, visible_inboxes=frozenset({workspace.other_inbox_id}))
    return {"everything": everything, "half": half, "other_half": other}


@pytest.mark.parametrize("audience", ["everything", "half", "other_half"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_events_equal_state(database, workspace, story, audience):
    """For every action, the snapshot before plus what the audience is told equals the snapshot after."""
    actor = actors(workspace)[audience]
    name = f"{story.__name__.removeprefix('story_')}.{audience}"

    async with verify_action(database, actor, name=name) as made:
        await story(Desk(database, workspace))

    vector = stable(msgspec.to_builtins(made[0]))
    path = GOLDEN / f"{name}.json"
    if os.environ.get("HUB_WRITE_GOLDEN"):
        path.write_text(json.dumps(vector, indent=1, ensure_ascii=False) + "\n")
    assert json.loads(path.read_text()) == vector


def stable(vector: Any) -> Any:
    """Number ids and times in the order they appear, so that two runs give the same vector."""
    text = json.dumps(vector, ensure_ascii=False)
    for pattern, form in (
        (UUID_PATTERN, "00000000-0000-7000-8000-{:012d}"),
        (TIME_PATTERN, "2026-01-01T00:00:{:02d}Z"),
    ):
        known: dict[str, str] = {}
        text = pattern.sub(lambda found, known=known, form=form: number(known, found.group(), form), text)
    text = re.sub(r'"id": \d+, "name": "Northwind"', '"id": 1, "name": "Northwind"', text)
    return json.loads(re.sub(r"Hello \d+", "Hello", text))


def number(known: dict[str, str], value: str, form: str) -> str:
    return known.setdefault(value, form.format(len(known) + 1))
