"""Fetches one mail as it was sent; of a huge one only its headers and text."""

from __future__ import annotations

import msgspec

from connectors.mime.cut import cut_mail
from connectors.outlook.errors import NOT_FOUND, harmless, is_code
from connectors.outlook.graph import Graph, message_path, with_query
from hub.errors import ConnectorError


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
    return cut(parts, limit_bytes)


def cut(parts: Parts, limit_bytes: int) -> bytes:
    """Write a mail of headers and text that reads like the original, with a note about what is missing."""
    headers = ((one.name, one.value) for one in parts.internet_message_headers)
    is_html = parts.body.content_type.lower() == "html"
    return cut_mail(headers, parts.body.content, is_html=is_html, limit_bytes=limit_bytes)
