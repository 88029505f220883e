"""Calls a minute, counted by a real Valkey for all processes together."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis

from hub.accounts.model import Actor, Role
from hub.keys.rates import LIMITS_KEPT_S, CallRates, Window
from hub.limit_settings import Limits
from hub.limits import store as limit_store

pytestmark = [pytest.mark.redis, pytest.mark.postgres]

FIVE = Window("{1}:key:a", 5)
WIDE = Window("{1}:workspace", 8)


@pytest.fixture
async def redis(redis_ephemeral):
    client = Redis.from_url(redis_ephemeral)
    yield client
    await client.aclose()


class NoDatabase:
    """Stands for a database these calls must not ask."""


async def test_processes_share_one_count(redis):
    """Two processes at once let five calls through together, not five each."""
    here, there = CallRates(redis, NoDatabase()), CallRates(redis, NoDatabase())
    results = await asyncio.gather(*(one.take_windows([FIVE]) for one in (here, there) for _ in range(10)))
    assert sum(not one.refused for one in results) == 5


async def test_verdict_counts_down(redis):
    """What is left, of how many, and when there is more."""
    rates = CallRates(redis, NoDatabase())
    verdicts = [await rates.take_windows([FIVE]) for _ in range(6)]
    assert [one.remaining for one in verdicts] == [4, 3, 2, 1, 0, 0]
    assert [one.refused for one in verdicts] == [False] * 5 + [True]
    assert {one.limit for one in verdicts} == {5}
    assert all(0 < one.reset_s <= 60 for one in verdicts)


async def test_refused_call_counts_against_nothing(redis):
    """A key that hammers on does not use up its workspace."""
    rates = CallRates(redis, NoDatabase())
    for _ in range(50):
        await rates.take_windows([FIVE, WIDE])
    assert await redis.llen("calls:{1}:workspace") == 5
    other = [await rates.take_windows([Window("{1}:key:b", 5), WIDE]) for _ in range(5)]
    assert [one.refused for one in other] == [False, False, False, True, True]
    assert (other[2].limit, other[2].remaining) == (8, 0)


async def test_window_moves(redis):
    """Calls of more than a minute ago are forgotten one by one, not all at the turn of a minute."""
    now = time.time()
    await redis.rpush("calls:{1}:key:a", *(f"{now - age:.6f}" for age in (10, 20, 30, 59, 61)))
    verdict = await CallRates(redis, NoDatabase()).take_windows([FIVE])
    assert (verdict.refused, verdict.remaining) == (False, 0)
    refused = await CallRates(redis, NoDatabase()).take_windows([FIVE])
    # The call of 59 seconds ago is the next to go.
    assert (refused.refused, refused.reset_s) == (True, 1)


async def test_counts_have_an_end_and_a_size(redis):
    """No key stays for ever, and none holds more than its limit."""
    rates = CallRates(redis, NoDatabase())
    for _ in range(9):
        await rates.take_windows([WIDE])
    assert await redis.llen("calls:{1}:workspace") == 8
    assert 0 < await redis.ttl("calls:{1}:workspace") <= 61


async def test_call_costs_one_round_trip(redis):
    """Once the script is known, one command a call, however many windows."""
    rates = CallRates(redis, NoDatabase())
    await rates.take_windows([FIVE, WIDE])
    await redis.config_resetstat()
    for _ in range(20):
        await rates.take_windows([FIVE, WIDE])
    commands = await redis.info("commandstats")
    # What the script does inside is counted too, and is no round trip; nothing else was sent.
    inside = {"cmdstat_time", "cmdstat_lindex", "cmdstat_lpush", "cmdstat_ltrim", "cmdstat_expire"}
    assert commands["cmdstat_evalsha"]["calls"] == 20
    assert commands.keys() - inside <= {"cmdstat_evalsha", "cmdstat_info", "cmdstat_config|resetstat"}


async def test_without_redis_each_process_counts_by_itself():
    """Fails open, but not without bounds; says once that Redis is away."""
    rates = CallRates(Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2), NoDatabase())
    verdicts = [await rates.take_windows([FIVE, WIDE]) for _ in range(7)]
    assert [one.refused for one in verdicts] == [False] * 5 + [True] * 2
    assert [one.remaining for one in verdicts] == [4, 3, 2, 1, 0, 0, 0]
    assert rates.counting.is_lost


async def test_each_caller_has_their_windows(redis, database, workspace):
    """A member's tokens share the member's window; a workspace's key has its own; the row of the workspace decides."""
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(
            "INSERT INTO workspace_limits (workspace_id, key_calls_per_minute, member_calls_per_minute) VALUES ($1, 2, 3)",
            workspace.id,
        )
    rates = CallRates(redis, database)
    member = workspace.actor(Role.AGENT)
    tokens = [_with_key(member, one, "member") for one in (workspace.inbox_id, workspace.other_inbox_id)]
    key = _with_key(member, workspace.sms_id, "key")

    assert [(await rates.take(tokens[0])).refused for _ in range(3)] == [False, False, True]
    assert [(await rates.take(tokens[1])).refused for _ in range(2)] == [False, True]
    assert (await rates.take(member)).refused
    assert [(await rates.take(key)).refused for _ in range(3)] == [False, False, True]


async def test_changed_limits_are_taken_up(redis, database, workspace):
    """Within seconds, without a restart."""
    now_s = 0.0
    rates = CallRates(redis, database, monotonic_s=lambda: now_s)
    member = workspace.actor(Role.AGENT)
    assert (await rates.take(member)).limit == 1_200
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(
            "INSERT INTO workspace_limits (workspace_id, member_calls_per_minute) VALUES ($1, 7)", workspace.id
        )
    assert (await rates.take(member)).limit == 1_200
    now_s = LIMITS_KEPT_S + 0.1
    assert (await rates.take(member)).limit == 7


async def test_installations_default_counts_where_a_workspace_has_none(redis, database, workspace, monkeypatch):
    """``HUB_LIMITS`` holds for calls as for everything else; what the operator set for a workspace goes before it."""
    monkeypatch.setenv("HUB_LIMITS", '{"workspace_calls_per_minute": 2}')
    now_s = 0.0
    rates = CallRates(redis, database, monotonic_s=lambda: now_s)
    member = workspace.actor(Role.AGENT)
    assert [(await rates.take(member)).refused for _ in range(3)] == [False, False, True]
    async with database.transaction([workspace.id]) as conn:
        await limit_store.put_limits(conn, workspace.id, Limits(workspace_calls_per_minute=3), 0)
    now_s = LIMITS_KEPT_S + 0.1
    assert [(await rates.take(member)).refused for _ in range(2)] == [False, True]
    assert LIMITS_KEPT_S <= 5


def _with_key(actor: Actor, key_id, kind) -> Actor:
    import msgspec

    member_id = actor.member_id if kind == "member" else key_id
    return msgspec.structs.replace(actor, key_id=key_id, kind=kind, member_id=member_id)
