"""Any mailbox: IMAP in, SMTP out. Found by the registry; see README.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imapclient.exceptions import IMAPClientError

from connectors.base import Account, Charge, Connector
from connectors.imap_smtp import render
from connectors.imap_smtp.check import check
from connectors.imap_smtp.parse import parse
from connectors.imap_smtp.poll import Poller
from connectors.imap_smtp.send import Sender
from connectors.mail_parts import fetch_part
from connectors.manifest import read_manifest
from hub.envelope import OutboundMessage
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

_MANIFEST = read_manifest(Path(__file__).parent)


def classify(problem: BaseException) -> ConnectorErrorInfo:
    """Say what an error that came through means; one nobody foresaw may have been sent."""
    if isinstance(problem, ConnectorError):
        return problem.info
    if isinstance(problem, IMAPClientError):
        # Only reading raises it: what is sent goes over SMTP.
        return ConnectorErrorInfo(ErrorClass.RETRYABLE, "imap", "The connection to the mail server broke.")
    return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "unexpected", "The mail could not be handled as expected.")


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
        fetch=fetch_part,
        keeps_raw=True,
        counts=lambda: {"copies_lost": sender.copies_lost},
    )


CONNECTOR = make_connector(Poller(), Sender())
