"""Reads what is new in a mailbox: its history since the last time, started by hints, and every few minutes without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from connectors.base import Account, PolledBatch, RawItem
from connectors.gmail.api import ME, Gmail
from connectors.gmail.cursor import Cursor, later, read_cursor
from connectors.gmail.errors import NOT_FOUND, harmless, is_code
from connectors.gmail.mails import Fetched, Row, fetch_all, search
from connectors.gmail.signin import who
from connectors.mime.mailbox import connected_at
from hub import clock
from hub.errors import ConnectorError, ErrorClass

PAGE_SIZE: Final = 100
# Notifications may be dropped without a trace, so the mailbox is asked now and then all the same. Below the two minutes
# that a token is good for at least when it is handed to us.
QUIET_S: Final = 90.0
# What was on its way when reading begins, or came while the history had ended.
_MARGIN: Final = timedelta(minutes=10)
_RESYNC_MARGIN: Final = timedelta(days=1)
# A mailbox that gets more while nobody reads it is brought in by its history, not here.
_MOST_MAILS: Final = 5000
_INBOX_LABEL: Final = "INBOX"


class _Added(msgspec.Struct, frozen=True, rename="camel"):
    message: Row
    label_ids: tuple[str, ...] = ()


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    messages_added: tuple[_Added, ...] = ()
    labels_added: tuple[_Added, ...] = ()


class History(msgspec.Struct, frozen=True, rename="camel"):
    """A page of what happened in a mailbox, oldest first."""

    history: tuple[_Record, ...] = ()
    history_id: str = ""
    next_page_token: str = ""

    def ids(self) -> list[str]:
        """
        Return which mails came in, each once: new ones, and those that came back from spam or trash.

        ``messages`` of a record names them again, and others, so it is not looked at.
        """
        found = [
            one.message.id
            for record in self.history
            for one in (*record.messages_added, *(row for row in record.labels_added if _INBOX_LABEL in row.label_ids))
        ]
        return list(dict.fromkeys(found))


async def expand(account: Account, hint: RawItem, cursor: str | None) -> AsyncIterator[PolledBatch]:  # noqa: ARG001
    """
    Fetch what a notification speaks of: everything since the cursor.

    Args:
        account: Whose mailbox.
        hint: Says only that there is something; its own id of history may be older or newer than what is to be read.
        cursor: As kept.

    Raises:
        ConnectorError: Gmail cannot be asked, or refuses.
    """
    async for batch in read_changes(account, cursor):
        yield batch


async def poll(account: Account, cursor: str | None) -> AsyncIterator[PolledBatch]:
    """Read once what nobody told us of: at once where nothing was read yet, else after a pause; see ``expand``."""
    if cursor is not None and account.settings.get("watched_until"):
        await asyncio.sleep(QUIET_S)
    async for batch in read_changes(account, cursor):
        yield batch


async def read_changes(account: Account, cursor_text: str | None) -> AsyncIterator[PolledBatch]:
    """
    Give the mails that came since a cursor.

    Args:
        account: Whose mailbox.
        cursor_text: As kept; None begins when the account was connected.

    Yields:
        Batches; one at least, so that where reading goes on is kept.
    """
    cursor = read_cursor(cursor_text, account, (connected_at(account) or clock.now()) - _MARGIN)
    gmail = Gmail(account)
    while cursor.history_id:
        page = await _page(gmail, cursor)
        if page is None:
            begin = max(cursor.since, cursor.seen - _RESYNC_MARGIN) if cursor.seen else cursor.since
            cursor = msgspec.structs.replace(cursor, history_id="", page="", since=begin)
            break
        async for mails in fetch_all(account, gmail, page.ids()):
            yield PolledBatch(items=[one.item for one in mails], cursor=cursor.text())
            cursor = _having_seen(cursor, mails)
        done_up_to = later(cursor.history_id, page.history_id) if not page.next_page_token else cursor.history_id
        cursor = msgspec.structs.replace(cursor, history_id=done_up_to, page=page.next_page_token)
        yield PolledBatch(items=(), cursor=cursor.text())
        if not page.next_page_token:
            return
    async for batch in _read_anew(account, gmail, cursor):
        yield batch


async def _page(gmail: Gmail, cursor: Cursor) -> History | None:
    """Ask for a page of the history; None where it does not reach back so far, or the page has ended."""
    try:
        with harmless():
            return await gmail.ask(
                lambda users: users.history().list(
                    userId=ME,
                    startHistoryId=cursor.history_id,
                    historyTypes=["messageAdded", "labelAdded"],
                    maxResults=PAGE_SIZE,
                    pageToken=cursor.page or None,
                ),
                History,
            )
    except ConnectorError as error:
        is_page_over = bool(cursor.page) and error.info.klass is ErrorClass.PERMANENT
        if not is_code(error, NOT_FOUND) and not is_page_over:
            raise
    return None


async def _read_anew(account: Account, gmail: Gmail, cursor: Cursor) -> AsyncIterator[PolledBatch]:
    """Search for everything since a time; what comes meanwhile is in the history from before the search."""
    history_id = (await who(gmail)).history_id
    ids: list[str] = []
    token = ""
    while len(ids) < _MOST_MAILS:
        page = await search(gmail, f"after:{epoch_s(cursor.since)}", token)
        ids += [one.id for one in page.messages]
        token = page.next_page_token
        if not token:
            break
    async for mails in fetch_all(account, gmail, ids[::-1]):
        yield PolledBatch(items=[one.item for one in mails], cursor=cursor.text())
        cursor = _having_seen(cursor, mails)
    yield PolledBatch(items=(), cursor=msgspec.structs.replace(cursor, history_id=history_id).text())


def _having_seen(cursor: Cursor, mails: list[Fetched]) -> Cursor:
    newest = max(one.arrived_at for one in mails)
    return cursor if cursor.seen and cursor.seen >= newest else msgspec.structs.replace(cursor, seen=newest)


def epoch_s(moment: datetime) -> int:
    """Write a moment as Gmail's search has it: seconds, which know no time zone."""
    return int(moment.timestamp())
