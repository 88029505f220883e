"""Raw items that could not be stored, over HTTP: for whoever looks after the channels of a workspace."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, cast, get_args
from uuid import UUID

import msgspec

from api.call import required
from api.paging import decode_cursor, encode_cursor
from connectors import dead_letters
from connectors.dead_letters import DeadLetter, State, Wanted
from hub.errors import InvalidInput

if TYPE_CHECKING:
    from api.call import MemberCall


class DeadLetterView(msgspec.Struct, frozen=True, kw_only=True):
    """
    A dead letter as members see it.

    Attributes:
        error: Why it could not be stored, in words.
        received_at: When the vendor's call came in.
        created_at: When it was given up.
    """

    id: UUID
    channel: str
    channel_account_id: UUID
    error: str
    received_at: datetime
    created_at: datetime
    state: State
    size_bytes: int


class DeadLetterPage(msgspec.Struct, frozen=True):
    dead_letters: list[DeadLetterView]
    next: str | None


class DeadLetterDetail(msgspec.Struct, frozen=True):
    """
    A dead letter with its body.

    Attributes:
        body_text: The first 64 KiB, what is no text replaced.
        is_binary: Whether it is more likely not a text at all.
    """

    dead_letter: DeadLetterView
    body_text: str
    is_binary: bool


class DeadLetterChange(msgspec.Struct, frozen=True):
    dead_letter: DeadLetterView


class ReplayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ids: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=200)]


class ReplayedView(msgspec.Struct, frozen=True):
    """What was replayed; skipped ones have gone, or were replayed or dropped before."""

    replayed: list[UUID]
    skipped: list[UUID]


async def read_all(call: MemberCall) -> DeadLetterPage:
    """List dead letters of one state, newest first."""
    limit = call.query_int("limit", 50, low=1, high=200)
    wanted = Wanted(state=_read_state(call.query.get("state", "")))
    before = _read_before(call.query.get("before", ""))
    workspace_id = call.actor.workspace_id
    async with call.resources.database.snapshot([workspace_id]) as conn:
        found = await dead_letters.list_dead_letters(conn, [workspace_id], wanted, before, limit)
    return DeadLetterPage(
        [_view(one) for one in found], encode_cursor((str(found[-1].id),)) if len(found) == limit else None
    )


async def read(call: MemberCall) -> DeadLetterDetail:
    """Return one dead letter and what the vendor sent."""
    workspace_id, dead_letter_id = call.actor.workspace_id, call.path_id("dead_letter_id")
    async with call.resources.database.snapshot([workspace_id]) as conn:
        letter, head = await dead_letters.find(conn, [workspace_id], dead_letter_id)
    return DeadLetterDetail(_view(letter), *dead_letters.read_body(head))


async def replay(call: MemberCall) -> DeadLetterChange:
    """Take one in again: it becomes a message, or another dead letter."""
    writer = required(call.resources.ingress_writer, "message queue")
    dead_letter_id = call.path_id("dead_letter_id")
    database, workspace_id = call.resources.database, call.actor.workspace_id
    await dead_letters.replay(database, writer.append, workspace_id, dead_letter_id, call.caller)
    return await _changed(call, dead_letter_id)


async def drop(call: MemberCall) -> DeadLetterChange:
    """Mark one as not wanted."""
    workspace_id, dead_letter_id = call.actor.workspace_id, call.path_id("dead_letter_id")
    async with call.resources.database.transaction([workspace_id]) as conn:
        await dead_letters.drop(conn, workspace_id, dead_letter_id, call.caller)
    return await _changed(call, dead_letter_id)


async def replay_many(call: MemberCall) -> ReplayedView:
    """Take several in again, in the order they came."""
    wanted = await call.decode(ReplayRequest)
    writer = required(call.resources.ingress_writer, "message queue")
    letters = [(call.actor.workspace_id, one) for one in sorted(set(wanted.ids))]
    database = call.resources.database
    replayed, skipped = await dead_letters.replay_many(database, writer.append, letters, call.caller)
    return ReplayedView(replayed, skipped)


async def _changed(call: MemberCall, dead_letter_id: UUID) -> DeadLetterChange:
    workspace_id = call.actor.workspace_id
    async with call.resources.database.snapshot([workspace_id]) as conn:
        letter, _ = await dead_letters.find(conn, [workspace_id], dead_letter_id, 0)
    return DeadLetterChange(_view(letter))


def _view(letter: DeadLetter) -> DeadLetterView:
    return DeadLetterView(**{name: getattr(letter, name) for name in DeadLetterView.__struct_fields__})


def _read_state(text: str) -> State:
    for state in get_args(State):
        if state == (text or "new"):
            return cast("State", state)
    raise InvalidInput("state", "Use new, replayed or dropped.")


def _read_before(text: str) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(decode_cursor(text, 1)[0])
    except ValueError:
        raise InvalidInput("before", "This is not a cursor of ours.") from None
