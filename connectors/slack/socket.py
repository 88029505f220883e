"""
Socket Mode: Slack tells its events over WebSockets that we open, for hubs without a public address.

Every event is acknowledged after it is stored, so one that was on its way when something broke comes again, under the
same id. Slack cuts each socket after some hours and says so before: the next one is open by then.

Source: docs.slack.dev/apis/events-api/using-socket-mode, read 2026-11-24.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

import msgspec

from connectors.accounts import is_loopback
from connectors.base import Account, PolledBatch, RawItem, WebhookRequest
from connectors.slack.parse import split
from connectors.slack.wire import ask
from hub import clock
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from websockets.asyncio.client import ClientConnection

# The setting's word for it, also in the manifest.
BY_SOCKET: Final = "a socket of ours"
HELLO_WITHIN_S: Final = 10.0
# Events are small; those with many blocks have some hundred kilobytes.
FRAME_LIMIT_BYTES: Final = 4 * 1024 * 1024
# What is read and not stored yet: Slack waits for acknowledgements before it tells much more.
_WAITING: Final = 64
_OFF: Final = ConnectorErrorInfo(
    ErrorClass.PERMISSION, "link_disabled", "Socket Mode is switched off at Slack, under the app's settings."
)
_NOT_SLACK: Final = ConnectorErrorInfo(ErrorClass.PERMANENT, "socket_address", "Slack named an address not its own.")
_SILENT: Final = ConnectorErrorInfo(ErrorClass.RETRYABLE, "no_socket", "Slack's socket did not open.")


class _Opened(msgspec.Struct, frozen=True):
    url: str


class _Frame(msgspec.Struct, frozen=True):
    """What comes over a socket; events carry an envelope's id, which the acknowledgement names."""

    type: str = ""
    envelope_id: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"null")
    reason: str = ""


class _Told(msgspec.Struct, frozen=True):
    """An event, and the socket it came over."""

    frame: _Frame
    socket: ClientConnection


def is_by_socket(settings: Mapping[str, str]) -> bool:
    """Say whether an account's events come over a socket."""
    return settings.get("events_by", "") == BY_SOCKET


async def poll(account: Account, cursor: str | None) -> AsyncIterator[PolledBatch]:  # noqa: ARG001  Slack has none
    """
    Listen for ever.

    Args:
        account: Its app-level token opens sockets.
        cursor: Not used: what was not acknowledged comes again.

    Yields:
        An empty batch once a socket is open, then a batch an event; it is acknowledged when the next one is asked for.

    Raises:
        ConnectorError: ``AUTH`` for a token Slack refuses, ``PERMISSION`` where Socket Mode is off; ``RETRYABLE``.
    """
    listener = _Listener(account)
    try:
        await listener.open()
        yield PolledBatch(items=(), cursor="")
        while True:
            told = await listener.next()
            items = _items(told.frame, account)
            if items is None:
                # Not ours to acknowledge: Slack tells it again, maybe to whose it is.
                continue
            yield PolledBatch(items=items, cursor="")
            await _acknowledge(told)
    finally:
        await listener.close()


async def open_address(account: Account) -> str:
    """
    Ask Slack where to connect, which also shows that the app-level token is good.

    Raises:
        ConnectorError: ``AUTH`` for a token Slack refuses; ``PERMANENT`` for an address that is not Slack's.
    """
    token = account.credentials.get("app_token", "")

    def question(client: WebClient) -> str:
        answer = client.apps_connections_open(app_token=token)
        return msgspec.convert(answer.data, _Opened).url

    try:
        url = await ask(account.base_url, token, question)
    except msgspec.ValidationError as error:
        raise ConnectorError(_SILENT) from error
    parts = urlsplit(url)
    is_slacks = parts.scheme == "wss" and (parts.hostname or "").endswith(".slack.com")
    is_own = is_loopback(account.base_url) and parts.scheme == "ws" and is_loopback(f"http://{parts.netloc}")
    if not is_slacks and not is_own:
        raise ConnectorError(_NOT_SLACK)
    return url


class _Listener:
    """Keeps a socket open, and the next one before Slack cuts it."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._told: asyncio.Queue[_Told | ConnectorError] = asyncio.Queue(_WAITING)
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Open a socket and wait until Slack says hello on it; then read it for as long as it lasts."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        url = await open_address(self._account)
        # Not through a proxy to our own machine.
        proxy: Literal[True] | None = None if urlsplit(url).scheme == "ws" else True
        try:
            async with asyncio.timeout(HELLO_WITHIN_S):
                socket = await connect(url, max_size=FRAME_LIMIT_BYTES, proxy=proxy)
                frame = _read(await socket.recv())
        except (OSError, TimeoutError, WebSocketException) as error:
            raise ConnectorError(_SILENT) from error
        if frame.type != "hello":
            await socket.close()
            raise ConnectorError(_OFF if frame.reason == "link_disabled" else _SILENT)
        self._begin(self._follow(socket), "slack-socket")

    async def next(self) -> _Told:
        """Wait for an event; raises what keeps new ones from coming."""
        told = await self._told.get()
        if isinstance(told, ConnectorError):
            raise told
        return told

    async def close(self) -> None:
        """Close every socket; what was told and not acknowledged comes again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, socket: ClientConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        replacing: asyncio.Task[None] | None = None
        async with socket:
            with contextlib.suppress(ConnectionClosed):
                while True:
                    frame = _read(await socket.recv())
                    if frame.type == "disconnect" and frame.reason == "link_disabled":
                        await self._told.put(ConnectorError(_OFF))
                        return
                    if frame.type == "disconnect":
                        replacing = replacing or self._begin(self._replace(), "slack-next-socket")
                    elif frame.envelope_id:
                        await self._told.put(_Told(frame, socket))
        if replacing is None:
            self._begin(self._replace(), "slack-next-socket")

    async def _replace(self) -> None:
        try:
            await self.open()
        except ConnectorError as error:
            # Whoever reads us waits and begins anew.
            await self._told.put(error)

    def _begin(self, work: object, name: str) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)  # type: ignore[arg-type]  # a coroutine
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _read(text: str | bytes) -> _Frame:
    """Read a frame; one that is none says nothing."""
    try:
        return msgspec.json.decode(text, type=_Frame)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Frame()


def _items(frame: _Frame, account: Account) -> tuple[RawItem, ...] | None:
    """Cut an event as if Slack had called; None for what is another workspace's of the same app."""
    if frame.type != "events_api":
        return ()
    now = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
    request = WebhookRequest(method="POST", url="", headers={}, body=bytes(frame.payload), received_at=now)
    ours = ("", account.settings.get("team_id", ""))
    found = tuple(split(request))
    return found if all(one.account_ref in ours for one in found) else None


async def _acknowledge(told: _Told) -> None:
    from websockets.exceptions import ConnectionClosed

    # A socket that has gone meanwhile: Slack tells it again over another one, and it is known by its id.
    with contextlib.suppress(ConnectionClosed):
        await told.socket.send(msgspec.json.encode({"envelope_id": told.frame.envelope_id}).decode())
