"""Makes a message of ours a mail to its recipients: subject, thread, quoted text, and who must not get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub.envelope import Identity, OutboundMessage
from hub.inbox import mail_store

if TYPE_CHECKING:
    from hub.db import TenantConn
    from hub.envelope import Party
    from hub.inbox.model import MessageHeaders
    from hub.inbox.rows import ConversationRow, MessageRow


async def address(
    conn: TenantConn, outbound: OutboundMessage, row: ConversationRow, message: MessageRow, headers: MessageHeaders
) -> tuple[OutboundMessage, str | None]:
    """
    Address a message as its author said.

    Args:
        conn: A transaction of the workspace.
        outbound: The message as any channel gets it.
        row: Its conversation.
        message: Its row.
        headers: Its subject and people.

    Returns:
        The mail, without those recipients who must not be written to; and, where that is the first of ``to``, the
        reason not to send it at all.

    Source:
        RFC 5322 section 3.6.4: References are the parent's references and the parent.
    """
    everybody = (*headers.to, *headers.cc, *headers.bcc)
    answered = await mail_store.read_answered(
        conn, row, message, [outbound.to.value, *(one.address for one in everybody)]
    )
    to, cc, bcc = (
        tuple(_identity(row, one) for one in parties if one.address not in answered.suppressed)
        for parties in (headers.to, headers.cc, headers.bcc)
    )
    first = headers.to[0] if headers.to else None
    mail = msgspec.structs.replace(
        outbound,
        to=_identity(row, first) if first else outbound.to,
        also_to=to[1:],
        cc=cc,
        bcc=bcc,
        subject=headers.subject,
        reply_to_external_id=answered.external_id,
        references=answered.references,
        quoted=answered.text,
    )
    return mail, answered.suppressed.get(first.address if first else outbound.to.value)


def _identity(row: ConversationRow, party: Party) -> Identity:
    return Identity(
        scheme=row.identity_scheme, value=party.address, scope=row.identity_scope, display_name=party.name or None
    )
