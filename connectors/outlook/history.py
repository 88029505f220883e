"""Brings in mail from before the mailbox was connected: both folders, oldest first, with how far it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import msgspec

from connectors.base import Account, PolledBatch, Progress
from connectors.mime.mailbox import connected_at
from connectors.outlook.cursor import fingerprint
from connectors.outlook.errors import harmless
from connectors.outlook.graph import Graph, with_query
from connectors.outlook.reading import FOLDERS, PAGE_SIZE, Page, fetch_all, iso
from hub import clock

_WHAT = "mails"


class _Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Where history goes on: which folder, the link to its next page, and how much was there and is read."""

    mailbox: str
    until: datetime
    folder: str
    link: str = ""
    done: int = 0
    total: int = 0


async def backfill(account: Account, cursor: str | None) -> AsyncIterator[PolledBatch]:
    """
    Give the mails of the days before the account was connected, once.

    Args:
        account: Its settings say how many days.
        cursor: Of an earlier run that did not end.

    Raises:
        ConnectorError: Graph cannot be asked, or refuses.
    """
    mark = _read(cursor, account)
    graph, folders = Graph(account), list(FOLDERS)
    for folder in folders[folders.index(mark.folder) :]:
        if folder != mark.folder:
            mark = msgspec.structs.replace(mark, folder=folder, link="")
        link = mark.link if mark.link and graph.owns(mark.link) else _first_link(account, mark)
        while link:
            with harmless():
                page = await graph.get(link, Page, page_size=PAGE_SIZE)
            # Only the first page of a folder counts it.
            mark = msgspec.structs.replace(mark, total=mark.total + page.count)
            async for items in fetch_all(account, graph, FOLDERS[folder], page.value):
                yield PolledBatch(items=items, cursor=_text(mark), progress=_progress(mark))
            link = page.next_link
            mark = msgspec.structs.replace(mark, link=link, done=mark.done + len(page.value))
            if link:
                yield PolledBatch(items=(), cursor=_text(mark), progress=_progress(mark))
    yield PolledBatch(items=(), cursor=_text(mark), progress=_progress(mark))


def _first_link(account: Account, mark: _Mark) -> str:
    days = int(account.settings.get("history_days") or 30)
    begin, end = iso(mark.until - timedelta(days=days)), iso(mark.until)
    return with_query(
        f"/me/mailFolders/{mark.folder}/messages",
        select="id,receivedDateTime,isDraft",
        filter=f"receivedDateTime ge {begin} and receivedDateTime lt {end}",
        orderby="receivedDateTime asc",
        count="true",
    )


def _read(cursor: str | None, account: Account) -> _Mark:
    mailbox = fingerprint(account)
    try:
        kept = msgspec.json.decode(cursor, type=_Mark) if cursor else None
    except msgspec.DecodeError:
        kept = None
    if kept is not None and kept.mailbox == mailbox and kept.folder in FOLDERS:
        return kept
    return _Mark(mailbox=mailbox, until=connected_at(account) or clock.now(), folder=next(iter(FOLDERS)))


def _text(mark: _Mark) -> str:
    # A run that begins anew in the middle of a folder counts the folder again.
    kept = mark if mark.link else msgspec.structs.replace(mark, total=0, done=0)
    return msgspec.json.encode(kept).decode()


def _progress(mark: _Mark) -> Progress:
    return Progress(done=mark.done, total=max(mark.total, mark.done), what=_WHAT)
