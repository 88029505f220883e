"""WhatsApp through Meta's Cloud API: signed calls in, the Graph API out. Found by the registry; see README.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connectors.base import Account, Charge, Connector
from connectors.manifest import read_manifest
from connectors.meta import verify
from connectors.whatsapp_cloud import client, parse, render
from connectors.whatsapp_cloud.graph import classify
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
    act=client.act,
    classify=classify,
    fetch=client.fetch,
    list_templates=client.list_templates,
)
