"""Talks to X: checks tokens, sends, uploads pictures, looks for what was sent, and fetches files."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from connectors.base import Account, Call, Checked, RawReader
from connectors.downloads import download
from connectors.x_dm.api import API, Asking, ask_x
from connectors.x_dm.render import FILE_PLACE, WITH_FILE, bucket
from hub.envelope import AttachmentRef, OutboundMessage, SendResult
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

# The API is where files are fetched, with the token; its answers may lead to where X keeps them.
HOSTS: Final = ("api.x.com", ".twimg.com", ".twitter.com", ".x.com")
_PICTURE_LIMIT_BYTES: Final = 5 * 1024 * 1024
_LOOK_BACK: Final = timedelta(minutes=2)


class Me(msgspec.Struct, frozen=True):
    id: str
    username: str = ""
    name: str = ""


class MeAnswer(msgspec.Struct, frozen=True):
    data: Me


class _Event(msgspec.Struct, frozen=True):
    dm_event_id: str


class _Sent(msgspec.Struct, frozen=True):
    data: _Event


class _Uploaded(msgspec.Struct, frozen=True):
    id: str


class _Upload(msgspec.Struct, frozen=True):
    data: _Uploaded


class _Kept(msgspec.Struct, frozen=True):
    id: str
    text: str = ""
    sender_id: str = ""
    created_at: datetime | None = None


class _Page(msgspec.Struct, frozen=True):
    data: tuple[_Kept, ...] = ()


async def check(account: Account) -> Checked:
    """
    Ask whose token it is.

    Raises:
        ConnectorError: ``AUTH`` where X refuses it.
    """
    me = await who(account)
    warnings = (
        ()
        if account.credentials.get("signing_secret")
        else ("Calls of X are refused until the API key secret is entered.",)
    )
    return Checked(external_ref=me.id, warnings=warnings)


async def test(account: Account) -> str:
    """Ask whose token it is; a message to oneself would cost money."""
    me = await who(account)
    return f"X answered for @{me.username or me.id}. Nothing was sent."


async def who(account: Account) -> Me:
    """Ask whose token it is. Raises ConnectorError."""
    return (await ask_x(account, Asking(method="GET", path="/2/users/me"), MeAnswer)).data


async def send(account: Account, message: OutboundMessage, calls: Sequence[Call]) -> SendResult:
    """
    Send the parts of a message, once; pictures are uploaded before the first part leaves.

    Args:
        account: Whose token is used.
        message: What was rendered.
        calls: Its parts, in order.

    Raises:
        ConnectorError: ``AMBIGUOUS`` when a part may have been sent; final when only some were.
    """
    bodies = [await _with_file(account, call) for call in calls]
    path = f"/2/dm_conversations/with/{message.to.value}/messages"
    ids: list[str] = []
    for body in bodies:
        try:
            sent = await ask_x(account, Asking(path=path, body=body.encode()), _Sent)
        except ConnectorError as error:
            raise _halfway(_with_bucket(error, account), len(ids), len(bodies)) from error
        ids.append(sent.data.dm_event_id)
    return SendResult(external_ids=tuple(ids))


async def reconcile(account: Account, message: OutboundMessage) -> SendResult | None:
    """
    Look among the newest messages with this person for one of ours that says the same, since the try began.

    Returns:
        The message X has; None where there is none, or several parts were to be sent.

    Raises:
        ConnectorError: X could not be asked.
    """
    if message.attachments or message.attempted_at is None:
        return None
    query = {
        "event_types": "MessageCreate",
        "max_results": "20",
        "dm_event.fields": "id,text,created_at",
        "expansions": "sender_id",
    }
    path = f"/2/dm_conversations/with/{message.to.value}/dm_events"
    page = await ask_x(account, Asking(method="GET", path=path, query=query), _Page)
    ours, since = account.settings.get("user_id", ""), message.attempted_at - _LOOK_BACK
    for one in page.data:
        is_ours = one.sender_id == ours and one.created_at is not None and one.created_at >= since
        if is_ours and one.text == message.text:
            return SendResult(external_ids=(one.id,))
    return None


async def fetch(account: Account, attachment: AttachmentRef, _read_raw: RawReader) -> AsyncIterator[bytes]:
    """
    Fetch a file of a message from the API, with the token, which goes nowhere else.

    Raises:
        ConnectorError: ``PERMANENT`` where it is gone, ``RETRYABLE``, ``AUTH``.
    """
    url = f"{account.base_url or API}/2/dm_conversations/media/{attachment.ref}"
    token = account.credentials.get("access_token", "")
    async for piece in download(url, hosts=HOSTS, bearer=token, base_url=account.base_url):
        yield piece


async def _with_file(account: Account, call: Call) -> str:
    """Return what to post; a picture is uploaded first. Nothing has been sent yet, whatever becomes of an upload."""
    body = call.fields["body"]
    if call.operation != WITH_FILE:
        return body
    if account.read_file is None:
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, "no_file", "The file is not at hand."))
    content = b"".join([piece async for piece in account.read_file(call.fields["file"])])
    if len(content) > _PICTURE_LIMIT_BYTES:
        words = f"{call.fields['filename']} is larger than the 5 MB X takes."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.CONTENT, "too_large", words))
    category = "dm_gif" if call.fields["mime"] == "image/gif" else "dm_image"
    wanted = {"media": base64.b64encode(content).decode(), "media_category": category}
    try:
        made = await ask_x(account, Asking(path="/2/media/upload", body=msgspec.json.encode(wanted)), _Upload)
    except ConnectorError as error:
        if error.info.klass is not ErrorClass.AMBIGUOUS:
            raise
        raise ConnectorError(msgspec.structs.replace(error.info, klass=ErrorClass.RETRYABLE)) from error
    place = f'"media_id":"{FILE_PLACE}"'
    return body.replace(place, f'"media_id":{msgspec.json.encode(made.data.id).decode()}', 1)


def _with_bucket(error: ConnectorError, account: Account) -> ConnectorError:
    if error.info.klass is not ErrorClass.RATE_LIMITED:
        return error
    return ConnectorError(msgspec.structs.replace(error.info, bucket=bucket(account)))


def _halfway(error: ConnectorError, sent: int, parts: int) -> ConnectorError:
    """After the first part nothing may be sent again: the member decides, knowing what the person has."""
    if sent == 0 or error.info.klass is ErrorClass.AMBIGUOUS:
        return error
    words = f"Only {sent} of {parts} parts were sent. {error.info.message}"
    return ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, error.info.code, words))
