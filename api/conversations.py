"""Conversations and their messages over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec

from api.addressing import choose_headers
from api.call import required
from api.etag import Seen, require_mergeable, wanted_version
from api.files import file_limits
from api.paging import decode_cursor, encode_cursor
from api.templates import fill_template
from connectors.rules import rules_of, why_closed
from hub.accounts import policy
from hub.accounts import store as accounts
from hub.accounts.model import Actor, Permission
from hub.channels import store as channels
from hub.contacts import store as contacts
from hub.contacts.model import Contact
from hub.envelope import Addressing, Party, TemplateUse
from hub.errors import Forbidden, InvalidInput, NotFound
from hub.events import store as events
from hub.inbox import actions, acts, replies, store
from hub.inbox.files import NOTE_LIMITS
from hub.inbox.model import AuthorKind, Conversation, ConversationStatus, Line, Message, MessageKind, ReadMark
from hub.inbox.rows import ConversationRow
from hub.inbox.windows import Rules

if TYPE_CHECKING:
    from api.call import MemberCall, Resources
    from connectors.base import Capabilities, Manifest
    from hub.db import TenantConn

_BEYOND_ANY_SEQ = 2**62


class ConversationPage(msgspec.Struct, frozen=True):
    """Conversations with their contacts and the reader's marks; ``next`` asks for the page after."""

    seq: int
    conversations: list[Conversation]
    contacts: list[Contact]
    reads: list[ReadMark]
    next: str | None


class ConversationView(msgspec.Struct, frozen=True):
    seq: int
    conversation: Conversation
    contact: Contact
    reads: list[ReadMark]


class MessagePage(msgspec.Struct, frozen=True):
    """Messages, oldest first, and what was done between them; ``next`` asks for older ones."""

    seq: int
    messages: list[Message]
    lines: list[Line]
    next: str | None


class ConversationPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One change: a status (with its time for a snooze), an assignee, or an inbox."""

    status: Literal["open", "closed", "snoozed"] | msgspec.UnsetType = msgspec.UNSET
    snoozed_until: datetime | msgspec.UnsetType | None = msgspec.UNSET
    assignee_id: UUID | msgspec.UnsetType | None = msgspec.UNSET
    inbox_id: UUID | msgspec.UnsetType = msgspec.UNSET


class ConversationChange(msgspec.Struct, frozen=True):
    conversation: Conversation
    seq: int


class NewMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What a member writes.

    Attributes:
        reply_to: The message it answers, shown as a quote; on channels that have them.
        subject: As ``to``, ``cc`` and ``bcc`` only on channels that have them; left out, they are as the answer's
            defaults say. Where ``to`` is given, the copies are exactly those given.
        template: One of the account's templates, with a text for each of its variables; ``text`` is ignored then.
    """

    client_message_id: UUID
    kind: MessageKind
    text: str
    attachments: tuple[UUID, ...] = ()
    seen_seq: int | None = None
    reply_to: UUID | None = None
    subject: str | None = None
    to: tuple[Party, ...] = ()
    cc: tuple[Party, ...] = ()
    bcc: tuple[Party, ...] = ()
    template: TemplateUse | None = None


class MessageAccepted(msgspec.Struct, frozen=True):
    message_id: UUID
    seq: int


class ReadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seq: int


class SeqView(msgspec.Struct, frozen=True):
    seq: int


async def read_all(call: MemberCall) -> ConversationPage:
    """List conversations, newest activity first."""
    wanted = _read_filter(call)
    workspace_id = call.actor.workspace_id
    async with call.resources.database.snapshot([workspace_id]) as conn:
        seq = await events.workspace_head(conn, workspace_id)
        rows = await store.list_conversations(conn, workspace_id, wanted)
        people = await contacts.contacts_by_id(conn, workspace_id, [row.contact_id for row in rows])
        reads = await store.list_read_marks(conn, workspace_id, call.actor.member_id, [row.id for row in rows])
    last = rows[-1] if len(rows) == wanted.limit else None
    return ConversationPage(
        seq=seq,
        conversations=[row.view() for row in rows],
        contacts=people,
        reads=reads,
        next=encode_cursor((last.last_activity_at.isoformat(), str(last.id))) if last else None,
    )


async def read(call: MemberCall) -> ConversationView:
    """Return one conversation."""
    workspace_id = call.actor.workspace_id
    async with call.resources.database.snapshot([workspace_id]) as conn:
        row = await visible(conn, call.actor, call.path_id("conversation_id"), Permission.INBOX_READ)
        return ConversationView(
            seq=await events.workspace_head(conn, workspace_id),
            conversation=row.view(),
            contact=await contacts.get_contact(conn, workspace_id, row.contact_id),
            reads=await store.list_read_marks(conn, workspace_id, call.actor.member_id, [row.id]),
        )


async def change(call: MemberCall) -> ConversationChange:
    """Open, close, snooze, assign or move a conversation."""
    patch = await call.decode(ConversationPatch)
    given = [name for name in ("status", "assignee_id", "inbox_id") if getattr(patch, name) is not msgspec.UNSET]
    if len(given) != 1:
        raise InvalidInput("body", "Give exactly one of status, assignee_id and inbox_id.")
    permission = Permission.INBOX_REPLY if given == ["status"] else Permission.INBOX_ASSIGN
    workspace_id, conversation_id = call.actor.workspace_id, call.path_id("conversation_id")
    seen = Seen(workspace_id, "conversation", wanted_version(call.request))
    async with call.resources.database.transaction([workspace_id]) as conn:
        await visible(conn, call.actor, conversation_id, permission)
        await require_mergeable(conn, seen, lambda: _view(conn, workspace_id, conversation_id), _changes(patch))
        row = await _apply(conn, call.actor, conversation_id, patch)
        return ConversationChange(conversation=row.view(), seq=row.version)


async def read_messages(call: MemberCall) -> MessagePage:
    """Return a page of messages: the newest, or those before a cursor."""
    limit = call.query_int("limit", 50, low=1, high=200)
    workspace_id, conversation_id = call.actor.workspace_id, call.path_id("conversation_id")
    before = _read_before_seq(call.query.get("before", ""))
    async with call.resources.database.snapshot([workspace_id]) as conn:
        await visible(conn, call.actor, conversation_id, Permission.INBOX_READ)
        rows = await store.list_messages(conn, workspace_id, conversation_id, before, limit)
        oldest = rows[0].seq if len(rows) == limit else 0
        lines = await store.list_lines(conn, workspace_id, conversation_id, oldest, before or _BEYOND_ANY_SEQ)
        seq = await events.workspace_head(conn, workspace_id)
    following = encode_cursor((str(oldest),)) if oldest else None
    return MessagePage(seq=seq, messages=[row.view() for row in rows], lines=lines, next=following)


async def send(call: MemberCall) -> MessageAccepted:
    """Queue a message to the contact, or add a note."""
    new = await call.decode(NewMessage)
    sent = await queue(call.resources, call.actor, call.path_id("conversation_id"), new)
    return MessageAccepted(message_id=sent.message_id, seq=sent.seq)


async def retry(call: MemberCall) -> SeqView:
    """Send a failed or unconfirmed message again."""
    workspace_id, conversation_id = call.actor.workspace_id, call.path_id("conversation_id")
    async with call.resources.database.transaction([workspace_id]) as conn:
        await visible(conn, call.actor, conversation_id, Permission.INBOX_REPLY)
        seq = await replies.retry_message(
            conn, workspace_id, conversation_id, call.path_id("message_id"), actor_id=call.actor.member_id
        )
    return SeqView(seq)


async def mark_read(call: MemberCall) -> SeqView:
    """Move the caller's read mark."""
    wanted = await call.decode(ReadRequest)
    if call.actor.kind == "key":
        raise Forbidden("An API key of the workspace reads nothing for anybody: it has no read marks.")
    if call.actor.operator_id is not None:
        return SeqView(wanted.seq)  # what an operator looks at stays unread for the member they are here as
    workspace_id, conversation_id = call.actor.workspace_id, call.path_id("conversation_id")
    async with call.resources.database.transaction([workspace_id]) as conn:
        await move_read_mark(conn, call.resources, call.actor, conversation_id, wanted.seq)
    return SeqView(wanted.seq)


async def move_read_mark(conn: TenantConn, resources: Resources, actor: Actor, conversation_id: UUID, seq: int) -> None:
    """Move a member's read mark, over HTTP or over their socket; the vendor is told where the channel can be."""
    row = await visible(conn, actor, conversation_id, Permission.INBOX_READ)
    moved = await actions.mark_read(conn, actor.workspace_id, conversation_id, actor.member_id, seq)
    capabilities = required(resources.registry, "channels").get(row.channel).manifest.capabilities
    if moved is not None and capabilities.mark_read:
        await acts.queue_read(conn, actor.workspace_id, conversation_id, seq)


async def visible(conn: TenantConn, actor: Actor, conversation_id: UUID, permission: Permission) -> ConversationRow:
    """
    Return a conversation the actor may see and do this with.

    Raises:
        NotFound: There is none, or it is in an inbox they do not see: which of the two is not told.
        Forbidden: Their role does not allow it.
    """
    row = await store.get_conversation(conn, actor.workspace_id, conversation_id)
    policy.require(actor, permission, row.inbox_id, kind="conversation")
    return row


async def queue(resources: Resources, actor: Actor, conversation_id: UUID, new: NewMessage) -> replies.Sent:
    """
    Queue what a member wrote, over HTTP or over their socket.

    Raises:
        InvalidInput: Too long for the channel, or empty; ``field`` says what.
        NotFound, Forbidden, Conflict: As in ``visible`` and ``replies.queue_message``.
    """
    async with resources.database.transaction([actor.workspace_id]) as conn:
        row = await visible(conn, actor, conversation_id, Permission.INBOX_REPLY)
        limits, headers, rules, text = NOTE_LIMITS, None, Rules(), new.text
        if new.template is not None and new.kind is not MessageKind.MESSAGE:
            raise InvalidInput("template", "Only a message to the contact can be a template.")
        if new.kind is MessageKind.MESSAGE:
            manifest = required(resources.registry, "channels").get(row.channel).manifest
            capabilities = manifest.capabilities
            await _require_open(conn, row, manifest)
            rules = rules_of(capabilities)
            if new.template is not None and capabilities.templates:
                text = await fill_template(conn, row, new.template)
            check_length(capabilities, text)
            if new.reply_to is not None and not capabilities.reply:
                raise InvalidInput("reply_to", "On this channel no single message can be answered.")
            limits = file_limits(capabilities)
            chosen = Addressing(subject=new.subject, to=new.to, cc=new.cc, bcc=new.bcc)
            headers = await choose_headers(conn, row, capabilities, chosen)
        draft = replies.Draft(
            client_message_id=new.client_message_id,
            kind=new.kind,
            text=text,
            seen_seq=new.seen_seq,
            attachment_ids=new.attachments,
            file_limits=limits,
            headers=headers,
            reply_to=new.reply_to,
            rules=rules,
            template=new.template,
        )
        author = await _author(conn, actor)
        return await replies.queue_message(conn, actor.workspace_id, conversation_id, author, draft)


async def _require_open(conn: TenantConn, row: ConversationRow, manifest: Manifest) -> None:
    """Refuse, in words, what would be sent on an account whose vendor lets nothing be sent."""
    if not manifest.closed:
        return
    account = await channels.get_channel_account(conn, row.workspace_id, row.channel_account_id)
    if why := why_closed(manifest, account.settings):
        raise InvalidInput("text", why)


async def _author(conn: TenantConn, actor: Actor) -> replies.Author:
    """A key of the workspace writes in its own name, as no person: its repeated sends are told by its own id."""
    if actor.kind == "key":
        return replies.Author(id=actor.member_id, name=actor.key_name, kind=AuthorKind.SYSTEM)
    member = await accounts.get_member(conn, actor.workspace_id, actor.member_id)
    return replies.Author(id=member.id, name=member.name)


async def _view(conn: TenantConn, workspace_id: int, conversation_id: UUID) -> Conversation:
    return (await store.get_conversation(conn, workspace_id, conversation_id)).view()


def _changes(patch: ConversationPatch) -> dict[str, object]:
    return {
        name: value for name, value in msgspec.structs.asdict(patch).items() if not isinstance(value, msgspec.UnsetType)
    }


def check_length(capabilities: Capabilities, text: str) -> None:
    """Refuse a text that is longer than the channel takes."""
    match capabilities.text_limit_unit:
        case "bytes":
            length = len(text.encode("utf-8", "replace"))
        case "utf16":
            length = len(text.encode("utf-16-le", "replace")) // 2
        case "chars":
            length = len(text)
    if not capabilities.text_limit:
        raise InvalidInput("text", "Nothing can be written on this channel.")
    if length > capabilities.text_limit:
        raise InvalidInput("text", f"This channel takes at most {capabilities.text_limit}; the text has {length}.")


async def _apply(conn: TenantConn, actor: Actor, conversation_id: UUID, patch: ConversationPatch) -> ConversationRow:
    ids, by = (actor.workspace_id, conversation_id), actor.member_id
    if not isinstance(patch.assignee_id, msgspec.UnsetType):
        await _check_assignee(conn, actor.workspace_id, patch.assignee_id)
        return await actions.assign(conn, *ids, patch.assignee_id, actor_id=by)
    if not isinstance(patch.inbox_id, msgspec.UnsetType):
        await channels.get_inbox(conn, actor.workspace_id, patch.inbox_id)
        policy.require(actor, Permission.INBOX_ASSIGN, patch.inbox_id)
        return await actions.move(conn, *ids, patch.inbox_id, actor_id=by)
    if patch.status == "snoozed":
        if not isinstance(patch.snoozed_until, datetime):
            raise InvalidInput("snoozed_until", "A snooze needs the time it ends.")
        if patch.snoozed_until.tzinfo is None:
            raise InvalidInput("snoozed_until", "Give the time with its offset, e.g. 2026-11-23T09:00:00Z.")
        return await actions.snooze(conn, *ids, patch.snoozed_until, actor_id=by)
    if patch.status == "closed":
        return await actions.close(conn, *ids, actor_id=by)
    return await actions.reopen(conn, *ids, actor_id=by)


async def _check_assignee(conn: TenantConn, workspace_id: int, assignee_id: UUID | None) -> None:
    if assignee_id is None:
        return
    try:
        member = await accounts.get_member(conn, workspace_id, assignee_id)
    except NotFound:
        raise InvalidInput("assignee_id", "There is no such member.") from None
    if not member.active:
        raise InvalidInput("assignee_id", f"{member.name} no longer works here.")


def _read_filter(call: MemberCall) -> store.ConversationFilter:
    assignee = call.query.get("assignee", "")
    visible_inboxes = call.actor.visible_inboxes
    return store.ConversationFilter(
        status=_read_status(call.query.get("status", "")),
        inbox_ids=None if visible_inboxes is None else tuple(visible_inboxes),
        assignee_id=_read_assignee(assignee, call.actor),
        unassigned=assignee == "none",
        contact_id=_read_uuid("contact", call.query.get("contact", "")),
        before=_read_before(call.query.get("before", "")),
        limit=call.query_int("limit", 50, low=1, high=200),
    )


def _read_status(text: str) -> ConversationStatus | None:
    try:
        return ConversationStatus(text) if text else None
    except ValueError:
        raise InvalidInput("status", "Must be open, pending, snoozed or closed.") from None


def _read_assignee(text: str, actor: Actor) -> UUID | None:
    if text in ("", "none"):
        return None
    return actor.member_id if text == "me" else _read_uuid("assignee", text)


def _read_uuid(field: str, text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise InvalidInput(field, "Must be an id.") from None


def _read_before(text: str) -> tuple[datetime, UUID] | None:
    if not text:
        return None
    at, conversation_id = decode_cursor(text, 2)
    try:
        return datetime.fromisoformat(at), UUID(conversation_id)
    except ValueError:
        raise InvalidInput("before", "This is not a cursor of ours.") from None


def _read_before_seq(text: str) -> int | None:
    if not text:
        return None
    (seq,) = decode_cursor(text, 1)
    if not seq.isdecimal():
        raise InvalidInput("before", "This is not a cursor of ours.")
    return int(seq[:18])
