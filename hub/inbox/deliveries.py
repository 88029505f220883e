"""Outbound sends with their retries: enqueue, claim, settle. Used by ``actions`` and by ``connectors/dispatch.py``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from hub import clock
from hub.envelope import DeliveryStatus, Identity, OutboundAttachment, OutboundMessage, SendResult
from hub.errors import ConnectorErrorInfo, ErrorClass
from hub.events import store as events
from hub.events.model import NewEvent
from hub.inbox import changing, mail_store
from hub.inbox.addressing import address
from hub.inbox.batch import ReceivedItem
from hub.inbox.model import AuthorKind, MessageError, MessageStatusChanged, advance
from hub.inbox.plan import encoder
from hub.inbox.receipts import suppress_bounced
from hub.inbox.rows import ConversationRow, MessageRow
from hub.inbox.store import QUERIES, write_consents, write_message_status
from hub.inbox.targets import decode_item
from hub.inbox.wanted import WantedAct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.db import TenantConn

_message = msgspec.json.Decoder(MessageRow)
_conversation = msgspec.json.Decoder(ConversationRow)

STOPPED = ConnectorErrorInfo(
    ErrorClass.RECIPIENT, "opted_out", "The contact asked us to stop (STOP). They can undo it."
)
# Why an address must not be written to, by the reason of its suppression.
SUPPRESSED = {
    "stop": STOPPED,
    "complaint": ConnectorErrorInfo(
        ErrorClass.RECIPIENT, "complained", "The recipient reported a message of ours as spam."
    ),
    "bounce": ConnectorErrorInfo(
        ErrorClass.RECIPIENT, "bounced", "An earlier message came back: this address does not exist."
    ),
    "manual": ConnectorErrorInfo(ErrorClass.RECIPIENT, "suppressed", "Somebody here blocked this address."),
}


class DeliveryQueued(msgspec.Struct, frozen=True):
    """After COMMIT: there is something to send; a hint that wakes dispatch."""

    workspace_id: int
    channel_account_id: UUID


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """Where a delivery that may be looked at now belongs."""

    workspace_id: int
    id: UUID
    message_id: UUID
    channel_account_id: UUID
    channel: str
    thread_key: str
    priority: str
    state: str
    attempt: int


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """
    A delivery that is ours until its lease ends.

    Attributes:
        was_sending: Its last holder vanished in the middle of the call: unknown, must not be sent again unasked.
        was_unknown: It waits for word from the vendor.
        queued_at: When it was queued, for giving up.
        act: What is to be done about the message, where it is no send.
    """

    due: Due
    outbound: OutboundMessage
    message: MessageRow
    inbox_id: UUID
    contact_id: UUID
    was_sending: bool
    was_unknown: bool
    queued_at: datetime
    act: WantedAct | None = None


async def enqueue(conn: TenantConn, row: ConversationRow, message: MessageRow, priority: str) -> None:
    """Queue the send of a message; the transaction holds the workspace's lock."""
    await conn.execute(
        QUERIES["insert_delivery"],
        message.workspace_id,
        clock.new_id(),
        message.id,
        row.id,
        row.channel_account_id,
        row.channel,
        row.thread_key,
        priority,
        message.version,
        clock.now(),
    )
    conn.notices.append(DeliveryQueued(message.workspace_id, row.channel_account_id))


async def abandon(conn: TenantConn, message: MessageRow) -> None:
    """End the unfinished deliveries of a message that is about to be queued anew."""
    await conn.execute(QUERIES["abandon_deliveries"], message.workspace_id, message.id, clock.now())


async def due(conn: TenantConn, now: datetime, limit: int, busy_accounts: Sequence[UUID] = ()) -> list[Due]:
    """Return deliveries to look at now, over all workspaces but not of the busy accounts, interactive ones first."""
    rows = await conn.fetch(QUERIES["due_deliveries"], now, limit, list(busy_accounts))
    return [msgspec.convert(dict(row), Due, strict=False) for row in rows]


async def claim(conn: TenantConn, wanted: Due, lease_s: int) -> Claimed | None:
    """
    Take a delivery, if it is still to be had and may be sent.

    Args:
        conn: A transaction of its workspace; COMMIT it before calling the vendor.
        wanted: One that ``due`` returned.
        lease_s: Seconds until somebody else may take it.

    Returns:
        The delivery and its message; None when somebody else has it, an earlier one of the thread is unfinished, or it
        was settled here (the contact said STOP; a receipt came first).
    """
    heads = await events.lock(conn, [wanted.workspace_id])
    now = clock.now()
    taken = await conn.fetchrow(
        QUERIES["claim_delivery"], wanted.workspace_id, wanted.id, now, now + timedelta(seconds=lease_s)
    )
    if taken is None:
        return None
    row = await conn.fetchrow(QUERIES["delivery_message"], wanted.workspace_id, wanted.message_id)
    if row is None:
        return None
    message, conversation = _message.decode(row["message"]), _conversation.decode(row["conversation"])
    outbound, stopped = _outbound(message, conversation, row["reply_to_external_id"]), row["stopped"]
    outbound = msgspec.structs.replace(
        outbound, quoted_external_id=row["quoted_external_id"], author_avatar=row["author_avatar"] or ""
    )
    if message.headers is not None:
        outbound, stopped = await address(conn, outbound, conversation, message, message.headers)
    claimed = Claimed(
        due=wanted,
        outbound=msgspec.structs.replace(outbound, attempt=taken["attempt"], attempted_at=taken["attempted_at"]),
        message=message,
        inbox_id=conversation.inbox_id,
        contact_id=conversation.contact_id,
        was_sending=taken["state_before"] == "sending",
        was_unknown=taken["state_before"] == "unknown",
        queued_at=taken["created_at"],
    )
    if taken["act"] is not None:
        act = WantedAct(
            id=wanted.id,
            kind=taken["act"],
            text=taken["act_text"],
            emoji=taken["act_emoji"],
            actor_id=taken["act_actor_id"],
            external_id=message.external_id or "",
        )
        # Done twice it comes to the same: one whose holder vanished is simply done again.
        return msgspec.structs.replace(claimed, act=act, was_sending=False, was_unknown=False)
    if message.status in (DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.READ):
        await _settle(conn, claimed, "sent")
        return None
    if stopped and taken["state_before"] == "queued":
        await _settle(conn, claimed, "failed", info=SUPPRESSED[stopped])
        await _tell(conn, heads, claimed, DeliveryStatus.FAILED, SUPPRESSED[stopped])
        return None
    if taken["state_before"] == "queued":
        await _tell(conn, heads, claimed, DeliveryStatus.SENDING)
    return claimed


async def mark_sent(conn: TenantConn, claimed: Claimed, result: SendResult) -> None:
    """Record that the vendor took the message."""
    heads = await events.lock(conn, [claimed.due.workspace_id])
    await _settle(conn, claimed, "sent")
    external_id = result.external_ids[0] if result.external_ids else None
    await _tell(conn, heads, claimed, result.status, external_id=external_id)


async def mark_failed(conn: TenantConn, claimed: Claimed, info: ConnectorErrorInfo) -> None:
    """Record that the message will not be sent, and why."""
    heads = await events.lock(conn, [claimed.due.workspace_id])
    await _settle(conn, claimed, "failed", info=info)
    await _tell(conn, heads, claimed, DeliveryStatus.FAILED, info)


async def retry_later(
    conn: TenantConn, claimed: Claimed, due_at: datetime, info: ConnectorErrorInfo, *, charge_attempt: bool
) -> None:
    """Put an unsent message back into the queue; ``charge_attempt`` is false when the vendor only asked to wait."""
    heads = await events.lock(conn, [claimed.due.workspace_id])
    await _settle(conn, claimed, "queued", due_at=due_at, info=info, refund=0 if charge_attempt else 1)
    if claimed.act is not None:
        return
    await _tell(conn, heads, claimed, DeliveryStatus.QUEUED)


async def mark_unknown(conn: TenantConn, claimed: Claimed, recheck_at: datetime, info: ConnectorErrorInfo) -> None:
    """Record that the vendor may have the message; looked at again at ``recheck_at``."""
    heads = await events.lock(conn, [claimed.due.workspace_id])
    await _settle(conn, claimed, "unknown", due_at=recheck_at, info=info)
    await _tell(conn, heads, claimed, DeliveryStatus.UNKNOWN)


async def leave_unknown(conn: TenantConn, claimed: Claimed, info: ConnectorErrorInfo) -> None:
    """Stop asking about a message nobody confirmed: it stays "not confirmed" until a receipt or a member decides."""
    await events.lock(conn, [claimed.due.workspace_id])
    await _settle(conn, claimed, "failed", info=info)


async def note_status(
    conn: TenantConn,
    heads: dict[int, int],
    row: ConversationRow,
    messages: Sequence[MessageRow],
    status: DeliveryStatus,
) -> None:
    """Advance several messages of one conversation to what their reader's client told us."""
    for message in messages:
        await _advance(conn, heads, message, row.inbox_id, row.contact_id, status)


def _outbound(message: MessageRow, conversation: ConversationRow, reply_to: str | None) -> OutboundMessage:
    return OutboundMessage(
        message_id=str(message.id),
        to=Identity(
            scheme=conversation.identity_scheme,
            value=conversation.identity_value,
            scope=conversation.identity_scope,
        ),
        thread_key=conversation.thread_key,
        text=message.text,
        reply_to_external_id=reply_to,
        conversation_id=str(conversation.id),
        attachments=tuple(
            OutboundAttachment(
                id=str(one.id), kind=one.kind, filename=one.filename, mime=one.mime, size_bytes=one.size_bytes
            )
            for one in message.attachments
            if one.state == "ready"
        ),
        author_is_human=message.author_kind is AuthorKind.MEMBER,
        author_name=message.author_name if message.author_kind is AuthorKind.MEMBER else "",
        template=message.template,
        window_expires_at=conversation.window_expires_at,
    )


async def _settle(
    conn: TenantConn,
    claimed: Claimed,
    state: str,
    *,
    due_at: datetime | None = None,
    info: ConnectorErrorInfo | None = None,
    refund: int = 0,
) -> None:
    await conn.execute(
        QUERIES["settle_delivery"],
        claimed.due.workspace_id,
        claimed.due.id,
        state,
        due_at,
        info.code if info else None,
        refund,
        clock.now() if state in ("sent", "failed") else None,
    )


async def _tell(
    conn: TenantConn,
    heads: dict[int, int],
    claimed: Claimed,
    status: DeliveryStatus,
    info: ConnectorErrorInfo | None = None,
    *,
    external_id: str | None = None,
) -> None:
    row = await conn.fetchrow(QUERIES["get_message"], claimed.due.workspace_id, claimed.due.message_id)
    if row is None:
        return
    message = _message.decode(row["data"])
    is_new = bool(external_id) and message.external_id is None
    if is_new:
        message = msgspec.structs.replace(message, external_id=external_id)
        await write_message_status(conn, message)
    going_back = status is DeliveryStatus.QUEUED and message.status is DeliveryStatus.SENDING
    place = (claimed.inbox_id, claimed.contact_id)
    message = await _advance(conn, heads, message, *place, status, info, forced=going_back)
    if is_new:
        await _apply_pending(conn, heads, claimed, message)


async def _apply_pending(conn: TenantConn, heads: dict[int, int], claimed: Claimed, message: MessageRow) -> None:
    """Apply what came before we knew how the vendor calls the message, each once, in its order."""
    rows = await mail_store.pending_for(conn, message)
    for row in rows:
        early = ReceivedItem(
            workspace_id=row.workspace_id,
            channel_account_id=row.channel_account_id,
            channel=claimed.due.channel,
            item=decode_item(row),
        )
        if early.item.receipt is None:
            message = await changing.apply_early(conn, heads, message, early)
            continue
        if (suppress := suppress_bounced(early, message)) is not None:
            await write_consents(conn, [suppress])
        receipt, place = early.item.receipt, (claimed.inbox_id, claimed.contact_id)
        message = await _advance(conn, heads, message, *place, receipt.status, receipt.error, dedupe_key=row.dedupe_key)
    if rows:
        await mail_store.drop_pending(conn, message.workspace_id, [row.id for row in rows])


async def _advance(
    conn: TenantConn,
    heads: dict[int, int],
    message: MessageRow,
    inbox_id: UUID,
    contact_id: UUID,
    status: DeliveryStatus,
    info: ConnectorErrorInfo | None = None,
    *,
    forced: bool = False,
    dedupe_key: str | None = None,
) -> MessageRow:
    if message.status is None:
        return message
    new = status if forced else advance(message.status, status)
    if new is message.status:
        return message
    error = MessageError(info.code, info.message) if info and new is DeliveryStatus.FAILED else None
    changed = msgspec.structs.replace(
        message,
        status=new,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
        version=heads[message.workspace_id] + 1,
    )
    await write_message_status(conn, changed)
    body = MessageStatusChanged(conversation_id=message.conversation_id, message_id=message.id, status=new, error=error)
    event = NewEvent(
        workspace_id=message.workspace_id,
        type="message_status_changed",
        data=encoder.encode(body),
        occurred_at=clock.now(),
        inbox_id=inbox_id,
        conversation_id=message.conversation_id,
        contact_id=contact_id,
        dedupe_key=dedupe_key,
    )
    await events.append(conn, heads, [event])
    return changed
