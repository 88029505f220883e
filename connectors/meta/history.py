"""
Brings in what was said before the account was connected, where a member asked for it: once, a conversation at a time.

Source: developers.facebook.com/docs/messenger-platform/conversations and docs/instagram-platform (Conversations API),
as the reference notes them and partly from memory: names of fields, and that ids are those of webhooks.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from connectors.base import Account, PolledBatch, Progress, RawItem
from connectors.meta.graph import Asking, ask_graph
from connectors.meta.parse import raw_event
from hub import clock
from hub.errors import ConnectorError, ErrorClass

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from connectors.meta.product import Product

T = TypeVar("T")

# Also the checkbox's words in the manifests.
REACHES_BACK: Final = timedelta(days=90)
# More of one conversation is not brought in: it is held in memory, so that the oldest comes first.
MOST_MESSAGES: Final = 1_000
MOST_CONVERSATIONS: Final = 5_000
_PAGE: Final = 50
# Meta answers two calls a second of these for a page.
# Source: developers.facebook.com/docs/messenger-platform/overview/rate-limiting, 2026-03-23.
PACE_S: Final = 0.6
_CONVERSATION: Final = "id,updated_time,participants"
_MESSAGE: Final = "id,created_time,from,message,attachments{mime_type,name,image_data,video_data,file_url}"


class _Person(msgspec.Struct, frozen=True):
    id: str
    name: str | None = None
    username: str | None = None


class _People(msgspec.Struct, frozen=True):
    data: tuple[_Person, ...] = ()


class _Address(msgspec.Struct, frozen=True):
    url: str | None = None


class _File(msgspec.Struct, frozen=True):
    mime_type: str | None = None
    image_data: _Address | None = None
    video_data: _Address | None = None
    file_url: str | None = None


class _Files(msgspec.Struct, frozen=True):
    data: tuple[_File, ...] = ()


class _Message(msgspec.Struct, frozen=True):
    id: str
    created_time: str
    sender: _Person | None = msgspec.field(name="from", default=None)
    message: str | None = None
    attachments: _Files | None = None


class _Conversation(msgspec.Struct, frozen=True):
    id: str
    updated_time: str
    participants: _People = _People()


class _Cursors(msgspec.Struct, frozen=True):
    after: str | None = None


class _Paging(msgspec.Struct, frozen=True):
    """``next`` is there while there is more; its address is not used: it may name the token."""

    cursors: _Cursors = _Cursors()
    next: str | None = None


class _Page(msgspec.Struct, frozen=True):
    data: tuple[msgspec.Raw, ...] = ()
    paging: _Paging = _Paging()


class _At(msgspec.Struct, frozen=True):
    """How far: all conversations up to this one, in the order of their ids; ``done`` counts messages."""

    conversation: str = ""
    done: int = 0


async def backfill(
    account: Account, product: Product, cursor: str | None, pace_s: float = PACE_S
) -> AsyncIterator[PolledBatch]:
    """
    Read every conversation something was said in.

    Args:
        account: Whose token is used.
        product: Which of the two.
        cursor: Where an earlier reading stopped.
        pace_s: Pause after each question.

    Yields:
        The messages of a conversation as the events they once were, oldest first.

    Raises:
        ConnectorError: ``RATE_LIMITED`` is waited for by whoever calls; reading goes on from the last cursor.
    """
    reader = _Reader(account, product, clock.now() - REACHES_BACK, pace_s)
    at = msgspec.json.decode(cursor, type=_At) if cursor else _At()
    conversations = await reader.conversations()
    for number, conversation in enumerate(conversations):
        if conversation.id <= at.conversation:
            continue
        items = await reader.messages(conversation)
        at = _At(conversation.id, at.done + len(items))
        what = f"Messages; conversation {number + 1} of {len(conversations)}"
        progress = Progress(done=at.done, total=0, what=what)
        yield PolledBatch(items=items, cursor=msgspec.json.encode(at).decode(), progress=progress)


class _Reader:
    """Asks for one account's past."""

    def __init__(self, account: Account, product: Product, since: datetime, pace_s: float) -> None:
        self._account, self._product, self._since, self._pace_s = account, product, since, pace_s
        self._ours = account.settings.get(product.account_setting, "")
        self._has_read = False

    async def conversations(self) -> list[_Conversation]:
        """List those with something new enough, by id, so that a reading goes on where it stopped."""
        platform = "messenger" if self._product.object == "page" else "instagram"
        query = {"platform": platform, "fields": _CONVERSATION, "limit": str(_PAGE)}
        found: list[_Conversation] = []
        async for one in self._pages("me/conversations", query, _Conversation):
            # They come by their newest message.
            if _moment(one.updated_time) < self._since or len(found) >= MOST_CONVERSATIONS:
                break
            found.append(one)
        return sorted(found, key=lambda one: one.id)

    async def messages(self, conversation: _Conversation) -> list[RawItem]:
        """Read what was said in a conversation of two, oldest first."""
        others = [one for one in conversation.participants.data if one.id != self._ours]
        if len(others) != 1:
            return []
        found: list[RawItem] = []
        try:
            query = {"fields": _MESSAGE, "limit": str(_PAGE)}
            async for one in self._pages(f"{conversation.id}/messages", query, _Message):
                if _moment(one.created_time) < self._since or len(found) >= MOST_MESSAGES:
                    break
                found.append(self._item(one, others[0]))
        except ConnectorError as error:
            # Of a conversation that was deleted meanwhile, or whose older messages are not handed over any more; but
            # where nothing at all can be read, somebody must be told.
            is_passing = error.info.klass in (ErrorClass.CONTENT, ErrorClass.RECIPIENT)
            if not is_passing or not (found or self._has_read):
                raise
        self._has_read = True
        return found[::-1]

    async def _pages(self, path: str, query: dict[str, str], kind: type[T]) -> AsyncIterator[T]:
        after = ""
        while True:
            asking = Asking(method="GET", path=path, query=query | ({"after": after} if after else {}))
            page = await ask_graph(self._account, self._product.vendor, asking, _Page)
            await asyncio.sleep(self._pace_s)
            for raw in page.data:
                try:
                    yield msgspec.json.decode(raw, type=kind)
                except msgspec.MsgspecError:
                    # One that has no name or time can be neither kept nor found again.
                    continue
            after = page.paging.cursors.after or ""
            if not page.paging.next or not after:
                return

    def _item(self, message: _Message, other: _Person) -> RawItem:
        """Write a message as the event it once was, under the key of that: what webhooks brought too is there once."""
        is_ours = message.sender is not None and message.sender.id != other.id
        ours: dict[str, Any] = {"id": self._ours}
        theirs: dict[str, Any] = {"id": other.id, "name": other.name or other.username or ""}
        said: dict[str, Any] = {"mid": message.id, "text": message.message or "", "is_echo": is_ours}
        said["attachments"] = [_attachment(one) for one in (message.attachments.data if message.attachments else ())]
        event = {
            "sender": ours if is_ours else theirs,
            "recipient": theirs if is_ours else ours,
            "timestamp": int(_moment(message.created_time).timestamp() * 1000),
            "message": said,
        }
        return raw_event(self._ours, msgspec.Raw(msgspec.json.encode(event)))


def _attachment(one: _File) -> dict[str, Any]:
    family = (one.mime_type or "").partition("/")[0]
    kind = family if family in ("image", "video", "audio") else "file"
    for address, named in ((one.image_data, "image"), (one.video_data, "video")):
        if address is not None and address.url:
            return {"type": named, "payload": {"url": address.url}}
    return {"type": kind, "payload": {"url": one.file_url}}


def _moment(text: str) -> datetime:
    """Read Meta's ``2026-11-22T10:00:00+0000``; what is none was never."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
