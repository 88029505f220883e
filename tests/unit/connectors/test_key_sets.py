"""Keys of token issuers: fetched once, again when a key is missing, and never as often as a caller likes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import msgspec
import pytest

from connectors.base import Account
from connectors.key_sets import KeySets
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, Unavailable

URL = "https://issuer.example/keys"
ACCOUNT = Account(id="a", workspace_id=1, credentials={}, settings={}, webhook_url="https://hub.example/webhooks/x/a")
CHANNEL = SimpleNamespace(key_sets=lambda _account: (URL,))
HOUR_S = 3600.0


class Issuer:
    """Publishes ``document``; the clock is ours."""

    def __init__(self) -> None:
        self.document = b"first"
        self.fetched: list[str] = []
        self.now_s = 1000.0
        self.down = False
        self.keys = KeySets(self.fetch, lambda: self.now_s)

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        await asyncio.sleep(0)
        if self.down:
            raise ConnectorError(ConnectorErrorInfo(ErrorClass.RETRYABLE, "no_connection", "Away."))
        return self.document

    async def attached(self) -> bytes:
        return (await self.keys.attach(CHANNEL, ACCOUNT)).keys[URL]

    async def newer(self) -> bytes | None:
        account = await self.keys.attach_newer(CHANNEL, ACCOUNT)
        return None if account is None else account.keys[URL]


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


async def test_channel_without_key_sets_asks_nobody(issuer):
    """The account comes back as it is."""
    channel = SimpleNamespace(key_sets=lambda _account: ())
    assert await issuer.keys.attach(channel, ACCOUNT) is ACCOUNT
    assert issuer.keys.attach_known(channel, ACCOUNT) is ACCOUNT
    assert await issuer.keys.attach_newer(channel, ACCOUNT) is None
    assert issuer.fetched == []


async def test_document_is_fetched_once_for_all(issuer):
    """A hundred calls at the same time, and those of the next hours: one request."""
    found = await asyncio.gather(*(issuer.attached() for _ in range(100)))
    issuer.now_s += 5 * HOUR_S
    assert set(found) == {b"first"}
    assert await issuer.attached() == b"first"
    assert issuer.fetched == [URL]


async def test_document_is_renewed_and_an_old_one_serves_for_a_day(issuer):
    """While the issuer is away the copy holds; after a day nobody is believed."""
    await issuer.attached()
    issuer.now_s += 7 * HOUR_S
    issuer.document = b"second"
    assert await issuer.attached() == b"second"
    issuer.down = True
    issuer.now_s += 23 * HOUR_S
    assert await issuer.attached() == b"second"
    issuer.now_s += 2 * HOUR_S
    with pytest.raises(Unavailable):
        await issuer.attached()


async def test_issuer_that_is_away_is_asked_every_few_seconds(issuer):
    """Calls are told to come back; they do not each make a request."""
    issuer.down = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            await issuer.attached()
    assert len(issuer.fetched) == 1
    issuer.down = False
    issuer.now_s += 6
    assert await issuer.attached() == b"first"


async def test_missing_key_fetches_at_most_once_a_minute(issuer):
    """A new key is found at once; tokens with invented keys cannot make us ask on and on."""
    await issuer.attached()
    assert await issuer.newer() is None
    issuer.now_s += 61
    issuer.document = b"second"
    assert await asyncio.gather(issuer.newer(), issuer.newer()) == [b"second", b"second"]
    assert await issuer.newer() is None
    assert len(issuer.fetched) == 2


async def test_known_copies_fetch_nothing(issuer):
    """Other accounts of the same call are checked with what is there, or not at all."""
    with pytest.raises(Unavailable):
        issuer.keys.attach_known(CHANNEL, ACCOUNT)
    await issuer.attached()
    assert issuer.keys.attach_known(CHANNEL, ACCOUNT) == msgspec.structs.replace(ACCOUNT, keys={URL: b"first"})
