"""What a member is told: the list, marks, settings, browsers for push, and the way out of digests, over HTTP."""

from __future__ import annotations

import base64
import binascii
import html
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal
from uuid import UUID

import msgspec
from starlette.responses import HTMLResponse

from api.call import required
from api.paging import decode_cursor, encode_cursor
from hub import clock
from hub.errors import InvalidInput, NotFound
from hub.notices import actions, store
from hub.notices.model import DEFAULT_WAYS, Digest, Kind, Minute, Page, Settings, Way
from hub.push import store as push_store
from hub.push.model import NewSubscription, check_endpoint

if TYPE_CHECKING:
    from api.call import Call, MemberCall, SessionCall
    from hub.notices.model import NoticeRow

_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>{title}</title><h1>{title}</h1>{body}</html>"
)
_FORM_POLICY: Final = "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


class NoticeView(msgspec.Struct, frozen=True, kw_only=True):
    """
    One notice.

    Attributes:
        title: The contact's name, the subject, or the channel account's name, as it is now; may be empty.
        amount: How many times it happened since it was read last.
        detail: A code for what clients have words of.
        at: The last time.
    """

    id: UUID
    kind: Kind
    title: str
    preview: str
    amount: int
    detail: str
    conversation_id: UUID | None
    channel_account_id: UUID | None
    inbox_id: UUID | None
    actor_id: UUID | None
    first_at: datetime
    at: datetime
    seen: bool
    read: bool


class NoticePage(msgspec.Struct, frozen=True):
    """Newest first; ``unread`` and ``unseen`` count all of them, not only this page's."""

    notices: list[NoticeView]
    unread: int
    unseen: int
    next: str | None


class MarkRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What was read.

    Attributes:
        ids: These; left out: all of them.
        until: Only what was there then (``at`` of the newest shown), so that what came since stays unread.
    """

    ids: Annotated[list[UUID], msgspec.Meta(max_length=200)] | None = None
    until: datetime | None = None


class UnreadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What is to be unread again: one of the two.

    Attributes:
        ids: These.
        read_at: All that one call marked: its answer's ``at``.
    """

    ids: Annotated[list[UUID], msgspec.Meta(max_length=200)] | None = None
    read_at: datetime | None = None


class SeenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``until``: ``at`` of the newest notice that was shown; left out: now."""

    until: datetime | None = None


class MarkedView(msgspec.Struct, frozen=True):
    """``at``: the moment of it; marking as unread takes it to undo exactly this."""

    changed: int
    unread: int
    unseen: int
    at: datetime


class SettingsView(msgspec.Struct, frozen=True, kw_only=True):
    """
    How a member is told of things.

    Attributes:
        kinds: Every kind with its ways.
        quiet_from, quiet_until: Minutes of the day in ``time_zone``, or both null.
    """

    kinds: dict[Kind, list[Way]]
    quiet_from: int | None
    quiet_until: int | None
    time_zone: str
    language: str
    digest: Digest
    digest_hour: int
    shows_text: bool


class SettingsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only what is named changes; a null ``quiet_from`` and ``quiet_until`` end the quiet hours."""

    kinds: dict[Kind, Annotated[list[Way], msgspec.Meta(max_length=3)]] | msgspec.UnsetType = msgspec.UNSET
    quiet_from: Minute | msgspec.UnsetType | None = msgspec.UNSET
    quiet_until: Minute | msgspec.UnsetType | None = msgspec.UNSET
    time_zone: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | msgspec.UnsetType = msgspec.UNSET
    language: (
        Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}\Z", max_length=35)]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    digest: Digest | msgspec.UnsetType = msgspec.UNSET
    digest_hour: Annotated[int, msgspec.Meta(ge=0, le=23)] | msgspec.UnsetType = msgspec.UNSET
    shows_text: bool | msgspec.UnsetType = msgspec.UNSET


class PushKeyView(msgspec.Struct, frozen=True):
    """``public_key``: what ``PushManager.subscribe`` takes as ``applicationServerKey``, base64url."""

    public_key: str


class PushKeys(msgspec.Struct, frozen=True):
    p256dh: Annotated[str, msgspec.Meta(max_length=200)]
    auth: Annotated[str, msgspec.Meta(max_length=100)]


class SubscriptionRequest(msgspec.Struct, frozen=True):
    """What ``PushSubscription.toJSON()`` gives; its other fields are ignored."""

    endpoint: Annotated[str, msgspec.Meta(max_length=2000)]
    keys: PushKeys


class EndRequest(msgspec.Struct, frozen=True):
    endpoint: Annotated[str, msgspec.Meta(max_length=2000)]


class SubscriptionView(msgspec.Struct, frozen=True):
    id: UUID


class EndedView(msgspec.Struct, frozen=True):
    digest: Literal["off"]


async def read_all(call: MemberCall) -> NoticePage:
    """List what the member was told, newest first."""
    limit = call.query_int("limit", 50, low=1, high=200)
    actor = call.actor
    page = Page(
        member_id=actor.member_id,
        visible_inboxes=actor.visible_inboxes,
        limit=limit,
        unread_only=call.query.get("unread") == "1",
        before=_read_before(call.query.get("before", "")),
    )
    async with call.resources.database.snapshot([actor.workspace_id]) as conn:
        found = await store.list_notices(conn, actor.workspace_id, page)
        counts = await store.count_new(conn, actor.workspace_id, actor.member_id, actor.visible_inboxes)
    following = encode_cursor((found[-1].at.isoformat(), str(found[-1].id))) if len(found) == limit else None
    return NoticePage([_view(one) for one in found], counts.unread, counts.unseen, following)


async def mark_read(call: MemberCall) -> MarkedView:
    """Mark some notices, or all, as read."""
    wanted = await call.decode(MarkRequest)
    actor = call.actor
    at = clock.now()
    times = at, _aware("until", wanted.until) or at
    async with call.resources.database.transaction([actor.workspace_id]) as conn:
        changed = await actions.mark_read(conn, actor.workspace_id, actor.member_id, wanted.ids, times)
        counts = await store.count_new(conn, actor.workspace_id, actor.member_id, actor.visible_inboxes)
    return MarkedView(changed, counts.unread, counts.unseen, at)


async def mark_unread(call: MemberCall) -> MarkedView:
    """Take back that some notices were read."""
    wanted = await call.decode(UnreadRequest)
    if (wanted.ids is None) is (wanted.read_at is None):
        raise InvalidInput("ids", "Name either ids or read_at.")
    actor, at = call.actor, _aware("read_at", wanted.read_at)
    async with call.resources.database.transaction([actor.workspace_id]) as conn:
        changed = await actions.mark_unread(conn, actor.workspace_id, actor.member_id, wanted.ids, at)
        counts = await store.count_new(conn, actor.workspace_id, actor.member_id, actor.visible_inboxes)
    return MarkedView(changed, counts.unread, counts.unseen, clock.now())


async def mark_seen(call: MemberCall) -> MarkedView:
    """Note that the member looked at the list: nothing in it is pushed any more."""
    wanted = await call.decode(SeenRequest)
    actor = call.actor
    async with call.resources.database.transaction([actor.workspace_id]) as conn:
        changed = await actions.mark_seen(conn, actor.workspace_id, actor.member_id, _aware("until", wanted.until))
        counts = await store.count_new(conn, actor.workspace_id, actor.member_id, actor.visible_inboxes)
    return MarkedView(changed, counts.unread, counts.unseen, clock.now())


async def read_settings(call: MemberCall) -> SettingsView:
    """Return how the member is told of things."""
    async with call.resources.database.snapshot([call.actor.workspace_id]) as conn:
        return _settings_view(await store.get_settings(conn, call.actor.workspace_id, call.actor.member_id))


async def change_settings(call: MemberCall) -> SettingsView:
    """Change how the member is told of things."""
    wanted = await call.decode(SettingsRequest)
    actor = call.actor
    named = {
        name: getattr(wanted, name)
        for name in wanted.__struct_fields__
        if name != "kinds" and getattr(wanted, name) is not msgspec.UNSET
    }
    async with call.resources.database.transaction([actor.workspace_id]) as conn:
        old = await store.get_settings(conn, actor.workspace_id, actor.member_id)
        kinds = dict(old.kinds)
        if wanted.kinds is not msgspec.UNSET:
            kinds |= {kind: frozenset(ways) for kind, ways in wanted.kinds.items()}
        new = msgspec.structs.replace(old, kinds=kinds, **named)
        return _settings_view(await actions.change_settings(conn, actor.workspace_id, actor.member_id, new))


async def read_push_key(call: SessionCall) -> PushKeyView:
    """Return the key that push services know this installation by."""
    async with call.resources.database.across() as conn:
        key = await push_store.public_key(conn)
    if key is None:
        raise NotFound("push key")
    return PushKeyView(base64.urlsafe_b64encode(key).decode().rstrip("="))


async def subscribe(call: SessionCall) -> SubscriptionView:
    """Push to this browser too, for as long as this session lives."""
    wanted = await call.decode(SubscriptionRequest)
    new = NewSubscription(
        login_id=call.signed_in.login_id,
        session_id=call.signed_in.session_id,
        endpoint=check_endpoint(wanted.endpoint),
        public_key=_key("keys.p256dh", wanted.keys.p256dh, 65),
        auth=_key("keys.auth", wanted.keys.auth, 16),
    )
    async with call.resources.database.across() as conn:
        return SubscriptionView(await push_store.keep_subscription(conn, clock.new_id(), new, clock.now()))


async def unsubscribe(call: SessionCall) -> None:
    """Push to this browser no more; again is fine."""
    wanted = await call.decode(EndRequest)
    async with call.resources.database.across() as conn:
        await push_store.drop_subscription(conn, call.signed_in.login_id, wanted.endpoint)


async def ask_to_end_digests(call: Call) -> HTMLResponse:
    """Show a button: programs that look at links before people do must not end anything."""
    links = required(call.resources.digest_links, "digest links")
    token = call.query.get("token", "")
    links.read(token)
    target = html.escape(f"?token={token}")
    form = f'<form method="post" action="{target}"><button>No more of these mails</button></form>'
    page = _PAGE.format(title="Notices by e-mail", body=form)
    return HTMLResponse(page, headers={"content-security-policy": _FORM_POLICY, "referrer-policy": "no-referrer"})


async def end_digests(call: Call) -> EndedView | HTMLResponse:
    """
    End a member's digests; the signed link says whose.

    Source:
        RFC 8058 section 3.2 (January 2017): the mail program POSTs without cookies, and the answer is not shown.
    """
    workspace_id, member_id = required(call.resources.digest_links, "digest links").read(call.query.get("token", ""))
    async with call.resources.database.transaction([workspace_id]) as conn:
        await actions.end_digests(conn, workspace_id, member_id)
    if "text/html" in call.request.headers.get("accept", ""):
        return HTMLResponse(_PAGE.format(title="Done", body="<p>You get no more of these mails.</p>"))
    return EndedView("off")


def _view(row: NoticeRow) -> NoticeView:
    shared = {name: getattr(row, name) for name in NoticeView.__struct_fields__ if name not in ("seen", "read")}
    return NoticeView(**shared, seen=row.seen_at is not None, read=row.read_at is not None)


def _settings_view(settings: Settings) -> SettingsView:
    kept = {name: getattr(settings, name) for name in SettingsView.__struct_fields__ if name != "kinds"}
    return SettingsView(kinds={kind: sorted(settings.ways(kind)) for kind in DEFAULT_WAYS}, **kept)


def _read_before(text: str) -> tuple[datetime, UUID] | None:
    if not text:
        return None
    at, notice_id = decode_cursor(text, 2)
    try:
        moment, row_id = datetime.fromisoformat(at), UUID(notice_id)
    except ValueError:
        raise InvalidInput("before", "This is not a cursor of ours.") from None
    if moment.tzinfo is None:
        raise InvalidInput("before", "This is not a cursor of ours.")
    return moment, row_id


def _aware(field: str, moment: datetime | None) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise InvalidInput(field, "Say the time with its zone.")
    return moment


def _key(field: str, text: str, size_bytes: int) -> bytes:
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != size_bytes:
        raise InvalidInput(field, f"This must be {size_bytes} bytes in base64url.")
    return key
