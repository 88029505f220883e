"""A mailbox at Outlook.com or Microsoft 365 over Microsoft Graph. Found by the registry; see README.md."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

from connectors.base import Account, Charge, Connector, RawReader
from connectors.blocking import in_thread
from connectors.manifest import read_manifest
from connectors.mime.parse import read_part
from connectors.outlook import render
from connectors.outlook.acting import act, check, test
from connectors.outlook.errors import classify, failure
from connectors.outlook.history import backfill
from connectors.outlook.parse import parse, split
from connectors.outlook.reading import expand, poll
from connectors.outlook.send import reconcile, send
from connectors.outlook.signin import OAUTH
from connectors.outlook.verify import verify
from connectors.outlook.watch import maintain
from hub.envelope import AttachmentRef, OutboundMessage
from hub.errors import ErrorClass, NotFound

_MANIFEST = read_manifest(Path(__file__).parent)
PIECE_BYTES = 256 * 1024


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
        raise failure(ErrorClass.PERMANENT, "no_part", "The mail has no such file.") from None
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]


def _charges(account: Account, message: OutboundMessage) -> Sequence[Charge]:
    return render.charges(account, message, _MANIFEST.limits)


CONNECTOR = Connector(
    manifest=_MANIFEST,
    verify=verify,
    split=split,
    parse=parse,
    render=render.render,
    send=send,
    reconcile=reconcile,
    act=act,
    check=check,
    classify=classify,
    charges=_charges,
    poll=poll,
    expand=expand,
    maintain=maintain,
    backfill=backfill,
    fetch=fetch,
    keeps_raw=True,
    oauth=OAUTH,
    test=test,
)
