"""Reads a fetched mail into items of the envelope, knowing which folder it was in. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.base import ParseContext
from connectors.imap_smtp.mailbox import own_addresses
from connectors.mime.model import MailContext
from connectors.mime.parse import parse_mail
from hub.envelope import InboundItem


def parse(body: bytes, context: ParseContext) -> Sequence[InboundItem]:
    """
    Read one mail.

    Args:
        body: As fetched, RFC 5322.
        context: Its key begins with ``sent:`` where the mail was in the folder for sent mail: only there does the From
            line prove that it is ours.

    Returns:
        A message, or what a bounce or a complaint says of earlier ones.

    Raises:
        MalformedPayload: This is no mail.
        UnsupportedPayload: It is too large, or a report that asks for nothing.
    """
    return parse_mail(
        body,
        MailContext(
            addresses=own_addresses(context.settings),
            signing_key=context.signing_key,
            workspace_id=context.workspace_id,
            account_id=context.account_id,
            received_at=context.received_at,
            key=context.key,
            trust_own_from=context.key.startswith("sent:"),
        ),
    )
