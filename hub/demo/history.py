"""Fills in the history a demo begins with, through the same action that stores what really comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.envelope import Direction, Identity, InboundItem, ItemKind
from hub.inbox import actions
from hub.inbox.batch import ReceivedItem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from hub.db import Database, TenantConn
    from hub.demo.model import PastMessage
    from hub.inbox.batch import Outcome

# A batch has one moment at which it came in, so a short history goes one by one and a long one in chunks.
ONE_BY_ONE = 500
CHUNK_MESSAGES = 50


async def fill_history(
    database: Database,
    workspace_id: int,
    owner_id: UUID,
    accounts: Mapping[str, UUID],
    messages: Sequence[PastMessage],
    *,
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """
    Store messages of the past, oldest first; those of channels without an account are left out.

    Args:
        database: The installation's.
        workspace_id: Tenant.
        owner_id: Who closed and read.
        accounts: The demo's channel accounts by channel.
        messages: By ``at``.
        told: Called with the number of messages stored so far, after each transaction.

    Returns:
        How many were stored, without those that were there before.
    """
    wanted = [one for one in messages if one.channel in accounts]
    size = 1 if len(wanted) <= ONE_BY_ONE else CHUNK_MESSAGES
    stored = 0
    for start in range(0, len(wanted), CHUNK_MESSAGES):
        async with database.transaction([workspace_id]) as conn:
            chunk = wanted[start : start + CHUNK_MESSAGES]
            for first in range(0, len(chunk), size):
                some = chunk[first : first + size]
                items = [_received(workspace_id, accounts[one.channel], one) for one in some]
                outcomes = await actions.receive(conn, items, now=some[-1].at)
                stored += sum(one.seq is not None for one in outcomes)
                await _settle(conn, workspace_id, owner_id, list(zip(some, outcomes, strict=True)))
        told(min(start + CHUNK_MESSAGES, len(wanted)))
    return stored


async def _settle(
    conn: TenantConn, workspace_id: int, owner_id: UUID, pairs: list[tuple[PastMessage, Outcome]]
) -> None:
    """Mark as read and close what the history says is done."""
    read = {out.conversation_id: out.seq for one, out in pairs if one.is_read and out.conversation_id and out.seq}
    for conversation_id, seq in read.items():
        await actions.mark_read(conn, workspace_id, conversation_id, owner_id, seq)
    for one, out in pairs:
        if one.closes and out.conversation_id:
            await actions.close(conn, workspace_id, out.conversation_id, actor_id=owner_id)


def _received(workspace_id: int, account_id: UUID, one: PastMessage) -> ReceivedItem:
    scope = str(account_id) if one.scheme == "visitor" else ""
    item = InboundItem(
        kind=ItemKind.MESSAGE,
        key=f"demo:{one.key}"[:300],
        occurred_at=one.at,
        thread_key=one.thread,
        direction=Direction(one.direction),
        sender=Identity(one.scheme, one.address, scope, one.name or None),
        text=one.text,
        subject=one.subject,
        call=one.call,
    )
    return ReceivedItem(workspace_id=workspace_id, channel_account_id=account_id, channel=one.channel, item=item)
