"""Calls that members make: the row, and whether the vendor took it. Never commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub import clock
from hub.envelope import CallState
from hub.events import store as events
from hub.inbox import store
from hub.inbox.model import MessageEdited, MessageKind, MessageQueued, make_preview
from hub.inbox.replies import Author, Sent, make_event
from hub.inbox.rows import MessageRow

if TYPE_CHECKING:
    from uuid import UUID

    from hub.db import TenantConn
    from hub.errors import ConnectorErrorInfo

ASKED = "Outgoing call"
FAILED = "Outgoing call, could not be made"


class NewCall(msgspec.Struct, frozen=True, kw_only=True):
    """
    A call a member asks for.

    Attributes:
        message_id: Of its row, made by the caller: the vendor is told of it before it is known whether the row is new.
        client_call_id: The asking client's own id; asking again returns the first call.
    """

    message_id: UUID
    client_call_id: UUID


async def place_call(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, author: Author, new: NewCall
) -> tuple[Sent, bool]:
    """
    Write down that a member calls the contact, before the vendor is asked.

    Args:
        conn: A transaction of this workspace.
        workspace_id: Tenant.
        conversation_id: Whose contact is called.
        author: The member.
        new: The call.

    Returns:
        Its row and seq, and whether it is new; the first ones for a repeated ``client_call_id``.

    Raises:
        NotFound: No such conversation.
    """
    heads = await events.lock(conn, [workspace_id])
    before = await store.find_sent(conn, workspace_id, author.id, new.client_call_id)
    if before is not None:
        return Sent(before.id, before.seq, before.conversation_id), False
    row = await store.get_conversation(conn, workspace_id, conversation_id)
    now, seq = clock.now(), heads[workspace_id] + 1
    message = MessageRow(
        workspace_id=workspace_id,
        id=new.message_id,
        conversation_id=row.id,
        channel_account_id=row.channel_account_id,
        seq=seq,
        version=seq,
        kind=MessageKind.CALL,
        direction="outbound",
        author_kind=author.kind,
        author_id=author.id,
        author_name=author.name,
        text=ASKED,
        client_message_id=new.client_call_id,
        occurred_at=now,
        created_at=now,
        call=CallState(outcome="asked", member=author.name),
    )
    changed = msgspec.structs.replace(
        row,
        preview=make_preview(ASKED),
        preview_author_kind=author.kind,
        last_activity_at=now,
        last_outbound_seq=seq,
        version=seq,
    )
    await store.write_message(conn, message)
    await store.write_conversation(conn, changed)
    body = MessageQueued(conversation=changed.view(), previous_status=row.status, message=message.view())
    await events.append(conn, heads, [make_event(changed, body, actor_id=author.id)])
    return Sent(message.id, seq, row.id), True


async def name_call(conn: TenantConn, workspace_id: int, message_id: UUID, external_id: str) -> None:
    """Note under which id the vendor knows a call; its recording names that id."""
    await events.lock(conn, [workspace_id])
    message = await store.get_message(conn, workspace_id, message_id)
    await store.write_call(conn, msgspec.structs.replace(message, external_id=external_id))


async def fail_call(conn: TenantConn, workspace_id: int, message_id: UUID, info: ConnectorErrorInfo) -> None:
    """Say that the vendor did not take a call, and why; nothing where it told of the call meanwhile."""
    heads = await events.lock(conn, [workspace_id])
    message = await store.get_message(conn, workspace_id, message_id)
    if message.call is None or message.call.outcome != "asked":
        return
    row = await store.get_conversation(conn, workspace_id, message.conversation_id)
    seq = heads[workspace_id] + 1
    failed = msgspec.structs.replace(
        message,
        text=FAILED,
        call=msgspec.structs.replace(message.call, outcome="failed", ended_at=clock.now()),
        error_code=info.code,
        error_message=info.message,
        version=seq,
    )
    shows_it = row.preview == make_preview(message.text)
    changed = msgspec.structs.replace(row, preview=make_preview(FAILED) if shows_it else row.preview, version=seq)
    await store.write_call(conn, failed)
    await store.write_conversation(conn, changed)
    body = MessageEdited(conversation=changed.view(), previous_status=row.status, message=failed.view())
    await events.append(conn, heads, [make_event(changed, body, actor_id=message.author_id)])
