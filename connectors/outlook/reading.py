"""Reads what is new in Inbox and Sent Items: delta queries, started by hints, and every few minutes without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from connectors.base import Account, PolledBatch, RawItem
from connectors.mime.mailbox import connected_at
from connectors.outlook.cursor import Cursor, Place, read_cursor
from connectors.outlook.errors import RESYNC, harmless, is_code
from connectors.outlook.graph import Graph, with_query
from connectors.outlook.mails import fetch_mail
from connectors.outlook.parse import INBOX, SENT, mail_key, read_note
from connectors.outlook.watch import mend
from hub import clock
from hub.errors import ConnectorError, MalformedPayload

# Folders by their well-known names, with the prefix of their mails' keys.
FOLDERS: Final = {"inbox": INBOX, "sentitems": SENT}
PAGE_SIZE: Final = 25
# Notifications may be dropped without a trace, so the mailbox is asked now and then all the same. Below the two minutes
# that a token is good for at least when it is handed to us.
QUIET_S: Final = 90.0
# What was on its way when reading begins, or arrived out of order while a resync was needed.
_MARGIN: Final = timedelta(minutes=10)
_RESYNC_MARGIN: Final = timedelta(days=1)
_BATCH_BYTES: Final = 8 * 1024 * 1024
_MEGABYTE: Final = 1024 * 1024


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A mail in a list; ``removed`` is set where it only says that it has gone."""

    id: str
    received_date_time: datetime | None = None
    is_draft: bool = False
    removed: msgspec.Raw | None = msgspec.field(default=None, name="@removed")


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a list; the last one of a delta query has a ``delta_link``."""

    value: tuple[Row, ...]
    next_link: str = msgspec.field(default="", name="@odata.nextLink")
    delta_link: str = msgspec.field(default="", name="@odata.deltaLink")
    count: int = msgspec.field(default=0, name="@odata.count")


async def expand(account: Account, hint: RawItem, cursor: str | None) -> AsyncIterator[PolledBatch]:
    """
    Fetch what a notification speaks of: everything since the cursor.

    Args:
        account: Whose mailbox.
        hint: The newest; one about the subscription itself makes us mend it first.
        cursor: As kept.

    Raises:
        ConnectorError: Graph cannot be asked, or refuses.
    """
    try:
        event = read_note(hint.body).lifecycle_event
    except MalformedPayload:
        event = ""
    if event:
        await mend(account, clock.now(), is_asked=event == "reauthorizationRequired")
    async for batch in read_changes(account, cursor):
        yield batch


async def poll(account: Account, cursor: str | None) -> AsyncIterator[PolledBatch]:
    """Read once what nobody told us of: at once where nothing was read yet, else after a pause; see ``expand``."""
    if cursor is not None and account.settings.get("subscriptions"):
        await asyncio.sleep(QUIET_S)
    async for batch in read_changes(account, cursor):
        yield batch


async def read_changes(account: Account, cursor_text: str | None) -> AsyncIterator[PolledBatch]:
    """
    Give the mails of both folders that came since a cursor.

    Args:
        account: Whose mailbox.
        cursor_text: As kept; None begins when the account was connected.

    Yields:
        Batches; one at least, so that where reading goes on is kept.
    """
    cursor = read_cursor(cursor_text, account, _begin(account) - _MARGIN)
    graph = Graph(account)
    for folder in FOLDERS:
        async for batch, moved in _read_folder(account, graph, folder, cursor):
            cursor = moved
            yield batch


async def _read_folder(
    account: Account, graph: Graph, folder: str, cursor: Cursor
) -> AsyncIterator[tuple[PolledBatch, Cursor]]:
    place = cursor.folders.get(folder)
    if place is None or not graph.owns(place.link):
        place = Place(link=_first_link(folder, cursor.since))
    while True:
        page, place = await _page(graph, folder, place, cursor.since)
        moved = cursor.at(folder, _after(place, page))
        async for items in fetch_all(account, graph, FOLDERS[folder], page.value):
            yield PolledBatch(items=items, cursor=cursor.text()), cursor
        cursor, place = moved, moved.folders[folder]
        yield PolledBatch(items=(), cursor=cursor.text()), cursor
        if not page.next_link:
            return


async def _page(graph: Graph, folder: str, place: Place, since: datetime) -> tuple[Page, Place]:
    """Ask for a page; where the state behind a link has ended, for the first one of everything since what was seen."""
    with harmless():
        try:
            return await graph.get(place.link, Page, page_size=PAGE_SIZE), place
        except ConnectorError as error:
            if not is_code(error, RESYNC):
                raise
        begin = max(since, place.seen - _RESYNC_MARGIN) if place.seen else since
        anew = Place(link=_first_link(folder, begin), seen=place.seen)
        return await graph.get(anew.link, Page, page_size=PAGE_SIZE), anew


async def fetch_all(account: Account, graph: Graph, prefix: str, rows: tuple[Row, ...]) -> AsyncIterator[list[RawItem]]:
    """
    Fetch the mails of a page, in portions of some megabytes.

    Args:
        account: Says how large a mail may be.
        graph: Whose mailbox; asked for one mail at a time, since it takes four requests at once in all.
        prefix: Of their keys, by folder.
        rows: Drafts and what is gone are left out.
    """
    limit_bytes = int(account.settings.get("largest_mail_mb") or 25) * _MEGABYTE
    items: list[RawItem] = []
    for row in rows:
        if row.removed is not None or row.is_draft:
            continue
        body = await fetch_mail(graph, row.id, limit_bytes)
        if body is None:
            continue
        items.append(RawItem(key=mail_key(prefix, row.id), body=body))
        if sum(len(one.body) for one in items) >= _BATCH_BYTES:
            yield items
            items = []
    if items:
        yield items


def _first_link(folder: str, since: datetime) -> str:
    """Only what comes into a folder: read marks, moves and deletions elsewhere change nothing here."""
    path = f"/me/mailFolders/{folder}/messages/delta"
    begin = f"receivedDateTime ge {iso(since)}"
    return with_query(path, changeType="created", select="id,receivedDateTime,isDraft", filter=begin)


def _after(place: Place, page: Page) -> Place:
    seen = place.seen
    for row in page.value:
        moment = row.received_date_time
        seen = moment if seen is None or (moment is not None and moment > seen) else seen
    return Place(link=page.next_link or page.delta_link, seen=seen)


def iso(moment: datetime) -> str:
    """Write a moment as OData filters have it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _begin(account: Account) -> datetime:
    return connected_at(account) or clock.now()
