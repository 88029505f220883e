"""Cuts Meta's calls into items and reads them. Pure: the bytes in, our structs out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from connectors.base import ParseContext, RawItem, WebhookRequest
from connectors.payloads import read
from connectors.whatsapp_cloud.errors import describe_code
from connectors.whatsapp_cloud.kinds import read_content
from connectors.whatsapp_cloud.shapes import Call, Contact, Message, Status, System, Value
from hub.envelope import DeliveryStatus, Direction, Identity, InboundItem, ItemKind, Receipt, clean_text
from hub.errors import MalformedPayload, UnsupportedPayload

OBJECT: Final = "whatsapp_business_account"
_KEY_CHARS: Final = 300
_NUMBER: Final = re.compile(r"[0-9]{5,17}")
_USER_ID: Final = re.compile(r"[A-Za-z0-9._:-]{3,150}")
_SECONDS: Final = re.compile(r"[1-9][0-9]{0,10}")
# "played" is said of voice messages.
_RECEIPTS: Final = {
    "sent": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.READ,
    "played": DeliveryStatus.READ,
    "failed": DeliveryStatus.FAILED,
}


class _Head(msgspec.Struct, frozen=True):
    id: str = ""
    status: str = ""


class _Item(msgspec.Struct, frozen=True):
    """A raw item: one message, status or echo with the contacts that came beside it; or a change of another kind."""

    field: str
    contacts: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    message: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    echo: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    status: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def split(request: WebhookRequest) -> Sequence[RawItem]:
    """
    Cut a call into its messages, statuses and echoes.

    Args:
        request: A verified call.

    Returns:
        An item for each, addressed by the id of our number; its key is WhatsApp's id of the message, with the state
        for a status. Other changes are an item each, its key the hash of what it says.

    Raises:
        MalformedPayload: Not a call about WhatsApp accounts.
    """
    call = read(request.body, Call)
    if call.object != OBJECT:
        return [RawItem(key=_hash(request.body), body=_encode(_Item(field="")))]
    # A dict: what a call holds twice is one item.
    found: dict[tuple[str, str], RawItem] = {}
    for change in (one for entry in call.entry for one in entry.changes):
        for raw in _of_change(change.field, change.value):
            found[raw.account_ref, raw.key] = raw
    return list(found.values())


def parse(body: bytes, context: ParseContext) -> Sequence[InboundItem]:
    """
    Read one item.

    Args:
        body: As ``split`` made it.
        context: When it came, and its key.

    Returns:
        A message, a change of one, or a receipt.

    Raises:
        MalformedPayload: Not what WhatsApp sends.
        UnsupportedPayload: A kind we do not handle; README.md lists them.
    """
    item = read(body, _Item)
    contacts = () if isinstance(item.contacts, msgspec.UnsetType) else read(item.contacts, tuple[Contact, ...])
    if not isinstance(item.status, msgspec.UnsetType):
        return [_receipt(read(item.status, Status), contacts, context)]
    if not isinstance(item.message, msgspec.UnsetType):
        message = read(item.message, Message)
        who = _customer(message.from_user_id, message.sender, contacts)
        return _read_message(message, who, Direction.INBOUND, context)
    if not isinstance(item.echo, msgspec.UnsetType):
        message = read(item.echo, Message)
        who = _customer(message.to_user_id, message.to, contacts)
        return _read_message(message, who, Direction.OUTBOUND, context)
    raise UnsupportedPayload("a change that is no message")


# ── cutting ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_change(field: str, raw: msgspec.Raw) -> Sequence[RawItem]:
    value = read(raw, Value)
    ref = clean_text(value.metadata.phone_number_id)
    made: list[RawItem] = []
    if field == "messages":
        made += [_raw(one, _Item(field=field, contacts=value.contacts, message=one), ref) for one in value.messages]
        made += [_raw(one, _Item(field=field, contacts=value.contacts, status=one), ref) for one in value.statuses]
    elif field == "smb_message_echoes":
        made += [_raw(one, _Item(field=field, contacts=value.contacts, echo=one), ref) for one in value.message_echoes]
    return made or [RawItem(key=_hash(bytes(raw)), body=_encode(_Item(field=field)), account_ref=ref)]


def _raw(part: msgspec.Raw, item: _Item, ref: str) -> RawItem:
    try:
        head = read(part, _Head)
    except MalformedPayload:
        # ``parse`` says what is wrong with it, without keeping the others of the call back.
        head = _Head()
    key = clean_text(f"{head.id}:{head.status}" if head.status else head.id)
    return RawItem(
        key=key if head.id and len(key) <= _KEY_CHARS else _hash(bytes(part)), body=_encode(item), account_ref=ref
    )


def _hash(part: bytes) -> str:
    return f"sha256:{hashlib.sha256(part).hexdigest()}"


def _encode(item: _Item) -> bytes:
    return msgspec.json.encode(item)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read_message(message: Message, who: Identity, direction: Direction, context: ParseContext) -> list[InboundItem]:
    if message.group_id:
        raise UnsupportedPayload("a message in a group")
    item = InboundItem(
        kind=ItemKind.MESSAGE,
        key=context.key,
        occurred_at=_moment(message.timestamp),
        thread_key=who.value,
        direction=direction,
        sender=who,
    )
    replace = msgspec.structs.replace
    match message.type:
        case "reaction":
            return _reactions(message, item)
        case "edit" if message.edit is not None:
            # The new message has neither an id nor a time of its own.
            inner = read(message.edit.message, dict[str, msgspec.Raw])
            inner |= {"id": msgspec.Raw(b'""'), "timestamp": msgspec.Raw(b'"1"')}
            text = read_content(read(msgspec.json.encode(inner), Message)).text
            target = _target(message.edit.original_message_id)
            return [replace(item, kind=ItemKind.EDIT, target_external_id=target, text=text)]
        case "revoke" if message.revoke is not None:
            return [replace(item, kind=ItemKind.DELETE, target_external_id=_target(message.revoke.original_message_id))]
        case "edit" | "revoke":
            raise MalformedPayload("a change without what it changes", field=message.type)
        case "system":
            return [_changed_address(message.system, replace(item, external_id=_target(message.id)))]
    content = read_content(message)
    reply_to = message.context.id if message.context is not None else None
    return [
        replace(
            item,
            external_id=_target(message.id),
            text=content.text,
            attachments=content.attachments,
            unreadable=content.unreadable,
            quoted=content.quoted,
            reply_to_external_id=_target(reply_to) if reply_to else None,
        )
    ]


def _reactions(message: Message, item: InboundItem) -> list[InboundItem]:
    """A person has one reaction to a message: a new one takes the place of the old."""
    if message.reaction is None:
        raise MalformedPayload("a reaction without its message", field="reaction")
    emoji = clean_text(message.reaction.emoji)[:50]
    replace = msgspec.structs.replace
    now = replace(
        item,
        kind=ItemKind.REACTION,
        target_external_id=_target(message.reaction.message_id),
        reaction=emoji,
        removed=not emoji,
    )
    if not emoji:
        return [now]
    # A moment earlier: told twice, the end of the old one must not end the new one.
    earlier = item.occurred_at - timedelta(microseconds=1)
    before = replace(now, key=f"{item.key}:before"[-_KEY_CHARS:], occurred_at=earlier, reaction="", removed=True)
    return [before, now]


def _changed_address(system: System | None, item: InboundItem) -> InboundItem:
    """Show in the old thread who somebody is from now on; the new address becomes the same contact's."""
    if system is None or item.sender is None:
        raise MalformedPayload("a notice without what it says", field="system")
    if system.type not in ("user_changed_number", "customer_changed_number", "user_changed_user_id"):
        raise UnsupportedPayload("a notice that is no change of a number")
    known = {(one.scheme, one.value) for one in (item.sender, *item.sender.aliases)}
    newer = [one for one in (_user_id(system.user_id), _phone(system.wa_id or system.new_wa_id)) if one]
    aliases = (*item.sender.aliases, *(one for one in newer if (one.scheme, one.value) not in known))
    return msgspec.structs.replace(
        item,
        text=clean_text(system.body) or "This person changed their number.",
        sender=msgspec.structs.replace(item.sender, aliases=aliases),
        auto_submitted=True,
        opens_window=False,
    )


def _receipt(status: Status, contacts: Sequence[Contact], context: ParseContext) -> InboundItem:
    ours = _RECEIPTS.get(status.status)
    if ours is None:
        raise UnsupportedPayload("a state of a message we do not know")
    who = _customer(status.recipient_user_id, status.recipient_id, contacts)
    code = status.errors[0].code if status.errors else 0
    return InboundItem(
        kind=ItemKind.RECEIPT,
        key=context.key,
        occurred_at=_moment(status.timestamp),
        thread_key=who.value,
        sender=who,
        target_external_id=_target(status.id),
        correlation_id=_our_id(status.biz_opaque_callback_data or ""),
        receipt=Receipt(ours, describe_code(code) if ours is DeliveryStatus.FAILED else None),
    )


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _customer(user_id: str | None, wa_id: str | None, contacts: Sequence[Contact]) -> Identity:
    """Who it is about: by the business-scoped id where there is one, with the number as another address."""
    contact = _contact_of(user_id, wa_id, contacts)
    scoped = _user_id(user_id or contact.user_id)
    phone = _phone(wa_id or contact.wa_id)
    first = scoped or phone
    if first is None:
        raise MalformedPayload("nobody it is from", field="from")
    name = clean_text(contact.profile.name or contact.profile.username or "").strip()[:200]
    aliases = (phone,) if scoped and phone else ()
    return msgspec.structs.replace(first, display_name=name or None, aliases=aliases)


def _contact_of(user_id: str | None, wa_id: str | None, contacts: Sequence[Contact]) -> Contact:
    for one in contacts:
        if (user_id and one.user_id == user_id) or (wa_id and one.wa_id == wa_id):
            return one
    # Of an echo or a status only the contact beside it may say the business-scoped id.
    return contacts[0] if len(contacts) == 1 and not (user_id and contacts[0].user_id) else Contact()


def _user_id(value: str | None) -> Identity | None:
    return Identity("bsuid", value) if value and _USER_ID.fullmatch(value) else None


def _phone(value: str | None) -> Identity | None:
    digits = (value or "").removeprefix("+")
    return Identity("phone", f"+{digits}") if _NUMBER.fullmatch(digits) else None


def _target(value: str) -> str:
    found = clean_text(value)
    if not 0 < len(found) <= _KEY_CHARS:
        raise MalformedPayload("no usable id of a message", field="id")
    return found


def _moment(seconds: str) -> datetime:
    if not _SECONDS.fullmatch(seconds):
        raise MalformedPayload("a time that is none", field="timestamp")
    return datetime.fromtimestamp(int(seconds), UTC)


def _our_id(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None
