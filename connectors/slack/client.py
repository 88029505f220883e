"""Talks to Slack: checks a sign-in, and posts texts; ``sharing`` sends files, ``search`` looks for what got lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from connectors.base import Account, Checked
from connectors.slack.errors import NoAnswer, describe_silence
from connectors.slack.parse import EVENT_TYPE
from connectors.slack.places import Place, message_key
from connectors.slack.wire import ask
from hub.envelope import SendResult
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.web import SlackResponse

T = TypeVar("T")
Wanted = TypeVar("Wanted")

# What the app must be allowed to do for all this channel says it does.
SCOPES: Final = (
    *("chat:write", "im:history", "im:write", "channels:history", "groups:history", "mpim:history"),
    *("reactions:read", "reactions:write", "files:read", "files:write"),
)
# Beside them, to learn what people are called. Who signed in before it was asked for goes without names.
NAME_SCOPES: Final = ("users:read",)
# Beside them, where replies show who wrote them.
AUTHOR_SCOPES: Final = ("chat:write.customize",)
AUTHOR_FIELDS: Final = frozenset({"username", "icon_url"})
# Beside them, where history is wanted: to find the channels it is in.
HISTORY_SCOPES: Final = ("channels:read", "groups:read", "im:read", "mpim:read")
_NO_ID: Final = ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "no_id", "Slack's answer could not be read.")


class _Posted(msgspec.Struct):
    channel: str
    ts: str


class _Named(msgspec.Struct):
    id: str


class _Opened(msgspec.Struct):
    channel: _Named


class _Who(msgspec.Struct):
    team_id: str
    user_id: str = ""
    bot_id: str = ""


def scopes_of(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return the permissions that an account's settings need."""
    author = AUTHOR_SCOPES if settings.get("show_author") == "true" else ()
    history = HISTORY_SCOPES if settings.get("bring_in_history") == "true" else ()
    return (*SCOPES, *NAME_SCOPES, *author, *history)


async def ask_as(account: Account, question: Callable[[WebClient], T]) -> T:
    """Ask Slack something with an account's token; see ``wire.ask``."""
    return await ask(account.base_url, account.credentials.get("access_token", ""), question)


async def post(account: Account, fields: Mapping[str, str]) -> SendResult:
    """
    Post a text, once; as the app's own where it may not be shown as a member's.

    Args:
        account: Whose token is used.
        fields: Of ``render``.

    Returns:
        Channel and timestamp, which together are Slack's name of it.

    Raises:
        ConnectorError: ``AMBIGUOUS`` when it may have been sent.
    """
    channel = await prepare(account, lambda client: open_channel(client, Place(fields["channel"])))
    try:
        return await ask_as(account, lambda client: _post(client, channel, fields))
    except ConnectorError as error:
        plain = {name: value for name, value in fields.items() if name not in AUTHOR_FIELDS}
        if error.info.code != "missing_scope" or len(plain) == len(fields):
            raise
    # Slack refused before it posted anything. If it was another permission, it says so again.
    return await ask_as(account, lambda client: _post(client, channel, plain))


async def check(account: Account) -> Checked:
    """
    Ask Slack whose token it is.

    Args:
        account: Not saved yet.

    Returns:
        The workspace's id, and what the app is not allowed to do, in words.

    Raises:
        ConnectorError: ``AUTH`` for a token that Slack refuses.
    """
    answer = await ask_as(account, lambda client: client.auth_test())
    who = read(answer, _Who)
    granted = {one.strip() for one in _header(answer, "x-oauth-scopes").split(",") if one.strip()}
    missing = [one for one in scopes_of(account.settings) if one not in granted] if granted else []
    words = f"The app at Slack lacks permissions: {', '.join(missing)}. Add them there, then sign in again."
    return Checked(external_ref=who.team_id, warnings=(words,) if missing else ())


async def test(account: Account) -> str:
    """Write to whoever connected the workspace, in the app's own direct conversation, and say so."""
    member = account.settings.get("installed_by", "")
    if not member:
        await check(account)
        return "Slack accepts the sign-in. Nobody was written to: it is not known who connected the workspace."
    fields = {"text": "This is a test: messages from the inbox reach Slack."}
    await ask_as(account, lambda client: _post(client, open_channel(client, Place(member)), fields))
    return "Slack took a direct message to whoever connected the workspace."


def classify(error: BaseException) -> ConnectorErrorInfo:
    """Turn whatever sending let through into our words; a surprise may have been sent."""
    match error:
        case ConnectorError():
            return error.info
        case NoAnswer():
            return describe_silence(error)
    return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, type(error).__name__, "Slack's answer could not be read.")


def read(answer: SlackResponse, kind: type[Wanted]) -> Wanted:
    """Read an answer of the SDK's as one of our structs; one of another shape is ``AMBIGUOUS``."""
    try:
        return msgspec.convert(answer.data, kind)
    except msgspec.ValidationError as error:
        raise ConnectorError(_NO_ID) from error


async def prepare(account: Account, question: Callable[[WebClient], T]) -> T:
    """Ask for what is needed before anything is sent: a doubt about it is no doubt about the message."""
    try:
        return await ask_as(account, question)
    except ConnectorError as error:
        if error.info.klass is ErrorClass.AMBIGUOUS:
            raise ConnectorError(msgspec.structs.replace(error.info, klass=ErrorClass.RETRYABLE)) from error
        raise


# ── in the thread of the call ───────────────────────────────────────────────────────────────────────────────────────


def open_channel(client: WebClient, place: Place) -> str:
    """Return a place's channel; the direct conversation with a member is opened first, which twice is the same."""
    if not place.is_member:
        return place.channel
    return read(client.conversations_open(users=place.channel), _Opened).channel.id


def _post(client: WebClient, channel: str, fields: Mapping[str, str]) -> SendResult:
    from slack_sdk.models.metadata import Metadata

    message_id = fields.get("message_id")
    answer = client.chat_postMessage(
        channel=channel,
        text=fields["text"],
        thread_ts=fields.get("thread_ts"),
        username=fields.get("username"),
        icon_url=fields.get("icon_url"),
        metadata=Metadata(EVENT_TYPE, {"message_id": message_id}) if message_id else None,
    )
    posted = read(answer, _Posted)
    return SendResult(external_ids=(message_key(posted.channel, posted.ts),))


def _header(answer: SlackResponse, name: str) -> str:
    named = {str(key).lower(): str(value) for key, value in dict(answer.headers).items()}
    return named.get(name, "")
