"""What events mean for members' notices. Run by ``hub/reactor.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from hub.notices import actions
from hub.notices.model import Kind, Telling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.db import TenantConn
    from hub.events.model import Happening

ROOM: Final = "notices"
TYPES: Final = frozenset({"message_received", "conversation_assigned", "conversation_read", "channel_account_changed"})


class _Conversation(msgspec.Struct, frozen=True):
    id: UUID
    inbox_id: UUID
    assignee_id: UUID | None
    last_inbound_seq: int = 0


class _Account(msgspec.Struct, frozen=True):
    id: UUID
    inbox_id: UUID
    status: str


class _Body(msgspec.Struct, frozen=True):
    """The parts of an event that matter here, whatever its type."""

    conversation: _Conversation | None = None
    previous_status: str | None = None
    channel_account: _Account | None = None
    conversation_id: UUID | None = None
    member_id: UUID | None = None
    read_seq: int = 0


_BODIES: Final[msgspec.json.Decoder[_Body]] = msgspec.json.Decoder(_Body)


async def react(conn: TenantConn, workspace_id: int, happened: Sequence[Happening]) -> None:
    """Tell members what events mean for them, in their order; see ``hub.reactor.Reaction``."""
    waiting: list[Telling] = []
    for event in happened:
        body = _BODIES.decode(event.data)
        waiting += tellings_of(event, body)
        if event.type not in ("conversation_read", "conversation_assigned"):
            continue
        # These mark what was told before them.
        await actions.tell(conn, workspace_id, waiting)
        waiting = []
        if event.type == "conversation_read" and body.conversation_id is not None and body.member_id is not None:
            await actions.read_conversation(conn, workspace_id, body.member_id, body.conversation_id, body.read_seq)
        elif body.conversation is not None:
            await actions.withdraw_assigned(conn, workspace_id, body.conversation.id, body.conversation.assignee_id)
    await actions.tell(conn, workspace_id, waiting)


def tellings_of(event: Happening, body: _Body) -> list[Telling]:
    """Return what is to be told of one event."""
    if event.type == "message_received" and body.conversation is not None and _is_past(event, body.conversation):
        return []
    if body.conversation is not None and event.type in ("message_received", "conversation_assigned"):
        return _of_conversation(event, body, body.conversation)
    account = body.channel_account
    if event.type == "channel_account_changed" and account is not None and account.status == "needs_sign_in":
        return [
            Telling(
                kind=Kind.CHANNEL_SIGN_IN,
                subject=str(account.id),
                at=event.appended_at,
                to_those_in_charge=True,
                inbox_id=account.inbox_id,
                channel_account_id=account.id,
                actor_id=event.actor_id,
                event_seq=event.seq,
            )
        ]
    return []


def _is_past(event: Happening, conversation: _Conversation) -> bool:
    """Whether a message is history that was brought in: it made nothing unread, so nobody is told of it."""
    return conversation.last_inbound_seq < event.seq


def _of_conversation(event: Happening, body: _Body, conversation: _Conversation) -> list[Telling]:
    def telling(kind: Kind, member_id: UUID | None, *, to_subscribers: bool = False) -> Telling:
        return Telling(
            kind=kind,
            subject=str(conversation.id),
            at=event.appended_at,
            member_ids=frozenset() if member_id is None else frozenset({member_id}),
            to_subscribers=to_subscribers,
            inbox_id=conversation.inbox_id,
            conversation_id=conversation.id,
            actor_id=event.actor_id,
            event_seq=event.seq,
        )

    if event.type == "conversation_assigned":
        return [] if conversation.assignee_id is None else [telling(Kind.ASSIGNED, conversation.assignee_id)]
    if conversation.assignee_id is not None:
        return [telling(Kind.MESSAGE, conversation.assignee_id)]
    return [telling(Kind.CONVERSATION, None, to_subscribers=True)] if body.previous_status is None else []
