"""What only mail has, over HTTP: formatted texts, and whom an answer goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import HTMLResponse, Response

from api.call import required
from api.conversations import visible
from hub import html
from hub.accounts.model import Permission
from hub.envelope import Party
from hub.errors import NotFound
from hub.inbox import mail_store, recipients, store
from hub.inbox.model import MessageHeaders

if TYPE_CHECKING:
    from api.call import MemberCall


# As a header too, because only a header can put a document into a sandbox. It may be measured by the page around it
# (same origin) and runs nothing.
_POLICY: Final = (
    "default-src 'none'; img-src 'self' data:{remote}; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)


class ReplyDefaults(msgspec.Struct, frozen=True):
    """What an answer starts with; null where the channel has no subject, or no copies."""

    subject: str | None
    to: tuple[Party, ...] | None
    cc: tuple[Party, ...] | None


async def read_html(call: MemberCall) -> Response:
    """Answer a message's formatted text as a page for a frame; ``remote=1`` lets pictures from elsewhere load."""
    remote = call.query_int("remote", 0, low=0, high=1) == 1
    workspace_id = call.actor.workspace_id
    conversation_id, message_id = call.path_id("conversation_id"), call.path_id("message_id")
    async with call.resources.database.snapshot([workspace_id]) as conn:
        await visible(conn, call.actor, conversation_id, Permission.INBOX_READ)
        message = await store.get_message(conn, workspace_id, message_id)
        if message.conversation_id != conversation_id:
            raise NotFound("message")
        formatted, pictures = await mail_store.get_html(conn, workspace_id, message_id)
    base = f"/api/v1/workspaces/{workspace_id}/attachments"
    urls = {cid: f"{base}/{attachment_id}" for cid, attachment_id in pictures.items()}
    theme: html.Theme = "dark" if call.query.get("theme") == "dark" else "light"
    page = html.document(formatted.html, remote=remote, cid_urls=urls, theme=theme)
    policy = _POLICY.format(remote=" https: http:" if remote else "")
    headers = {
        "content-security-policy": policy,
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
