"""Steps of an outgoing mail, as the API and dispatch take them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from hub import clock
from hub.envelope import Party, SendResult
from hub.inbox import deliveries, recipients, replies
from hub.inbox.model import MessageHeaders, MessageKind

if TYPE_CHECKING:
    from hub.db import Database
    from hub.inbox.deliveries import Claimed
    from tests.factories import WorkspaceFacts


async def queue_mail(
    database: Database, workspace: WorkspaceFacts, conversation_id: UUID, *, subject: str = "Re: Broken lamp", **people
) -> replies.Sent:
    """Queue a mail to addresses given as ``to``, ``cc`` and ``bcc``."""
    named = {name: tuple(Party(name="", address=one) for one in given) for name, given in people.items()}
    headers = recipients.check_headers(MessageHeaders(subject=subject, **named))
    draft = replies.Draft(
        client_message_id=clock.new_id(), kind=MessageKind.MESSAGE, text="On its way.", headers=headers
    )
    async with database.transaction([workspace.id]) as conn:
        return await replies.queue_message(conn, workspace.id, conversation_id, workspace.author(), draft)


async def claim(database: Database, workspace: WorkspaceFacts) -> Claimed | None:
    """Claim the delivery that is due."""
    async with database.across() as conn:
        (due,) = await deliveries.due(conn, clock.now(), 1)
    async with database.transaction([workspace.id]) as conn:
        return await deliveries.claim(conn, due, 30)


async def queue_and_claim(database, workspace, conversation_id, **people) -> tuple[replies.Sent, Claimed]:
    """Queue a mail and claim its delivery."""
    sent = await queue_mail(database, workspace, conversation_id, **people)
    claimed = await claim(database, workspace)
    assert claimed is not None
    return sent, claimed


async def mark_sent(database: Database, workspace: WorkspaceFacts, claimed: Claimed, external_id: str) -> None:
    """Record that the server took it."""
    async with database.transaction([workspace.id]) as conn:
        await deliveries.mark_sent(conn, claimed, SendResult((external_id,)))
