"""Microsoft Teams through a bot: activities in, the Bot Connector out. Found by the registry; see README.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connectors.base import Account, Charge, Connector, WebhookReply
from connectors.manifest import read_manifest
from connectors.teams import client, parse, render, verify
from hub.envelope import OutboundMessage

_MANIFEST = read_manifest(Path(__file__).parent)


def _charges(account: Account, message: OutboundMessage) -> Sequence[Charge]:
    return render.charges(account, message, _MANIFEST.limits)


CONNECTOR = Connector(
    manifest=_MANIFEST,
    verify=verify.verify,
    key_sets=verify.key_sets,
    split=parse.split,
    stored_reply=WebhookReply(content_type="application/json", body=b"{}"),
    parse=parse.parse,
    render=render.render,
    charges=_charges,
    check=client.check,
    test=client.test,
    send=client.send,
    act=client.act,
    classify=client.classify,
    fetch=client.fetch,
)
