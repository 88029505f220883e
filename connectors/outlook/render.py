"""Looks a message over before it is sent, and says what it takes from the rate buckets. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors.base import Account, Call, Charge, Limit
from connectors.outgoing_mail import check_mail
from hub.envelope import OutboundMessage

# Microsoft's limit of a mail from Exchange Online. Source: message resource type, read 2026-11-23.
MOST_RECIPIENTS: Final = 500
# Draft, send, and looking both up at times.
_REQUESTS: Final = 5


def render(message: OutboundMessage, account: Account) -> list[Call]:  # noqa: ARG001  every mailbox sends alike
    """
    Make the one call of a mail.

    Args:
        message: To one address or several, with files or without.
        account: Whose mailbox sends.

    Returns:
        One call; the draft itself is written when it is sent, because its files are read then.

    Raises:
        ConnectorError: ``CONTENT`` for an empty or too long one, ``RECIPIENT`` for what is not an address.
    """
    return [check_mail(message, MOST_RECIPIENTS)]


def charges(account: Account, message: OutboundMessage, limits: Mapping[str, tuple[Limit, ...]]) -> tuple[Charge, ...]:
    """
    Say what a mail takes of the mailbox's requests, places, uploads and recipients.

    Args:
        account: Accounts of one mailbox share its buckets.
        message: What is sent.
        limits: The manifest's.
    """
    mailbox = account.settings.get("address") or account.id
    requests = _REQUESTS + len(message.attachments)
    kilobytes = sum(one.size_bytes for one in message.attachments) / 1024 + len(message.text) / 512 + 1
    people = 1 + len(message.also_to) + len(message.cc) + len(message.bcc)
    costs = {"mailbox": requests, "at_once": 1, "upload": kilobytes, "recipients": people}
    return tuple(
        # One that costs more than the bucket holds would wait for ever.
        Charge(key=f"graph:{mailbox}:{name}", limits=limits[name], cost=float(min(cost, limits[name][0].burst)))
        for name, cost in costs.items()
    )
