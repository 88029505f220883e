"""WhatsApp through Twilio: signed form webhooks in, the SDK out. Found by the registry; see README.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connectors.base import Account, Charge, Connector, WebhookReply
from connectors.manifest import read_manifest
from connectors.twilio import callbacks, files, history, verify
from connectors.twilio.asking import classify
from connectors.whatsapp_twilio import parse, render
from connectors.whatsapp_twilio.client import WhatsAppClient
from hub.envelope import OutboundMessage

_MANIFEST = read_manifest(Path(__file__).parent)
_CLIENT = WhatsAppClient()


def _charges(account: Account, message: OutboundMessage) -> Sequence[Charge]:
    return render.charges(account, message, _MANIFEST.limits)


CONNECTOR = Connector(
    manifest=_MANIFEST,
    verify=verify.verify,
    split=callbacks.split,
    # Empty TwiML: Twilio answers the writer nothing by itself.
    stored_reply=WebhookReply(content_type="text/xml", body=b"<Response/>"),
    parse=parse.parse,
    render=render.render,
    send=_CLIENT.send,
    reconcile=_CLIENT.reconcile,
    check=_CLIENT.check,
    list_templates=_CLIENT.list_templates,
    classify=classify,
    charges=_charges,
    fetch=files.fetch,
    backfill=history.make_backfill(parse.PREFIX),
)
