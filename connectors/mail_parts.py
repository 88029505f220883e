"""Gives the files of a mail that is kept whole until they are fetched: a connector's ``fetch`` where all is there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from connectors.base import Account, RawReader
from connectors.blocking import in_thread
from connectors.mime.parse import read_part
from hub.envelope import AttachmentRef
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, NotFound

PIECE_BYTES: Final = 256 * 1024
_NO_PART: Final = ConnectorErrorInfo(ErrorClass.PERMANENT, "no_part", "The mail has no such file.")


async def fetch_part(account: Account, attachment: AttachmentRef, read_raw: RawReader) -> AsyncIterator[bytes]:  # noqa: ARG001
    """
    Give the bytes of an attachment: a part of the mail it came in.

    Args:
        account: Not asked: the mail was fetched whole.
        attachment: As ``parse_mail`` named it.
        read_raw: Gives the mail.

    Raises:
        ConnectorError: The mail has no such part.
    """
    raw = await read_raw()
    try:
        content = await in_thread(partial(read_part, raw, attachment.ref))
    except NotFound:
        raise ConnectorError(_NO_PART) from None
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]
