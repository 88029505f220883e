"""Any program of a member's own: signed calls in, signed calls out. Found by the registry; see README.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connectors.api import client, parse, render, verify
from connectors.base import Account, Charge, Connector
from connectors.manifest import read_manifest
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
    send=client.send,
    act=client.act,
    test=client.test,
    reconcile=client.reconcile,
    classify=client.classify,
    fetch=client.fetch,
)
