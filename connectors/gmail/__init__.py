"""A mailbox at Gmail or Google Workspace over the Gmail API. Found by the registry; see README.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connectors.base import Account, Charge, Connector
from connectors.gmail import render
from connectors.gmail.acting import act, check, test
from connectors.gmail.errors import classify
from connectors.gmail.history import backfill
from connectors.gmail.parse import parse, split
from connectors.gmail.reading import expand, poll
from connectors.gmail.send import reconcile, send
from connectors.gmail.signin import OAUTH
from connectors.gmail.verify import key_sets, verify
from connectors.gmail.watch import maintain
from connectors.mail_parts import fetch_part
from connectors.manifest import read_manifest
from hub.envelope import OutboundMessage

_MANIFEST = read_manifest(Path(__file__).parent)


def _charges(account: Account, message: OutboundMessage) -> Sequence[Charge]:
    return render.charges(account, message, _MANIFEST.limits)


CONNECTOR = Connector(
    manifest=_MANIFEST,
    verify=verify,
    key_sets=key_sets,
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
