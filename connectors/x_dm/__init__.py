"""X's direct messages: signed calls in, the X API out. Found by the registry; see README.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connectors.base import Account, Charge, Connector
from connectors.manifest import read_manifest
from connectors.x_dm import client, parse, render, verify
from connectors.x_dm.api import classify
from connectors.x_dm.signin import OAUTH
from hub.envelope import OutboundMessage

_MANIFEST = read_manifest(Path(__file__).parent)


def _charges(account: Account, message: OutboundMessage) -> Sequence[Charge]:
    return render.charges(account, message, _MANIFEST.limits)


CONNECTOR = Connector(
    manifest=_MANIFEST,
    verify=verify.verify,
    split=parse.split,
    parse=parse.parse,
    render=render.render,
    charges=_charges,
    check=client.check,
    test=client.test,
    send=client.send,
    reconcile=client.reconcile,
    classify=classify,
    fetch=client.fetch,
    oauth=OAUTH,
)
