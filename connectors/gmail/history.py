"""Brings in mail from before the mailbox was connected, newest pages first, with how far it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import msgspec

from connectors.base import Account, PolledBatch, Progress
from connectors.gmail.api import Gmail
from connectors.gmail.cursor import fingerprint
from connectors.gmail.mails import Page, fetch_all, search
from connectors.gmail.reading import epoch_s
from connectors.mime.mailbox import connected_at
from hub import clock
from hub.errors import ConnectorError, ErrorClass

_WHAT = "mails"


class _Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Where history goes on: the next page, and how much is read of about how much."""

    mailbox: str
    until: datetime
    page: str = ""
    done: int = 0
    total: int = 0


async def backfill(account: Account, cursor: str | None) -> AsyncIterator[PolledBatch]:
    """
    Give the mails of the days before the account was connected, once.

    Args:
        account: Its settings say how many days.
        cursor: Of an earlier run that did not end.

    Raises:
        ConnectorError: Gmail cannot be asked, or refuses.
    """
    mark = _read(cursor, account)
    gmail = Gmail(account)
    days = int(account.settings.get("history_days") or 30)
    wanted = f"after:{epoch_s(mark.until - timedelta(days=days))} before:{epoch_s(mark.until)}"
    while True:
        page, mark = await _page(gmail, wanted, mark)
        # Gmail only guesses, and better with each page.
        mark = msgspec.structs.replace(mark, total=max(mark.total, page.result_size_estimate))
        async for mails in fetch_all(account, gmail, [one.id for one in page.messages][::-1]):
            yield PolledBatch(items=[one.item for one in mails], cursor=_text(mark), progress=_progress(mark))
        mark = msgspec.structs.replace(mark, page=page.next_page_token, done=mark.done + len(page.messages))
        if not mark.page:
            mark = msgspec.structs.replace(mark, total=mark.done)
            yield PolledBatch(items=(), cursor=_text(mark), progress=_progress(mark))
            return
        yield PolledBatch(items=(), cursor=_text(mark), progress=_progress(mark))


async def _page(gmail: Gmail, wanted: str, mark: _Mark) -> tuple[Page, _Mark]:
    """Ask for a page; where its token has ended meanwhile, for the first one: what comes twice is one."""
    try:
        return await search(gmail, wanted, mark.page), mark
    except ConnectorError as error:
        if not mark.page or error.info.klass is not ErrorClass.PERMANENT:
            raise
    anew = msgspec.structs.replace(mark, page="", done=0)
    return await search(gmail, wanted), anew


def _read(cursor: str | None, account: Account) -> _Mark:
    mailbox = fingerprint(account)
    try:
        kept = msgspec.json.decode(cursor, type=_Mark) if cursor else None
    except msgspec.DecodeError:
        kept = None
    if kept is not None and kept.mailbox == mailbox:
        return kept
    return _Mark(mailbox=mailbox, until=connected_at(account) or clock.now())


def _text(mark: _Mark) -> str:
    return msgspec.json.encode(mark).decode()


def _progress(mark: _Mark) -> Progress:
    return Progress(done=mark.done, total=max(mark.total, mark.done), what=_WHAT)
