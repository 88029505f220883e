"""Talks to Microsoft: tokens of the bot, the Bot Connector of a conversation, and files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec

from connectors.base import Account, Act, Call, Checked, RawReader
from connectors.downloads import download
from connectors.http import Answer, Request, ask, refusal
from connectors.teams.places import HOSTS, activities_url, activity_of, is_service, message_id
from connectors.teams.render import render_edit, thread_bucket
from hub.envelope import AttachmentRef, OutboundMessage, SendResult
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

VENDOR: Final = "Teams"
LOGIN: Final = "https://login.microsoftonline.com"
SCOPE: Final = "https://api.botframework.com/.default"
# Where Microsoft keeps files people share with a bot; their addresses need no keys.
FILE_HOSTS: Final = (".sharepoint.com", ".1drv.com", ".onedrive.com", ".svc.ms")
TIMEOUT_S: Final = 20.0
_BAD_KEYS: Final = "Microsoft did not accept the app ID, the secret or the tenant."
_GONE: Final = {
    "BotNotInConversationRoster": "The bot was removed from this conversation.",
    "ConversationNotFound": "This conversation is no longer there.",
    "ConversationBlockedByUser": "This person has blocked the bot.",
    "BotDisabledByAdmin": "An administrator has switched the bot off.",
    "MessageWritesBlocked": "The bot may not write here: this person has blocked it, or has removed it.",
}
_NOT_ALLOWED: Final = {
    "ForbiddenOperationException": "An administrator of this organisation does not let the bot do this.",
    "NotEnoughPermissions": "The bot is not allowed to do this: it needs more permissions in Teams.",
}


class _Token(msgspec.Struct, frozen=True):
    access_token: str


class _Made(msgspec.Struct, frozen=True):
    id: str = ""


class _Error(msgspec.Struct, frozen=True):
    code: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Error


async def check(account: Account) -> Checked:
    """
    Ask Microsoft for a token of the bot.

    Returns:
        The tenant's id: calls are routed by it.

    Raises:
        ConnectorError: ``AUTH`` where the keys are not good.
    """
    await _token(account)
    return Checked(external_ref=account.settings.get("tenant_id", "").lower())


async def test(account: Account) -> str:
    """Ask for a token; a bot can only write where it was spoken to."""
    await _token(account)
    return "Microsoft gave the bot a token. Nothing was sent: a bot writes only where somebody wrote to it."


async def send(account: Account, message: OutboundMessage, calls: Sequence[Call]) -> SendResult:
    """
    Send a message into its conversation.

    Args:
        account: Whose bot sends.
        message: What was rendered.
        calls: One.

    Raises:
        ConnectorError: ``AMBIGUOUS`` when it may have been sent; Teams knows no key that would make a repeat one.
    """
    url = activities_url(message.thread_key, account.base_url)
    conversation = message.thread_key.rpartition(" ")[0]
    ids = []
    # Asked for on its own: a pause of the service that gives tokens is not this conversation's.
    token = await _token(account)
    for call in calls:
        try:
            answer = await _ask_with(token, "POST", url, call.fields["body"].encode())
        except ConnectorError as error:
            if error.info.klass is not ErrorClass.RATE_LIMITED:
                raise
            bucket = thread_bucket(account, message.thread_key)
            raise ConnectorError(msgspec.structs.replace(error.info, bucket=bucket)) from error
        try:
            made = msgspec.json.decode(answer.body, type=_Made).id
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ConnectorError(classify(error)) from error
        if not made.isprintable() or not 0 < len(made) <= 150:
            raise ConnectorError(classify(ValueError()))
        ids.append(message_id(conversation, made))
    return SendResult(external_ids=tuple(ids))


async def act(account: Account, wanted: Act) -> None:
    """
    Change or take back what the bot sent.

    Raises:
        ConnectorError: As ``send``; ``UNSUPPORTED`` for what a bot cannot do.
    """
    url = f"{activities_url(wanted.thread_key, account.base_url)}/{activity_of(wanted.external_id)}"
    match wanted.kind:
        case "edit":
            await _ask(account, "PUT", url, render_edit(wanted))
        case "delete":
            await _ask(account, "DELETE", url)
        case _:
            raise ConnectorError(ConnectorErrorInfo(ErrorClass.UNSUPPORTED, wanted.kind, "A bot cannot do this."))


async def fetch(account: Account, attachment: AttachmentRef, _read_raw: RawReader) -> AsyncIterator[bytes]:
    """
    Fetch a file: pictures inside a message from the Bot Connector with the bot's token, shared files without keys.

    Raises:
        ConnectorError: ``PERMANENT`` where it is gone or elsewhere, ``RETRYABLE``, ``AUTH``.
    """
    is_inline = bool(account.base_url) or is_service(attachment.ref)
    token = await _token(account) if is_inline else ""
    hosts = HOSTS if is_inline else FILE_HOSTS
    async for piece in download(attachment.ref, hosts=hosts, bearer=token, base_url=account.base_url):
        yield piece


def classify(error: BaseException) -> ConnectorErrorInfo:
    """Turn whatever sending let through into our words; a surprise may have been sent."""
    if isinstance(error, ConnectorError):
        return error.info
    return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "unreadable", "Teams' answer could not be read.")


async def _ask(account: Account, method: str, url: str, body: bytes = b"") -> Answer:
    return await _ask_with(await _token(account), method, url, body)


async def _ask_with(token: str, method: str, url: str, body: bytes) -> Answer:
    headers = {"authorization": f"Bearer {token}"} | ({"content-type": "application/json"} if body else {})
    return await ask(
        Request(
            vendor=VENDOR,
            method=method,
            url=url,
            headers=headers,
            body=body,
            timeout_s=TIMEOUT_S,
            read_refusal=read_refusal,
        )
    )


async def _token(account: Account) -> str:
    """
    Get a token of the bot; asked for each send, so that no process holds one.

    Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow, read 2026-11-22.
    """
    form = {
        "grant_type": "client_credentials",
        "client_id": account.credentials.get("client_id", ""),
        "client_secret": account.credentials.get("client_secret", ""),
        "scope": SCOPE,
    }
    request = Request(
        vendor="Microsoft",
        url=f"{account.base_url or LOGIN}/{account.settings.get('tenant_id', '')}/oauth2/v2.0/token",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode(form).encode(),
        read_refusal=_no_token,
    )
    try:
        answer = await ask(request)
        return msgspec.json.decode(answer.body, type=_Token).access_token
    except ConnectorError as error:
        if error.info.klass is not ErrorClass.AMBIGUOUS:
            raise
        # Asking for a token sends nothing to anybody.
        raise ConnectorError(msgspec.structs.replace(error.info, klass=ErrorClass.RETRYABLE)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        info = ConnectorErrorInfo(ErrorClass.RETRYABLE, "token", "Microsoft's answer could not be read.")
        raise ConnectorError(info) from error


def _no_token(answer: Answer, vendor: str) -> ConnectorErrorInfo:
    if answer.status in (400, 401, 404):
        return ConnectorErrorInfo(ErrorClass.AUTH, "token", _BAD_KEYS)
    return refusal(answer, vendor)


def read_refusal(answer: Answer, vendor: str) -> ConnectorErrorInfo:
    """
    Say what a refusal of the Bot Connector means: by its code where we know it, else by the status.

    Args:
        answer: Of status 300 or above.
        vendor: As members read it.

    Source:
        learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit, as the reference notes it: 412 means "too
        fast" as 429 does. 502 and 504, which the page would repeat, may have been sent.
    """
    try:
        code = msgspec.json.decode(answer.body, type=_Refusal).error.code
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        code = ""
    if code in _GONE:
        return ConnectorErrorInfo(ErrorClass.RECIPIENT, code, _GONE[code])
    if code in _NOT_ALLOWED:
        return ConnectorErrorInfo(ErrorClass.PERMISSION, code, _NOT_ALLOWED[code])
    if answer.status == 412:
        return refusal(Answer(429, answer.headers, answer.body), vendor)
    if answer.status == 413:
        return ConnectorErrorInfo(ErrorClass.CONTENT, "413", "The message is larger than Teams takes.")
    if answer.status == 404:
        return ConnectorErrorInfo(ErrorClass.RECIPIENT, "404", _GONE["ConversationNotFound"])
    return refusal(answer, vendor)
