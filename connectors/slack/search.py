"""Looks for a message whose sending nobody confirmed, where it would be."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from connectors.base import Account
from connectors.slack.client import ask_as, open_channel, read
from connectors.slack.mrkdwn import from_text
from connectors.slack.parse import EVENT_TYPE
from connectors.slack.places import Place, message_key
from connectors.slack.render import place_of
from hub.envelope import DeliveryStatus, OutboundMessage, SendResult

if TYPE_CHECKING:
    from slack_sdk import WebClient

# Clocks differ, and what is looked for cannot be older than the try that made it.
_SEARCH_SLACK_S: Final = 5.0
_SEARCH_LIMIT: Final = 15


class _Shown(msgspec.Struct):
    id: str = ""


class _Metadata(msgspec.Struct):
    event_type: str = ""
    # Another app's may hold anything.
    event_payload: dict[str, object] = {}


class _Found(msgspec.Struct):
    ts: str
    bot_id: str | None = None
    text: str | None = None
    metadata: _Metadata | None = None
    files: list[_Shown] | None = None


class _History(msgspec.Struct):
    messages: list[_Found]


async def reconcile(account: Account, message: OutboundMessage) -> SendResult | None:
    """
    Look for a message whose sending was not confirmed, in its channel or thread since the try.

    A text carries our id unseen; files cannot, so that one message of ours with the same text and number of files
    counts, and two prove nothing.

    Returns:
        The message found; or None.

    Raises:
        ConnectorError: Slack could not be asked.
    """
    if message.attempted_at is None:
        return None
    place, since = place_of(message), message.attempted_at
    return await ask_as(account, lambda client: _look_for(client, account, message, (place, since)))


def _look_for(
    client: WebClient, account: Account, message: OutboundMessage, where: tuple[Place, datetime]
) -> SendResult | None:
    place, since = where
    channel = open_channel(client, place)
    oldest = f"{since.timestamp() - _SEARCH_SLACK_S:.6f}"
    if place.thread_ts:
        answer = client.conversations_replies(
            channel=channel, ts=place.thread_ts, oldest=oldest, limit=_SEARCH_LIMIT, include_all_metadata=True
        )
    else:
        answer = client.conversations_history(
            channel=channel, oldest=oldest, limit=_SEARCH_LIMIT, include_all_metadata=True
        )
    messages = read(answer, _History).messages
    found = [one for one in messages if _is_it(one, message, account.settings.get("bot_id", ""))]
    if len(found) != 1:
        return None
    return SendResult(external_ids=(message_key(channel, found[0].ts),), status=DeliveryStatus.SENT)


def _is_it(found: _Found, message: OutboundMessage, bot_id: str) -> bool:
    if not message.attachments:
        metadata = found.metadata
        return (
            metadata is not None
            and metadata.event_type == EVENT_TYPE
            and metadata.event_payload.get("message_id") == message.message_id
        )
    is_ours = bool(bot_id) and found.bot_id == bot_id
    return (
        is_ours and len(found.files or ()) == len(message.attachments) and (found.text or "") == from_text(message.text)
    )
