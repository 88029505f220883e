"""Asks for what is new: everything since the newest event read, in LinkedIn's order. Never a page, only the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from connectors.base import Account, PolledBatch, Progress, RawItem
from connectors.linkedin.api import Asking, ask_linkedin
from connectors.linkedin.parse import MESSAGES
from connectors.linkedin.products import product_of
from connectors.linkedin.shapes import Page, Row, read
from hub import clock
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, MalformedPayload

PAGE_SIZE: Final = 50
# How far back LinkedIn keeps events.
KEPT: Final = timedelta(days=28)
_BATCH_ITEMS: Final = 50
# A server that never comes to an end: what was found is read, and the rest the next time.
_MOST_PAGES: Final = 400
_MARGIN: Final = timedelta(minutes=2)
_PAUSE_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 90.0
_WHAT: Final = "messages"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An event with its place in LinkedIn's order."""

    processed_at: int
    item: RawItem


async def poll(account: Account, cursor: str | None) -> AsyncIterator[PolledBatch]:
    """
    Read what came since a cursor, again and again; the hub closes it, and opens it anew with a newer token.

    Args:
        account: Its product says where; without one there is nothing to read, and nobody is asked.
        cursor: The newest moment read, in milliseconds since 1970; None begins when the account was connected.

    Raises:
        ConnectorError: LinkedIn cannot be asked, or refuses.
    """
    if not product_of(account.settings).events_path:
        return
    told: set[str] = set()
    while True:
        async for batch in read_new(account, cursor):
            # The newest moment comes again each time; what it held is not handed on each time.
            items = [one for one in batch.items if one.key not in told]
            if items or cursor is None:
                yield PolledBatch(items=items, cursor=batch.cursor)
            told = (
                {one.key for one in batch.items} if batch.cursor != cursor else told | {one.key for one in batch.items}
            )
            cursor = batch.cursor
        await asyncio.sleep(_pause_s(account))


async def read_new(account: Account, cursor: str | None) -> AsyncIterator[PolledBatch]:
    """Read once what came since a cursor; see ``poll``."""
    since_ms = read_cursor(cursor) or _ms(connected_at(account) - _MARGIN)
    found = await read_since(account, since_ms)
    for start in range(0, len(found), _BATCH_ITEMS):
        some = found[start : start + _BATCH_ITEMS]
        # The moment itself is asked for again: several events may share it, and keys drop what came twice.
        yield PolledBatch(items=[one.item for one in some], cursor=str(some[-1].processed_at))
    if not found:
        yield PolledBatch(items=(), cursor=str(since_ms))


async def backfill(account: Account, cursor: str | None) -> AsyncIterator[PolledBatch]:
    """
    Give the messages LinkedIn kept from before the account was connected, once; 28 days at most.

    Raises:
        ConnectorError: LinkedIn cannot be asked, or refuses.
    """
    until = connected_at(account) - _MARGIN
    since_ms = read_cursor(cursor) or _ms(until - KEPT)
    has_events = bool(product_of(account.settings).events_path)
    found = [one for one in await read_since(account, since_ms) if one.processed_at < _ms(until)] if has_events else []
    for start in range(0, len(found), _BATCH_ITEMS):
        some = found[start : start + _BATCH_ITEMS]
        progress = Progress(done=start + len(some), total=len(found), what=_WHAT)
        yield PolledBatch(items=[one.item for one in some], cursor=str(some[-1].processed_at), progress=progress)
    if not found:
        yield PolledBatch(items=(), cursor=str(since_ms), progress=Progress(done=0, total=0, what=_WHAT))


async def read_since(account: Account, since_ms: int) -> list[Found]:
    """
    Ask for all events since a moment and keep those about messages, oldest first, each once.

    Args:
        account: Says which events it may read.
        since_ms: Inclusive, milliseconds since 1970.

    Source:
        learn.microsoft.com/en-us/linkedin/dma, Member Changelog (``startTime`` is inclusive, by ``processedAt``);
        paging by ``start`` and ``count`` as everywhere in LinkedIn's API. In which order pages come is not relied on.
    """
    path = account.settings.get("events_path") or product_of(account.settings).events_path
    found: dict[str, Found] = {}
    start = 0
    for _ in range(_MOST_PAGES):
        query = {
            "q": "memberAndApplication",
            "startTime": str(since_ms),
            "start": str(start),
            "count": str(PAGE_SIZE),
        }
        page, _ = await ask_linkedin(account, Asking(path=path, query=query), Page)
        for raw in page.elements:
            row = _row(raw)
            if row is not None:
                found[row.item.key] = row
        start += len(page.elements)
        if len(page.elements) < PAGE_SIZE:
            break
    return sorted(found.values(), key=lambda one: one.processed_at)


def _row(raw: msgspec.Raw) -> Found | None:
    try:
        row = read(raw, Row)
    except MalformedPayload as error:
        info = ConnectorErrorInfo(ErrorClass.RETRYABLE, "unreadable", "LinkedIn's answer could not be read.")
        raise ConnectorError(info) from error
    if row.resource_name != MESSAGES or not row.activity_id:
        return None
    return Found(processed_at=row.processed_at, item=RawItem(key=row.activity_id[:300], body=bytes(raw)))


def read_cursor(text: str | None) -> int:
    """Return a kept cursor in milliseconds since 1970; 0 where there is none that can be read."""
    return int(text) if text and text.isascii() and text.isdigit() else 0


def connected_at(account: Account) -> datetime:
    """Say when somebody signed in; now where that is not known."""
    try:
        moment = datetime.fromisoformat(account.settings.get("connected_at", ""))
    except ValueError:
        return clock.now()
    return moment if moment.tzinfo else clock.now()


def _ms(moment: datetime) -> int:
    return max(1, int(moment.timestamp() * 1000))


def _pause_s(account: Account) -> float:
    text = account.settings.get("poll_every_s", "")
    return min(float(text), _LONGEST_PAUSE_S) if text.isascii() and text.isdigit() else _PAUSE_S
