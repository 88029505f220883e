"""Telephone calls through Twilio: calls and their states in, TwiML out. Found by the registry; see README.md."""

from __future__ import annotations

from pathlib import Path

from connectors.base import Connector, WebhookReply
from connectors.manifest import read_manifest
from connectors.twilio.asking import classify
from connectors.twilio.verify import verify
from connectors.voice.client import VoiceClient, fetch, render
from connectors.voice.outgoing import render_call
from connectors.voice.parse import parse
from connectors.voice.reply import CONTENT_TYPE, asks_staff, reply
from connectors.voice.softphone import connect_softphone, pass_softphone
from connectors.voice.steps import split

_MANIFEST = read_manifest(Path(__file__).parent)


def make_connector(client: VoiceClient) -> Connector:
    """
    Assemble the connector around a client.

    Args:
        client: Its timeout is what a test may want shorter.

    Returns:
        All functions of the channel.
    """
    return Connector(
        manifest=_MANIFEST,
        verify=verify,
        split=split,
        reply=reply,
        asks_staff=asks_staff,
        stored_reply=WebhookReply(content_type=CONTENT_TYPE, body=b"<Response/>"),
        parse=parse,
        render=render,
        send=client.send,
        check=client.check,
        classify=classify,
        fetch=fetch,
        pass_softphone=pass_softphone,
        connect_softphone=connect_softphone,
        render_call=render_call,
        call=client.call,
    )


CONNECTOR = make_connector(VoiceClient())
