"""
``/files/{token}``: the bytes of a file for whoever has its signed address. No cookie is read here.

Nothing a stranger sent runs on our origin: only pictures made anew, sound and video are shown, all in a sandbox without
scripts; everything else is saved.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import formatdate
from typing import TYPE_CHECKING, Final
from urllib.parse import quote
from uuid import UUID

import msgspec
from starlette.responses import RedirectResponse, Response, StreamingResponse

from api.call import required
from hub import clock
from hub.attachments import store
from hub.attachments.kinds import Served, served_as
from hub.attachments.links import BROWSER_S, FileLink
from hub.errors import InvalidInput, NotFound
from hub.inbox.files import FileLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.call import Call
    from connectors.base import Capabilities
    from hub.attachments.links import FileLinks
    from hub.attachments.model import AttachmentRow, Variant

PATH: Final = "/files"
_RANGE: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")
_POLICY: Final = "sandbox; default-src 'none'; base-uri 'none'; frame-ancestors 'self'"


class LinkView(msgspec.Struct, frozen=True):
    """An address good until ``expires_at``; a path on the hub's own origin."""

    url: str
    expires_at: datetime


async def read(call: Call) -> Response:
    """Hand out a file, whole or in part."""
    now_s = clock.now().timestamp()
    link = required(call.resources.file_links, "secret key").read(call.path["token"], now_s)
    async with call.resources.database.transaction([link.workspace_id]) as conn:
        row = await store.get(conn, link.workspace_id, link.attachment_id)
    key = row.key_of(link.variant)
    if row.state != "ready" or key is None:
        raise NotFound("file")
    served = served_as(row.mime) if link.variant == "original" else Served("image/webp", inline=True)
    headers = _headers(row, link, served, int(link.expires_at_s - now_s)) | {"etag": f'"{key.rpartition("/")[2]}"'}
    if headers["etag"] in call.request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    blobs = required(call.resources.keeper, "file store").blobs
    size_bytes = row.size_bytes if link.variant == "original" else await blobs.size(key)
    part = _wanted_part(call.request.headers, headers["etag"], size_bytes)
    if part is None:
        return Response(status_code=416, headers=headers | {"content-range": f"bytes */{size_bytes}"})
    start, end = part
    headers["content-length"] = str(end - start)
    if end - start < size_bytes:
        headers["content-range"] = f"bytes {start}-{end - 1}/{size_bytes}"
    status = 206 if end - start < size_bytes else 200
    if call.request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(blobs.read(key, start, end), status, headers)


def make_link(
    links: FileLinks,
    row_id: tuple[int, UUID],
    variant: Variant = "original",
    *,
    download: bool = False,
    lifetime_s: int = BROWSER_S,
) -> LinkView:
    """
    Make the short address of a file.

    Args:
        links: Signs it.
        row_id: Workspace and attachment; the caller has made sure that they may see it.
        variant: Which picture of it.
        download: Saved instead of shown.
        lifetime_s: Good for so long at least.
    """
    link = FileLink(workspace_id=row_id[0], attachment_id=row_id[1], variant=variant, download=download)
    token, expires_at_s = links.sign(link, clock.now().timestamp(), lifetime_s)
    return LinkView(f"{PATH}/{token}", clock.from_timestamp(expires_at_s))


def link_of(call: Call, row: AttachmentRow, *, lifetime_s: int = BROWSER_S) -> LinkView:
    """Make the address a call asks for by ``variant`` and ``download``; ``NotFound`` where there is no such picture."""
    variant = read_variant(call.query)
    if row.state != "ready" or row.key_of(variant) is None:
        raise NotFound("file")
    links = required(call.resources.file_links, "secret key")
    download = call.query.get("download") == "1"
    return make_link(links, (row.workspace_id, row.id), variant, download=download, lifetime_s=lifetime_s)


def redirect_to(link: LinkView) -> Response:
    """Send a browser to a file; it may ask the same way again for a minute without asking us."""
    return RedirectResponse(link.url, 302, headers={"cache-control": "private, max-age=60"})


def read_variant(query: Mapping[str, str]) -> Variant:
    """Read ``variant`` of a query."""
    match query.get("variant", "original"):
        case "original":
            return "original"
        case "thumbnail":
            return "thumbnail"
        case "preview":
            return "preview"
        case _:
            raise InvalidInput("variant", "Must be original, thumbnail or preview.")


def file_limits(capabilities: Capabilities) -> FileLimits:
    """Return what a channel takes, as the inbox checks it."""
    return FileLimits(
        allowed=capabilities.attachments,
        each_bytes=capabilities.attachment_limit_bytes,
        all_bytes=capabilities.attachment_total_bytes,
        count=capabilities.attachment_limit_count,
        mimes=capabilities.attachment_mimes,
    )


def _headers(row: AttachmentRow, link: FileLink, served: Served, rest_s: int) -> dict[str, str]:
    shown = "inline" if served.inline and not link.download else "attachment"
    return {
        "content-type": served.mime,
        "content-disposition": _disposition(shown, row.filename),
        "content-security-policy": _POLICY,
        "x-content-type-options": "nosniff",
        "cache-control": f"private, max-age={max(0, rest_s)}, immutable",
        # A mail's frame has an origin of its own: pictures in it would be refused. The address is the secret.
        "cross-origin-resource-policy": "cross-origin",
        "accept-ranges": "bytes",
        "last-modified": formatdate(row.created_at.timestamp(), usegmt=True),
        "referrer-policy": "no-referrer",
        "x-robots-tag": "noindex",
    }


def _disposition(shown: str, filename: str) -> str:
    """Say a name in both forms; the plain one has only harmless characters. Source: RFC 6266 section 5, appendix D."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", filename)
    return f"{shown}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _wanted_part(headers: Mapping[str, str], etag: str, size_bytes: int) -> tuple[int, int] | None:
    """
    Read which bytes are asked for.

    Returns:
        First byte and the one after the last; the whole for a request without (or with more than one) range; None for
        a range outside the file.

    Source:
        RFC 9110 sections 14.1.2, 14.2 and 13.1.5.
    """
    found = _RANGE.fullmatch(headers.get("range", "").replace(" ", ""))
    if found is None or headers.get("if-range", etag) != etag or found.group(0) == "bytes=-":
        return 0, size_bytes
    first, last = found.groups()
    if not first:
        start, end = max(0, size_bytes - int(last)), size_bytes
    else:
        start, end = int(first), min(size_bytes, int(last) + 1) if last else size_bytes
    return (start, end) if start < end else None
