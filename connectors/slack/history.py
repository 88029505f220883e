"""Brings in what was said before the account was connected, where a member asked for it: once, oldest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from connectors.base import Account, PolledBatch, Progress, RawItem
from connectors.slack.client import ask_as, read
from connectors.slack.places import message_key
from hub import clock

if TYPE_CHECKING:
    from slack_sdk import WebClient

# Also the checkbox's words in the manifest.
REACHES_BACK: Final = timedelta(days=90)
# More of one channel is not brought in: it is held in memory, so that the oldest comes first.
MOST_MESSAGES: Final = 2_000
# What apps sold outside Slack's Marketplace get at most.
# Source: docs.slack.dev/apis/web-api/rate-limits, read 2026-11-22.
PAGE: Final = 15
_BATCH: Final = 50
_CHANNELS_PAGE: Final = 200
_KINDS: Final = "public_channel,private_channel,mpim,im"


class _Channel(msgspec.Struct):
    """A channel our app is in; ``user`` is the other side of a direct one."""

    id: str
    is_im: bool = False
    user: str = ""


class _Next(msgspec.Struct):
    next_cursor: str = ""


class _Channels(msgspec.Struct):
    channels: list[_Channel]
    response_metadata: _Next = msgspec.field(default_factory=_Next)


class _Page(msgspec.Struct):
    messages: list[dict[str, Any]]
    response_metadata: _Next | None = None


class _Cursor(msgspec.Struct):
    """How far: all channels before this one, and of it everything up to a message; ``done`` counts messages."""

    channel: str = ""
    ts: str = ""
    done: int = 0


async def backfill(account: Account, cursor: str | None) -> AsyncIterator[PolledBatch]:
    """
    Read the history of every channel our app is in.

    Args:
        account: Whose token is used.
        cursor: Where an earlier reading stopped.

    Yields:
        Messages as events, oldest of a channel first.

    Raises:
        ConnectorError: ``RATE_LIMITED`` is waited for by whoever calls; reading goes on from the last cursor.
    """
    at = msgspec.json.decode(cursor, type=_Cursor) if cursor else _Cursor()
    channels = await ask_as(account, _list_channels)
    oldest = f"{(clock.now() - REACHES_BACK).timestamp():.6f}"
    for number, channel in enumerate(channels):
        if channel.id < at.channel:
            continue
        # Read anew and passed over: a reply may be newer than what is kept, and its thread older.
        since = at.ts if channel.id == at.channel else ""
        messages = [one for one in await _read_channel(account, channel, oldest) if one["ts"] > since]
        for first in range(0, len(messages), _BATCH):
            batch = messages[first : first + _BATCH]
            at = _Cursor(channel.id, batch[-1]["ts"], at.done + len(batch))
            what = f"Messages; channel {number + 1} of {len(channels)}"
            yield PolledBatch(
                items=[_item(account, channel, one) for one in batch],
                cursor=msgspec.json.encode(at).decode(),
                progress=Progress(done=at.done, total=0, what=what),
            )


def _list_channels(client: WebClient) -> list[_Channel]:
    """List the channels our app is in, by id, so that a reading goes on where it stopped."""
    found: list[_Channel] = []
    page = ""
    while True:
        answer = client.users_conversations(
            types=_KINDS, exclude_archived=True, limit=_CHANNELS_PAGE, cursor=page or None
        )
        listed = read(answer, _Channels)
        found += listed.channels
        page = listed.response_metadata.next_cursor
        if not page:
            return sorted(found, key=lambda one: one.id)


async def _read_channel(account: Account, channel: _Channel, oldest: str) -> Sequence[dict[str, Any]]:
    """Read a channel's messages, with the replies of its threads, oldest first."""
    found: dict[str, dict[str, Any]] = {}
    async for message in _read_pages(account, channel.id, "", oldest):
        found[message["ts"]] = message
        if message.get("reply_count"):
            async for reply in _read_pages(account, channel.id, message["ts"], oldest):
                found[reply["ts"]] = reply
        if len(found) >= MOST_MESSAGES:
            break
    return [found[ts] for ts in sorted(found)]


async def _read_pages(account: Account, channel: str, thread_ts: str, oldest: str) -> AsyncIterator[dict[str, Any]]:
    page = ""
    while True:
        asked = (channel, thread_ts, oldest, page)
        one = await ask_as(account, lambda client, asked=asked: _read_page(client, *asked))  # type: ignore[misc]  # bound early on purpose
        for message in one.messages:
            # Without a name it can be neither kept nor read again; Slack has none such.
            if isinstance(message.get("ts"), str) and message["ts"]:
                yield message
        page = one.response_metadata.next_cursor if one.response_metadata else ""
        if not page:
            return


def _read_page(client: WebClient, channel: str, thread_ts: str, oldest: str, page: str) -> _Page:
    if thread_ts:
        answer = client.conversations_replies(
            channel=channel, ts=thread_ts, oldest=oldest, limit=PAGE, cursor=page or None, include_all_metadata=True
        )
    else:
        answer = client.conversations_history(
            channel=channel, oldest=oldest, limit=PAGE, cursor=page or None, include_all_metadata=True
        )
    return read(answer, _Page)


def _item(account: Account, channel: _Channel, message: dict[str, Any]) -> RawItem:
    """Write a message as the event it once was; its name as the key, for Slack has no id of the event any more."""
    event = {**message, "channel": channel.id}
    if channel.is_im:
        event["channel_type"] = "im"
        if channel.user and message.get("user") != channel.user:
            # Our own side of a direct conversation: here it is known whom it went to.
            event["parent_user_id"] = channel.user
    key = f"history:{message_key(channel.id, message['ts'])}"
    team = account.settings.get("team_id", "")
    body = {"type": "event_callback", "event_id": key, "team_id": team, "event": event}
    return RawItem(key=key, body=msgspec.json.encode(body))
