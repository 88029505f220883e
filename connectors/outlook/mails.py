"""Fetches one mail as it was sent; of a huge one only its headers and text."""

from __future__ import annotations

import base64
from typing import Final

import msgspec

from connectors.outlook.errors import NOT_FOUND, harmless, is_code
from connectors.outlook.graph import Graph, message_path, with_query
from hub.errors import ConnectorError

BOUNDARY: Final = "hub-left-in-the-mailbox"
_MEGABYTE: Final = 1024 * 1024
_HEADERS_LIMIT: Final = 500


class _Header(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class _Body(msgspec.Struct, frozen=True, rename="camel"):
    content: str = ""
    content_type: str = "text"


class Parts(msgspec.Struct, frozen=True, rename="camel"):
    """What Graph says of a mail in JSON."""

    internet_message_headers: tuple[_Header, ...] = ()
    body: _Body = _Body()


async def fetch_mail(graph: Graph, message_id: str, limit_bytes: int) -> bytes | None:
    """
    Fetch a mail.

    Args:
        graph: Whose mailbox.
        message_id: Graph's.
        limit_bytes: Larger ones are fetched without their files.

    Returns:
        RFC 5322; None when the mail is gone.

    Raises:
        ConnectorError: Never ``AMBIGUOUS``: nothing is changed.
    """
    with harmless():
        try:
            return await graph.get_mime(message_id, limit_bytes)
        except ConnectorError as error:
            if is_code(error, NOT_FOUND):
                return None
            if not is_code(error, "too_large"):
                raise
        try:
            parts = await graph.get(with_query(message_path(message_id), select="internetMessageHeaders,body"), Parts)
        except ConnectorError as error:
            if is_code(error, NOT_FOUND):
                return None
            raise
    return cut_mail(parts, limit_bytes)


def cut_mail(parts: Parts, limit_bytes: int) -> bytes:
    """Write a mail of headers and text that reads like the original, with a note about what is missing."""
    lines = [
        f"{one.name}: {' '.join(one.value.split())}"
        for one in parts.internet_message_headers[:_HEADERS_LIMIT]
        if not one.name.lower().startswith(("content-", "mime-version"))
    ]
    kind = "html" if parts.body.content_type.lower() == "html" else "plain"
    note = f"This mail is larger than {limit_bytes // _MEGABYTE} MB. Its files were left in the mailbox."
    lines += [
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{BOUNDARY}"',
        "",
        f"--{BOUNDARY}",
        f"Content-Type: text/{kind}; charset=utf-8",
        "Content-Transfer-Encoding: base64",
        "",
        base64.encodebytes(parts.body.content.encode("utf-8", "replace")).decode().replace("\n", "\r\n"),
        f"--{BOUNDARY}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        note,
        f"--{BOUNDARY}--",
        "",
    ]
    return "\r\n".join(lines).encode("utf-8", "replace")
