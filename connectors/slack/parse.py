"""Cuts Slack's calls into items and reads them. Pure: the bytes in, our structs out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from connectors.base import ParseContext, RawItem, WebhookRequest
from connectors.slack.emojis import to_character
from connectors.slack.events import Envelope, File, Kind, MessageEvent, Payload, ReactionEvent, Said
from connectors.slack.mrkdwn import to_html, to_text
from connectors.slack.ours import Ours, read_ours
from connectors.slack.places import message_key, moment_of, require_id, require_ts
from hub.envelope import AttachmentRef, Direction, Identity, InboundItem, ItemKind, clean_text
from hub.errors import MalformedPayload, UnsupportedPayload

SCHEME: Final = "slack"
# What our own messages carry unseen: our id of them.
EVENT_TYPE: Final = "hub_message"
# A file that Slack Connect names without an address: asked for by its id.
FILE_ID: Final = "file:"
_KEY_CHARS: Final = 200
_MESSAGES: Final = frozenset({"", "file_share", "thread_broadcast", "me_message", "bot_message"})
_SLACKBOT: Final = "USLACKBOT"
_MOST_FILES: Final = 20
_MEDIA: Final = ("image", "audio", "video")

_Wanted = TypeVar("_Wanted")


def split(request: WebhookRequest) -> Sequence[RawItem]:
    """
    Make the one item of a call.

    Args:
        request: A verified call.

    Returns:
        One item: its key is Slack's id of the event, the same for each of Slack's retries; its account the workspace
        whose installation of the app sees the event.

    Raises:
        MalformedPayload: The call has no body.
    """
    return (item_of(request.body),)


def item_of(body: bytes) -> RawItem:
    """
    Make the item of an event, however it came; see ``split``.

    Raises:
        MalformedPayload: There is none.
    """
    if not body:
        raise MalformedPayload("a call without a body")
    key = f"sha256:{hashlib.sha256(body).hexdigest()}"
    try:
        envelope = msgspec.json.decode(body, type=Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Kept as it is for the account in the address: parse says what is wrong, and a person can look at it.
        return RawItem(key=key, body=body)
    event_id = clean_text(envelope.event_id)
    if 0 < len(event_id) <= _KEY_CHARS:
        key = event_id
    return RawItem(key=key, body=body, account_ref=_team(envelope))


def parse(body: bytes, context: ParseContext) -> Sequence[InboundItem]:
    """
    Read one event.

    Args:
        body: As ``split`` made it.
        context: Its key, and the account's settings: who our app and our people are.

    Returns:
        One message, edit, deletion or reaction.

    Raises:
        MalformedPayload: Not what Slack sends.
        UnsupportedPayload: An event we do not handle, or one that tells a customer's story nothing new.
    """
    envelope = _read(body, Envelope)
    if envelope.type != "event_callback":
        raise UnsupportedPayload("a call that is no event")
    kind = _read(bytes(envelope.event), Kind)
    reader = _Reader(read_ours(context.settings), _team(envelope), context.key)
    match kind.type:
        case "message":
            return (reader.message(_read(bytes(envelope.event), MessageEvent)),)
        case "reaction_added" | "reaction_removed":
            return (reader.reaction(_read(bytes(envelope.event), ReactionEvent)),)
    raise UnsupportedPayload("an event that is no message")


class _Reader:
    """Reads the events of one workspace."""

    def __init__(self, ours: Ours, team: str, key: str) -> None:
        self._ours = ours
        self._scope = ours.team_id or team
        self._key = key

    def message(self, event: MessageEvent) -> InboundItem:
        require_id(event.channel, "event.channel")
        match event.subtype or "":
            case "message_changed":
                return self._changed(event)
            case "message_deleted":
                return self._deleted(event, require_ts(event.deleted_ts, "event.deleted_ts"))
            case subtype if subtype in _MESSAGES:
                return self._said(event)
        raise UnsupportedPayload("a message of Slack itself")

    def reaction(self, event: ReactionEvent) -> InboundItem:
        if event.item.type != "message":
            raise UnsupportedPayload("a reaction to something that is no message")
        channel = require_id(event.item.channel, "event.item.channel")
        target = message_key(channel, require_ts(event.item.ts, "event.item.ts"))
        is_app = event.user == self._ours.bot_user_id
        return InboundItem(
            kind=ItemKind.REACTION,
            key=self._key,
            occurred_at=moment_of(require_ts(event.event_ts, "event.event_ts")),
            direction=Direction.OUTBOUND if is_app else Direction.INBOUND,
            sender=self._person(require_id(event.user, "event.user")),
            target_external_id=target,
            reaction=to_character(clean_text(event.reaction)),
            removed=event.type == "reaction_removed",
        )

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────────────

    def _said(self, event: MessageEvent) -> InboundItem:
        if event.user == _SLACKBOT:
            raise UnsupportedPayload("a message of Slack itself")
        ts = require_ts(event.ts, "event.ts")
        is_direct = event.channel_type == "im" or event.channel.startswith("D")
        thread_ts = require_ts(event.thread_ts, "event.thread_ts") if event.thread_ts else ""
        is_reply = bool(thread_ts) and thread_ts != ts
        direction, sender, correlation_id = self._author(event, is_direct=is_direct)
        place = sender.value if is_direct else event.channel
        root = thread_ts if is_reply else ("" if is_direct else ts)
        text = self._ours.named(_text(event))
        files, links = _files(event.files or ())
        return InboundItem(
            kind=ItemKind.MESSAGE,
            key=self._key,
            occurred_at=moment_of(ts),
            thread_key=message_key(place, root) if root else place,
            direction=direction,
            sender=sender,
            external_id=message_key(event.channel, ts),
            text="\n".join((*([to_text(text)] if text else []), *links)),
            html=to_html(text) if not links else None,
            attachments=files,
            reply_to_external_id=message_key(event.channel, thread_ts) if is_direct and is_reply else None,
            correlation_id=correlation_id,
            auto_submitted=direction is Direction.INBOUND and bool(event.bot_id),
            unreadable="" if text or files or links else "A message that only Slack can show. Open it there.",
        )

    def _author(self, event: MessageEvent, *, is_direct: bool) -> tuple[Direction, Identity, str | None]:
        """Say whose message it is: a customer's, or ours, and then whom it went to."""
        if self._ours.is_app(event):
            correlation_id = _correlation_id(event)
            if correlation_id is None and event.files:
                # The copy of one of ours, which cannot carry our id: it would be shown twice.
                raise UnsupportedPayload("a file of our own app")
            # A message that carries our id is found by it; its channel stands in where the customer is not named.
            sender = self._asked_by(event) or (self._person(event.channel) if correlation_id else None)
        elif not is_direct and self._ours.is_colleague(event):
            correlation_id, sender = None, self._asked_by(event)
        else:
            return Direction.INBOUND, self._customer(event), None
        if sender is None:
            raise UnsupportedPayload("a message of our side that answers no customer")
        return Direction.OUTBOUND, sender, correlation_id

    def _asked_by(self, event: Said) -> Identity | None:
        """Return who began the thread, unless that was one of us."""
        asked = event.parent_user_id
        return self._person(asked) if asked and not self._ours.is_ours(require_id(asked, "parent_user_id")) else None

    def _customer(self, said: Said) -> Identity:
        names = [said.user_profile.display_name, said.user_profile.real_name] if said.user_profile else []
        names += [said.username, said.bot_profile.name if said.bot_profile else None]
        shown = next((name for one in names if one and (name := clean_text(one).strip())), None)
        return self._person(require_id(said.user or said.bot_id, "event.user"), shown)

    def _person(self, member: str, name: str | None = None) -> Identity:
        return Identity(SCHEME, member, self._scope, name[:200] if name else None)

    # ── changes ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _changed(self, event: MessageEvent) -> InboundItem:
        now, before = event.message, event.previous_message
        if now is None:
            raise MalformedPayload("a change without the message", field="event.message")
        ts = require_ts(now.ts, "event.message.ts")
        if now.subtype == "tombstone":
            # The first message of a thread cannot go: what is left says that it was deleted.
            return self._deleted(event, ts)
        if self._ours.is_app(now):
            raise UnsupportedPayload("a change of our own message, which we made")
        # A link's preview, a reply counted, a thread that lost its first message: told as changes, and nothing is new.
        if (before is not None and _text(before) == _text(now)) or (before is None and now.edited is None):
            raise UnsupportedPayload("a change of nothing that was written")
        text = self._ours.named(_text(now))
        return InboundItem(
            kind=ItemKind.EDIT,
            key=self._key,
            occurred_at=self._moment(event),
            sender=self._customer(now) if now.user or now.bot_id else None,
            target_external_id=message_key(event.channel, ts),
            text=to_text(text),
            html=to_html(text),
        )

    def _deleted(self, event: MessageEvent, ts: str) -> InboundItem:
        return InboundItem(
            kind=ItemKind.DELETE,
            key=self._key,
            occurred_at=self._moment(event),
            target_external_id=message_key(event.channel, ts),
        )

    def _moment(self, event: MessageEvent) -> datetime:
        return moment_of(require_ts(event.event_ts or event.ts, "event.event_ts"))


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(body: bytes, kind: type[_Wanted]) -> _Wanted:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedPayload("not an event of Slack's") from error


def _team(envelope: Envelope) -> str:
    """Return the workspace the app is installed in, which of a shared channel need not be where somebody wrote."""
    for one in envelope.authorizations or ():
        if one.team_id:
            return clean_text(one.team_id)[:_KEY_CHARS]
    return clean_text(envelope.team_id or "")[:_KEY_CHARS]


def _text(said: Said) -> str:
    """Return what a message says; other apps put it into attachments."""
    if said.text and said.text.strip():
        return clean_text(said.text)
    parts = [clean_text(one.text or one.fallback or "") for one in said.attachments or ()]
    return "\n".join(part for part in parts if part.strip())


def _correlation_id(event: Said) -> str | None:
    """Return our id of a message that our app sent; what only looks like one is none."""
    if event.metadata is None or event.metadata.event_type != EVENT_TYPE:
        return None
    try:
        return str(UUID(msgspec.json.decode(event.metadata.event_payload, type=Payload).message_id))
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return None


def _files(files: Sequence[File]) -> tuple[tuple[AttachmentRef, ...], tuple[str, ...]]:
    """Return the files that Slack keeps, and links to those it does not."""
    found, links = [], []
    for one in files[:_MOST_FILES]:
        name = clean_text(one.name or one.title or "").replace("\\", "/").rpartition("/")[2].strip()[:200]
        if one.mode in ("tombstone", "hidden_by_limit"):
            links.append("[A file that Slack no longer has]")
        elif one.is_external:
            links.append(f"{name} ({clean_text(one.url_private or '')[:2000]})".strip())
        else:
            found.append(_file(one, name))
    return tuple(found), tuple(links)


def _file(one: File, name: str) -> AttachmentRef:
    mime = clean_text(one.mimetype or "")[:100]
    family = mime.partition("/")[0].lower()
    url = clean_text(one.url_private_download or one.url_private or "")
    return AttachmentRef(
        ref=url if url and len(url) <= 2000 else f"{FILE_ID}{require_id(one.id, 'event.files.id')}",
        kind=family if family in _MEDIA else "file",
        filename=name or None,
        mime=mime or None,
        size_bytes=one.size if one.size is not None and one.size >= 0 else None,
    )
