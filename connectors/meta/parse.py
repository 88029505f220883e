"""Cuts Meta's calls about a page or an Instagram account into events and reads them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from connectors.base import ParseContext, RawItem, WebhookRequest
from connectors.meta.contents import read_content
from connectors.meta.product import Product
from connectors.meta.shapes import Call, Edit, Event, Message, Person, Reaction
from connectors.payloads import read
from hub.envelope import DeliveryStatus, Direction, Identity, InboundItem, ItemKind, Receipt, clean_text
from hub.errors import MalformedPayload, UnsupportedPayload

_ID_CHARS: Final = 250
_NAME_CHARS: Final = 200
_LATEST_MS: Final = 253_402_300_799_000


class _Head(msgspec.Struct, frozen=True):
    """Enough of an event to name it."""

    message: Message | None = None
    message_edit: Edit | None = None


class _Item(msgspec.Struct, frozen=True):
    """A raw item: an event with the id of the page or account it came for."""

    account: str
    event: msgspec.Raw


def split(request: WebhookRequest, product: Product) -> Sequence[RawItem]:
    """
    Cut a call into its events.

    Args:
        request: A verified call.
        product: Which of the two it should be about.

    Returns:
        An item for each, addressed by the id of our page or account; a message's key is Meta's id of it, other events
        have none and are known by the hash of what they say.

    Raises:
        MalformedPayload: Not a call of Meta's.
    """
    call = read(request.body, Call)
    found: dict[tuple[str, str], RawItem] = {}
    for entry in call.entry:
        account = clean_text(entry.id)[:_ID_CHARS]
        # What another app answers (standby) belongs into the same conversation.
        for raw in (*entry.messaging, *entry.standby):
            body = msgspec.json.encode(_Item(account, raw if call.object == product.object else msgspec.Raw(b"{}")))
            found.setdefault((account, key := _key(raw)), RawItem(key=key, body=body, account_ref=account))
    if found:
        return list(found.values())
    # Of a field we did not ask for: one item, which ``parse`` counts as unknown.
    body = msgspec.json.encode(_Item("", msgspec.Raw(b"{}")))
    return [RawItem(key=_hash(request.body), body=body)]


def past_item(event: Event, account: str) -> RawItem:
    """
    Make the item of a message from before the account was connected, as ``split`` would have made it of its call.

    Args:
        event: Written anew.
        account: Id of our page or account.
    """
    raw = msgspec.Raw(msgspec.json.encode(event))
    return RawItem(key=_key(raw), body=msgspec.json.encode(_Item(account, raw)), account_ref=account)


def parse(body: bytes, context: ParseContext, product: Product) -> Sequence[InboundItem]:
    """
    Read one event.

    Args:
        body: As ``split`` made it.
        context: When it came, and its key.
        product: Which of the two it is of.

    Returns:
        A message, a change of one, or what was delivered or read.

    Raises:
        MalformedPayload: Not what Meta sends.
        UnsupportedPayload: An event we do not handle; the channel's README lists them.
    """
    item = read(body, _Item)
    event = read(item.event, Event)
    if event.message is not None:
        return [_message(event, event.message, context, product)]
    if event.message_edit is not None:
        edit = event.message_edit
        base = _base(event, context, product, ItemKind.EDIT)
        replaced = msgspec.structs.replace(
            base, target_external_id=_id(edit.mid), text=clean_text(edit.text), revision=max(0, edit.num_edit)
        )
        return [replaced]
    if event.reaction is not None:
        return _reactions(event.reaction, _base(event, context, product, ItemKind.REACTION))
    if event.delivery is not None or event.read is not None:
        return _receipts(event, _base(event, context, product, ItemKind.RECEIPT))
    if event.postback is not None:
        base = _base(event, context, product, ItemKind.MESSAGE)
        text = clean_text(event.postback.title).strip()
        if not text:
            raise UnsupportedPayload("a button without words")
        return [msgspec.structs.replace(base, external_id=_id(event.postback.mid or context.key), text=text)]
    raise UnsupportedPayload("an event we do not know")


# ── cutting ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _key(raw: msgspec.Raw) -> str:
    try:
        head = read(raw, _Head)
    except MalformedPayload:
        return _hash(bytes(raw))
    if head.message_edit is not None:
        return clean_text(f"{head.message_edit.mid[:_ID_CHARS]}:edit:{head.message_edit.num_edit}")[:_ID_CHARS]
    if head.message is None or not 0 < len(head.message.mid) <= _ID_CHARS:
        return _hash(bytes(raw))
    return clean_text(f"{head.message.mid}:deleted" if head.message.is_deleted else head.message.mid)


def _hash(part: bytes) -> str:
    return f"sha256:{hashlib.sha256(part).hexdigest()}"


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _message(event: Event, message: Message, context: ParseContext, product: Product) -> InboundItem:
    base = _base(event, context, product, ItemKind.MESSAGE)
    replace = msgspec.structs.replace
    if message.is_deleted:
        return replace(base, kind=ItemKind.DELETE, direction=Direction.INBOUND, target_external_id=_id(message.mid))
    content = read_content(message, product)
    reply_to = message.reply_to.mid if message.reply_to is not None else None
    return replace(
        base,
        external_id=_id(message.mid),
        text=content.text,
        quoted=content.quoted,
        attachments=content.attachments,
        unreadable=content.unreadable,
        reply_to_external_id=_id(reply_to) if reply_to else None,
        correlation_id=_our_id(message.metadata or ""),
    )


def _reactions(reaction: Reaction, base: InboundItem) -> list[InboundItem]:
    """A person has one reaction to a message: a new one takes the place of the old."""
    if reaction.action not in ("react", "unreact"):
        raise UnsupportedPayload("a reaction we do not know")
    emoji = clean_text(reaction.emoji or "").strip()[:50] if reaction.action == "react" else ""
    if reaction.action == "react" and not emoji:
        emoji = "❤️" if reaction.reaction == "love" else "👍"
    replace = msgspec.structs.replace
    now = replace(base, target_external_id=_id(reaction.mid), reaction=emoji, removed=not emoji)
    if not emoji:
        return [now]
    # A moment earlier: told twice, the end of the old one must not end the new one.
    earlier = base.occurred_at - timedelta(microseconds=1)
    return [replace(now, key=f"{base.key}:before", occurred_at=earlier, reaction="", removed=True), now]


def _receipts(event: Event, base: InboundItem) -> list[InboundItem]:
    replace = msgspec.structs.replace
    if event.delivery is not None:
        receipt = Receipt(DeliveryStatus.DELIVERED)
        up_to = replace(base, receipt=receipt, watermark=_moment(event.delivery.watermark))
        named = [
            replace(base, key=f"{base.key}:{place}", receipt=receipt, target_external_id=_id(mid))
            for place, mid in enumerate(event.delivery.mids[:100])
        ]
        return [*named, up_to]
    receipt = Receipt(DeliveryStatus.READ)
    if event.read is not None and event.read.mid:
        return [replace(base, receipt=receipt, target_external_id=_id(event.read.mid))]
    if event.read is not None and event.read.watermark is not None:
        return [replace(base, receipt=receipt, watermark=_moment(event.read.watermark))]
    raise UnsupportedPayload("something was read that is not named")


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _base(event: Event, context: ParseContext, product: Product, kind: ItemKind) -> InboundItem:
    is_echo = event.message is not None and event.message.is_echo
    ours, theirs = (event.sender, event.recipient) if is_echo else (event.recipient, event.sender)
    name = clean_text((theirs.name if theirs else None) or "").strip()[:_NAME_CHARS]
    who = Identity(product.scheme, _person(theirs), scope=_person(ours), display_name=name or None)
    return InboundItem(
        kind=kind,
        key=context.key,
        occurred_at=_moment(event.timestamp) if event.timestamp else context.received_at,
        thread_key=who.value,
        direction=Direction.OUTBOUND if is_echo else Direction.INBOUND,
        sender=who,
    )


def _person(person: Person | None) -> str:
    if person is None or not (person.id.isascii() and person.id.isalnum()) or len(person.id) > 64:
        raise MalformedPayload("nobody it is from or to", field="sender")
    return person.id


def _id(value: str) -> str:
    found = clean_text(value)
    if not 0 < len(found) <= _ID_CHARS:
        raise MalformedPayload("no usable id of a message", field="mid")
    return found


def _moment(milliseconds: int) -> datetime:
    if not 0 < milliseconds <= _LATEST_MS:
        raise MalformedPayload("a time that is none", field="timestamp")
    return datetime.fromtimestamp(milliseconds // 1000, UTC) + timedelta(milliseconds=milliseconds % 1000)


def _our_id(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None
