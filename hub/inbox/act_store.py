"""Reads and writes of what is to be done at vendors, one function a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec

from hub import clock
from hub.inbox.change_store import QUERIES
from hub.inbox.deliveries import DeliveryQueued
from hub.inbox.rows import ConversationRow, MessageRow
from hub.inbox.store import QUERIES as DELIVERIES
from hub.inbox.wanted import WantedAct as WantedAct

if TYPE_CHECKING:
    from hub.db import TenantConn

_message = msgspec.json.Decoder(MessageRow).decode


async def insert(conn: TenantConn, row: ConversationRow, message: MessageRow, act: WantedAct, position: int) -> None:
    """Queue an act behind everything of its thread up to ``position``; the transaction holds the workspace's lock."""
    await conn.execute(
        QUERIES["insert_act"],
        row.workspace_id,
        act.id,
        message.id,
        row.id,
        row.channel_account_id,
        row.channel,
        row.thread_key,
        position,
        clock.now(),
        act.kind,
        conn.sealed_text(row.workspace_id, act.id, "text", act.text),
        act.emoji,
        act.actor_id,
    )
    conn.notices.append(DeliveryQueued(row.workspace_id, row.channel_account_id))


async def supersede(
    conn: TenantConn, message: MessageRow, kind: Literal["edit", "delete", "react", "unreact"] | None, emoji: str = ""
) -> int:
    """End acts of a message that were not begun, of one kind or of any; returns how many."""
    row = await conn.fetchrow(
        QUERIES["supersede_acts"], message.workspace_id, message.id, kind, clock.now(), emoji or None
    )
    return int(row["amount"]) if row else 0


async def cancel_send(conn: TenantConn, message: MessageRow) -> bool:
    """End the send of a message, if it was not begun; returns whether it had not been."""
    row = await conn.fetchrow(QUERIES["cancel_send"], message.workspace_id, message.id, clock.now())
    return row is not None


async def is_unsent(conn: TenantConn, message: MessageRow) -> bool:
    """Return whether the send of a message waits and was not begun."""
    return bool(await conn.fetchval(QUERIES["is_unsent"], message.workspace_id, message.id))


async def newest_inbound(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, up_to_seq: int
) -> MessageRow | None:
    """Return the contact's newest message up to a seq, unless the vendor was told that it was read."""
    row = await conn.fetchrow(QUERIES["newest_inbound"], workspace_id, conversation_id, up_to_seq)
    return _message(row["data"]) if row else None


async def supersede_read(conn: TenantConn, row: ConversationRow) -> None:
    """End a reading mark of a thread that was not begun."""
    await conn.execute(QUERIES["supersede_read"], row.workspace_id, row.channel_account_id, row.thread_key, clock.now())


async def settle(
    conn: TenantConn, workspace_id: int, act_id: UUID, state: Literal["sent", "failed"], error_code: str | None
) -> None:
    """End an act."""
    await conn.execute(DELIVERIES["settle_delivery"], workspace_id, act_id, state, None, error_code, 0, clock.now())
