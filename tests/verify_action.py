"""Checks that what an action tells equals what it did: snapshot before + its events == snapshot after."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from api.snapshot import read_snapshot
from hub.accounts.model import Actor
from hub.contacts.store import contacts_by_id
from hub.events import store as events
from hub.events.model import LoggedEvent
from hub.inbox import store
from hub.inbox.visitor import arrival, removal
from tests.apply_event import State, apply_event, start_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hub.db import Database

# More than any test makes: nothing falls out of the window that a client holds.
EVERYTHING = 200


class Vector(msgspec.Struct):
    """What a front end replays: a state, events as an audience gets them (some unseen), and the state afterwards."""

    name: str
    before: State
    events: list[dict[str, Any]]
    after: State


async def read_state(database: Database, actor: Actor) -> State:
    """Read everything a client can hold, as its state."""
    async with database.snapshot([actor.workspace_id]) as conn:
        snapshot = await read_snapshot(conn, actor, database.epoch, EVERYTHING)
        rows = await store.list_conversations(
            conn,
            actor.workspace_id,
            store.ConversationFilter(inbox_ids=_visible(actor), limit=EVERYTHING),
        )
        state = start_state(_plain(snapshot))
        state["conversations"] = {str(row.id): _plain(row.view()) for row in rows}
        for row in rows:
            messages = await store.list_messages(conn, actor.workspace_id, row.id, None, EVERYTHING)
            state["messages"] |= {str(one.id): _plain(one.view()) for one in messages}
            marks = await store.list_read_marks(conn, actor.workspace_id, actor.member_id, [row.id])
            state["reads"] |= {f"{one.conversation_id}:{one.member_id}": one.read_seq for one in marks}
        people = await conn.fetch("SELECT id FROM contact")
        found = await contacts_by_id(conn, actor.workspace_id, [row["id"] for row in people])
        state["contacts"] = {str(one.id): _plain(one) for one in found}
    return state


@asynccontextmanager
async def verify_action(
    database: Database, actor: Actor, *, events_expected: int | None = None, name: str = ""
) -> AsyncIterator[list[Vector]]:
    """
    Run actions inside, then compare.

    Args:
        database: Where.
        actor: Whose view of the workspace.
        events_expected: How many events the actions must have appended, whoever sees them; None means any.
        name: Of the vector that is made.

    Yields:
        A list that holds the vector afterwards.
    """
    before = await read_state(database, actor)
    async with database.transaction([actor.workspace_id]) as conn:
        head = await events.workspace_head(conn, actor.workspace_id)
    made: list[Vector] = []
    yield made
    async with database.transaction([actor.workspace_id]) as conn:
        logged = await events.events_after(conn, actor.workspace_id, head, 1000)
    seen = [frame for one in logged if (frame := as_seen(actor, one)) is not None]
    after = await read_state(database, actor)
    state = before
    for frame in seen:
        state = apply_event(state, frame["seq"], frame["event"])
    others_reads = [key for key in state["reads"] if not key.endswith(str(actor.member_id))]
    comparable = state | {"reads": {key: seq for key, seq in state["reads"].items() if key not in others_reads}}
    expected, told = _held(after, actor, seen), _held(comparable, actor, seen)
    for table, rows in expected.items():
        assert rows == told[table], f"{table} differs: {rows} {told[table]}"
    if events_expected is not None:
        assert events_expected == len(logged)
    made.append(Vector(name, before, seen, state))


def as_seen(actor: Actor, event: LoggedEvent) -> dict[str, Any] | None:
    """Return the event frame an audience of this actor gets, None where it gets none."""
    visible = actor.visible_inboxes
    if visible is None or event.inbox_id is None or event.inbox_id in visible:
        gained = visible is not None and event.former_inbox_id is not None and event.former_inbox_id not in visible
        return {"seq": event.seq, "event": msgspec.json.decode(arrival(event) if gained else event.data)}
    if event.former_inbox_id is not None and event.former_inbox_id in visible:
        return {"seq": event.seq, "event": msgspec.json.decode(removal(event))}
    return None


def _visible(actor: Actor) -> tuple[Any, ...] | None:
    return None if actor.visible_inboxes is None else tuple(actor.visible_inboxes)


def _held(state: State, actor: Actor, seen: list[dict[str, Any]]) -> State:
    """
    Leave out what a client fetches rather than is told.

    That is the history of a conversation that came into its inboxes by a move, and, for a member who sees few inboxes,
    contacts it never met; contacts are the workspace's.
    """
    gained = {one["event"]["conversation"]["id"] for one in seen if one["event"]["type"] == "conversation_moved"}
    held = state | {
        "messages": {key: row for key, row in state["messages"].items() if row["conversation_id"] not in gained}
    }
    if actor.visible_inboxes is None:
        return held
    return {key: value for key, value in held.items() if key != "contacts"}


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))
