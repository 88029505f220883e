"""Any mailbox: IMAP in, SMTP out. Found by the registry; see README.md."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

from imapclient.exceptions import IMAPClientError

from connectors.base import Account, Charge, Connector, RawReader
from connectors.blocking import in_thread
from connectors.imap_smtp import render
from connectors.imap_smtp.check import check
from connectors.imap_smtp.errors import error
from connectors.imap_smtp.parse import parse
from connectors.imap_smtp.poll import Poller
from connectors.imap_smtp.send import Sender
from connectors.manifest import read_manifest
from connectors.mime.parse import read_part
from hub.envelope import AttachmentRef, OutboundMessage
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, NotFound

_MANIFEST = read_manifest(Path(__file__).parent)
PIECE_BYTES = 256 * 1024


def classify(problem: BaseException) -> ConnectorErrorInfo:
    """Say what an error that came through means; one nobody foresaw may have been sent."""
    if isinstance(problem, ConnectorError):
        return problem.info
    if isinstance(problem, IMAPClientError):
        # Only reading raises it: what is sent goes over SMTP.
        return ConnectorErrorInfo(ErrorClass.RETRYABLE, "imap", "The connection to the mail server broke.")
    return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "unexpected", "The mail could not be handled as expected.")


async def fetch(account: Account, attachment: AttachmentRef, read_raw: RawReader) -> AsyncIterator[bytes]:  # noqa: ARG001
    """
    Give the bytes of an attachment: a part of the mail it came in.

    Args:
        account: Not asked: the mail was fetched whole.
        attachment: As ``parse`` named it.
        read_raw: Gives the mail.

    Raises:
        ConnectorError: The mail has no such part.
    """
    raw = await read_raw()
    try:
        content = await in_thread(partial(read_part, raw, attachment.ref))
    except NotFound:
        raise error(ErrorClass.PERMANENT, "no_part", "The mail has no such file.") from None
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]


def _charges(account: Account, message: OutboundMessage) -> Sequence[Charge]:
    return render.charges(account, message, _MANIFEST.limits)


def make_connector(poller: Poller, sender: Sender) -> Connector:
    """
    Assemble the connector.

    Args:
        poller: Its waits are what a test may want shorter.
        sender: Likewise.
    """
    return Connector(
        manifest=_MANIFEST,
        parse=parse,
        render=render.render,
        send=sender.send,
        reconcile=sender.reconcile,
        check=check,
        classify=classify,
        charges=_charges,
        poll=poller.poll,
        fetch=fetch,
        keeps_raw=True,
        counts=lambda: {"copies_lost": sender.copies_lost},
    )


CONNECTOR = make_connector(Poller(), Sender())
