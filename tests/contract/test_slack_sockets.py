"""
Events over Slack's sockets: each once and acknowledged only when kept, the next socket before the last one ends.

The connector and the emulator meet over loopback; the whole way to the stream is tested in tests/integration.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

import msgspec
import pytest

from connectors.base import Account, PolledBatch
from connectors.slack import CONNECTOR
from connectors.slack.sockets import EventSockets, Pace, check
from hub.errors import ConnectorError, EnteredKeyRefused, ErrorClass, InvalidInput
from scripts.emulators.http1 import listen
from scripts.emulators.slack import Workspace
from scripts.emulators.slack_app import APP, APP_TOKEN, BOT, BOT_USER, SIGNING_SECRET, TEAM
from tests.waiting import wait_until

TOKEN = "xoxb-of-a-test"
PACE = Pace(quiet_s=0.2, retry_s=0.1, grace_s=0.3)


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[tuple[Workspace, Account]]:
    vendor = Workspace()
    vendor.app.tokens[TOKEN] = "good"
    async with listen(vendor.handle) as listener, contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(vendor.sockets.close)
        yield (
            vendor,
            Account(
                id="0190b0a0-0000-7000-8000-0000000000aa",
                workspace_id=1,
                credentials={"access_token": TOKEN, "signing_secret": SIGNING_SECRET, "app_token": APP_TOKEN},
                settings={
                    **{"team_id": TEAM, "app_id": APP, "bot_user_id": BOT_USER, "bot_id": BOT},
                    "events_by": "socket",
                },
                webhook_url="https://hub.example.com/webhooks/slack/1",
                base_url=f"http://127.0.0.1:{listener.port}",
            ),
        )


def said(number: int) -> dict[str, Any]:
    ts = f"17953487{number:02}.000100"
    event = {"type": "message", "user": "U0NADIA", "text": f"line {number}", "ts": ts, "event_ts": ts}
    return {"event": event | {"channel": "D0NADIA", "channel_type": "im"}, "event_id": f"Ev{number}"}


class Reader:
    """Iterates as the hub does: an item is kept before the next batch is asked for."""

    def __init__(self, account: Account, sockets: EventSockets | None = None) -> None:
        self.sockets = sockets or EventSockets(PACE)
        self.keys: list[str] = []
        self.refs: set[str] = set()
        self.batches = 0
        self.may_keep = asyncio.Event()
        self.may_keep.set()
        self._account = account

    async def run(self) -> None:
        polled = cast("AsyncGenerator[PolledBatch, None]", self.sockets.poll(self._account, None))
        async with contextlib.aclosing(polled):
            async for batch in polled:
                self.keys += [one.key for one in batch.items]
                self.refs |= {one.account_ref for one in batch.items}
                self.batches += 1
                await self.may_keep.wait()


@contextlib.asynccontextmanager
async def reading(account: Account) -> AsyncIterator[Reader]:
    """Read beside the test; what the reader raises is for the test to see."""
    reader = Reader(account)
    task = asyncio.create_task(reader.run())
    await wait_until(lambda: reader.batches > 0 or task.done())
    try:
        yield reader
    finally:
        if not task.done():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def facts(vendor: Workspace) -> Any:
    return vendor.facts()["sockets"]


async def test_event_is_read_as_the_same_item_that_a_call_brings():
    """Sent three times it is one key, of the workspace the event is of; each envelope is acknowledged."""
    async with running() as (vendor, account), reading(account) as reader:
        await vendor.sockets.steer("socket_send", {"items": [said(1)], "times": 3})
        await wait_until(lambda: len(facts(vendor)["acknowledged"]) == 3)

    assert reader.keys == ["Ev1"] * 3
    assert reader.refs == {TEAM}
    assert facts(vendor)["strange"] == []


async def test_envelope_is_acknowledged_only_once_its_batch_is_kept():
    """While the item is on its way to the stream Slack hears nothing; afterwards it does."""
    async with running() as (vendor, account), reading(account) as reader:
        vendor.sockets.retry_s = 60
        reader.may_keep.clear()
        await vendor.sockets.steer("socket_send", {"items": [said(1)]})
        await wait_until(lambda: reader.keys == ["Ev1"])
        await asyncio.sleep(0.3)
        before = list(facts(vendor)["acknowledged"])
        reader.may_keep.set()
        await wait_until(lambda: len(facts(vendor)["acknowledged"]) == 1)

    assert before == []


async def test_reader_that_dies_before_it_kept_an_item_is_sent_it_again():
    """What was not acknowledged comes over the next socket."""
    async with running() as (vendor, account):
        async with reading(account) as reader:
            reader.may_keep.clear()
            await vendor.sockets.steer("socket_send", {"items": [said(1)]})
            await wait_until(lambda: reader.keys == ["Ev1"])
        assert facts(vendor)["acknowledged"] == []
        async with reading(account) as second:
            await wait_until(lambda: len(facts(vendor)["acknowledged"]) == 1)

    assert second.keys == ["Ev1"]


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_next_socket_is_open_before_the_old_one_ends(reason: str):
    """Slack announces the end of a socket: events before, between and after are all read, and two are never kept."""
    async with running() as (vendor, account), reading(account) as reader:
        await vendor.sockets.steer("socket_send", {"items": [said(1)]})
        await wait_until(lambda: "Ev1" in reader.keys)
        await vendor.sockets.steer("socket_disconnect", {"reason": reason, "after_s": 5})
        await vendor.sockets.steer("socket_send", {"items": [said(2)]})
        await wait_until(lambda: facts(vendor)["opened"] == 2)
        at_once = facts(vendor)["open"]
        await vendor.sockets.steer("socket_send", {"items": [said(3)]})
        await wait_until(lambda: len(facts(vendor)["acknowledged"]) == 3)
        await wait_until(lambda: facts(vendor)["open"] == 1)

    assert at_once == 2
    assert reader.keys == ["Ev1", "Ev2", "Ev3"]


async def test_next_socket_that_fails_at_first_is_tried_again_while_the_old_one_works():
    """One refusal in between costs nothing."""
    async with running() as (vendor, account), reading(account) as reader:
        plan = [{"kind": "status", "status": 503, "path": "apps.connections.open"}]
        await vendor._steer("next", {"answers": plan})
        await vendor.sockets.steer("socket_disconnect", {"reason": "warning", "after_s": 5})
        await vendor.sockets.steer("socket_send", {"items": [said(1)]})
        await wait_until(lambda: facts(vendor)["opened"] == 2 and reader.keys == ["Ev1"])

    assert reader.keys == ["Ev1"]


async def test_what_is_not_slacks_is_counted_and_what_is_no_event_is_acknowledged():
    """Neither stops the socket; an event that cannot be read becomes an item that a person can look at."""
    async with running() as (vendor, account), reading(account) as reader:
        for text in ("{", "[]", '{"type": "surprise"}', "\x00"):
            await vendor.sockets.steer("socket_text", {"text": text})
        await vendor.sockets.steer("socket_text", {"text": "bytes", "bytes": True})
        await vendor.sockets.steer("socket_send", {"items": [{"payload": {"command": "/x"}}], "kind": "slash_commands"})
        await vendor.sockets.steer("socket_send", {"items": [{"payload": [7]}]})
        await vendor.sockets.steer("socket_send", {"items": [said(1)]})
        await wait_until(lambda: len(facts(vendor)["acknowledged"]) == 3)
        unreadable = reader.sockets.counts()

    assert unreadable == {"unreadable_frames": 5}
    assert len(reader.keys) == 2
    assert reader.keys[0].startswith("sha256:")
    assert reader.keys[1] == "Ev1"


async def test_socket_that_breaks_without_a_word_is_said_and_waited_out_by_the_caller():
    """RETRYABLE, in words, with no address in them: the loop around it has the growing pause."""
    async with running() as (vendor, account):
        reader = Reader(account)
        task = asyncio.create_task(reader.run())
        await wait_until(lambda: reader.batches > 0)
        await vendor.sockets.steer("socket_cut", {})
        with pytest.raises(ConnectorError) as broke:
            await task

    assert broke.value.info.klass is ErrorClass.RETRYABLE
    assert broke.value.info.message == "The socket to Slack broke."


@pytest.mark.parametrize(
    ("state", "app", "klass"),
    [
        ("token_revoked", APP, ErrorClass.AUTH),
        ("invalid_auth", APP, ErrorClass.AUTH),
        ("missing_scope", APP, ErrorClass.AUTH),
        ("good", "A0OTHER", ErrorClass.AUTH),
        ("internal_error", APP, ErrorClass.RETRYABLE),
        ("ratelimited", APP, ErrorClass.RATE_LIMITED),
    ],
)
async def test_socket_that_cannot_be_had_says_why(state: str, app: str, klass: ErrorClass):
    """A token that is no good, or another app's, wants a person; no renewal of the bot's token mends it."""
    async with running() as (vendor, account):
        vendor.app.app_tokens[APP_TOKEN] = state
        vendor.sockets.app_id = app
        with pytest.raises(ConnectorError) as refused:
            await Reader(account).run()

    assert refused.value.info.klass is klass
    assert isinstance(refused.value, EnteredKeyRefused) == (klass is ErrorClass.AUTH)
    assert APP_TOKEN not in refused.value.info.message


async def test_sockets_that_are_switched_off_are_said_so():
    """An app whose Socket Mode was switched off gets no other socket."""
    async with running() as (vendor, account):
        reader = Reader(account)
        task = asyncio.create_task(reader.run())
        await wait_until(lambda: reader.batches > 0)
        await vendor.sockets.steer("socket_disconnect", {"reason": "link_disabled"})
        with pytest.raises(ConnectorError) as off:
            await task

    assert "switched off" in off.value.info.message


async def test_form_asks_for_a_token_that_opens_sockets_only_where_events_come_so():
    """Missing, a bot's, or revoked: the field is named; with HTTP nobody asks."""
    async with running() as (vendor, account):
        await check(account)
        for token in ("", TOKEN, "xapp-unknown"):
            spoilt = msgspec.structs.replace(account, credentials={**account.credentials, "app_token": token})
            with pytest.raises(InvalidInput) as wrong:
                await check(spoilt)
            assert wrong.value.field == "credentials.app_token"
        called = msgspec.structs.replace(account, credentials={"access_token": TOKEN}, settings={})
        vendor.requests.clear()
        await check(called)

    assert [one["path"] for one in vendor.requests] == ["/api/auth.test"]
    assert CONNECTOR.polls(account.settings)
    assert not CONNECTOR.polls({"events_by": "HTTP"})
    assert not CONNECTOR.polls({})


async def test_slacks_own_client_reads_the_emulators_sockets():
    """The SDK's types read hello and envelopes as they are sent here, and its answer is what counts as one."""
    from slack_sdk.socket_mode.request import SocketModeRequest
    from slack_sdk.socket_mode.response import SocketModeResponse
    from websockets.asyncio.client import connect

    from connectors.slack.link import ask_address

    async with running() as (vendor, account):
        url = await ask_address(account)
        async with connect(url, proxy=None) as wire:
            hello = json.loads(await wire.recv())
            await vendor.sockets.steer("socket_send", {"items": [said(1)]})
            request = SocketModeRequest.from_dict(json.loads(await wire.recv()))
            assert request is not None
            await wire.send(json.dumps(SocketModeResponse(envelope_id=request.envelope_id).to_dict()))
            await wait_until(lambda: len(facts(vendor)["acknowledged"]) == 1)
        with pytest.raises(Exception, match="403"):
            await connect(url, proxy=None)

    assert (hello["type"], request.type, request.payload["event_id"]) == ("hello", "events_api", "Ev1")
    assert vendor.requests[-1]["at_s"] <= time.monotonic()
