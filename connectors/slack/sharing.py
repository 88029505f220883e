"""Sends files: uploaded first, which shows them to nobody, then shared in one message; texts go by ``client``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from connectors.base import Account, Call
from connectors.slack.client import ask_as, open_channel, post, prepare, read
from connectors.slack.places import Place, message_key
from connectors.slack.render import POST
from connectors.slack.wire import upload
from hub.envelope import OutboundMessage, SendResult
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

if TYPE_CHECKING:
    from slack_sdk import WebClient

# Slack shares a file a moment after it says that it will; only then has its message a name.
_SHARED_TRIES: Final = 4
_SHARED_PAUSE_S: Final = 0.4


class _Ticket(msgspec.Struct):
    upload_url: str
    file_id: str


class _Share(msgspec.Struct):
    ts: str


class _Shares(msgspec.Struct):
    public: dict[str, list[_Share]] = {}
    private: dict[str, list[_Share]] = {}


class _File(msgspec.Struct):
    shares: _Shares = msgspec.field(default_factory=_Shares)


class _Shown(msgspec.Struct):
    file: _File


class _Ready(msgspec.Struct):
    """Files that wait to be shared: their ids and titles, and where."""

    channel: str
    files: list[dict[str, str]]


async def send(account: Account, message: OutboundMessage, calls: Sequence[Call]) -> SendResult:
    """
    Send one rendered message, once.

    Args:
        account: Whose token is used.
        message: What was rendered.
        calls: The one call of ``render``.

    Returns:
        Channel and timestamp, which together are Slack's name of it. Of files that Slack has not shared yet the files'.

    Raises:
        ConnectorError: ``AMBIGUOUS`` when it may have been sent.
    """
    (call,) = calls
    fields = dict(call.fields)
    if call.operation == POST:
        return await post(account, fields)
    contents = [(one.filename, await _read(account, one.id)) for one in message.attachments]
    ready = await prepare(account, lambda client: _upload(client, account.base_url, fields["channel"], contents))
    return await ask_as(account, lambda client: _share(client, ready, fields))


async def _read(account: Account, file_id: str) -> bytes:
    if account.read_file is None:
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, "no_file", "The file could not be read."))
    return b"".join([piece async for piece in account.read_file(file_id)])


def _upload(client: WebClient, base_url: str, channel: str, contents: Sequence[tuple[str, bytes]]) -> _Ready:
    """Give Slack the files, which nobody sees yet."""
    tickets = []
    for name, content in contents:
        ticket = read(client.files_getUploadURLExternal(filename=name, length=len(content)), _Ticket)
        upload(base_url, ticket.upload_url, content)
        tickets.append({"id": ticket.file_id, "title": name})
    return _Ready(open_channel(client, Place(channel)), tickets)


def _share(client: WebClient, ready: _Ready, fields: Mapping[str, str]) -> SendResult:
    """Share the files, all in one message."""
    client.files_completeUploadExternal(
        files=[{**one} for one in ready.files],
        channel_id=ready.channel,
        initial_comment=fields["text"] or None,
        thread_ts=fields.get("thread_ts"),
    )
    ids = [one["id"] for one in ready.files]
    ts = _shared_at(client, ids[0], ready.channel)
    return SendResult(external_ids=tuple(message_key(ready.channel, one) for one in ([ts] if ts else ids)))


def _shared_at(client: WebClient, file_id: str, channel: str) -> str:
    """Return the name of the message that shares a file; empty where Slack takes its time. The message is sent."""
    for attempt in range(_SHARED_TRIES):
        try:
            shares = read(client.files_info(file=file_id), _Shown).file.shares
        except Exception:  # edge: whatever it is, the file was shared; without its message's name it can only stay
            return ""
        found = shares.private.get(channel) or shares.public.get(channel)
        if found:
            return found[-1].ts
        if attempt < _SHARED_TRIES - 1:
            time.sleep(_SHARED_PAUSE_S)
    return ""
