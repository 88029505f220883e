"""Cuts the Bot Connector's calls into items and reads them. Pure: the bytes in, our structs out."""

from __future__ import annotations

import hashlib
import html as entities
import re
from collections.abc import Sequence
from datetime import UTC
from typing import Final

import msgspec

from connectors.base import ParseContext, RawItem, WebhookRequest
from connectors.payloads import read
from connectors.teams.places import message_id, thread_key
from connectors.teams.shapes import Activity, Attachment, Download, Head
from hub.envelope import AttachmentRef, Identity, InboundItem, ItemKind, clean_text
from hub.errors import MalformedPayload, UnsupportedPayload

_ID: Final = re.compile(r"[!-~]{1,150}")
_SERVICE_CHARS: Final = 150
_MOST_FILES: Final = 20
_URL_CHARS: Final = 4_000
_FILE: Final = "application/vnd.microsoft.teams.file.download.info"
_MENTION: Final = re.compile(r"<at(?: [^<>]{0,100})?>([^<]{0,200})</at>(\s?)")
_BREAK: Final = re.compile(r"<br ?/?>|</p>|</div>")
_TAG: Final = re.compile(r"<[^<>]{1,2000}>")
# Teams names these six; what is newer comes as the emoji, or as a name we show as it is.
_EMOJI: Final = {"like": "👍", "heart": "❤️", "laugh": "😆", "surprised": "😮", "sad": "🙁", "angry": "😡"}
_CARDS: Final = "application/vnd.microsoft.card."


def split(request: WebhookRequest) -> Sequence[RawItem]:
    """
    Name a call's one activity.

    Args:
        request: A verified call.

    Returns:
        One item, for the account of the tenant it is of; its key is the activity's id with the conversation's, and
        for a change of a message, which keeps the id, the hash of what it says.

    Raises:
        MalformedPayload: Not an activity.
    """
    head = read(request.body, Head)
    conversation = head.conversation.id if head.conversation is not None else ""
    key = clean_text(f"{head.type}:{message_id(conversation, head.id)}")
    if head.type != "message" or not head.id or len(key) > 300:
        key = f"sha256:{hashlib.sha256(request.body).hexdigest()}"
    return [RawItem(key=key, body=request.body, account_ref=_tenant_of(head))]


def parse(body: bytes, context: ParseContext) -> Sequence[InboundItem]:
    """
    Read one activity.

    Args:
        body: As it came.
        context: When it came, and its key.

    Returns:
        A message, its change, or reactions to one.

    Raises:
        MalformedPayload: Not what Teams sends.
        UnsupportedPayload: A kind we do not handle; README.md lists them.
    """
    head = read(body, Head)
    event = head.channel_data.event_type if head.channel_data is not None else None
    match head.type:
        case "message":
            return [_message(read(body, Activity), context)]
        case "messageUpdate" if event in ("editMessage", "undeleteMessage", None):
            changed = _message(read(body, Activity), context)
            replace = msgspec.structs.replace
            target = changed.external_id
            return [replace(changed, kind=ItemKind.EDIT, external_id=None, target_external_id=target, attachments=())]
        case "messageDelete":
            base = _base(read(body, Activity), context, ItemKind.DELETE)
            return [msgspec.structs.replace(base, target_external_id=_target(head, head.id))]
        case "messageReaction":
            return _reactions(read(body, Activity), head, context)
    raise UnsupportedPayload("an activity that is no message")


# ── kinds ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _message(activity: Activity, context: ParseContext) -> InboundItem:
    files: list[AttachmentRef] = []
    bot = _names_of_the_bot(activity)
    words = [_plain(_without_mentions(activity.text or "", bot), is_markup=activity.text_format == "xml")]
    html: str | None = None
    for one in activity.attachments[:_MOST_FILES]:
        if one.content_type == "text/html":
            html = _html(one, bot)
        elif (file := _file(one)) is not None:
            files.append(file)
        elif one.content_type.startswith(_CARDS):
            words.append("[A card: open it in Teams]")
        else:
            words.append(f"[{_name(one) or 'Something'}: open it in Teams]")
    text = "\n".join(line for line in words if line.strip())
    base = _base(activity, context, ItemKind.MESSAGE)
    reply_to = activity.reply_to_id
    return msgspec.structs.replace(
        base,
        external_id=message_id(_id(activity.conversation.id), _id(activity.id)),
        text=text,
        html=html if text and html else None,
        attachments=tuple(files),
        unreadable="" if text or files else "This message has nothing we can show: open it in Teams.",
        reply_to_external_id=message_id(activity.conversation.id, _id(reply_to)) if reply_to else None,
    )


def _reactions(activity: Activity, head: Head, context: ParseContext) -> list[InboundItem]:
    base = _base(activity, context, ItemKind.REACTION)
    target = _target(head, activity.reply_to_id or "")
    found = [(one.type, False) for one in activity.reactions_added[:20]]
    found += [(one.type, True) for one in activity.reactions_removed[:20]]
    items = []
    for place, (name, removed) in enumerate(found):
        emoji = _EMOJI.get(name, clean_text(name).strip()[:50])
        if emoji:
            key = f"{base.key}:{place}"
            items.append(
                msgspec.structs.replace(base, key=key, target_external_id=target, reaction=emoji, removed=removed)
            )
    if not items:
        raise UnsupportedPayload("a reaction that says nothing")
    return items


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _base(activity: Activity, context: ParseContext, kind: ItemKind) -> InboundItem:
    service = activity.service_url.rstrip("/")
    if not _ID.fullmatch(service) or len(service) > _SERVICE_CHARS:
        raise MalformedPayload("no address of a service", field="serviceUrl")
    name = clean_text(activity.sender.name or "").strip()[:200]
    at = activity.timestamp or context.received_at
    if at.tzinfo is None:
        raise MalformedPayload("a time without a zone", field="timestamp")
    return InboundItem(
        kind=kind,
        key=context.key,
        occurred_at=at.astimezone(UTC),
        thread_key=thread_key(_id(activity.conversation.id), service),
        sender=Identity("teams", _id(activity.sender.id), display_name=name or None),
    )


def _target(head: Head, activity: str) -> str:
    conversation = head.conversation.id if head.conversation is not None else ""
    return message_id(_id(conversation), _id(activity))


def _file(one: Attachment) -> AttachmentRef | None:
    url = (_download(one) if one.content_type == _FILE else one.content_url) or ""
    if not url.startswith(("https://", "http://")) or len(url) > _URL_CHARS or not url.isprintable():
        return None
    if one.content_type == _FILE:
        return AttachmentRef(ref=url, kind="file", filename=_name(one) or None)
    kind, _, rest = one.content_type.partition("/")
    if kind not in ("image", "audio", "video") or not rest:
        return None
    mime = one.content_type if re.fullmatch(r"[a-z]+/[a-z0-9.+-]{1,60}", one.content_type) else None
    return AttachmentRef(ref=url, kind=kind, filename=_name(one) or None, mime=mime)


def _download(one: Attachment) -> str:
    try:
        return read(one.content, Download).download_url
    except MalformedPayload:
        # The words beside it are worth more than the file's address, which we could not use anyway.
        return ""


def _name(one: Attachment) -> str:
    return clean_text(one.name or "").strip()[:200]


def _html(one: Attachment, bot: frozenset[str] | None) -> str | None:
    try:
        found = read(one.content, str)
    except MalformedPayload:
        return None
    return clean_text(_without_mentions(found, bot)) or None


def _names_of_the_bot(activity: Activity) -> frozenset[str] | None:
    """Return what mentions call the bot, or None where the activity does not say whom they name."""
    mentions = [one for one in activity.entities if one.type == "mention" and one.mentioned is not None]
    if not mentions or activity.recipient is None:
        return None
    ours = [one.text or "" for one in mentions if one.mentioned and one.mentioned.id == activity.recipient.id]
    return frozenset(found[1].strip() for text in ours if (found := _MENTION.search(text)))


def _without_mentions(text: str, bot: frozenset[str] | None) -> str:
    """Take out the mention that made Teams hand the message to the bot; other people's become ``@name``."""

    def shown(found: re.Match[str]) -> str:
        name = found[1].strip()
        return "" if bot is None or name in bot else f"@{name}{found[2]}"

    return _MENTION.sub(shown, text)


def _plain(text: str, *, is_markup: bool) -> str:
    if is_markup:
        text = entities.unescape(_TAG.sub("", _BREAK.sub("\n", text)))
    return clean_text(text).strip()


def _id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise MalformedPayload("no usable id", field="id")
    return value


def _tenant_of(head: Head) -> str:
    data, conversation = head.channel_data, head.conversation
    tenant = data.tenant.id if data is not None and data.tenant is not None else ""
    return (
        clean_text(tenant or (conversation.tenant_id if conversation is not None else "") or "")[:100].lower()
        or "no tenant"
    )
