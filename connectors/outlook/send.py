"""Sends a mail as a draft that is then sent, so that its id is known before; and asks about one nobody confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from connectors.base import Account, Call
from connectors.outlook import draft as drafts
from connectors.outlook.draft import Draft
from connectors.outlook.errors import NOT_FOUND, harmless, is_code
from connectors.outlook.graph import Graph, message_path
from hub import clock
from hub.envelope import DeliveryStatus, OutboundMessage, SendResult
from hub.errors import ConnectorError

# With the send itself below the queue's own limit (40 s), so that what is known here is not lost there.
PREPARE_S: Final = 28.0
# A draft still there after that was not sent, and will not be.
_SETTLED_AFTER: Final = timedelta(minutes=2)


async def send(account: Account, message: OutboundMessage, calls: Sequence[Call]) -> SendResult:  # noqa: ARG001
    """
    Send one mail.

    Args:
        account: Whose mailbox sends.
        message: What; its id stands in the mail as a property of our own, by which a second try finds it.
        calls: One, without content of its own.

    Returns:
        Its Message-ID.

    Raises:
        ConnectorError: ``AMBIGUOUS`` when Graph went silent after it was told to send; anything else was not sent.
    """
    graph = Graph(account)
    with harmless():
        async with asyncio.timeout(PREPARE_S):
            if message.attempt > 1 and (earlier := await drafts.find(graph, message.message_id)) is not None:
                if not earlier.is_draft:
                    return _sent(earlier)
                await _drop(graph, earlier)
            draft = await drafts.make(graph, account, message)
            await drafts.attach(graph, account, draft, message.attachments)
    await graph.do(f"{message_path(draft.id)}/send")
    return _sent(draft)


async def reconcile(account: Account, message: OutboundMessage) -> SendResult | None:
    """
    Look for a mail nobody confirmed, by our own mark.

    Args:
        account: Whose mailbox.
        message: What was to be sent, and when.

    Returns:
        ``SENT`` where it is no draft any more; ``FAILED`` where the draft is still there minutes later: then it is
        removed, so that it stays so. None where Graph does not know it (yet).

    Raises:
        ConnectorError: The mailbox cannot be asked.
    """
    graph = Graph(account)
    with harmless():
        found = await drafts.find(graph, message.message_id)
        if found is None:
            return None
        if not found.is_draft:
            return _sent(found)
        if message.attempted_at is None or clock.now() - message.attempted_at < _SETTLED_AFTER:
            return None
        await _drop(graph, found)
    return SendResult((), DeliveryStatus.FAILED)


def _sent(mail: Draft) -> SendResult:
    return SendResult((mail.external_id or mail.id,))


async def _drop(graph: Graph, draft: Draft) -> None:
    try:
        await graph.delete(message_path(draft.id))
    except ConnectorError as error:
        if not is_code(error, NOT_FOUND):
            raise
