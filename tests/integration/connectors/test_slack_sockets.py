"""Slack's sockets under the loop that reads accounts, over real Postgres and Valkey: kept, then acknowledged, once."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import uuid

import msgspec
import pytest

from connectors.base import Account, RawItem
from connectors.polled_routing import recipients
from connectors.slack import CONNECTOR
from connectors.slack.sockets import EventSockets, Pace
from hub.channels.model import AccountStatus, Route
from scripts.emulators.http1 import listen
from scripts.emulators.slack import Workspace
from scripts.emulators.slack_app import APP, APP_TOKEN, TEAM
from tests.integration.connectors.test_polling import World, running
from tests.waiting import wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


class Registry:
    """Answers with Slack for whatever the account's row says."""

    connector = dataclasses.replace(CONNECTOR, poll=EventSockets(Pace(quiet_s=0.1, retry_s=0.1, grace_s=0.2)).poll)

    def get(self, channel: str):
        return self.connector


class SlackWorld(World):
    """One workspace's Slack account, read over a socket."""

    def __init__(self, database, streams, workspace, base_url: str) -> None:
        super().__init__(database, streams, workspace, Registry())
        self.credentials = {"access_token": "xoxb-1", "app_token": APP_TOKEN}
        self.settings = {"team_id": TEAM, "app_id": APP, "events_by": "socket"}
        self.base_url = base_url

    def known(self) -> list[Route]:
        return [msgspec.structs.replace(one, external_ref=TEAM) for one in super().known()]

    async def open_account(self, channel_account_id, *, fresh: bool = False):
        account, connector = await super().open_account(channel_account_id, fresh=fresh)
        return msgspec.structs.replace(account, base_url=self.base_url), connector


@pytest.fixture
async def vendor():
    made = Workspace()
    made.sockets.retry_s = 0.2
    yield made
    await made.sockets.close()


@pytest.fixture
async def world(database, streams, workspace, vendor):
    await streams.create_groups()
    async with listen(vendor.handle) as listener:
        yield SlackWorld(database, streams, workspace, f"http://127.0.0.1:{listener.port}")


def said(number: int) -> dict:
    event = {"type": "message", "user": "U0NADIA", "text": f"line {number}", "ts": f"17953487{number:02}.000100"}
    return {"event": event | {"channel": "D0NADIA", "channel_type": "im"}, "event_id": f"Ev{number}"}


def acknowledged(vendor: Workspace) -> int:
    return len(vendor.facts()["sockets"]["acknowledged"])


async def wait_for(question, expected, timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while await question() != expected:
            await asyncio.sleep(0.02)


async def test_envelope_is_acknowledged_only_once_the_stream_has_its_item(world, vendor):
    """While the stream takes nothing Slack sends the event again and again; then it is there, and acknowledged."""
    world.append_fails_after = 0
    async with running(world.worker("a")):
        await wait_until(lambda: vendor.facts()["sockets"]["open"] == 1)
        await vendor.sockets.steer("socket_send", {"items": [said(1)]})
        await wait_until(lambda: vendor.facts()["sockets"]["sent"][0]["times"] >= 2)
        before = acknowledged(vendor)
        world.append_fails_after = None
        await wait_until(lambda: acknowledged(vendor) == 1)

    assert before == 0
    assert set(world.appended) == {"Ev1"}
    assert await world.on_stream() >= 1


async def test_refreshed_sockets_lose_nothing(world, vendor):
    """Events before, while and after Slack replaces the socket, three times over: all of them, in order."""
    async with running(world.worker("a")):
        await wait_until(lambda: vendor.facts()["sockets"]["open"] == 1)
        for number in range(6):
            await vendor.sockets.steer("socket_send", {"items": [said(number)]})
            if number % 2:
                opened = vendor.facts()["sockets"]["opened"]
                await vendor.sockets.steer("socket_disconnect", {"reason": "refresh_requested", "after_s": 0.3})
                await wait_until(lambda opened=opened: vendor.facts()["sockets"]["opened"] == opened + 1)
        await wait_until(lambda: acknowledged(vendor) == 6)

    assert list(dict.fromkeys(world.appended)) == [f"Ev{number}" for number in range(6)]


async def test_account_says_how_its_socket_is_and_forgets_it_when_events_come_by_http(world, vendor):
    """A socket that cannot be had is said in words, until it can; set to HTTP nobody opens one or complains."""
    vendor.app.app_tokens[APP_TOKEN] = "internal_error"
    async with running(world.worker("a")):
        await wait_for(lambda: error_of(world), "Slack's socket could not be opened.")
        vendor.app.app_tokens[APP_TOKEN] = "good"
        await wait_for(lambda: error_of(world), None)
        assert (await world.health()).lag_s is not None
        vendor.app.app_tokens[APP_TOKEN] = "internal_error"
        await vendor.sockets.steer("socket_cut", {})
        await wait_for(lambda: error_of(world), "Slack's socket could not be opened.")
        world.settings = {**world.settings, "events_by": "HTTP"}
        await wait_for(lambda: error_of(world), None)
        opened = vendor.facts()["sockets"]["opened"]
        vendor.app.app_tokens[APP_TOKEN] = "good"
        await asyncio.sleep(0.3)

    assert vendor.facts()["sockets"]["opened"] == opened
    assert (await world.health()).lag_s is None


async def error_of(world: World) -> str | None:
    with contextlib.suppress(KeyError):
        return (await world.health()).error
    return None


async def test_revoked_app_token_asks_for_a_sign_in_and_renews_nothing(world, vendor):
    """The member reads which key it is; the bot's token, which is another, is not asked about."""
    renewed: list[bool] = []
    opening = world.open_account

    async def open_account(channel_account_id, *, fresh: bool = False) -> tuple[Account, object]:
        renewed.append(fresh)
        return await opening(channel_account_id)

    world.open_account = open_account
    async with running(world.worker("a")):
        await wait_until(lambda: vendor.facts()["sockets"]["open"] == 1)
        vendor.app.app_tokens[APP_TOKEN] = "token_revoked"
        await vendor.sockets.steer("socket_disconnect", {"reason": "refresh_requested"})
        await wait_for(lambda: status_of(world), AccountStatus.NEEDS_SIGN_IN)

    assert "app-level token" in (await world.account()).status_reason
    assert True not in renewed


async def status_of(world: World) -> AccountStatus:
    return (await world.account()).status


def route(**more) -> Route:
    one = {"workspace_id": 1, "id": uuid.uuid4(), "inbox_id": uuid.uuid4(), "channel": "slack", "external_ref": "T1"}
    one |= {"status": AccountStatus.CONNECTED, "settings": {"app_id": APP}}
    return Route(**(one | more))


def test_event_of_another_workspace_goes_to_its_account_of_the_same_app_only():
    """One app's socket brings all its workspaces' events; another app's account, or the demo's, gets none of them."""
    reader = route()
    sister, twin = route(external_ref="T2"), route(workspace_id=2)
    stranger, demo = route(external_ref="T2", settings={"app_id": "A2"}), route(external_ref="T2", demo=True)
    everybody = [reader, sister, twin, stranger, demo, route(external_ref="T2", settings={})]

    def named(channel: str, reference: str) -> list[Route]:
        return [one for one in everybody if one.external_ref == reference]

    def given(reference: str, whose: Route = reader) -> list[Route]:
        return recipients(whose, CONNECTOR, RawItem(key="1", body=b"", account_ref=reference), named)

    assert given("T2") == [sister]
    assert given("T1") == [reader, twin]
    assert given("") == [reader]
    assert given("T3") == []
    assert given("T2", route(settings={})) == []
