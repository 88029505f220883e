"""What only mail has, over HTTP: formatted texts, and whom an answer goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

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


class HtmlView(msgspec.Struct, frozen=True):
    """
    A formatted text, safe to show.

    Attributes:
        html: A whole document for ``srcdoc`` of a sandboxed frame.
        remote_images: How many pictures it has elsewhere.
        blocked: How many of them are left out of this document.
    """

    html: str
    remote_images: int
    blocked: int


class ReplyDefaults(msgspec.Struct, frozen=True):
    """What an answer starts with; null where the channel has no subject, or no copies."""

    subject: str | None
    to: tuple[Party, ...] | None
    cc: tuple[Party, ...] | None


async def read_html(call: MemberCall) -> HtmlView:
    """Return a message's formatted text as a document; ``remote=1`` lets pictures from elsewhere load."""
    remote = call.query_int("remote", 0, low=0, high=1) == 1
    workspace_id = call.actor.workspace_id
    conversation_id, message_id = call.path_id("conversation_id"), call.path_id("message_id")
    async with call.resources.database.snapshot([workspace_id]) as conn:
        await visible(conn, call.actor, conversation_id, Permission.INBOX_READ)
        message = await store.get_message(conn, workspace_id, message_id)
        if message.conversation_id != conversation_id:
            raise NotFound("message")
        formatted, pictures = await mail_store.get_html(conn, workspace_id, message_id)
    base = f"{call.resources.settings.base_url}/api/v1/workspaces/{workspace_id}/attachments"
    urls = {cid: f"{base}/{attachment_id}" for cid, attachment_id in pictures.items()}
    return HtmlView(
        html=html.document(formatted.html, remote=remote, cid_urls=urls),
        remote_images=formatted.remote_images,
        blocked=0 if remote else formatted.remote_images,
    )


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
