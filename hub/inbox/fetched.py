"""What became of a message's file: its row, the message that shows it, and the event that tells members."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub import clock
from hub.attachments import actions as attachments
from hub.events import store as events
from hub.events.model import NewEvent
from hub.inbox import store
from hub.inbox.files import with_changed
from hub.inbox.model import MessageAttachmentsChanged
from hub.inbox.plan import encoder

if TYPE_CHECKING:
    from hub.attachments.model import AttachmentRow
    from hub.attachments.store import Settled
    from hub.db import TenantConn


async def settle_fetched(conn: TenantConn, row: AttachmentRow, what: Settled) -> AttachmentRow | None:
    """
    Say what became of a pending file of a message: it is there, or it failed.

    Args:
        conn: A transaction of its workspace.
        row: Claimed.
        what: What the check found, or why there was nothing to check.

    Returns:
        The row afterwards; None where the message, or the file, is gone or was settled meanwhile.
    """
    heads = await events.lock(conn, [row.workspace_id])
    settled = await attachments.settle(conn, row, what)
    if settled is None or settled.message_id is None:
        return None
    message = await store.get_message(conn, row.workspace_id, settled.message_id)
    conversation = await store.get_conversation(conn, row.workspace_id, message.conversation_id)
    changed = msgspec.structs.replace(
        message, attachments=with_changed(message.attachments, settled), version=heads[row.workspace_id] + 1
    )
    await store.write_message_attachments(conn, changed)
    body = MessageAttachmentsChanged(
        conversation_id=conversation.id, message_id=message.id, attachments=changed.attachments
    )
    event = NewEvent(
        workspace_id=row.workspace_id,
        type="message_attachments_changed",
        data=encoder.encode(body),
        occurred_at=clock.now(),
        inbox_id=conversation.inbox_id,
        conversation_id=conversation.id,
        contact_id=conversation.contact_id,
    )
    await events.append(conn, heads, [event])
    return settled
