"""Brings in the messages of before the account was connected, where a member asked for it: once, a day at a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from connectors.base import Account, PolledBatch, Progress, RawItem
from connectors.twilio.callbacks import HISTORY_AT, HISTORY_OUT
from hub import clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from twilio.rest import Client
    from twilio.rest.api.v2010.account.message import MessageInstance

    from connectors.twilio.messages import MessagesClient

# Also the checkbox's words in the manifests.
REACHES_BACK_DAYS: Final = 90
# More of one day and direction is not brought in: it is held in memory, so that the oldest comes first.
MOST_MESSAGES: Final = 2_000
# Source: twilio.com/docs/usage/twilios-response (paging: 1000 at most), read 2026-11-23.
_PAGE: Final = 500
_MEDIA_LIMIT: Final = 10
_API: Final = "https://api.twilio.com"
# What never reached anybody is no part of a conversation.
_LOST: Final = frozenset({"failed", "undelivered", "canceled"})


async def backfill(client: MessagesClient, account: Account, cursor: str | None) -> AsyncIterator[PolledBatch]:
    """
    Read what the number received and sent, oldest first.

    Args:
        client: Asks, with the channel's prefix before addresses.
        account: Whose number it is.
        cursor: ``<first day>/<next day>/<messages so far>`` of an earlier reading, days as 2026-11-23.

    Yields:
        A batch a day: messages as the calls they once were.

    Raises:
        ConnectorError: ``RATE_LIMITED`` is waited for by whoever calls; reading goes on from the last cursor.
    """
    today = clock.now().date()
    first, day, done = _read_cursor(cursor, today - timedelta(days=REACHES_BACK_DAYS))
    total = (today - first).days + 1
    while day <= today:
        items = await _read_day(client, account, day)
        done, day = done + len(items), day + timedelta(days=1)
        what = f"Messages; day {(day - first).days} of {total}"
        yield PolledBatch(items=items, cursor=f"{first}/{day}/{done}", progress=Progress(done=done, total=0, what=what))


def _read_cursor(cursor: str | None, first: date) -> tuple[date, date, int]:
    if cursor is None:
        return first, first, 0
    began, day, done = cursor.split("/")
    return date.fromisoformat(began), date.fromisoformat(day), int(done)


async def _read_day(client: MessagesClient, account: Account, day: date) -> list[RawItem]:
    number = client.prefix + account.settings["phone_number"]
    found: dict[str, tuple[datetime, RawItem]] = {}
    for inbound in (True, False):
        listed = await client.ask(account, lambda asked, way=inbound: _list_day(asked, number, day, inbound=way))  # type: ignore[misc]  # bound early on purpose
        for message in listed:
            at = _moment(message)
            # Both bounds of a listing count: midnight belongs to the day it begins.
            if at is None or at.date() != day or not _belongs(message, client.prefix, inbound=inbound):
                continue
            media = await client.ask(account, lambda asked, one=message: _media_of(asked, one))  # type: ignore[misc]  # as above
            found[str(message.sid)] = at, _item(message, at, media, inbound=inbound)
    return [raw for _, raw in sorted(found.values(), key=lambda one: (one[0], one[1].key))]


def _list_day(client: Client, number: str, day: date, *, inbound: bool) -> list[MessageInstance]:
    since = datetime.combine(day, time(), UTC)
    until = since + timedelta(days=1)
    if inbound:
        return client.messages.list(
            to=number, date_sent_after=since, date_sent_before=until, limit=MOST_MESSAGES, page_size=_PAGE
        )
    return client.messages.list(
        from_=number, date_sent_after=since, date_sent_before=until, limit=MOST_MESSAGES, page_size=_PAGE
    )


def _belongs(message: MessageInstance, prefix: str, *, inbound: bool) -> bool:
    """Leave out what the other list has, other channels' addresses, and what nobody got."""
    if str(message.direction or "").startswith("inbound") is not inbound:
        return False
    other = str((message.from_ if inbound else message.to) or "")
    return other.startswith(prefix) and ":" not in other.removeprefix(prefix) and str(message.status) not in _LOST


def _media_of(client: Client, message: MessageInstance) -> list[tuple[str, str]]:
    """List address and kind of a message's files; Twilio is not asked where there are none."""
    if str(message.num_media or "0") == "0":
        return []
    listed = client.messages(str(message.sid)).media.list(limit=_MEDIA_LIMIT)
    return [(_API + str(one.uri).removesuffix(".json"), str(one.content_type or "")) for one in listed]


def _item(message: MessageInstance, at: datetime, media: Sequence[tuple[str, str]], *, inbound: bool) -> RawItem:
    """Write a message as the call it once was, or would have been; the key of one that came in is that of its call."""
    sid = str(message.sid)
    fields = {
        "MessageSid": sid,
        "AccountSid": str(message.account_sid),
        "From": str(message.from_ or ""),
        "To": str(message.to or ""),
        "Body": message.body or "",
        "NumMedia": str(len(media)),
        "SmsStatus": "received",
        HISTORY_AT: at.isoformat(),
    }
    for index, (url, mime) in enumerate(media):
        fields |= {f"MediaUrl{index}": url, f"MediaContentType{index}": mime}
    if not inbound:
        fields[HISTORY_OUT] = "1"
    return RawItem(key=sid if inbound else f"history:{sid}", body=urlencode(fields).encode())


def _moment(message: MessageInstance) -> datetime | None:
    found = message.date_sent or message.date_created
    return found.astimezone(UTC) if found is not None else None
