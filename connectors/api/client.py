"""Calls the member's program: signs what it sends, and tells its answers apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from connectors.api.render import render_act
from connectors.api.signature import ID, SIGNATURE, TIMESTAMP, sign
from connectors.base import Account, Act, Call, Checked, RawReader
from connectors.downloads import download, download_public
from connectors.http import Answer, Request, ask
from hub import clock
from hub.envelope import AttachmentRef, OutboundMessage, SendResult
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

VENDOR: Final = "Your program"
# Longer than anybody should take to note a message; standardwebhooks.com asks receivers to answer in 15 to 30 s.
TIMEOUT_S: Final = 20.0
_CHECK_ID: Final = "msg_check"
_GONE: Final = ConnectorErrorInfo(
    ErrorClass.ACCOUNT, "410", "Your program says that this address is gone (HTTP 410). Enter its new address."
)
_MOVED: Final = "Your program's address leads elsewhere; enter where it leads to. We follow no redirects."
_NO_SECRET: Final = ConnectorErrorInfo(ErrorClass.AUTH, "no_secret", "This account has no signing secret.")
# An id longer than this is not kept.
_ID_CHARS: Final = 200


class _Taken(msgspec.Struct, frozen=True):
    id: str = ""


async def check(account: Account) -> Checked:
    """
    Send a signed ``ping`` to the address.

    Args:
        account: Not saved yet.

    Returns:
        A warning where the program does not answer yet: it may be waiting for the secret that is shown with the answer.

    Raises:
        ConnectorError: There is no such server, or it is one we do not connect to.
    """
    try:
        await _post(account, _CHECK_ID, b'{"type":"ping","data":{}}')
    except ConnectorError as error:
        # Whether it takes our signature can only show once its program has the secret.
        if error.info.code in ("host_unknown", "host_refused") or error.info.klass is ErrorClass.AUTH:
            raise
        return Checked(warnings=(f"The address did not take our test call: {error.info.message}",))
    return Checked()


async def test(account: Account) -> str:
    """Send a signed ``ping`` and say that it was taken."""
    await _post(account, _CHECK_ID, b'{"type":"ping","data":{}}')
    return "Your program took a signed test call (type ping)."


async def send(account: Account, message: OutboundMessage, calls: Sequence[Call]) -> SendResult:
    """
    Hand a message to the member's program.

    Args:
        account: Whose address and secret are used.
        message: What was rendered.
        calls: One.

    Returns:
        The program's own id of it, if it answers one as ``{"id": …}``; else ours.

    Raises:
        ConnectorError: ``RETRYABLE`` for everything that may pass, for the program drops what it has by its
            ``webhook-id``; ``ACCOUNT`` for 410.
    """
    ids = []
    for call in calls:
        answer = await _post(account, call.fields["id"], call.fields["body"].encode())
        ids.append(_id_in(answer) or message.message_id)
    return SendResult(external_ids=tuple(ids))


async def act(account: Account, wanted: Act) -> None:
    """
    Tell the member's program of an edit, a deletion, a reaction or that something was read.

    Args:
        account: Whose address and secret are used.
        wanted: What; done twice it comes to the same.

    Raises:
        ConnectorError: As ``send``.
    """
    await _post(account, wanted.id, render_act(wanted))


async def reconcile(account: Account, message: OutboundMessage) -> SendResult | None:  # noqa: ARG001
    """Say that nobody knows: the same call is made again, which a receiver knows by its id."""
    return None


async def fetch(account: Account, attachment: AttachmentRef, _read_raw: RawReader) -> AsyncIterator[bytes]:
    """
    Fetch a file the program named; from any public https address, without keys.

    Raises:
        ConnectorError: ``PERMANENT`` where it is gone or not public, or ``RETRYABLE``.
    """
    found = (
        download(attachment.ref, hosts=(), base_url=account.base_url)
        if account.base_url
        else download_public(attachment.ref, accept="*/*")
    )
    async for piece in found:
        yield piece


def classify(error: BaseException) -> ConnectorErrorInfo:
    """Turn whatever sending let through into our words; a surprise may have been sent."""
    if isinstance(error, ConnectorError):
        return error.info
    return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, type(error).__name__, "Your program's answer could not be read.")


async def _post(account: Account, webhook_id: str, body: bytes) -> Answer:
    timestamp_s = int(clock.now().timestamp())
    try:
        signature = sign(account.credentials.get("signing_secret", ""), webhook_id, timestamp_s, body)
    except ValueError as error:
        raise ConnectorError(_NO_SECRET) from error
    headers = {"content-type": "application/json", "user-agent": "clientcontact-hub", ID: webhook_id}
    headers |= {TIMESTAMP: str(timestamp_s), SIGNATURE: signature}
    request = Request(
        vendor=VENDOR,
        url=_address(account),
        headers=headers,
        body=body,
        timeout_s=TIMEOUT_S,
        reach=None if account.base_url else account.reach,
    )
    try:
        return await ask(request)
    except ConnectorError as error:
        raise ConnectorError(_in_words(error.info)) from error


def _address(account: Account) -> str:
    url = account.settings.get("url", "")
    if not account.base_url:
        return url
    parts = urlsplit(url)
    return f"{account.base_url}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")


def _in_words(info: ConnectorErrorInfo) -> ConnectorErrorInfo:
    """Say what an answer means where the call may be made again whatever became of the first."""
    if info.code == "410":
        return _GONE
    if info.klass is ErrorClass.AMBIGUOUS or info.code in ("404", "409", "423", "425"):
        return msgspec.structs.replace(info, klass=ErrorClass.RETRYABLE)
    if info.code.isdigit() and info.code.startswith("3"):
        return msgspec.structs.replace(info, message=_MOVED)
    return info


def _id_in(answer: Answer) -> str:
    try:
        found = msgspec.json.decode(answer.body, type=_Taken).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return found if len(found) <= _ID_CHARS and found.isprintable() else ""
