"""
The process loop that fetches the files of received messages: claimed under a lease, stored, checked, told to members.

Woken when a message comes in, and each second in any case. Any number of processes may run one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from connectors.account_notes import AccountNotes
from hub import clock
from hub.attachments import actions, store
from hub.attachments.store import Settled
from hub.envelope import AttachmentRef
from hub.errors import ConnectorError, ErrorClass, HubError, NotFound, TooLarge, Unavailable
from hub.inbox.fetched import settle_fetched
from hub.log import get_logger

if TYPE_CHECKING:
    from connectors.attempt import OpenAccount
    from connectors.base import Account, Connector, RawReader
    from hub.attachments.keeping import Keeper
    from hub.attachments.model import AttachmentRow
    from hub.db import Database

POLL_S: Final = 1.0
PLACES: Final = 6
PLACES_PER_ACCOUNT: Final = 3
LOOK_LIMIT: Final = 50
FETCH_TIMEOUT_S: Final = 600.0
LEASE: Final = timedelta(minutes=15)
# Ten tries over about nine hours: vendors' own outages end within that, their addresses often too.
ATTEMPTS: Final = 10
FIRST_WAIT_S: Final = 10.0
LONGEST_WAIT_S: Final = 2 * 3600.0
STOP_GRACE_S: Final = 10.0

_FINAL: Final = frozenset({ErrorClass.PERMANENT, ErrorClass.CONTENT, ErrorClass.UNSUPPORTED, ErrorClass.RECIPIENT})

_log = get_logger("connectors.fetching")


class Fetcher:
    """
    Fetches what is due, of all workspaces.

    Args:
        database: Where files are found and settled.
        keeper: Stores and checks their bytes.
        open_account: Finds account and connector.
        limit_bytes: Largest file taken.
    """

    def __init__(self, database: Database, keeper: Keeper, open_account: OpenAccount, limit_bytes: int) -> None:
        self._database = database
        self._keeper = keeper
        self._open_account = open_account
        self._limit_bytes = limit_bytes
        self.notes = AccountNotes()
        self._hint = asyncio.Event()
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._places: Counter[UUID | None] = Counter()

    def wake(self) -> None:
        """Look for files now; called from the loop's own thread after a COMMIT that may have brought some."""
        self._hint.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Fetch until told to stop; what is cut off is fetched again when its lease ends."""
        while not stop.is_set():
            self._hint.clear()
            try:
                await self.look()
            except Exception as error:  # loop: looked at again in a second
                # That a store is away has been said by whoever lost it.
                if not isinstance(error, Unavailable):
                    _log.warning("looking for files failed", error=type(error).__name__)
            await self._pause(stop)
        await self._finish()

    async def look(self) -> None:
        """Start fetching what is due and has a place."""
        free = PLACES - len(self._running)
        if free <= 0:
            return
        async with self._database.across() as conn:
            found = await store.due(conn, clock.now(), LOOK_LIMIT)
        for workspace_id, attachment_id in found:
            if attachment_id in self._running or len(self._running) >= PLACES:
                continue
            self._running[attachment_id] = asyncio.create_task(self._carry_out(workspace_id, attachment_id))

    async def wait(self) -> None:
        """Wait for what is being fetched now; for tests and for stopping."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _carry_out(self, workspace_id: int, attachment_id: UUID) -> None:
        account_id: UUID | None = None
        try:
            async with self._database.transaction([workspace_id]) as conn:
                row = await store.get(conn, workspace_id, attachment_id)
                account_id = row.channel_account_id
                if self._places[account_id] >= PLACES_PER_ACCOUNT:
                    account_id = None
                    return
                self._places[account_id] += 1
                now = clock.now()
                claimed = await store.claim(conn, workspace_id, attachment_id, now, now + LEASE)
            if claimed is not None:
                await self._fetch(claimed)
                self._hint.set()
        except NotFound:
            return
        except Exception as error:  # loop: one file's trouble stays its own
            _log.warning("file not fetched", workspace_id=workspace_id, error=type(error).__name__)
        finally:
            del self._running[attachment_id]
            if account_id is not None:
                self._places[account_id] -= 1

    async def _fetch(self, row: AttachmentRow) -> None:
        """Bring one claimed file to its end, or put it off."""
        try:
            settled = await self._bring(row)
        except TooLarge:
            settled = _failed(row, f"The file is larger than {self._limit_bytes // 1_000_000} MB.")
        except ConnectorError as error:
            if row.channel_account_id is not None:
                place = row.workspace_id, row.channel_account_id
                self.notes.went_wrong(place, "fetch", error.info.code, error.info.message)
            if error.info.klass is ErrorClass.AUTH:
                await self._renew(row)
            if error.info.klass not in _FINAL and row.attempt < ATTEMPTS:
                await self._put_off(row, error.info.retry_after_s, error.info.code)
                return
            settled = _failed(row, error.info.message)
        except NotFound:
            settled = _failed(row, "The file is no longer there.")
        except (TimeoutError, HubError) as error:
            if row.attempt < ATTEMPTS or isinstance(error, Unavailable):
                await self._put_off(row, None, type(error).__name__)
                return
            settled = _failed(row, "The file could not be fetched.")
        async with self._database.transaction([row.workspace_id]) as conn:
            await settle_fetched(conn, row, settled)
        _log.info(
            "file fetched" if settled.state == "ready" else "file failed",
            workspace_id=row.workspace_id,
            attachment_id=str(row.id),
            attempt=row.attempt,
            size_bytes=settled.size_bytes,
        )

    async def _bring(self, row: AttachmentRow) -> Settled:
        account, connector = await self._open(row)
        if connector.fetch is None or row.ref is None:
            return _failed(row, "Files of this channel cannot be fetched.")
        ref = AttachmentRef(
            ref=row.ref,
            kind=row.kind,
            filename=row.filename,
            mime=row.mime,
            size_bytes=row.size_bytes or None,
            inline_cid=row.inline_cid,
        )
        chunks = connector.fetch(account, ref, self._raw_reader(row))
        async with asyncio.timeout(FETCH_TIMEOUT_S):
            part = await self._keeper.store(row.workspace_id, _translated(connector, chunks), self._limit_bytes)
        return await self._keeper.check(row, [part])

    async def _renew(self, row: AttachmentRow) -> None:
        """After refused keys: the next try has newer ones, where there are any."""
        if row.channel_account_id is not None:
            with suppress(HubError):
                await self._open_account(row.channel_account_id, fresh=True)

    async def _open(self, row: AttachmentRow) -> tuple[Account, Connector]:
        """One just connected may be missing from a cache for a minute; one that was removed stays missing."""
        assert row.channel_account_id is not None
        try:
            return await self._open_account(row.channel_account_id)
        except NotFound:
            if row.attempt < 3:
                raise Unavailable("The channel account is not known here.") from None
            raise

    def _raw_reader(self, row: AttachmentRow) -> RawReader:
        async def read() -> bytes:
            if row.raw_item_id is None:
                raise NotFound("raw item")
            async with self._database.transaction([row.workspace_id]) as conn:
                body = await store.read_raw_item(conn, row.workspace_id, row.raw_item_id)
            if body is None:
                raise NotFound("raw item")
            return body

        return read

    async def _put_off(self, row: AttachmentRow, wait_s: float | None, reason: str) -> None:
        wait_s = wait_s or min(FIRST_WAIT_S * 3.0 ** (row.attempt - 1), LONGEST_WAIT_S)
        async with self._database.transaction([row.workspace_id]) as conn:
            await actions.put_off(conn, row, clock.now() + timedelta(seconds=wait_s))
        _log.info("file put off", workspace_id=row.workspace_id, attachment_id=str(row.id), reason=reason)

    async def _pause(self, stop: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(self._hint.wait()), asyncio.ensure_future(stop.wait())]
        try:
            await asyncio.wait(waits, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _finish(self) -> None:
        tasks = list(self._running.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=STOP_GRACE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def _translated(connector: Connector, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass a vendor's bytes on; whatever its library raises becomes a word of ours."""
    try:
        async with aclosing(chunks) as pieces:  # type: ignore[type-var]  # connectors write generators
            async for piece in pieces:
                yield piece
    except (HubError, TimeoutError):
        raise
    except Exception as error:  # edge: a vendor library may raise anything; classified
        raise ConnectorError(connector.classify(error)) from error


def _failed(row: AttachmentRow, why: str) -> Settled:
    return Settled(state="failed", kind=row.kind, mime=row.mime, size_bytes=row.size_bytes, error=why)
