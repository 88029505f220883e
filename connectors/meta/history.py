"""
Brings in what was written before the page or account was connected, by Meta's Conversations API: once, with progress.

Conversations come as Meta lists them, those of late first, and of each its messages oldest first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from connectors.base import Account, Limit, PolledBatch, Progress, RawItem
from connectors.meta.client import own_id
from connectors.meta.conversations import (
    CONVERSATION_FIELDS,
    MESSAGE_FIELDS,
    Conversation,
    Conversations,
    Messages,
    read_moment,
    write_event,
)
from connectors.meta.graph import Asking, ask_graph
from connectors.meta.parse import past_item
from connectors.meta.product import Product
from hub import clock
from hub.errors import ConnectorError, ErrorClass

# The name of the manifest's limit that the Conversations API has.
LIMIT: Final = "conversations"
# Of Instagram's conversations Meta tells the 20 newest messages, and of older ones the ids alone.
MESSAGES_PAGE: Final = 20
CONVERSATIONS_PAGE: Final = 25
# More of one conversation is not brought in: it is held in memory, so that the oldest comes first.
MOST_MESSAGES: Final = 1_000
_WHAT: Final = "messages"
_DEFAULT_DAYS: Final = 30
# What is wrong with one conversation, e.g. that a person has gone, must not stand before all others.
_OF_ONE: Final = frozenset({ErrorClass.CONTENT, ErrorClass.PERMANENT, ErrorClass.RECIPIENT})
_Wanted = TypeVar("_Wanted")


class _Mark(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where history goes on.

    Attributes:
        until: When reading began: what came later comes by webhook.
        page: Meta's cursor of the page of conversations; empty is the first.
        read: The conversations of that page that are brought in, by id.
        done: How many messages were.
    """

    until: datetime
    page: str = ""
    read: tuple[str, ...] = ()
    done: int = 0


async def backfill(
    account: Account, cursor: str | None, product: Product, limits: Mapping[str, tuple[Limit, ...]]
) -> AsyncIterator[PolledBatch]:
    """
    Give the messages of the days before the account was connected, once.

    Args:
        account: Its settings say how many days.
        cursor: Of an earlier run that did not end.
        product: Which of the two.
        limits: The manifest's; ``conversations`` spaces the requests.

    Raises:
        ConnectorError: Meta cannot be asked, or refuses; reading goes on from the last cursor.
    """
    asker, mark = _Asker(account, product, limits.get(LIMIT, ())), _read(cursor)
    ours, since = own_id(account, product), mark.until - _reach(account)
    while True:
        page, mark = await _list_conversations(asker, mark)
        refused: ConnectorError | None = None
        recent = [one for one in page.data if _is_since(one, since)]
        for conversation in recent:
            if conversation.id in mark.read:
                continue
            try:
                items = await _read_conversation(asker, conversation, ours, (since, mark.until))
            except ConnectorError as error:
                if error.info.klass not in _OF_ONE:
                    raise
                refused = error
                continue
            read = (*mark.read, conversation.id)
            mark = msgspec.structs.replace(mark, read=read, done=mark.done + len(items))
            yield PolledBatch(items=items, cursor=_text(mark), progress=_progress(mark))
        if refused is not None and not mark.read:
            # Not one of them could be read: it is not the conversations.
            raise refused
        if not page.after or not recent:
            yield PolledBatch(items=(), cursor=_text(mark), progress=_progress(mark))
            return
        mark = msgspec.structs.replace(mark, page=page.after, read=())
        yield PolledBatch(items=(), cursor=_text(mark), progress=_progress(mark))


class _Asker:
    """Asks about one account, no faster than the limits say: only one run reads an account's history at a time."""

    def __init__(self, account: Account, product: Product, limits: tuple[Limit, ...]) -> None:
        self._account = account
        self._product = product
        self._space_s = max((one.per_s / one.rate for one in limits), default=0.0)
        self._next_at_s = 0.0

    @property
    def product(self) -> Product:
        return self._product

    @property
    def place(self) -> str:
        """Whose conversations are asked for: those of an Instagram account behind a page are the page's."""
        is_page_token = self._product.part_bytes and self._account.settings.get("login") == "facebook"
        return "me" if is_page_token else own_id(self._account, self._product)

    async def get(self, path: str, query: Mapping[str, str], kind: type[_Wanted]) -> _Wanted:
        """Ask once it is time; what was lost on the way may be asked again, for nothing is changed."""
        wait_s = self._next_at_s - clock.monotonic_s()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        self._next_at_s = clock.monotonic_s() + self._space_s
        asking = Asking(method="GET", path=path, query={name: value for name, value in query.items() if value})
        try:
            return await ask_graph(self._account, self._product.vendor, asking, kind)
        except ConnectorError as error:
            if error.info.klass is not ErrorClass.AMBIGUOUS:
                raise
            words = f"{self._product.vendor} did not answer."
            again = msgspec.structs.replace(error.info, klass=ErrorClass.RETRYABLE, message=words)
            raise ConnectorError(again) from error


async def _list_conversations(asker: _Asker, mark: _Mark) -> tuple[Conversations, _Mark]:
    """Ask for a page; where its cursor has ended meanwhile, for the first one: what comes twice is one."""
    query = {"platform": asker.product.channel, "fields": CONVERSATION_FIELDS, "limit": str(CONVERSATIONS_PAGE)}
    path = f"{asker.place}/conversations"
    try:
        return await asker.get(path, query | {"after": mark.page}, Conversations), mark
    except ConnectorError as error:
        if not mark.page or error.info.klass not in _OF_ONE:
            raise
    return await asker.get(path, query, Conversations), _Mark(until=mark.until)


async def _read_conversation(
    asker: _Asker, conversation: Conversation, ours: str, between: tuple[datetime, datetime]
) -> list[RawItem]:
    """Read a conversation's messages of a time, oldest first; Meta gives the newest first."""
    since, until = between
    found: list[RawItem] = []
    fields, after = ",".join((*MESSAGE_FIELDS, *asker.product.past)), ""
    while len(found) < MOST_MESSAGES:
        query = {"fields": fields, "limit": str(MESSAGES_PAGE), "after": after}
        try:
            page = await asker.get(f"{quote(conversation.id, safe='')}/messages", query, Messages)
        except ConnectorError as error:
            if not after or error.info.klass not in _OF_ONE:
                raise
            break  # older than what Meta tells
        moments = [moment for one in page.data if (moment := read_moment(one.created_time)) is not None]
        for message in page.data:
            event = write_event(message, ours)
            at = read_moment(message.created_time)
            if event is not None and at is not None and since <= at < until:
                found.append(past_item(event, ours))
        after = page.after
        if not after or not moments or min(moments) < since:
            break
    return found[::-1]


def _reach(account: Account) -> timedelta:
    return timedelta(days=int(account.settings.get("history_days") or _DEFAULT_DAYS))


def _is_since(conversation: Conversation, since: datetime) -> bool:
    at = read_moment(conversation.updated_time)
    # Where it is not known, its messages say.
    return at is None or at >= since


def _read(cursor: str | None) -> _Mark:
    try:
        kept = msgspec.json.decode(cursor, type=_Mark) if cursor else None
    except msgspec.DecodeError:
        kept = None
    return kept or _Mark(until=clock.now())


def _text(mark: _Mark) -> str:
    return msgspec.json.encode(mark).decode()


def _progress(mark: _Mark) -> Progress:
    return Progress(done=mark.done, total=0, what=_WHAT)
