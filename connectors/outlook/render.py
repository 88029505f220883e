"""Looks a message over before it is sent, and says what it takes from the rate buckets. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors.base import Account, Call, Charge, Limit
from connectors.mime.writer import check_address
from connectors.outlook.errors import failure
from hub.envelope import OutboundMessage
from hub.errors import ConnectorError, ErrorClass

TEXT_LIMIT_CHARS: Final = 200_000
FILES_LIMIT_BYTES: Final = 25 * 1024 * 1024
# Microsoft's limit of a mail from Exchange Online. Source: message resource type, read 2026-11-23.
MOST_RECIPIENTS: Final = 500
SEND: Final = "mail.send"
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
    if not message.text.strip() and not message.attachments:
        raise failure(ErrorClass.CONTENT, "empty", "The message has no text.")
    if len(message.text) > TEXT_LIMIT_CHARS:
        words = f"The text has {len(message.text):,} characters; a mail holds {TEXT_LIMIT_CHARS:,}."
        raise failure(ErrorClass.CONTENT, "too_long", words)
    if sum(one.size_bytes for one in message.attachments) > FILES_LIMIT_BYTES:
        raise failure(ErrorClass.CONTENT, "too_large", "The files are larger than 25 MB together.")
    recipients = (message.to, *message.also_to, *message.cc, *message.bcc)
    if len(recipients) > MOST_RECIPIENTS:
        raise failure(ErrorClass.CONTENT, "recipients", f"A mail goes to {MOST_RECIPIENTS} people at most.")
    for one in recipients:
        try:
            check_address(one.value)
        except ConnectorError:
            words = "One of the recipients is not a mail address."
            raise failure(ErrorClass.RECIPIENT, "address", words) from None
    files = " ".join(one.id for one in message.attachments)
    return [Call(operation=SEND, fields={"subject": message.subject, "text": message.text, "files": files})]


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
