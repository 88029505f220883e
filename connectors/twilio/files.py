"""Fetches the files people sent through Twilio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from connectors.base import Account, RawReader
from connectors.downloads import download
from hub.envelope import AttachmentRef

# Media addresses answer with a redirect to a signed address of Twilio's own store.
# Source: twilio.com/docs/messaging/api/media-resource, read 2026-11-22.
HOSTS: Final = ("api.twilio.com", ".twilio.com", ".twiliocdn.com", ".amazonaws.com")


async def fetch(account: Account, attachment: AttachmentRef, _read_raw: RawReader) -> AsyncIterator[bytes]:
    """
    Fetch a file somebody sent.

    Args:
        account: Whose keys open it; they go to the first host only.
        attachment: ``ref`` is the address that came with the message.

    Raises:
        ConnectorError: ``PERMANENT`` where it is gone or not at Twilio, ``AUTH``, or ``RETRYABLE``.
    """
    keys = (account.credentials.get("account_sid", ""), account.credentials.get("auth_token", ""))
    async for piece in download(attachment.ref, hosts=HOSTS, auth=keys, base_url=account.base_url):
        yield piece
