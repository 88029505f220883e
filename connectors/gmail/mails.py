"""Lists mails and fetches each as it was sent; of a huge one only its headers and text."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

import msgspec

from connectors.base import Account, RawItem
from connectors.blocking import in_thread
from connectors.gmail.api import ME, Gmail
from connectors.gmail.errors import NOT_FOUND, TOO_LARGE, failure, harmless, is_code
from connectors.gmail.parse import INBOX, SENT
from connectors.mime.cut import cut_mail
from hub.errors import ConnectorError, ErrorClass

PAGE_SIZE: Final = 100
# Not mail (yet), or what the mailbox keeps from people.
_NOT_SHOWN: Final = frozenset({"DRAFT", "CHAT", "SPAM", "TRASH"})
_SENT_LABEL: Final = "SENT"
_BATCH_BYTES: Final = 8 * 1024 * 1024
_MEGABYTE: Final = 1024 * 1024


class Row(msgspec.Struct, frozen=True, rename="camel"):
    """A mail in a list."""

    id: str
    thread_id: str = ""
    label_ids: tuple[str, ...] = ()


class Page(msgspec.Struct, frozen=True, rename="camel"):
    """A page of a search, newest first; ``result_size_estimate`` is what Gmail guesses the whole has."""

    messages: tuple[Row, ...] = ()
    next_page_token: str = ""
    result_size_estimate: int = 0


class Fetched(msgspec.Struct, frozen=True):
    """A mail and when it arrived."""

    item: RawItem
    arrived_at: datetime


class _Raw(msgspec.Struct, frozen=True, rename="camel"):
    raw: str
    internal_date: str = "0"
    label_ids: tuple[str, ...] = ()


class _Header(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class _Body(msgspec.Struct, frozen=True):
    data: str = ""


class _Part(msgspec.Struct, frozen=True, rename="camel"):
    mime_type: str = ""
    filename: str = ""
    headers: tuple[_Header, ...] = ()
    body: _Body = _Body()
    parts: tuple[_Part, ...] = ()


class _Full(msgspec.Struct, frozen=True, rename="camel"):
    payload: _Part = _Part()
    internal_date: str = "0"
    label_ids: tuple[str, ...] = ()


async def search(gmail: Gmail, wanted: str, page_token: str = "", size: int = PAGE_SIZE) -> Page:
    """Ask for a page of a search, in Gmail's own language; spam and trash are left out."""
    with harmless():
        return await gmail.ask(
            lambda users: users.messages().list(userId=ME, q=wanted, maxResults=size, pageToken=page_token or None),
            Page,
        )


async def find(gmail: Gmail, external_id: str) -> Row | None:
    """Look for a mail by its Message-ID, those in spam and trash too."""
    with harmless():
        page = await gmail.ask(
            lambda users: users.messages().list(
                userId=ME, q=f"rfc822msgid:{external_id.strip('<>')}", maxResults=1, includeSpamTrash=True
            ),
            Page,
        )
    return page.messages[0] if page.messages else None


async def fetch_all(account: Account, gmail: Gmail, ids: Sequence[str]) -> AsyncIterator[list[Fetched]]:
    """
    Fetch mails, in portions of some megabytes.

    Args:
        account: Says how large a mail may be.
        gmail: Whose mailbox.
        ids: In the order they are wanted; what is gone, no mail or kept from people is left out.
    """
    limit_bytes = int(account.settings.get("largest_mail_mb") or 25) * _MEGABYTE
    found: list[Fetched] = []
    for message_id in ids:
        fetched = await _fetch(gmail, message_id, limit_bytes)
        if fetched is None:
            continue
        found.append(fetched)
        if sum(len(one.item.body) for one in found) >= _BATCH_BYTES:
            yield found
            found = []
    if found:
        yield found


async def _fetch(gmail: Gmail, message_id: str, limit_bytes: int) -> Fetched | None:
    """Fetch one mail; None when it is gone, or nothing to show."""
    # In Base64 within JSON.
    answer_bytes = limit_bytes * 4 // 3 + _MEGABYTE
    try:
        with harmless():
            mail = await gmail.ask(
                lambda users: users.messages().get(userId=ME, id=message_id, format="raw"),
                _Raw,
                limit_bytes=answer_bytes,
                timeout_s=30.0,
            )
        body = await in_thread(partial(_decoded, mail.raw))
        return _fetched(message_id, mail.label_ids, mail.internal_date, body)
    except ConnectorError as error:
        if is_code(error, NOT_FOUND):
            return None
        if not is_code(error, TOO_LARGE):
            raise
    try:
        with harmless():
            full = await gmail.ask(lambda users: users.messages().get(userId=ME, id=message_id, format="full"), _Full)
    except ConnectorError as error:
        if is_code(error, NOT_FOUND):
            return None
        raise
    return _fetched(message_id, full.label_ids, full.internal_date, _cut(full, limit_bytes))


def _fetched(message_id: str, labels: tuple[str, ...], internal_date: str, body: bytes) -> Fetched | None:
    if _NOT_SHOWN.intersection(labels):
        return None
    prefix = SENT if _SENT_LABEL in labels else INBOX
    try:
        arrived_at = datetime.fromtimestamp(int(internal_date) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        arrived_at = datetime.fromtimestamp(0, UTC)
    return Fetched(RawItem(key=f"{prefix}{message_id[:200]}", body=body), arrived_at)


def _cut(full: _Full, limit_bytes: int) -> bytes:
    headers = ((one.name, one.value) for one in full.payload.headers)
    plain = _text_of(full.payload, "text/plain")
    content = plain or _text_of(full.payload, "text/html")
    return cut_mail(headers, content, is_html=not plain, limit_bytes=limit_bytes)


def _text_of(part: _Part, mime: str, depth: int = 0) -> str:
    """Return the first text of a kind that is no file; Gmail gives it in UTF-8, whatever it was sent in."""
    if part.mime_type.lower() == mime and not part.filename and part.body.data:
        return _decoded(part.body.data).decode("utf-8", "replace")
    if depth >= 20:
        return ""
    return next((text for one in part.parts if (text := _text_of(one, mime, depth + 1))), "")


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise failure(ErrorClass.RETRYABLE, "unreadable", "Google's answer could not be read.") from error
