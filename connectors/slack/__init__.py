"""Slack: signed events in, the SDK out, connected by signing in there. Found by the registry; see README.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from connectors.base import Account, Charge, Connector, OAuth
from connectors.manifest import read_manifest
from connectors.slack import (
    acts,
    client,
    files,
    history,
    oauth,
    parse,
    profiles,
    render,
    search,
    sharing,
    sockets,
    verify,
)
from hub.envelope import OutboundMessage

_MANIFEST = read_manifest(Path(__file__).parent)
_SOCKETS = sockets.EventSockets()


def _charges(account: Account, message: OutboundMessage) -> Sequence[Charge]:
    return render.charges(account, message, _MANIFEST.limits)


CONNECTOR = Connector(
    manifest=_MANIFEST,
    verify=verify.verify,
    split=parse.split,
    parse=parse.parse,
    render=render.render,
    charges=_charges,
    check=sockets.check,
    send=sharing.send,
    act=acts.act,
    test=client.test,
    reconcile=search.reconcile,
    classify=client.classify,
    poll=_SOCKETS.poll,
    polls=sockets.is_by_socket,
    shares=sockets.is_same_app,
    counts=_SOCKETS.counts,
    fetch=files.fetch,
    backfill=history.backfill,
    profile_of=profiles.profile_of,
    oauth=OAuth(authorize_url=oauth.authorize_url, exchange=oauth.exchange, renew=oauth.renew),
)
