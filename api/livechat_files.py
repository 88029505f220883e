"""Files of live-chat visitors: they upload to, and fetch from, their own conversation and nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response

from api.attachments import AttachmentView, offset_answer
from api.call import required
from api.files import link_of, make_link
from api.livechat import allow_origin, find_chat, visitor_of
from api.uploads import OffsetConflict, Uploads, read_offset, upload_view
from hub.attachments import store
from hub.attachments.actions import Upload
from hub.errors import InvalidInput, NotFound, NotSignedIn
from hub.inbox import store as inbox
from hub.throttle import Allowance

if TYPE_CHECKING:
    from api.call import Call
    from api.livechat_visit import Chat
    from hub.attachments.model import AttachmentRow
    from hub.channels.visitors import VisitorClaims

# Files in 10 minutes. An address may be a whole office.
FILES_PER_VISITOR: Final = (30, 600)
FILES_PER_ADDRESS: Final = (120, 600)
LOOKS_PER_VISITOR: Final = (240, 60)


class NewVisitorUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that will come in parts."""

    filename: str
    size_bytes: int
    mime: str = ""


class VisitorFileView(msgspec.Struct, frozen=True):
    """Short addresses of a file; ``thumbnail_url`` None where there is no small picture of it."""

    url: str
    thumbnail_url: str | None
    expires_at: datetime


async def create(call: Call) -> Response:
    """Take a small file whole (with ``filename`` in the query), or begin one that comes in parts."""
    chat, claims, headers = await _enter(call)
    limit_bytes = _limit_bytes(call, chat)
    await call.resources.throttle.take(
        [
            Allowance(f"livechat:file:{claims.thread_key()}", *FILES_PER_VISITOR),
            Allowance(f"livechat:file:{call.address}", *FILES_PER_ADDRESS),
        ],
        strict=False,
    )
    uploads, author_id = Uploads.of(call.resources), claims.subject()
    filename = call.query.get("filename")
    if filename is not None:
        wanted = Upload(
            author_id=author_id,
            filename=filename,
            mime=call.query.get("mime", ""),
            channel_account_id=chat.route.id,
        )
        row = await uploads.take_whole(chat.route.workspace_id, wanted, call.request, limit_bytes)
        return _answer(AttachmentView(row.view()), headers, 201)
    new = await call.decode(NewVisitorUpload)
    if new.size_bytes < 1:
        raise InvalidInput("size_bytes", "An empty file cannot be sent.")
    wanted = Upload(
        author_id=author_id,
        filename=new.filename,
        mime=new.mime,
        size_bytes=new.size_bytes,
        channel_account_id=chat.route.id,
    )
    return _answer(upload_view(await uploads.begin(chat.route.workspace_id, wanted, limit_bytes)), headers, 201)


async def append(call: Call) -> Response:
    """Take the next part of a visitor's file."""
    _, claims, headers = await _enter(call)
    uploads, offset = Uploads.of(call.resources), read_offset(call.request)
    row = await uploads.find(claims.workspace_id, call.path_id("attachment_id"), claims.subject())
    try:
        return _answer(upload_view(await uploads.append(row, offset, call.request)), headers, 200)
    except OffsetConflict as error:
        refused = offset_answer(error)
        refused.headers.update(headers)
        return refused


async def remove(call: Call) -> Response:
    """Forget a visitor's file that was not sent."""
    _, claims, headers = await _enter(call)
    await Uploads.of(call.resources).remove(claims.workspace_id, call.path_id("attachment_id"), claims.subject())
    return Response(status_code=204, headers=headers)


async def read(call: Call) -> Response:
    """Return the addresses of a file of the visitor's conversation, or of their own upload."""
    _, claims, headers = await _enter(call)
    await call.resources.throttle.take(
        [Allowance(f"livechat:look:{claims.thread_key()}", *LOOKS_PER_VISITOR)], strict=False
    )
    row = await _seen(call, claims)
    link = link_of(call, row)
    links = required(call.resources.file_links, "secret key")
    small = make_link(links, (row.workspace_id, row.id), "thumbnail").url if row.thumbnail_key else None
    return _answer(VisitorFileView(link.url, small, link.expires_at), headers, 200)


async def _seen(call: Call, claims: VisitorClaims) -> AttachmentRow:
    """Only the thread of these claims is looked at, and of it only what its visitor is shown."""
    attachment_id = call.path_id("attachment_id")
    async with call.resources.database.transaction([claims.workspace_id]) as conn:
        row = await store.get(conn, claims.workspace_id, attachment_id)
        if row.message_id is None:
            if row.author_id != claims.subject():
                raise NotFound("attachment")
            return row
        message = await inbox.get_message(conn, claims.workspace_id, row.message_id)
        conversation = await inbox.get_conversation(conn, claims.workspace_id, message.conversation_id)
    here = (conversation.channel_account_id, conversation.thread_key)
    if message.conversation_seq is None or here != (claims.channel_account_id, claims.thread_key()):
        raise NotFound("attachment")
    return row


async def _enter(call: Call) -> tuple[Chat, VisitorClaims, dict[str, str]]:
    """Check where the call comes from and whose it is."""
    chat = await find_chat(call)
    headers = allow_origin(call, chat.site)
    claims = visitor_of(call, chat)
    if chat.site.identity == "required" and claims.external_user_id is None:
        raise NotSignedIn("Sign in on this website to chat.")
    return chat, claims, headers


def _limit_bytes(call: Call, chat: Chat) -> int:
    capabilities = required(call.resources.registry, "channels").get(chat.route.channel).manifest.capabilities
    if not capabilities.attachments:
        raise InvalidInput("attachments", "This channel takes no files.")
    return capabilities.attachment_limit_bytes


def _answer(view: msgspec.Struct, headers: dict[str, str], status: int) -> Response:
    return Response(msgspec.json.encode(view), status, headers, media_type="application/json")
