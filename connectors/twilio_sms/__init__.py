"""SMS and MMS through Twilio: signed form webhooks in, the SDK out. Found by the registry; see README.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connectors.base import Account, Charge, Connector, WebhookReply
from connectors.manifest import read_manifest
from connectors.twilio import callbacks, files, history, verify
from connectors.twilio.asking import classify
from connectors.twilio_sms import parse, render
from connectors.twilio_sms.client import TwilioClient
from hub.envelope import OutboundMessage

_MANIFEST = read_manifest(Path(__file__).parent)


def _charges(account: Account, message: OutboundMessage) -> Sequence[Charge]:
    return render.charges(account, message, _MANIFEST.limits)


def make_connector(client: TwilioClient) -> Connector:
    """
    Assemble the connector around a client.

    Args:
        client: Its timeouts are what a test may want shorter.

    Returns:
        All functions of the channel.
    """
    return Connector(
        manifest=_MANIFEST,
        verify=verify.verify,
        split=callbacks.split,
        # Empty TwiML: Twilio answers the texter nothing by itself.
        stored_reply=WebhookReply(content_type="text/xml", body=b"<Response/>"),
        parse=parse.parse,
        render=render.render,
        send=client.send,
        reconcile=client.reconcile,
        check=client.check,
        classify=classify,
        charges=_charges,
        fetch=files.fetch,
        backfill=history.make_backfill(),
    )


CONNECTOR = make_connector(TwilioClient())
