"""The supervisor over tiny processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest
import structlog

from hub.embedded.process import Launch, is_alive
from hub.embedded.supervisor import ChildProcess, Supervisor, restart_pause_s
from hub.errors import Unavailable
from tests.waiting import wait_until

FOREVER = "import time; time.sleep(60)"


class Service:
    """A server that fails to start as often as told, then runs."""

    def __init__(self, failures=0):
        self.name = "postgres"
        self.failures = failures
        self.calls = []
        self._child = ChildProcess("postgres", Launch((sys.executable, "-c", FOREVER)))

    @property
    def process(self):
        return self._child.process

    async def start(self):
        self.calls.append("start")
        if self.failures:
            self.failures -= 1
            raise Unavailable("not yet")
        await self._child.start()

    async def stop(self):
        self.calls.append("stop")
        await self._child.stop()


@pytest.fixture
def log():
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
def make_supervisor(log):
    def make(**options):
        return Supervisor(structlog.get_logger(), **options)

    return make


def _child(name="work", code=FOREVER, **options):
    return ChildProcess(name, Launch((sys.executable, "-c", code), **options))


async def test_keeping_restarts_a_killed_child_at_once(make_supervisor, log):
    """A child killed by kill -9 is back under a new id without a pause, and its death is told."""
    child = _child()
    started = []
    supervisor = make_supervisor(on_start=lambda: started.append(child.process.pid))

    async with supervisor.keeping((), [child]):
        first = child.process.pid
        os.kill(first, signal.SIGKILL)
        await wait_until(lambda: supervisor.restarts["work"] == 1, timeout_s=5)
        assert child.process.pid != first
        assert is_alive(child.process.pid)
        assert started == [first, child.process.pid]

    died = [line for line in log if line["event"] == "process_died"]
    assert [(line["name"], line["exit_code"]) for line in died] == [("work", -9)]


async def test_keeping_slows_down_for_a_child_that_keeps_dying(make_supervisor, tmp_path):
    """A child that dies at once is not restarted in a tight loop."""
    code = f"open({str(tmp_path / 'starts')!r}, 'a').write('x')"
    supervisor = make_supervisor()

    async with supervisor.keeping((), [_child(code=code)]):
        await wait_until(lambda: supervisor.restarts["work"] == 2)

    assert len((tmp_path / "starts").read_text()) <= 3


@pytest.mark.parametrize(("failures", "pause_s"), [(0, 0.0), (1, 0.5), (2, 1.0), (3, 2.0), (6, 15.0), (500, 15.0)])
def test_restart_pause_grows_to_fifteen_seconds(failures, pause_s):
    """The first restart is immediate, later ones wait longer, never more than 15 s."""
    assert restart_pause_s(failures) == pause_s


async def test_keeping_restarts_a_service_until_it_starts(make_supervisor, log):
    """A server that fails its restart is tried again; the child beside it goes on."""
    service, child = Service(), _child()
    await service.start()
    supervisor = make_supervisor()

    async with supervisor.keeping([service], [child]):
        pid = child.process.pid
        service.failures = 1
        os.kill(service.process.pid, signal.SIGKILL)
        await wait_until(lambda: supervisor.restarts["postgres"] == 1)
        assert child.process.pid == pid
        assert is_alive(service.process.pid)

    assert [line["error"] for line in log if line["event"] == "process_not_started"] == ["not yet"]


async def test_drain_ends_children_before_services(make_supervisor, tmp_path):
    """A child that writes to a store while it drains still has the store."""
    service = Service()
    await service.start()
    order = tmp_path / "order"
    code = f"""
import os, signal, sys, time
def end(*_):
    time.sleep(0.2)
    open({str(order)!r}, "w").write("alive" if os.path.exists("/proc/{service.process.pid}/exe") else "gone")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
open({str(tmp_path / "ready")!r}, "w")
time.sleep(60)
"""
    child = _child(code=code)

    async with make_supervisor().keeping([service], [child]):
        await wait_until((tmp_path / "ready").exists)

    assert child.process.exit_code == 0
    assert order.read_text() == "alive"
    assert service.process.exit_code == -signal.SIGTERM
    assert service.calls == ["start", "stop"]


async def test_kill_children_ends_a_drain_at_once(make_supervisor, tmp_path):
    """A second Ctrl-C does not wait for a child that will not drain."""
    ready = tmp_path / "ready"
    code = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(60)"
    supervisor, child = make_supervisor(), _child(code=code)
    loop = asyncio.get_running_loop()

    async with supervisor.keeping((), [child]):
        await wait_until(ready.exists)
        started_s = loop.time()
        loop.call_later(0.2, supervisor.kill_children)

    assert child.process.exit_code == -signal.SIGKILL
    assert loop.time() - started_s < 5


@pytest.mark.parametrize(("may_end", "code", "restarts"), [(True, 0, 0), (True, 1, 1), (False, 0, 1)])
async def test_member_that_may_end_is_left_alone_once_its_work_is_done(may_end, code, restarts):
    """Exit code 0 of a member whose work can be done means done; anything else is a death, and restarted."""
    script = f"import sys; sys.exit({code})"
    child = ChildProcess("demo", Launch((sys.executable, "-c", script)), may_end=may_end)
    supervisor = Supervisor(structlog.get_logger())
    async with supervisor.keeping((), [child]):
        assert child.process is not None
        await child.process.wait(10)
        if restarts:
            await wait_until(lambda: supervisor.restarts["demo"] >= 1)
        else:
            await asyncio.sleep(0.5)  # nothing to wait for: it must not come back
    assert (supervisor.restarts["demo"] > 0) == bool(restarts)


async def test_a_child_that_says_that_no_restart_helps_is_told(make_supervisor):
    """At its first start only: a worker that ran once is restarted whatever it says, for the others go on."""
    hopeless = make_supervisor(hopeless_code=2)
    async with hopeless.keeping((), [_child("serve-0", code="import sys; sys.exit(2)"), _child("serve-1")]):
        await wait_until(hopeless.hopeless.is_set)
    patient = make_supervisor(hopeless_code=2)
    child = _child("serve-0")
    async with patient.keeping((), [child]):
        child.launch = Launch((sys.executable, "-c", "import sys; sys.exit(2)"))
        os.kill(child.process.pid, signal.SIGKILL)
        await wait_until(lambda: patient.restarts["serve-0"] >= 2)
        assert not patient.hopeless.is_set()


async def test_a_child_is_killed_when_it_takes_longer_to_drain_than_it_may(make_supervisor, tmp_path):
    """Neither sooner nor much later."""
    ready = tmp_path / "ready"
    code = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(60)"
    child = ChildProcess("serve", Launch((sys.executable, "-c", code)), drain_s=0.5)
    loop = asyncio.get_running_loop()
    async with make_supervisor().keeping((), [child]):
        await wait_until(ready.exists)
        started_s = loop.time()
    assert child.process.exit_code == -signal.SIGKILL
    assert 0.5 <= loop.time() - started_s < 5
