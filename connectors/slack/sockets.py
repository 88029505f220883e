"""
Takes an app's events over sockets that we open (Socket Mode), for accounts whose setting says so.

An envelope is acknowledged once the batch it came in is kept: whoever iterates has stored it when it asks for the next.
Before a socket ends the next one is open; what both bring is one item, by its key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

import msgspec

from connectors.base import Account, Checked, PolledBatch
from connectors.slack import client
from connectors.slack.link import Arrived, Link, ask_address, open_link, switched_off
from hub.errors import ConnectorError, ConnectorErrorInfo, EnteredKeyRefused, ErrorClass, InvalidInput

SETTING: Final = "events_by"
SOCKET: Final = "socket"
BATCH: Final = 50
# More wait at Slack.
WAITING: Final = 200
# There is no place to go on from: Slack keeps what was not acknowledged.
_CURSOR: Final = "socket"
_BROKE: Final = ConnectorErrorInfo(ErrorClass.RETRYABLE, "socket_broke", "The socket to Slack broke.")


class Pace(msgspec.Struct, frozen=True):
    """
    How patient sockets are, in seconds.

    Attributes:
        quiet_s: After so long without an event the account is noted as still listened to.
        retry_s: Between tries to open the next socket while the old one still works.
        grace_s: How long an old socket stays open for what is on its way, once the next one is there.
    """

    quiet_s: float = 60.0
    retry_s: float = 5.0
    grace_s: float = 15.0


DEFAULT_PACE: Final = Pace()


def is_by_socket(settings: Mapping[str, str]) -> bool:
    """Say whether an account's events come over a socket."""
    return settings.get(SETTING) == SOCKET


def is_same_app(reader: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Say whether two accounts' settings name the same app, whose sockets bring the events of both."""
    return bool(reader.get("app_id")) and reader.get("app_id") == other.get("app_id")


async def check(account: Account) -> Checked:
    """
    Ask Slack whose token it is and, where events come over a socket, whether it would open one.

    Raises:
        ConnectorError: As ``client.check``.
        InvalidInput: The app-level token is missing, or Slack does not accept it.
    """
    if is_by_socket(account.settings):
        if not account.credentials.get("app_token"):
            raise InvalidInput("credentials.app_token", "Events by socket need the app-level token.")
        try:
            await ask_address(account)
        except EnteredKeyRefused as error:
            raise InvalidInput("credentials.app_token", error.info.message) from error
    return await client.check(account)


class EventSockets:
    """The sockets of one process; ``unreadable`` counts frames that were not Slack's."""

    def __init__(self, pace: Pace = DEFAULT_PACE) -> None:
        self._pace = pace
        self.unreadable = 0

    async def poll(self, account: Account, cursor: str | None) -> AsyncIterator[PolledBatch]:  # noqa: ARG002
        """
        Take an account's events, for ever; see ``Connector.poll``.

        Raises:
            ConnectorError: No socket, or Slack refuses the token; in words.
        """
        sockets = _Sockets(account, self._pace, self._note_unreadable)
        try:
            await sockets.open()
            yield PolledBatch(items=(), cursor=_CURSOR)
            while True:
                arrived = await sockets.next()
                yield PolledBatch(items=[one.item for one in arrived if one.item is not None], cursor=_CURSOR)
                for one in arrived:
                    await one.link.acknowledge(one.envelope_id)
        finally:
            await sockets.close()

    def counts(self) -> Mapping[str, int]:
        """See ``Connector.counts``."""
        return {"unreadable_frames": self.unreadable}

    def _note_unreadable(self) -> None:
        self.unreadable += 1


class _Sockets:
    """One account's sockets: one, and for a moment two."""

    def __init__(self, account: Account, pace: Pace, note_unreadable: Callable[[], None]) -> None:
        self._account = account
        self._pace = pace
        self._note_unreadable = note_unreadable
        self._arrivals: asyncio.Queue[Arrived] = asyncio.Queue(WAITING)
        self._links: list[Link] = []
        self._retiring: set[asyncio.Task[None]] = set()
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the first one, and from then on the next one in time."""
        first = await self._open_one()
        self._keeper = asyncio.create_task(self._keep(first), name="slack-sockets")

    async def next(self) -> Sequence[Arrived]:
        """Wait for envelopes; none after a while of silence. Raises once there is no socket any more."""
        assert self._keeper is not None
        waiting = asyncio.ensure_future(self._arrivals.get())
        try:
            await asyncio.wait((waiting, self._keeper), timeout=self._pace.quiet_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not waiting.done():
                waiting.cancel()
        if not waiting.done() or waiting.cancelled():
            if self._keeper.done():
                self._keeper.result()
            return ()
        arrived = [waiting.result()]
        while len(arrived) < BATCH and not self._arrivals.empty():
            arrived.append(self._arrivals.get_nowait())
        return arrived

    async def close(self) -> None:
        """End all of them."""
        tasks = [*self._retiring] if self._keeper is None else [*self._retiring, self._keeper]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *(one.close() for one in self._links), return_exceptions=True)

    async def _keep(self, link: Link) -> None:
        """Follow each socket by the next; raises where that cannot be."""
        while True:
            await link.ending.wait()
            if link.is_disabled:
                raise switched_off()
            if not link.is_announced:
                # Whoever iterates waits a growing while, as for any vendor that breaks connections.
                raise ConnectorError(_BROKE)
            old, link = link, await self._follow(link)
            self._retire(old)

    async def _follow(self, old: Link) -> Link:
        """Open the next socket; while the old one works there is time for more than one try."""
        while True:
            try:
                return await self._open_one()
            except EnteredKeyRefused:
                raise
            except ConnectorError:
                if old.closed.is_set():
                    raise
            await asyncio.wait((closed := asyncio.ensure_future(old.closed.wait()),), timeout=self._pace.retry_s)
            closed.cancel()

    async def _open_one(self) -> Link:
        link = await open_link(self._account, self._arrivals, self._note_unreadable)
        self._links.append(link)
        return link

    def _retire(self, link: Link) -> None:
        async def end() -> None:
            closed = asyncio.ensure_future(link.closed.wait())
            await asyncio.wait((closed,), timeout=self._pace.grace_s)
            closed.cancel()
            await link.close()
            self._links.remove(link)

        task = asyncio.create_task(end(), name="slack-socket-end")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
