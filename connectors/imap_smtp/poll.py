"""Runs ``watch`` in a thread of its own and hands its batches to the event loop, one at a time."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import suppress

from connectors.base import Account, PolledBatch
from connectors.imap_smtp.mailbox import read_mailbox
from connectors.imap_smtp.session import Session
from connectors.imap_smtp.watch import DEFAULT_PACE, FETCHES_AT_ONCE, Pace, Ports, watch

# A thread that does not end by then hangs in the resolver; it is left alone and ends by itself.
CLOSE_S = 2.0

Watch = Callable[[Ports], Generator[PolledBatch, None, None]]


class Poller:
    """The polled mailboxes of one process."""

    def __init__(self, pace: Pace = DEFAULT_PACE) -> None:
        self._permits = threading.BoundedSemaphore(FETCHES_AT_ONCE)
        self._pace = pace

    async def poll(self, account: Account, cursor: str | None) -> AsyncIterator[PolledBatch]:
        """
        Read an account's mailbox from a cursor on, for ever; see ``Connector.poll``.

        Raises:
            ConnectorError: No connection, or the server refuses; in words.
            IMAPClientError: The connection broke.
        """
        mailbox = read_mailbox(account)
        thread = _WatchThread(lambda ports: watch(mailbox, cursor, ports), self._permits, self._pace)
        try:
            while True:
                yield await thread.next()
        finally:
            await thread.close()


class _WatchThread:
    """A generator in a thread: it runs only while somebody waits for its next value, and can be cut short."""

    def __init__(self, start: Watch, permits: threading.Semaphore, pace: Pace) -> None:
        self._loop = asyncio.get_running_loop()
        self._ports = Ports(note_session=self._note, permits=permits, pace=pace)
        self._start = start
        self._session: Session | None = None
        self._wanted: queue.SimpleQueue[asyncio.Future[PolledBatch] | None] = queue.SimpleQueue()
        self._ended = asyncio.Event()
        # A daemon: a server that hangs must not keep the process from stopping.
        self._thread = threading.Thread(target=self._run, name="imap", daemon=True)
        self._thread.start()

    async def next(self) -> PolledBatch:
        future: asyncio.Future[PolledBatch] = self._loop.create_future()
        self._wanted.put(future)
        return await future

    async def close(self) -> None:
        """End the thread and its connection."""
        self._ports.stop.set()
        if self._session is not None:
            self._session.cut()
        self._wanted.put(None)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._ended.wait()
        except TimeoutError:
            return

    def _note(self, session: Session) -> None:
        self._session = session
        if self._ports.stop.is_set():
            session.cut()

    def _run(self) -> None:
        batches = self._start(self._ports)
        try:
            while (future := self._wanted.get()) is not None:
                try:
                    batch = next(batches)
                except BaseException as error:  # edge: whatever it is, it belongs to the waiting task
                    self._tell(_fail, future, error)
                else:
                    self._tell(_answer, future, batch)
                    del batch
                del future
        finally:
            with suppress(Exception):  # thread: whatever a broken connection says at its end, it is closed
                batches.close()
            self._tell(self._ended.set)

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            return  # The loop was closed meanwhile: nobody waits any more.


def _answer(future: asyncio.Future[PolledBatch], batch: PolledBatch) -> None:
    if not future.done():
        future.set_result(batch)


def _fail(future: asyncio.Future[PolledBatch], error: BaseException) -> None:
    if future.done():
        return
    # A generator that ended has nothing more to say; StopIteration cannot be raised into a future.
    future.set_exception(
        RuntimeError("the mailbox is no longer watched") if isinstance(error, StopIteration) else error
    )
