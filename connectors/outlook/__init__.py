"""A mailbox at Outlook.com or Microsoft 365 over Microsoft Graph. Found by the registry; see README.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connectors.base import Account, Charge, Connector
from connectors.mail_parts import fetch_part
from connectors.manifest import read_manifest
from connectors.outlook import render
from connectors.outlook.acting import act, check, test
from connectors.outlook.errors import classify
from connectors.outlook.history import backfill
from connectors.outlook.parse import parse, split
from connectors.outlook.reading import expand, poll
from connectors.outlook.send import reconcile, send
from connectors.outlook.signin import OAUTH
from connectors.outlook.verify import verify
from connectors.outlook.watch import maintain
from hub.envelope import OutboundMessage

_MANIFEST = read_manifest(Path(__file__).parent)


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
    fetch=fetch_part,
    keeps_raw=True,
    oauth=OAUTH,
    test=test,
)
