"""Fetches files that people sent: with the token, from Slack's own host and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from connectors.base import Account, RawReader
from connectors.downloads import download
from connectors.slack.client import ask_as, read
from connectors.slack.parse import FILE_ID
from hub.envelope import AttachmentRef
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

# Source: docs.slack.dev/reference/objects/file-object, "Authentication", read 2026-11-22.
HOSTS: Final = ("files.slack.com",)
# What comes in place of a file where the token may not read it: Slack's page to sign in.
_PAGE: Final = (b"<!doctype html", b"<html")
_NO_SCOPE: Final = ConnectorErrorInfo(
    ErrorClass.PERMANENT, "missing_scope", "The app may not read files: it lacks files:read. Sign in again to grant it."
)
_NO_ADDRESS: Final = ConnectorErrorInfo(ErrorClass.PERMANENT, "no_address", "Slack does not give this file out.")


class _File(msgspec.Struct):
    url_private_download: str = ""
    url_private: str = ""


class _Shown(msgspec.Struct):
    file: _File


async def fetch(account: Account, attachment: AttachmentRef, _read_raw: RawReader) -> AsyncIterator[bytes]:
    """
    Fetch a file somebody sent.

    Args:
        account: Whose token opens it; it goes to Slack's file host only, and to no redirect.
        attachment: ``ref`` is its address, or its id where an event of another organisation named no address.

    Raises:
        ConnectorError: ``PERMANENT`` where it is gone, not at Slack or not ours to read; ``AUTH``, or ``RETRYABLE``.
    """
    url = attachment.ref
    if url.startswith(FILE_ID):
        file_id = url.removeprefix(FILE_ID)
        file = read(await ask_as(account, lambda client: client.files_info(file=file_id)), _Shown).file
        url = file.url_private_download or file.url_private
        if not url:
            raise ConnectorError(_NO_ADDRESS)
    may_be_page = (attachment.mime or "").lower() != "text/html"
    token = account.credentials.get("access_token", "")
    async for piece in download(url, hosts=HOSTS, bearer=token, base_url=account.base_url):
        if may_be_page and piece.lstrip()[:15].lower().startswith(_PAGE):
            raise ConnectorError(_NO_SCOPE)
        may_be_page = False
        yield piece
