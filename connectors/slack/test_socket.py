"""Socket Mode against the emulator: events are acknowledged after they are stored, and no socket's end loses one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.base import Account, PolledBatch
from connectors.slack import CONNECTOR
from connectors.slack.socket import BY_SOCKET
from hub.errors import ConnectorError, ErrorClass, InvalidInput
from scripts.emulators.http1 import listen
from scripts.emulators.slack import Workspace
from scripts.emulators.slack_app import TEAM
from scripts.emulators.slack_socket import APP_TOKEN, Sockets


@dataclass
class Listening:
    """A poll that runs: what it brought, and how it ended."""

    vendor: Workspace
    account: Account
    batches: list[PolledBatch] = field(default_factory=list)
    stores: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def sockets(self) -> Sockets:
        return self.vendor.sockets

    @property
    def keys(self) -> list[str]:
        return [raw.key for one in self.batches for raw in one.items]

    async def run(self) -> None:
        assert CONNECTOR.poll is not None
        async with contextlib.aclosing(CONNECTOR.poll(self.account, None)) as batches:
            async for batch in batches:
                async with self.came:
                    self.batches.append(batch)
                    self.came.notify_all()
                # Storing takes as long as the test says.
                await self.stores.wait()

    async def until(self, amount: int) -> None:
        """Wait until so many batches came, the empty one of the beginning included."""
        async with asyncio.timeout(5), self.came:
            await self.came.wait_for(lambda: len(self.batches) >= amount)


def event(event_id: str, team: str = TEAM) -> dict[str, Any]:
    said = {"type": "message", "channel": "D1", "channel_type": "im", "user": "U1", "text": "Hi", "ts": "1795348800.1"}
    return {"type": "event_callback", "event_id": event_id, "team_id": team, "event": said}


@pytest.fixture
async def listening() -> AsyncIterator[Listening]:
    vendor = Workspace()
    async with listen(vendor.handle, 0) as listener:
        account = Account(
            id="1",
            workspace_id=1,
            credentials={"access_token": "xoxb-1", "app_token": APP_TOKEN},
            settings={"team_id": TEAM, "events_by": BY_SOCKET},
            webhook_url="",
            base_url=f"http://127.0.0.1:{listener.port}",
        )
        one = Listening(vendor, account)
        one.stores.set()
        task = asyncio.create_task(one.run())
        yield one
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await vendor.sockets.close()


async def test_event_is_acknowledged_after_it_is_stored(listening):
    """Not before: a hub that dies in between is told again."""
    await listening.until(1)
    listening.stores.clear()
    telling = asyncio.create_task(listening.sockets.tell(event("Ev1"), wait_s=0.3))
    await listening.until(2)
    assert await telling == {"acknowledged": 0}
    listening.stores.set()
    assert await listening.sockets.tell(event("Ev2")) == {"acknowledged": 1}
    assert len(listening.sockets.acknowledged) == 2
    assert listening.keys == ["Ev1", "Ev2"]


async def test_event_told_twice_has_one_key(listening):
    """Each envelope is acknowledged; the store knows the event by its id."""
    assert await listening.sockets.tell(event("Ev1"), times=2) == {"acknowledged": 2}
    assert listening.keys == ["Ev1", "Ev1"]


async def test_items_are_those_of_a_signed_call(listening):
    """The same item, so that the same code reads it, and changing the way events arrive doubles nothing."""
    await listening.sockets.tell(event("Ev1"))
    (raw,) = [raw for one in listening.batches for raw in one.items]
    assert (raw.key, raw.account_ref) == ("Ev1", TEAM)


async def test_next_socket_is_open_before_the_old_one_ends(listening):
    """Slack warns, and events go on meanwhile; a socket that ends unannounced is replaced as well."""
    await listening.sockets.tell(event("Ev1"))
    cutting = asyncio.create_task(listening.sockets.cut())
    await asyncio.sleep(0.15)
    assert listening.sockets.opened == 2
    assert await listening.sockets.tell(event("Ev2")) == {"acknowledged": 1}
    await cutting
    await listening.sockets.cut(warns=False)
    assert await listening.sockets.tell(event("Ev3")) == {"acknowledged": 1}
    assert (listening.keys, listening.sockets.opened) == (["Ev1", "Ev2", "Ev3"], 3)


async def test_what_is_no_event_is_acknowledged_and_left(listening):
    """Buttons and commands of the same app, frames that are none, and events that cannot be read."""
    await listening.sockets.say("no JSON")
    await listening.sockets.say({"envelope_id": "e1", "type": "slash_commands", "payload": {}})
    await listening.sockets.say({"envelope_id": "e2", "type": "events_api", "payload": [1]})
    assert await listening.sockets.tell(event("Ev1")) == {"acknowledged": 1}
    assert listening.sockets.acknowledged[:2] == ["e1", "e2"]
    assert len(listening.keys) == 2
    assert listening.keys[0].startswith("sha256:")


async def test_event_of_another_workspace_is_left_to_its_own_account(listening):
    """Neither stored nor acknowledged."""
    assert await listening.sockets.tell(event("Ev1", team="T0OTHER"), wait_s=0.3) == {"acknowledged": 0}
    assert await listening.sockets.tell(event("Ev2")) == {"acknowledged": 1}
    assert listening.keys == ["Ev2"]


async def test_refusals_end_the_listening_in_words(listening):
    """A token that was taken back asks for a person; so does Socket Mode that was switched off."""
    await listening.sockets.tell(event("Ev1"))
    other = Listening(listening.vendor, listening.account)
    other.stores.set()
    running = asyncio.create_task(other.run())
    await other.until(1)
    await listening.sockets.say({"type": "disconnect", "reason": "link_disabled"})
    with pytest.raises(ConnectorError) as caught:
        await running
    assert caught.value.info.klass is ErrorClass.PERMISSION

    listening.sockets.token = "xapp-another"
    with pytest.raises(ConnectorError) as caught:
        await Listening(listening.vendor, listening.account).run()
    assert caught.value.info.klass is ErrorClass.AUTH


@pytest.mark.parametrize(
    "url", ["wss://slack.com.evil.example/link", "ws://10.0.0.1/link", "https://wss.slack.com/", "x"]
)
async def test_address_that_is_not_slacks_is_not_opened(listening, url):
    """Nobody is told our events' acknowledgements by whoever answers for Slack."""

    async def elsewhere() -> str:
        return url

    listening.sockets.ticket = elsewhere
    with pytest.raises(ConnectorError, match="not its own"):
        await Listening(listening.vendor, listening.account).run()


async def test_form_is_checked_with_its_app_level_token(listening):
    """A socket without a token, or with a wrong one, is refused at its field before anything is saved."""
    for credentials in ({"access_token": "x"}, {"access_token": "x", "app_token": "xapp-wrong-0000"}):
        account = Account(
            id="1",
            workspace_id=1,
            credentials=credentials,
            settings=listening.account.settings,
            webhook_url="",
            base_url=listening.account.base_url,
        )
        with pytest.raises(InvalidInput) as caught:
            await CONNECTOR.check(account)
        assert caught.value.field == "app_token"


def test_only_accounts_with_a_socket_are_polled():
    """The others wait for Slack's calls."""
    assert CONNECTOR.is_polled({"events_by": BY_SOCKET})
    assert not CONNECTOR.is_polled({"events_by": "calls of Slack"})
    assert not CONNECTOR.is_polled({})
