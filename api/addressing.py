"""What a member may choose about a message on a channel: its subject and its people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.errors import InvalidInput
from hub.inbox import recipients

if TYPE_CHECKING:
    from connectors.base import Capabilities
    from hub.db import TenantConn
    from hub.envelope import Addressing
    from hub.inbox.model import MessageHeaders
    from hub.inbox.rows import ConversationRow


async def choose_headers(
    conn: TenantConn, row: ConversationRow, capabilities: Capabilities, chosen: Addressing
) -> MessageHeaders | None:
    """
    Complete the subject and people a member chose.

    Returns:
        None on channels without them.

    Raises:
        InvalidInput: The channel has no subject or no copies and one was given, or what was given cannot be sent.
    """
    if chosen.subject and not capabilities.subject:
        raise InvalidInput("subject", "This channel has no subject line.")
    given = next((name for name in ("to", "cc", "bcc") if getattr(chosen, name)), None)
    if given and not capabilities.copies:
        raise InvalidInput(given, "This channel reaches only the contact.")
    if not capabilities.subject and not capabilities.copies:
        return None
    return await recipients.choose_headers(conn, row, chosen)
