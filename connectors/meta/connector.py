"""Puts the parts of a Meta messaging channel together. Called by the packages of Messenger and Instagram."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.base import Connector
from connectors.meta import client, history, parse, profiles, render, verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from connectors.base import Account, Call, Charge, Manifest, ParseContext, RawItem, RawReader, WebhookRequest
    from connectors.meta.product import Product
    from hub.envelope import AttachmentRef, InboundItem, OutboundMessage


def make_connector(manifest: Manifest, product: Product) -> Connector:
    """
    Make the connector of one of the two products.

    Args:
        manifest: Of its folder.
        product: What differs.
    """

    def split(request: WebhookRequest) -> Sequence[RawItem]:
        return parse.split(request, product)

    def parse_item(body: bytes, context: ParseContext) -> Sequence[InboundItem]:
        return parse.parse(body, context, product)

    def render_message(message: OutboundMessage, account: Account) -> Sequence[Call]:
        return render.render(message, account, product, manifest.capabilities.text_limit)

    def charges(account: Account, message: OutboundMessage) -> Sequence[Charge]:
        return render.charges(account, message, product, manifest.limits)

    def fetch(account: Account, attachment: AttachmentRef, _read_raw: RawReader) -> AsyncIterator[bytes]:
        return client.fetch(account, attachment)

    return Connector(
        manifest=manifest,
        verify=verify.verify,
        split=split,
        parse=parse_item,
        render=render_message,
        charges=charges,
        check=lambda account: client.check(account, product),
        test=lambda account: client.test(account, product),
        send=lambda account, message, calls: client.send(account, product, message, calls),
        act=lambda account, wanted: client.act(account, product, wanted),
        classify=lambda error: client.classify(error, product),
        fetch=fetch,
        backfill=lambda account, cursor: history.backfill(account, cursor, product, manifest.limits),
        profile_of=lambda account, identity: profiles.profile_of(account, product, identity),
    )
