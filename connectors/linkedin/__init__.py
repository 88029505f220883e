"""Messages on LinkedIn, as far as a customer's product there allows. Found by the registry; see README.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connectors.base import Account, Charge, Connector
from connectors.linkedin import client, render
from connectors.linkedin.api import classify
from connectors.linkedin.parse import parse
from connectors.linkedin.reading import backfill, poll
from connectors.linkedin.signin import OAUTH
from connectors.manifest import read_manifest
from hub.envelope import OutboundMessage

_MANIFEST = read_manifest(Path(__file__).parent)


def _charges(account: Account, message: OutboundMessage) -> Sequence[Charge]:
    return render.charges(account, message, _MANIFEST.limits)


CONNECTOR = Connector(
    manifest=_MANIFEST,
    parse=parse,
    render=render.render,
    charges=_charges,
    check=client.check,
    test=client.test,
    send=client.send,
    reconcile=client.reconcile,
    classify=classify,
    poll=poll,
    backfill=backfill,
    oauth=OAUTH,
)
