"""A draft in the mailbox: how it is written, found again by our own mark, and given its files."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from connectors.base import Account
from connectors.downloads import is_allowed
from connectors.http import Request, ask
from connectors.mime.compose import compose_html
from connectors.mime.model import MailFile
from connectors.mime.reports import TOKEN_HEADER
from connectors.mime.tokens import TokenKey, sign_marker, sign_message_id
from connectors.mime.writer import check_address
from connectors.outlook.errors import VENDOR, describe, failure
from connectors.outlook.graph import Graph, Nothing, message_path, quoted, with_query
from hub.envelope import Identity, OutboundAttachment, OutboundMessage, clean_text
from hub.errors import ErrorClass, InvalidInput

# A named property in the set of public strings: Graph keeps it with the mail and can search for it.
# Source: learn.microsoft.com/en-us/graph/api/resources/extended-properties-overview, read 2026-11-23.
MARK: Final = "String {00020329-0000-0000-c000-000000000046} Name ClientContactMessageId"
# What goes along with a request; above that a session of its own takes the bytes in pieces.
INLINE_LIMIT_BYTES: Final = 3 * 1024 * 1024
# A multiple of 320 KiB below 4 MB, as upload sessions want it.
PIECE_BYTES: Final = 12 * 320 * 1024
# An upload's address carries its own proof; the token is not sent there.
UPLOAD_HOSTS: Final = ("graph.microsoft.com", ".office.com", ".office365.com", ".outlook.com")
_SUBJECT_LIMIT_CHARS: Final = 255


class Draft(msgspec.Struct, frozen=True, rename="camel"):
    """A mail as Graph has it."""

    id: str
    is_draft: bool = True
    internet_message_id: str = ""

    @property
    def external_id(self) -> str:
        """Its Message-ID as the rest of the hub writes it."""
        return self.internet_message_id.strip().strip("<>")


class _Found(msgspec.Struct, frozen=True):
    value: tuple[Draft, ...] = ()


class _Session(msgspec.Struct, frozen=True, rename="camel"):
    upload_url: str


async def find(graph: Graph, message_id: str) -> Draft | None:
    """Look for the mail of a message of ours, sent or not; a sent one goes first."""
    wanted = f"singleValueExtendedProperties/Any(ep: ep/id eq {quoted(MARK)} and ep/value eq {quoted(message_id)})"
    return await _first(graph, wanted)


async def find_by_internet_id(graph: Graph, external_id: str) -> Draft | None:
    """Look for a mail by its Message-ID."""
    return await _first(graph, f"internetMessageId eq {quoted(f'<{external_id}>')}")


async def make(graph: Graph, account: Account, message: OutboundMessage) -> Draft:
    """
    Write the draft: as an answer where there is a mail to answer, so that it keeps its place in the thread.

    Args:
        graph: Whose mailbox.
        account: Signs the reference to the conversation.
        message: To be sent.

    Raises:
        ConnectorError: An address cannot be written to (CONTENT), or Graph refuses.
    """
    body = content(account, message)
    answered = message.quoted_external_id or message.reply_to_external_id
    if answered and (parent := await find_by_internet_id(graph, answered)) is not None:
        if not body["subject"]:
            del body["subject"]  # Graph writes the answered mail's own, with RE: before it
        return await graph.post(f"{message_path(parent.id)}/createReply", {"message": body}, Draft)
    return await graph.post("/me/messages", body, Draft)


def content(account: Account, message: OutboundMessage) -> dict[str, object]:
    """Return a mail in Graph's JSON."""
    token, marker = _signed(account, message)
    inline = [
        MailFile(filename=one.filename, mime=one.mime, content=b"", inline_cid=one.inline_cid)
        for one in message.attachments
        if one.inline_cid and one.mime.startswith("image/")
    ]
    body: dict[str, object] = {
        "subject": " ".join(clean_text(message.subject).split())[:_SUBJECT_LIMIT_CHARS],
        "body": {"contentType": "html", "content": compose_html(message, inline, marker)},
        "toRecipients": _people((message.to, *message.also_to)),
        "ccRecipients": _people(message.cc),
        "bccRecipients": _people(message.bcc),
        "singleValueExtendedProperties": [{"id": MARK, "value": message.message_id}],
    }
    if token:
        body["internetMessageHeaders"] = [{"name": TOKEN_HEADER, "value": f"<{token}>"}]
    return body


async def attach(graph: Graph, account: Account, draft: Draft, files: Sequence[OutboundAttachment]) -> None:
    """Give a draft its files."""
    for one in files:
        bytes_ = await _read(account, one)
        if len(bytes_) <= INLINE_LIMIT_BYTES:
            await graph.post(f"{message_path(draft.id)}/attachments", _small(one, bytes_), Nothing)
        else:
            await _upload(graph, account, draft, one, bytes_)


def _small(file: OutboundAttachment, bytes_: bytes) -> dict[str, object]:
    return {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "contentBytes": base64.b64encode(bytes_).decode(),
        **_described(file),
    }


def _described(file: OutboundAttachment) -> dict[str, object]:
    described: dict[str, object] = {"name": clean_text(file.filename), "contentType": file.mime}
    if file.inline_cid:
        described |= {"isInline": True, "contentId": file.inline_cid.strip("<>")}
    return described


async def _upload(graph: Graph, account: Account, draft: Draft, file: OutboundAttachment, bytes_: bytes) -> None:
    item = {"attachmentType": "file", "size": len(bytes_), **_described(file)}
    path = f"{message_path(draft.id)}/attachments/createUploadSession"
    session = await graph.post(path, {"AttachmentItem": item}, _Session)
    parts = urlsplit(session.upload_url)
    is_vendors = parts.scheme == "https" and is_allowed((parts.hostname or "").lower(), UPLOAD_HOSTS)
    if not (graph.owns(session.upload_url) if account.base_url else is_vendors):
        raise failure(ErrorClass.PERMANENT, "address", "Microsoft named an address that is not its own.")
    for start in range(0, len(bytes_), PIECE_BYTES):
        piece = bytes_[start : start + PIECE_BYTES]
        span = f"bytes {start}-{start + len(piece) - 1}/{len(bytes_)}"
        headers = {"content-range": span, "content-type": "application/octet-stream"}
        request = Request(vendor=VENDOR, method="PUT", url=session.upload_url, headers=headers, body=piece)
        await ask(msgspec.structs.replace(request, read_refusal=describe))


async def _read(account: Account, file: OutboundAttachment) -> bytes:
    if account.read_file is None:
        raise failure(ErrorClass.PERMANENT, "files", "The files of this message cannot be read.")
    bytes_ = bytearray()
    async for piece in account.read_file(file.id):
        bytes_ += piece
    return bytes(bytes_)


async def _first(graph: Graph, wanted: str) -> Draft | None:
    listed = await graph.get(with_query("/me/messages", filter=wanted, select="id,isDraft,internetMessageId"), _Found)
    return min(listed.value, key=lambda one: one.is_draft, default=None)


def _signed(account: Account, message: OutboundMessage) -> tuple[str, str]:
    """Return our signed reference for a header and for the text; empty where there is no conversation to refer to."""
    key = TokenKey(account.signing_key, account.workspace_id, account.id)
    domain = account.settings.get("address", "").rpartition("@")[2] or "localhost"
    try:
        token = sign_message_id(key, message.conversation_id, message.message_id, domain)
        return token, sign_marker(key, message.conversation_id)
    except InvalidInput:
        return "", ""


def _people(people: Sequence[Identity]) -> list[dict[str, dict[str, str]]]:
    return [{"emailAddress": _address(one)} for one in people]


def _address(one: Identity) -> dict[str, str]:
    address = {"address": check_address(one.value)}
    return address | {"name": " ".join(clean_text(one.display_name).split())} if one.display_name else address
