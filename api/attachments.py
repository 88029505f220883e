"""Files over HTTP: uploads of members, and the way to the files of messages they may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from api import files
from api.conversations import visible
from api.uploads import OffsetConflict, Uploads, UploadState, UploadView, read_offset, upload_view
from hub.accounts.model import Permission
from hub.attachments import store
from hub.attachments.actions import Upload
from hub.attachments.model import Attachment
from hub.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from api.call import MemberCall
    from hub.attachments.model import AttachmentRow


class NewUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that will come in parts."""

    filename: str
    size_bytes: int
    mime: str = ""


class AttachmentView(msgspec.Struct, frozen=True):
    attachment: Attachment


class _OffsetBody(msgspec.Struct, frozen=True):
    code: str
    message: str
    upload: UploadState


async def create(call: MemberCall) -> AttachmentView | UploadView:
    """Take a small file whole (with ``filename`` in the query), or begin one that comes in parts."""
    filename, author_id = call.query.get("filename"), call.actor.member_id
    if filename is not None:
        wanted = Upload(author_id=author_id, filename=filename, mime=call.query.get("mime", ""))
        row = await Uploads.of(call.resources).take_whole(call.actor.workspace_id, wanted, call.request)
        return AttachmentView(row.view())
    new = await call.decode(NewUpload)
    if new.size_bytes < 1:
        raise InvalidInput("size_bytes", "An empty file cannot be sent.")
    wanted = Upload(author_id=author_id, filename=new.filename, mime=new.mime, size_bytes=new.size_bytes)
    return upload_view(await Uploads.of(call.resources).begin(call.actor.workspace_id, wanted))


async def append(call: MemberCall) -> UploadView | Response:
    """Take the next part of a file."""
    uploads = Uploads.of(call.resources)
    offset = read_offset(call.request)
    row = await uploads.find(call.actor.workspace_id, call.path_id("attachment_id"), call.actor.member_id)
    try:
        return upload_view(await uploads.append(row, offset, call.request))
    except OffsetConflict as error:
        return offset_answer(error)


async def read_upload(call: MemberCall) -> UploadView:
    """Say where an upload goes on; one that is whole and was never checked (a process died) is checked now."""
    uploads = Uploads.of(call.resources)
    row = await uploads.find(call.actor.workspace_id, call.path_id("attachment_id"), call.actor.member_id)
    if row.state == "pending" and 0 < row.size_bytes == row.upload_offset:
        row = await uploads.finish(row)
    return upload_view(row)


async def remove(call: MemberCall) -> None:
    """Forget a file that was not sent."""
    await Uploads.of(call.resources).remove(
        call.actor.workspace_id, call.path_id("attachment_id"), call.actor.member_id
    )


async def read(call: MemberCall) -> Response:
    """Send the browser to a file."""
    return files.redirect_to(files.link_of(call, await _seen(call)))


async def read_link(call: MemberCall) -> files.LinkView:
    """Return the short address of a file."""
    return files.link_of(call, await _seen(call))


def offset_answer(error: OffsetConflict) -> Response:
    """Answer a part that begins at the wrong place with the right one."""
    body = _OffsetBody(error.code, error.message, UploadState(error.offset))
    headers = {"upload-offset": str(error.offset)}
    return Response(msgspec.json.encode(body), 409, headers, media_type="application/json")


async def _seen(call: MemberCall) -> AttachmentRow:
    """Return a file of a conversation the caller may see, or an upload of their own."""
    actor = call.actor
    async with call.resources.database.transaction([actor.workspace_id]) as conn:
        row = await store.get(conn, actor.workspace_id, call.path_id("attachment_id"))
        if row.conversation_id is not None:
            try:
                await visible(conn, actor, row.conversation_id, Permission.INBOX_READ)
            except NotFound:
                raise NotFound("attachment") from None
        elif row.author_id != actor.member_id:
            raise NotFound("attachment")
    return row
