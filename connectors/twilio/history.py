"""Brings in messages from before a number was connected, from Twilio's list: day by day, oldest first, both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from connectors.base import Account, PolledBatch, Progress
from connectors.twilio.asking import ask
from connectors.twilio.past import Listed, Media, oldest_first, write_item
from hub import clock

if TYPE_CHECKING:
    from twilio.rest import Client
    from twilio.rest.api.v2010.account.message import MessageInstance

ORIGIN: Final = "https://api.twilio.com"
TIMEOUT_S: Final = 30.0
PAGE: Final = 200
# Of one day: they are held in memory, so that the oldest comes first. Later ones stand before earlier ones in the list.
MOST_A_DAY: Final = 10_000
DEFAULT_DAYS: Final = 30
_DAY: Final = timedelta(days=1)
_BATCH: Final = 50
_MOST_FILES: Final = 10

Backfill = Callable[[Account, str | None], AsyncIterator[PolledBatch]]


class _Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far: the day that is read next, of all between the first and the moment reading began."""

    number: str
    first: datetime
    until: datetime
    at: datetime


class _Page(msgspec.Struct, frozen=True):
    """A page of the list, and where the next one is; empty for none."""

    messages: list[Listed]
    next_url: str


class _Side(msgspec.Struct, frozen=True):
    """What is asked for: by recipient, by sender, or everything."""

    to: str = ""
    sender: str = ""


def make_backfill(prefix: str = "") -> Backfill:
    """
    Make a channel's ``backfill``.

    Args:
        prefix: Stands before the channel's addresses at Twilio, e.g. ``whatsapp:``.
    """

    async def backfill(account: Account, cursor: str | None) -> AsyncIterator[PolledBatch]:
        """
        Give the messages of the days before, once; a day that was begun is read again.

        Raises:
            ConnectorError: Twilio cannot be asked, or refuses.
        """
        mark = _read(cursor, account)
        while mark.at < mark.until:
            end = min(mark.at + _DAY, mark.until)
            found = oldest_first(await _read_day(account, prefix, mark.at, end))
            for first in range(0, len(found), _BATCH):
                items = [write_item(one) for one in found[first : first + _BATCH]]
                yield PolledBatch(items=items, cursor=_text(mark), progress=_progress(mark))
            mark = msgspec.structs.replace(mark, at=end)
            yield PolledBatch(items=(), cursor=_text(mark), progress=_progress(mark))

    return backfill


async def _read_day(account: Account, prefix: str, begin: datetime, end: datetime) -> Sequence[Listed]:
    """Read all messages of the account's number between two moments; of its service where it has one."""
    number, service = prefix + account.settings["phone_number"], account.settings.get("messaging_service_sid", "")
    found: dict[str, Listed] = {}
    for side in [_Side()] if service else [_Side(to=number), _Side(sender=number)]:
        url = ""
        while len(found) < MOST_A_DAY:
            asked = (side, begin, end, url)
            page = await ask(account, TIMEOUT_S, lambda client, asked=asked: _read_page(client, *asked))  # type: ignore[misc]  # bound early on purpose
            for one in page.messages:
                theirs, ours = (one.recipient, one.sender) if one.is_ours else (one.sender, one.recipient)
                is_of_us = ours == number or (service != "" and one.service_sid == service)
                # Twilio compares days or moments, as it likes; a day's neighbours have their own turn.
                if is_of_us and _is_of(prefix, theirs) and begin <= one.at < end:
                    found[one.sid] = one
            url = page.next_url
            if not url:
                break
    return [await _with_files(account, one) for one in found.values()]


def _is_of(prefix: str, address: str) -> bool:
    """Say whether an address is one of the channel's; those of SMS have nothing before them."""
    return address.startswith(prefix) if prefix else ":" not in address


async def _with_files(account: Account, listed: Listed) -> Listed:
    if not listed.media_count:
        return listed
    origin = account.base_url or ORIGIN
    media = await ask(account, TIMEOUT_S, lambda client: _list_files(client, listed.sid, origin))
    return msgspec.structs.replace(listed, media=tuple(media))


# ── in the thread of the call ───────────────────────────────────────────────────────────────────────────────────────


def _read_page(client: Client, side: _Side, begin: datetime, end: datetime, url: str) -> _Page:
    if url:
        page = client.messages.get_page(url)
    else:
        wanted = {"to": side.to} if side.to else {"from_": side.sender} if side.sender else {}
        page = client.messages.page(**wanted, date_sent_after=begin, date_sent_before=end, page_size=PAGE)
    return _Page([found for one in page if (found := _read_message(one)) is not None], page.next_page_url or "")


def _read_message(one: MessageInstance) -> Listed | None:
    """Read a message of the list; None for one that was never on its way."""
    at = one.date_sent or one.date_created
    if at is None or not one.sid or str(one.status) in ("scheduled", "canceled"):
        return None
    count = str(one.num_media or "0")
    return Listed(
        sid=one.sid,
        at=at.astimezone(UTC),
        is_ours=str(one.direction or "").startswith("outbound"),
        sender=one.from_ or "",
        recipient=one.to or "",
        text=one.body or "",
        status=str(one.status or ""),
        error_code=one.error_code or 0,
        service_sid=one.messaging_service_sid or "",
        media_count=int(count) if count.isascii() and count.isdigit() else 0,
    )


def _list_files(client: Client, sid: str, origin: str) -> list[Media]:
    """List a message's files; one that has none any more was deleted at Twilio."""
    return [
        Media(origin + one.uri.removesuffix(".json"), one.content_type or "")
        for one in client.messages(sid).media.list(limit=_MOST_FILES)
        if one.uri
    ]


# ── the cursor ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(cursor: str | None, account: Account) -> _Mark:
    number = account.settings["phone_number"]
    try:
        kept = msgspec.json.decode(cursor, type=_Mark) if cursor else None
    except msgspec.DecodeError:
        kept = None
    if kept is not None and kept.number == number:
        return kept
    until = clock.now()
    first = until - timedelta(days=int(account.settings.get("history_days") or DEFAULT_DAYS))
    return _Mark(number=number, first=first, until=until, at=first)


def _text(mark: _Mark) -> str:
    return msgspec.json.encode(mark).decode()


def _progress(mark: _Mark) -> Progress:
    days = [-(-(moment - mark.first) // _DAY) for moment in (mark.at, mark.until)]
    return Progress(done=days[0], total=days[1], what="Days of messages")
