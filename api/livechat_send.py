"""Stores what a live-chat visitor writes on their socket. Called by the socket's ports; acknowledged after COMMIT."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from connectors.livechat.site import read_site
from hub import clock
from hub.attachments import actions as uploads
from hub.channels.model import AccountStatus
from hub.envelope import InboundItem, ItemKind
from hub.errors import InvalidInput, NotFound, NotSignedIn
from hub.events import store as events
from hub.inbox import actions, store
from hub.inbox.batch import Outcome, OutcomeKind, ReceivedItem
from hub.inbox.files import FileLimits, check_sendable
from hub.inbox.model import TEXT_LIMIT_CHARS
from hub.throttle import Allowance

if TYPE_CHECKING:
    from connectors.livechat.site import Site
    from hub.attachments.model import Attachment
    from hub.channels.model import Route
    from hub.channels.visitors import VisitorClaims
    from hub.db import Database, TenantConn
    from hub.throttle import Throttle

# Far above what anybody types, far below what fills an inbox.
PER_VISITOR = (30, 60)
PER_ADDRESS = (120, 60)


class VisitorDraft(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a visitor sends.

    Attributes:
        client_message_id: The widget's own id; sending it again returns the first message.
        address: Where they call from, for counting only.
        attachment_ids: Uploads of theirs to send with it.
        file_limits: What the live chat takes.
    """

    client_message_id: UUID
    text: str
    address: str
    attachment_ids: tuple[UUID, ...] = ()
    file_limits: FileLimits = FileLimits()


class VisitorSent(msgspec.Struct, frozen=True):
    """A stored message; ``seq`` is the visitor's ``conversation_seq``."""

    message_id: UUID
    seq: int
    conversation_id: UUID


async def receive_from_visitor(
    database: Database, throttle: Throttle, visitor: VisitorClaims, route: Route, draft: VisitorDraft
) -> VisitorSent:
    """
    Store a visitor's message, once.

    Args:
        database: The installation.
        throttle: Counts per visitor and per address.
        visitor: From their checked token.
        route: The live chat the token is for.
        draft: What they wrote.

    Returns:
        The message, new or the one stored under the same id before.

    Raises:
        NotFound: The live chat was paused or removed.
        NotSignedIn: It takes only users of the site, and this visitor is none.
        InvalidInput: The text is empty or too long, a file cannot be sent, or the pre-chat form is not filled in.
        TooManyRequests: The visitor, or their address, writes too fast.
        Unavailable: Nothing was stored, or the answer was lost: send it again under the same id.
    """
    if route.status is not AccountStatus.CONNECTED:
        raise NotFound("live chat")
    if (route.workspace_id, route.id) != (visitor.workspace_id, visitor.channel_account_id):
        raise NotSignedIn("This visitor token is not valid here.")
    _check_visitor(visitor, read_site(route.settings))
    text = draft.text.strip()
    if not (text or draft.attachment_ids) or len(text) > TEXT_LIMIT_CHARS:
        raise InvalidInput("text", f"A message has 1 to {TEXT_LIMIT_CHARS:,} characters.")
    await throttle.take(
        [
            Allowance(f"livechat:send:{visitor.thread_key()}", *PER_VISITOR),
            Allowance(f"livechat:send:{draft.address}", *PER_ADDRESS),
        ],
        strict=False,
    )
    async with database.transaction([route.workspace_id]) as conn:
        outcome = await _receive(conn, visitor, route, draft, text)
        if outcome.message_id is None or outcome.conversation_id is None:
            raise NotFound("live chat")
        stored = await store.get_message(conn, route.workspace_id, outcome.message_id)
    return VisitorSent(stored.id, stored.conversation_seq or 0, stored.conversation_id)


async def _receive(conn: TenantConn, visitor: VisitorClaims, route: Route, draft: VisitorDraft, text: str) -> Outcome:
    """Receive it as any channel's item; its files become the message's unless it was received before."""
    author_id, ids = visitor.subject(), draft.attachment_ids
    files: tuple[Attachment, ...] = ()
    if ids:
        await events.lock(conn, [route.workspace_id])
        files = await uploads.read_uploads(conn, route.workspace_id, ids, author_id)
        check_sendable(files, draft.file_limits)
    received = ReceivedItem(
        workspace_id=route.workspace_id,
        channel_account_id=route.id,
        channel=route.channel,
        item=_item(visitor, draft, text),
        uploads=files,
    )
    (outcome,) = await actions.receive(conn, [received])
    if files and outcome.kind is OutcomeKind.STORED and outcome.message_id and outcome.conversation_id:
        place = (outcome.conversation_id, route.id)
        await uploads.send_uploads(conn, ids, author_id, message=(route.workspace_id, outcome.message_id), place=place)
    return outcome


def _check_visitor(visitor: VisitorClaims, site: Site) -> None:
    if visitor.external_user_id is not None:
        return
    if site.identity == "required":
        raise NotSignedIn("Sign in on this website to chat.")
    if site.ask_name == "required" and not visitor.name:
        raise InvalidInput("form.name", "Tell us your name first.")
    if site.ask_email == "required" and not visitor.email:
        raise InvalidInput("form.email", "Tell us your e-mail address first.")


def _item(visitor: VisitorClaims, draft: VisitorDraft, text: str) -> InboundItem:
    return InboundItem(
        kind=ItemKind.MESSAGE,
        # With the visitor in front: nobody's id can answer for somebody else's message.
        key=f"{visitor.visitor_id}:{draft.client_message_id}",
        occurred_at=clock.now(),
        thread_key=visitor.thread_key(),
        sender=visitor.sender(),
        text=text,
        client_message_id=str(draft.client_message_id),
    )
