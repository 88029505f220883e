"""A minute at 200 messages a second while every process is killed in turn: nothing acknowledged is lost, doubled, gapped
or unseen."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter

import pytest

from tests.acceptance.running import RunningHub
from tests.emulators import EmulatedTwilio
from tests.faults.rig import COMMANDS, SERVERS, Rig, find_process

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(400)]

RATE_PER_S = 200.0
DURATION_S = 60.0
WORKSPACES = 4
# A round of five kills takes about a third of the minute.
PAUSE_S = (2.5, 4.5)
GENERATED_WITHIN_S = 180
SEED = int(os.environ.get("HUB_FAULT_SEED", "20261122"))
DRAIN_WITHIN_S = 60.0


@pytest.fixture
async def rig(twilio_process: EmulatedTwilio, tmp_path):
    hub = await asyncio.to_thread(RunningHub, HUB_VENDOR_URL_TWILIO_SMS=twilio_process.base_url)
    started = Rig(hub, tmp_path)
    try:
        await asyncio.to_thread(hub.set_up)
        await started.make_workspaces(WORKSPACES)
        yield started
    finally:
        await started.stop_recorders()
        for name in ("up", "serve", "work", "postgres"):
            (tmp_path / f"{name}.log").write_text(hub.log(name))  # pytest keeps it when the test fails
        await asyncio.to_thread(hub.stop)


async def kill_in_turn(rig: Rig, killed: Counter[str]) -> None:
    """Kill each process once a round, in another order each time, at moments the seed decides, for as long as we send."""
    chance = random.Random(SEED)
    end_s = time.monotonic() + DURATION_S
    while True:
        for name in chance.sample((*SERVERS, *COMMANDS), k=5):
            await asyncio.sleep(chance.uniform(*PAUSE_S))
            # One that is still on its way back is not spared: it is killed as soon as it is there.
            while (pid := find_process(rig.hub, name)) is None:
                await asyncio.sleep(0.02)
            if time.monotonic() > end_s:
                return
            os.kill(pid, signal.SIGKILL)
            killed[name] += 1


async def test_a_minute_of_kills_loses_nothing(rig, capsys):
    """Lost 0, duplicated 0, gapped 0, unseen 0; `hub up` brings every process back by itself."""
    await rig.start_recorders()
    killed: Counter[str] = Counter()
    killing = asyncio.create_task(kill_in_turn(rig, killed))
    async with asyncio.timeout(GENERATED_WITHIN_S):
        sent = await rig.generate(RATE_PER_S, DURATION_S, seed=SEED)
    await killing
    drained_s = await rig.wait_stored(DRAIN_WITHIN_S)
    started_s = time.monotonic()
    has_seen = await rig.wait_seen(30)
    seen_s = time.monotonic() - started_s
    verdict = await rig.audit()

    with capsys.disabled():
        kills = ", ".join(f"{name} {count}" for name, count in sorted(killed.items()))
        clients = ", ".join(f"{one.welcomes} welcomes {one.snapshots} snapshots" for one in rig.recorders)
        print(
            f"\nkill test, seed {SEED}: {sent.acknowledged} acks in {sent.seconds:.1f} s ({sent.repeated} repeated on"
            f" purpose), {sent.retries} retries, {sent.given_up} given up, longest ack {sent.longest_ack_s:.1f} s;"
            f" killed {kills}; drained in {drained_s:.1f} s, clients level after {seen_s:.1f} s ({clients})"
            f"\n{verdict.text}"
        )
    assert verdict.exit_code == 0, verdict.text
    assert has_seen
    assert rig.hub.process.poll() is None, "`hub up` itself ended"
    assert all(killed[name] >= 2 for name in (*SERVERS, *COMMANDS)), killed
    assert sent.acknowledged >= RATE_PER_S * DURATION_S
    assert sent.given_up == 0
    assert [one.snapshots for one in rig.recorders] == [1] * WORKSPACES, "a client could not resume"
