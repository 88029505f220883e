"""One socket at Slack: opened with an app-level token, greeted, read until it ends; acknowledges nothing by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from connectors.accounts import is_loopback
from connectors.base import Account, RawItem
from connectors.slack.client import read
from connectors.slack.parse import item_of
from connectors.slack.wire import Silence, ask, authorities
from hub.errors import ConnectorError, ConnectorErrorInfo, EnteredKeyRefused, ErrorClass, MalformedPayload

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

# Slack names its sockets' addresses in an answer; a token's ticket goes to no other host.
# Source: docs.slack.dev/apis/events-api/using-socket-mode, read 2026-11-22.
HOSTS: Final = (".slack.com", ".slack-msgs.com")
HELLO_S: Final = 10.0
ACKNOWLEDGE_S: Final = 5.0
FRAME_LIMIT_BYTES: Final = 1024 * 1024
_EVENTS: Final = "events_api"
_DISABLED: Final = "link_disabled"

_KEY_WORDS: Final = "Slack does not accept the app-level token. Enter one of this app with the scope connections:write."
_NO_SOCKET: Final = ConnectorErrorInfo(ErrorClass.RETRYABLE, "no_socket", "Slack's socket could not be opened.")
_SWITCHED_OFF: Final = ConnectorErrorInfo(
    ErrorClass.PERMISSION, _DISABLED, "Socket Mode is switched off at Slack, in the app's settings."
)
_OTHER_APP: Final = ConnectorErrorInfo(
    ErrorClass.AUTH, "other_app", "The app-level token is of another Slack app. Enter one of the app that is connected."
)


class _App(msgspec.Struct, frozen=True):
    app_id: str = ""


class _Frame(msgspec.Struct, frozen=True):
    """What Slack says over a socket."""

    type: str = ""
    envelope_id: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"")
    reason: str = ""
    connection_info: _App | None = None


class _Address(msgspec.Struct):
    url: str


class Arrived(msgspec.Struct, frozen=True):
    """
    One envelope.

    Attributes:
        item: The event in it; None where it is none, e.g. a button somebody pressed.
    """

    link: Link
    envelope_id: str
    item: RawItem | None


class Link:
    """
    A socket that Slack has greeted.

    Args:
        wire: The connection.
        arrivals: Takes envelopes; a full one lets Slack wait.
        note_unreadable: Called for each frame that is not Slack's.

    Attributes:
        ending: Set once it is to be followed by another: Slack said so, or it has gone.
        closed: Set once nothing more can come.
        is_announced: Whether Slack said that it ends.
        is_disabled: Whether Slack said that there will be no other.
    """

    def __init__(
        self, wire: ClientConnection, arrivals: asyncio.Queue[Arrived], note_unreadable: Callable[[], None]
    ) -> None:
        self._wire = wire
        self._arrivals = arrivals
        self._note_unreadable = note_unreadable
        self.ending, self.closed = asyncio.Event(), asyncio.Event()
        self.is_announced = self.is_disabled = False
        self._task = asyncio.create_task(self._read(), name="slack-socket")

    async def acknowledge(self, envelope_id: str) -> None:
        """Tell Slack that an envelope is kept; where the socket has gone Slack sends it again, and we know it again."""
        if self.closed.is_set():
            return
        with suppress(*_failures()):
            async with asyncio.timeout(ACKNOWLEDGE_S):
                await self._wire.send(msgspec.json.encode({"envelope_id": envelope_id}), text=True)

    async def close(self) -> None:
        """End the socket; what it brought and was not acknowledged comes again."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with suppress(*_failures()):
            await self._wire.close()

    async def _read(self) -> None:
        try:
            async for frame in self._wire:
                await self._take(frame)
        except _failures():
            return
        finally:
            self.closed.set()
            self.ending.set()

    async def _take(self, text: str | bytes) -> None:
        frame = _decode(text)
        if frame is None:
            self._note_unreadable()
        elif frame.type == "disconnect":
            self.is_announced, self.is_disabled = True, frame.reason == _DISABLED
            self.ending.set()
        elif frame.envelope_id:
            await self._arrivals.put(Arrived(self, frame.envelope_id, _item(frame)))
        elif frame.type != "hello":
            self._note_unreadable()


async def open_link(account: Account, arrivals: asyncio.Queue[Arrived], note_unreadable: Callable[[], None]) -> Link:
    """
    Open a socket and wait for Slack's greeting.

    Raises:
        ConnectorError: ``EnteredKeyRefused`` for a token that is no good, or of another app; else none can be had now.
    """
    wire = await _connect(await ask_address(account))
    try:
        async with asyncio.timeout(HELLO_S):
            hello = _decode(await wire.recv())
        _check_hello(hello, account)
    except _failures() as error:
        await wire.close()
        raise ConnectorError(_NO_SOCKET) from error
    except BaseException:
        await wire.close()
        raise
    return Link(wire, arrivals, note_unreadable)


async def ask_address(account: Account) -> str:
    """
    Ask Slack where to open a socket; the address is good once.

    Raises:
        ConnectorError: As ``open_link``.
    """
    token = account.credentials.get("app_token", "")
    try:
        answer = await ask(account.base_url, token, lambda client: client.apps_connections_open(app_token=token))
    except ConnectorError as error:
        raise _about_token(error) from error
    url = read(answer, _Address).url
    parts, own = urlsplit(url), urlsplit(account.base_url)
    is_slacks = parts.scheme == "wss" and (parts.hostname or "").endswith(HOSTS)
    is_own = parts.scheme in ("ws", "wss") and parts.hostname == own.hostname
    if not (is_own if account.base_url else is_slacks):
        words = "Slack named an address for the socket that is not Slack's."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.RETRYABLE, "socket_address", words))
    return url


def _about_token(error: ConnectorError) -> ConnectorError:
    info = error.info
    if info.klass is ErrorClass.AUTH or info.code in ("missing_scope", "not_allowed_token_type"):
        return EnteredKeyRefused(ConnectorErrorInfo(ErrorClass.AUTH, info.code, _KEY_WORDS))
    if info.klass is ErrorClass.AMBIGUOUS:
        # Nothing was sent that could have been done twice.
        return ConnectorError(_NO_SOCKET)
    return error


async def _connect(url: str) -> ClientConnection:
    from websockets.asyncio.client import connect  # only who listens by socket waits for it

    is_near = is_loopback(url)
    try:
        return await connect(
            url,
            compression=None,
            max_size=FRAME_LIMIT_BYTES,
            logger=Silence(),  # type: ignore[arg-type]  # as much of one as a socket uses
            # A proxy of the environment has no way to our loopback, where emulators are.
            proxy=None if is_near else True,
            ssl=authorities() if url.startswith("wss:") else None,
            close_timeout=1.0,
        )
    except _failures() as error:
        raise ConnectorError(_NO_SOCKET) from error


def _check_hello(hello: _Frame | None, account: Account) -> None:
    if hello is not None and hello.type == "disconnect" and hello.reason == _DISABLED:
        raise ConnectorError(_SWITCHED_OFF)
    if hello is None or hello.type != "hello":
        raise ConnectorError(_NO_SOCKET)
    ours = account.settings.get("app_id", "")
    # What comes is shared among the app's workspaces: it must be the app's that somebody signed in with.
    if not ours or hello.connection_info is None or hello.connection_info.app_id != ours:
        raise EnteredKeyRefused(_OTHER_APP)


def switched_off() -> ConnectorError:
    """Return the error of an app whose sockets were switched off."""
    return ConnectorError(_SWITCHED_OFF)


def _item(frame: _Frame) -> RawItem | None:
    if frame.type != _EVENTS:
        return None
    try:
        return item_of(bytes(frame.payload))
    except MalformedPayload:
        return None


def _decode(text: str | bytes) -> _Frame | None:
    try:
        return msgspec.json.decode(text, type=_Frame) if isinstance(text, str) else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _failures() -> tuple[type[Exception], ...]:
    """Return what a socket raises that cannot be opened, or has gone."""
    from websockets.exceptions import WebSocketException

    return (OSError, TimeoutError, WebSocketException)
