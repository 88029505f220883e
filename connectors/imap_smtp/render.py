"""Looks a message over before it is sent, and says what it takes from the rate buckets. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from connectors.base import Account, Call, Charge, Limit
from connectors.imap_smtp.errors import error
from connectors.imap_smtp.mailbox import read_mailbox
from hub.envelope import OutboundMessage
from hub.errors import ErrorClass

TEXT_LIMIT_CHARS = 200_000
# What the large providers take is 25 MB with the third that base64 adds; a server's own SIZE is asked when sending.
FILES_LIMIT_BYTES = 25 * 1024 * 1024
MOST_RECIPIENTS = 100
SEND = "mail.send"

# Only what SMTP could misread; whether the address exists, the server says.
_ADDRESS = re.compile(r"[^\s<>,;\"\x00-\x1f\x7f]{1,64}@[^\s<>,;\"\x00-\x1f\x7f@]{1,255}")


def render(message: OutboundMessage, account: Account) -> list[Call]:  # noqa: ARG001  every mailbox sends alike
    """
    Make the one call of a mail.

    Args:
        message: To one address, with copies, files or both.
        account: Whose mailbox sends.

    Returns:
        One call; the mail itself is written when it is sent, because its files are read then.

    Raises:
        ConnectorError: ``CONTENT`` for an empty or too long one, ``RECIPIENT`` for what is not an address.
    """
    if not message.text.strip() and not message.attachments:
        raise error(ErrorClass.CONTENT, "empty", "The message has no text.")
    if len(message.text) > TEXT_LIMIT_CHARS:
        words = f"The text has {len(message.text):,} characters; a mail holds {TEXT_LIMIT_CHARS:,}."
        raise error(ErrorClass.CONTENT, "too_long", words)
    if sum(one.size_bytes for one in message.attachments) > FILES_LIMIT_BYTES:
        raise error(ErrorClass.CONTENT, "too_large", "The files are larger than 25 MB together.")
    recipients = (message.to, *message.cc, *message.bcc)
    if any(not _ADDRESS.fullmatch(one.value) for one in recipients):
        raise error(ErrorClass.RECIPIENT, "address", "One of the recipients is not a mail address.")
    if len(recipients) > MOST_RECIPIENTS:
        raise error(ErrorClass.CONTENT, "recipients", f"A mail goes to {MOST_RECIPIENTS} people at most.")
    files = " ".join(one.id for one in message.attachments)
    return [Call(operation=SEND, fields={"subject": message.subject, "text": message.text, "files": files})]


def charges(account: Account, message: OutboundMessage, limits: Mapping[str, tuple[Limit, ...]]) -> tuple[Charge, ...]:
    """
    Say what a mail takes: its recipients, from the bucket of the sign-in it is sent with.

    Args:
        account: Accounts that send through one sign-in share a bucket.
        message: What is sent.
        limits: The manifest's.
    """
    server = read_mailbox(account).smtp
    cost = 1 + len(message.cc) + len(message.bcc)
    # One that costs more than the bucket holds would wait for ever.
    most = min(limit.burst for limit in limits["smtp"])
    key = f"smtp:{server.host.lower()}:{server.username.lower()}"
    return (Charge(key=key, limits=limits["smtp"], cost=float(min(cost, most))),)
