"""
Keys of token issuers, fetched for ``verify``, which must stay pure. One for a serve process; the edge asks it.

Only the addresses a channel names for an account are fetched, and a caller's token cannot make us ask more often than
once a minute each.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from connectors.http import Request, ask
from hub import clock
from hub.errors import ConnectorError, Unavailable
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from connectors.base import Account, Connector

# Bot Connector authentication asks for a new copy at least once a day (read 2026-11-22); Google's lasts some hours.
_FRESH_S: Final = 6 * 3600.0
# How long a copy is good while no newer one can be had: a day of an issuer's outage must not stop mail.
_GOOD_S: Final = 24 * 3600.0
_PAUSE_S: Final = 60.0
_AFTER_FAILURE_S: Final = 5.0

_log = get_logger("connectors.key_sets")


class _Copy(msgspec.Struct):
    """A document as fetched; ``fetched_s`` and ``tried_s`` on the monotonic clock, minus infinity before the first."""

    document: bytes = b""
    fetched_s: float = float("-inf")
    tried_s: float = float("-inf")
    down: bool = False


async def fetch_key_set(url: str) -> bytes:
    """Fetch one document of keys. Raises ConnectorError."""
    return (await ask(Request(vendor="The issuer of the keys", url=url, method="GET"))).body


class KeySets:
    """
    Holds the documents and puts them into accounts.

    Args:
        fetch: Gives the document at an address; raises ConnectorError.
        now_s: Monotonic clock, seconds.
    """

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[bytes]] = fetch_key_set,
        now_s: Callable[[], float] = clock.monotonic_s,
    ) -> None:
        self._fetch = fetch
        self._now_s = now_s
        self._copies: dict[str, _Copy] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def attach(self, connector: Connector, account: Account) -> Account:
        """
        Give an account the keys its calls are checked with.

        Returns:
            The account with ``keys``; itself where the channel needs none.

        Raises:
            Unavailable: A document could not be fetched, and no copy is good any more.
        """
        urls = connector.key_sets(account)
        for url in urls:
            if self._now_s() - self._copy(url).fetched_s > _FRESH_S:
                await self._renew(url, _AFTER_FAILURE_S)
        return self._with_keys(account, urls)

    async def attach_newer(self, connector: Connector, account: Account) -> Account | None:
        """
        Fetch again, because a token names a key that is in no copy.

        Returns:
            The account with newer keys; None where nothing newer may be had now.
        """
        urls = connector.key_sets(account)
        renewed = [await self._renew(url, _PAUSE_S) for url in urls]
        return self._with_keys(account, urls) if any(renewed) else None

    def attach_known(self, connector: Connector, account: Account) -> Account:
        """Give an account the copies there are, fetching nothing. Raises Unavailable."""
        return self._with_keys(account, connector.key_sets(account))

    def _with_keys(self, account: Account, urls: Sequence[str]) -> Account:
        if not urls:
            return account
        for url in urls:
            if self._now_s() - self._copy(url).fetched_s > _GOOD_S:
                raise Unavailable("The keys to check this call with cannot be fetched now.")
        return msgspec.structs.replace(account, keys={url: self._copy(url).document for url in urls})

    async def _renew(self, url: str, pause_s: float) -> bool:
        """Fetch unless it was tried within ``pause_s``; all who wait get what one fetched. Says whether it is newer."""
        had = self._copy(url).fetched_s
        async with self._locks.setdefault(url, asyncio.Lock()):
            copy = self._copy(url)
            if copy.fetched_s > had:
                return True
            if self._now_s() - copy.tried_s < pause_s:
                return False
            copy.tried_s = self._now_s()
            try:
                copy.document = await self._fetch(url)
            except ConnectorError as error:
                if not copy.down:
                    _log.warning("key_set_unavailable", url=url, error=error.info.code)
                copy.down = True
                return False
            if copy.down:
                _log.info("key_set_available", url=url)
            copy.down = False
            copy.fetched_s = self._now_s()
            return True

    def _copy(self, url: str) -> _Copy:
        return self._copies.setdefault(url, _Copy())
