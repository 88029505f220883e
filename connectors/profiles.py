"""
Asks vendors what people are called whose messages come with an id only, and fetches their pictures.

A job of ``hub work``; any number of processes may run it, for each question is claimed. It never stands in a message's
way: an account with a member's message waiting is left alone, and its questions have a rate of their own.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from connectors.base import Charge
from connectors.downloads import REFUSED, download, download_public
from hub import clock
from hub.contacts import profiles
from hub.contacts.actions import take_profile
from hub.errors import ConnectorError, ErrorClass, HubError, NotFound, Unavailable
from hub.jobs import Job
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from connectors.attempt import OpenAccount
    from connectors.base import Account, Connector, Profile
    from connectors.buckets import Buckets
    from connectors.polled_account import PollingDatabase
    from hub.contacts.profiles import Asked

# The name of the manifest's limit that questions have.
LIMIT: Final = "profile"
LOOK_EVERY_S: Final = 2.0
OF_ACCOUNT: Final = 20
ACCOUNTS_AT_ONCE: Final = 8
LOOK_LIMIT: Final = OF_ACCOUNT * ACCOUNTS_AT_ONCE
CALL_TIMEOUT_S: Final = 30.0
PICTURE_TIMEOUT_S: Final = 20.0
PICTURE_BYTES: Final = 5 * 1024 * 1024
PICTURES: Final = "image/webp,image/png,image/jpeg,image/gif"
# Longer than a call, a picture and everything after them: then whoever had it is dead, and it is due again.
CLAIMED_FOR: Final = timedelta(seconds=180)
# Over about half a day; after that the next message asks again, a week later at the earliest.
PAUSES: Final = tuple(timedelta(minutes=one) for one in (1, 5, 30, 120, 600))
THROTTLED_S: Final = 60.0

_FINAL: Final = frozenset({ErrorClass.PERMANENT, ErrorClass.CONTENT, ErrorClass.UNSUPPORTED, ErrorClass.RECIPIENT})

_log = get_logger("connectors.profiles")


class Profiles:
    """
    The questions of one process.

    Args:
        database: Holds who is asked about.
        buckets: Rate limits, shared with sending.
        open_account: Opens an account for the length of a call.
        draw: Makes a small WebP of a picture from outside; None where it is no picture.
        now: The wall clock.
    """

    def __init__(
        self,
        database: PollingDatabase,
        buckets: Buckets,
        open_account: OpenAccount,
        draw: Callable[[bytes], Awaitable[bytes | None]],
        *,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._database = database
        self._buckets = buckets
        self._open_account = open_account
        self._draw = draw
        self._now = now

    def job(self) -> Job:
        """Return the job that asks what is due."""
        return Job("profiles", LOOK_EVERY_S, self.run_due)

    async def run_due(self) -> int:
        """Ask what is due and has a token; returns how many questions were asked."""
        async with self._database.across() as conn:
            due = await profiles.due(conn, self._now(), OF_ACCOUNT, LOOK_LIMIT)
        places = asyncio.Semaphore(ACCOUNTS_AT_ONCE)

        async def ask(place: tuple[int, UUID], contact_ids: Sequence[UUID]) -> int:
            async with places:
                return await self._ask_account(place, contact_ids)

        return sum(await asyncio.gather(*(ask(place, contacts) for place, contacts in due.items())))

    async def _ask_account(self, place: tuple[int, UUID], contact_ids: Sequence[UUID]) -> int:
        """Ask about an account's contacts, one after the other, until its bucket is empty."""
        try:
            account, connector = await self._open_account(place[1])
        except HubError:
            return 0  # removed since, not known here yet, or its sign-in has ended: it waits for that
        charge = Charge(key=f"{account.id}:{LIMIT}", limits=connector.manifest.limits.get(LIMIT, ()))
        asked = 0
        for contact_id in contact_ids:
            if await self._buckets.take((charge,)) > 0:
                break
            now = self._now()
            async with self._database.transaction([place[0]]) as conn:
                claimed = await profiles.claim(conn, place[0], contact_id, now, now + CLAIMED_FOR)
            if claimed is None:
                continue
            asked += 1
            try:
                await self._ask(claimed, account, connector)
            except ConnectorError as error:
                await self._note_failure(claimed, error)
                if error.info.klass is ErrorClass.RATE_LIMITED:
                    await self._buckets.penalise(charge.key, error.info.retry_after_s or THROTTLED_S)
                    break
                if error.info.klass is ErrorClass.AUTH:
                    with suppress(HubError):
                        await self._open_account(place[1], fresh=True)
                    break
            except NotFound:
                continue  # the contact was erased meanwhile
        return asked

    async def _ask(self, asked: Asked, account: Account, connector: Connector) -> None:
        """Ask one question and keep the answer; the name is kept whatever becomes of the picture."""
        if connector.profile_of is None:
            await self._settle(asked, None)
            return
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                found = await connector.profile_of(account, asked.identity)
        except (ConnectorError, Unavailable):
            raise
        except Exception as error:  # edge: a vendor library may raise anything; classified
            raise ConnectorError(connector.classify(error)) from error
        try:
            webp = await self._fetch_picture(account, found)
        except ConnectorError:
            await self._keep(asked, found, b"", is_done=False)
            raise
        await self._keep(asked, found, webp, is_done=True)

    async def _fetch_picture(self, account: Account, found: Profile) -> bytes:
        """Return a small picture made anew; empty where there is none, or none that can be shown."""
        if not found.avatar_url:
            return b""
        try:
            async with asyncio.timeout(PICTURE_TIMEOUT_S):
                data = await _read(_pieces(account, found.avatar_url))
        except TimeoutError:
            return b""
        webp = await self._draw(data) if data else None
        return webp if webp and len(webp) <= profiles.PICTURE_LIMIT_BYTES else b""

    async def _keep(self, asked: Asked, found: Profile, webp: bytes, *, is_done: bool) -> None:
        async with self._database.transaction([asked.workspace_id]) as conn:
            await take_profile(
                conn, asked.workspace_id, asked.contact_id, found.name.strip() or found.handle or "", webp
            )
            if is_done:
                await profiles.put_off(conn, asked, None, tries=asked.attempt)

    async def _note_failure(self, asked: Asked, error: ConnectorError) -> None:
        """Ask again after a growing pause, or leave it; being told to slow down is no try."""
        info, now = error.info, self._now()
        if info.klass is ErrorClass.RATE_LIMITED:
            wait_s = info.retry_after_s or THROTTLED_S
            await self._settle(asked, now + timedelta(seconds=wait_s), tries=asked.attempt - 1)
            return
        if info.klass in _FINAL or asked.attempt > len(PAUSES):
            await self._settle(asked, None)
        else:
            await self._settle(asked, now + PAUSES[asked.attempt - 1])
        if asked.attempt == 1:
            _log.info(
                "profile not read",
                workspace_id=asked.workspace_id,
                channel_account_id=str(asked.channel_account_id),
                reason=info.code,
            )

    async def _settle(self, asked: Asked, due_at: datetime | None, *, tries: int | None = None) -> None:
        async with self._database.transaction([asked.workspace_id]) as conn:
            await profiles.put_off(conn, asked, due_at, tries=asked.attempt if tries is None else tries)


def _pieces(account: Account, url: str) -> AsyncGenerator[bytes]:
    """Fetch a picture: of an emulator from its own origin alone, else from any public server, by https, as nobody."""
    if account.base_url:
        return download(url, hosts=(), base_url=account.base_url)
    if urlsplit(url).scheme != "https":
        raise ConnectorError(REFUSED)
    return download_public(url, accept=PICTURES)


async def _read(pieces: AsyncGenerator[bytes]) -> bytes:
    """Read a picture whole; empty where it is larger than is taken."""
    found = bytearray()
    async with aclosing(pieces):
        async for piece in pieces:
            found += piece
            if len(found) > PICTURE_BYTES:
                return b""
    return bytes(found)
