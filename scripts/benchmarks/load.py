"""
The load generator: a process of its own that writes ready-made calls over plain sockets and notes what was answered.

Reads one ``Plan`` as JSON from standard input, says ``ready`` when everything is signed, starts on a line of input, and
ends with one ``Report`` as JSON on standard output.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import deque
from typing import cast

import msgspec
import uvloop

from scripts.benchmarks.forged import Forge, make_calls
from scripts.benchmarks.results import percentile
from scripts.benchmarks.watch import SocketWatch

SETTLE_S = 30.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to send.

    Attributes:
        connections: Kept open; each has at most one call under way.
        seconds: How long new calls are begun.
        most: Never more calls than this; they are all signed beforehand.
        rate: Calls a second whatever the answers do (open loop); 0 sends the next when the last was answered.
        ticket: A socket ticket of the first target's workspace: frames are watched, too.
    """

    forge: Forge
    connections: int
    seconds: float
    most: int
    rate: float = 0.0
    ticket: str = ""


class Report(msgspec.Struct, kw_only=True):
    """
    What came of it; moments are of the machine's monotonic clock, the same in every process.

    Attributes:
        begun: Calls written.
        refused: Numbers that were not answered 200: they may or may not be stored.
        statuses: Answers by status.
        answer_p50_ms: From the moment a call was due until its answer.
        frames: Messages that came through the socket.
        frame_p50_ms: From the moment a call was due until its frame; 0 without a ticket.
        repeated_frames: Messages that came through it more than once.
    """

    begun: int
    refused: list[int]
    statuses: dict[str, int]
    started_at_s: float
    ended_at_s: float
    cpu_s: float
    answer_p50_ms: float
    answer_p99_ms: float
    frames: int = 0
    repeated_frames: int = 0
    frame_p50_ms: float = 0.0
    frame_p99_ms: float = 0.0


class Generator:
    """Hands calls to free connections, in order."""

    def __init__(self, plan: Plan, calls: list[bytes]) -> None:
        self.plan = plan
        self.calls = calls
        self.due_at = [0.0] * len(calls)
        self.answered_at = [0.0] * len(calls)
        self.statuses: dict[str, int] = {}
        self.refused: list[int] = []
        self.free: deque[Caller] = deque()
        self.backlog: deque[int] = deque()
        self.begun = 0
        self.under_way = 0
        self.ends_at = 0.0
        self.idle = asyncio.Event()

    async def run(self) -> None:
        """Send everything and wait for the answers."""
        loop = asyncio.get_running_loop()
        for _ in range(self.plan.connections):
            await loop.create_connection(lambda: Caller(self), "127.0.0.1", self.plan.forge.port)
        self.ends_at = time.monotonic() + self.plan.seconds
        if self.plan.rate:
            await self._send_at_rate()
        else:
            for caller in list(self.free):
                self.next_for(caller)
        async with asyncio.timeout(self.plan.seconds + SETTLE_S):
            await self.idle.wait()

    async def _send_at_rate(self) -> None:
        first = time.monotonic()
        self.ends_at = float("inf")
        for number in range(len(self.calls)):
            due = first + number / self.plan.rate
            if (pause := due - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            self.due_at[number] = due
            self.backlog.append(number)
            if self.free:
                self.free.popleft().send(self.backlog.popleft())
        self.ends_at = 0.0
        self._end_if_idle()

    def next_for(self, caller: Caller) -> None:
        """Give a free connection its next call, if there is one for it now."""
        if self.plan.rate:
            if self.backlog:
                caller.send(self.backlog.popleft())
            else:
                self.free.append(caller)
        elif self.begun < len(self.calls) and time.monotonic() < self.ends_at:
            self.due_at[self.begun] = time.monotonic()
            caller.send(self.begun)
        self._end_if_idle()

    def take(self, number: int, status: str) -> None:
        """Note an answer, or ``lost`` for a connection that ended instead."""
        self.under_way -= 1
        self.answered_at[number] = time.monotonic()
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status != "200":
            self.refused.append(number)

    def _end_if_idle(self) -> None:
        is_over = self.begun >= len(self.calls) or time.monotonic() >= self.ends_at
        if self.under_way == 0 and not self.backlog and is_over:
            self.idle.set()


class Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._number = -1
        self._read = b""
        self._transport = cast("asyncio.Transport", None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._generator.free.append(self)

    def send(self, number: int) -> None:
        """Write one call."""
        self._number = number
        self._generator.begun += 1
        self._generator.under_way += 1
        self._transport.write(self._generator.calls[number])

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, separator, body = self._read.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        status = head[9:12].decode()
        number, self._number, self._read = self._number, -1, b""
        self._generator.take(number, status)
        self._generator.next_for(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        if self._number >= 0:
            self._generator.take(self._number, "lost")


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r")[0] or 0)


async def _run(plan: Plan) -> Report:
    calls = make_calls(plan.forge, range(plan.most))
    generator = Generator(plan, calls)
    watch = await SocketWatch.open(plan.forge, plan.ticket) if plan.ticket else None
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    # Nothing here makes cycles, and a collection over many prepared calls would be measured as somebody's latency.
    gc.disable()
    started, cpu = time.monotonic(), time.process_time()
    await generator.run()
    ended, cpu = time.monotonic(), time.process_time() - cpu
    done = [number for number in range(generator.begun) if generator.answered_at[number]]
    waited = [(generator.answered_at[number] - generator.due_at[number]) * 1000 for number in done]
    report = Report(
        begun=generator.begun,
        refused=generator.refused,
        statuses=generator.statuses,
        started_at_s=started,
        ended_at_s=ended,
        cpu_s=cpu,
        answer_p50_ms=percentile(waited, 0.5),
        answer_p99_ms=percentile(waited, 0.99),
    )
    if watch is not None:
        await watch.wait_for(generator.begun - len(generator.refused), SETTLE_S)
        delays = [(at - generator.due_at[number]) * 1000 for number, at in watch.seen.items()]
        report.frames, report.repeated_frames = len(watch.seen), watch.repeated
        report.frame_p50_ms, report.frame_p99_ms = percentile(delays, 0.5), percentile(delays, 0.99)
        await watch.close()
    return report


def main() -> None:
    """Run one plan."""
    plan = msgspec.json.decode(sys.stdin.readline(), type=Plan)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(_run(plan))
    print(msgspec.json.encode(report).decode(), flush=True)


if __name__ == "__main__":
    main()
