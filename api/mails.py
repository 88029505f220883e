"""What only mail has, over HTTP: formatted texts, and whom an answer goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import msgspec
from starlette.responses import HTMLResponse, Response

from api import images
from api.call import required
from api.conversations import visible
from hub import clock, html
from hub.accounts.model import Permission
from hub.contacts import store as contacts
from hub.envelope import Party
from hub.errors import NotFound
from hub.inbox import mail_store, recipients, store
from hub.inbox.model import MessageHeaders

if TYPE_CHECKING:
    from api.auth import Edge
    from api.call import MemberCall
    from hub.db import TenantConn
    from hub.inbox.rows import MessageRow


# As a header too, because only a header can put a document into a sandbox. It may be measured by the page around it
# (same origin) and runs nothing.
_POLICY: Final = (
    "default-src 'none'; img-src data: {sources}; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)


class ReplyDefaults(msgspec.Struct, frozen=True):
    """What an answer starts with; null where the channel has no subject, or no copies."""

    subject: str | None
    to: tuple[Party, ...] | None
    cc: tuple[Party, ...] | None


async def read_html(call: MemberCall) -> Response:
    """Answer a message's formatted text as a page for a frame; its pictures from elsewhere come from our proxy."""
    workspace_id = call.actor.workspace_id
    conversation_id, message_id = call.path_id("conversation_id"), call.path_id("message_id")
    async with call.resources.database.snapshot([workspace_id]) as conn:
        await visible(conn, call.actor, conversation_id, Permission.INBOX_READ)
        message = await store.get_message(conn, workspace_id, message_id)
        if message.conversation_id != conversation_id:
            raise NotFound("message")
        formatted, pictures = await mail_store.get_html(conn, workspace_id, message_id)
        shown = await _are_shown(conn, call, message)
    base = f"/api/v1/workspaces/{workspace_id}/attachments"
    sources = _sources(call)
    page = html.document(
        formatted.html,
        cid_urls={cid: f"{base}/{attachment_id}" for cid, attachment_id in pictures.items()},
        sources=sources,
        proxied=_proxied(call) if shown else None,
        theme="dark" if call.query.get("theme") == "dark" else "light",
    )
    headers = {
        "content-security-policy": _POLICY.format(sources=" ".join(sources)),
        "referrer-policy": "no-referrer",
        "cache-control": "private, no-store",
    }
    return HTMLResponse(page, headers=headers)


async def read_defaults(call: MemberCall) -> ReplyDefaults:
    """Return the subject and people an answer starts with."""
    workspace_id, conversation_id = call.actor.workspace_id, call.path_id("conversation_id")
    async with call.resources.database.snapshot([workspace_id]) as conn:
        row = await visible(conn, call.actor, conversation_id, Permission.INBOX_READ)
        capabilities = required(call.resources.registry, "channels").get(row.channel).manifest.capabilities
        defaults = MessageHeaders()
        if capabilities.subject or capabilities.copies:
            defaults = await recipients.read_defaults(conn, row)
    return ReplyDefaults(
        subject=defaults.subject if capabilities.subject else None,
        to=defaults.to if capabilities.copies else None,
        cc=defaults.cc if capabilities.copies else None,
    )


async def _are_shown(conn: TenantConn, call: MemberCall, message: MessageRow) -> bool:
    """Whether pictures from elsewhere load: as the reader says now, else as somebody here said of the sender."""
    if call.query.get("remote", ""):
        return call.query_int("remote", 0, low=0, high=1) == 1
    if message.author_kind != "contact" or message.author_id is None:
        return False
    return await contacts.shows_pictures(conn, message.workspace_id, message.author_id)


def _proxied(call: MemberCall) -> html.Proxied:
    links, now_s = required(call.resources.image_links, "secret key"), clock.now().timestamp()

    def proxied(url: str) -> str | None:
        token = links.sign(call.actor.workspace_id, url, now_s)
        return f"{images.PATH}/{token}" if token else None

    return proxied


def _sources(call: MemberCall) -> list[str]:
    """Where a mail's pictures may come from: our proxy and our files, and nothing else on our own origin either."""
    edge = cast("Edge", call.request.app.state.edge)
    paths = (f"{images.PATH}/", f"/api/v1/workspaces/{call.actor.workspace_id}/attachments/", "/files/")
    # A source list cannot name an IPv6 address.
    named = sorted(origin for origin in edge.origins if "[" not in origin)
    return [f"{origin}{path}" for origin in named for path in paths] or ["'self'"]
