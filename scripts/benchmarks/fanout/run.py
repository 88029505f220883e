"""`sockets fanout`: one message to many sockets, on the hub, the C floor and its peers, side by side in one run."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scripts.benchmarks.fanout.hub_server import opened
from scripts.benchmarks.fanout.load import FailedError, Load, Sockets, run_loads
from scripts.benchmarks.fanout.processes import NotInstalledError, cores, pin, say, started_redis
from scripts.benchmarks.fanout.servers import Server, Stage, peers
from scripts.benchmarks.peers.install import default_folder, install
from scripts.benchmarks.results import Figures, Result, summarise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.benchmarks.fanout.load import Connected, Measured
    from scripts.benchmarks.fanout.messages import Message

SERVERS = ("hub", "floor", "floor_joining", "nchan", "ws", "socketio", "starlette", "channels")
SCENARIOS = ("S1", "S2")
LOADS = ("w1", "w16", "w16each", "rate")


class FanoutOptions(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to measure.

    Attributes:
        runs: The median of so many; in each run every server is measured once a scenario, one after the other.
        sockets: In S1 all of one topic, in S2 spread over ``topics``.
        seconds: Of publishing, each load of each server.
        rate: Frames a second of the load ``rate``.
        loads: ``w1`` one message under way, ``w16`` sixteen, ``w16each`` sixteen for each socket, ``rate``.
        install: Get what is missing first.
        peers_folder: Where peers are installed; the user's cache when empty.
    """

    runs: int = 5
    sockets: int = 5_000
    topics: int = 100
    seconds: float = 3.0
    rate: int = 20_000
    message_bytes: int = 300
    servers: tuple[str, ...] = SERVERS
    scenarios: tuple[str, ...] = SCENARIOS
    loads: tuple[str, ...] = LOADS
    install: bool = False
    peers_folder: str = ""


# By scenario, load and server: each run's figures, or why there are none.
Cell = tuple[str, str, str]


class Turn(NamedTuple):
    """One server's place in a run."""

    scenario: str
    number: int
    server: Server
    messages: list[Message]


class Table:
    """Everything measured so far."""

    def __init__(self) -> None:
        self.runs: dict[Cell, dict[int, Figures]] = {}
        self.reasons: dict[tuple[str, str], str] = {}

    def note(self, cell: Cell, number: int, figures: Figures) -> None:
        """Keep one run's figures."""
        self.runs.setdefault(cell, {})[number] = figures

    def runs_of(self, cell: Cell) -> list[Figures]:
        """Return a cell's figures run by run, with the ratios to the floor and nchan within the same run."""
        scenario, load, _ = cell
        done = []
        for number, figures in self.runs.get(cell, {}).items():
            ratios = {}
            for other in ("floor", "nchan"):
                theirs = self.runs.get((scenario, load, other), {}).get(number)
                if theirs is not None:
                    ratios[f"ratio_{other}"] = figures["cpu_us_per_frame"] / max(1e-9, theirs["cpu_us_per_frame"])
            done.append(figures | ratios)
        return done


def fanout(options: FanoutOptions) -> Iterator[Result]:
    """Measure all servers in turns; results come when the last run is over."""
    folder = Path(options.peers_folder) if options.peers_folder else default_folder()
    if options.install:
        install(folder)
    table = Table()
    enters: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-fanout-")))
        redis_port, redis_pid = stack.enter_context(started_redis(temporary))
        pin([redis_pid], cores()[1])
        stage = Stage(temporary, folder, redis_port, options.message_bytes)
        wanted: list[Server] = [one for one in peers() if one.name in options.servers]
        if "hub" in options.servers:
            wanted.insert(0, stack.enter_context(opened(options.topics, redis_port)))
        for scenario in options.scenarios:
            _measure_scenario(stage, options, scenario, wanted, table)
        enters = {one.name: one.enters for one in wanted}
    yield from _results(options, table, enters)


def _measure_scenario(stage: Stage, options: FanoutOptions, scenario: str, servers: list[Server], table: Table) -> None:
    topics = _topics(options, scenario)
    messages: dict[str, list[Message]] = {}
    for server in servers:
        try:
            server.check(stage)
            messages[server.name] = server.messages(stage, topics)
        except NotInstalledError as error:
            table.reasons[scenario, server.name] = f"not installed: {error}"
            say(f"{server.name}: not installed: {error}")
    for number in range(options.runs):
        for server in servers:
            if server.name in messages:
                _measure(stage, options, Turn(scenario, number, server, messages[server.name]), table)
        say(f"{scenario}: run {number + 1} of {options.runs} done")


def _measure(stage: Stage, options: FanoutOptions, turn: Turn, table: Table) -> None:
    """Start one server afresh, connect, run the loads; a server that fails is told about, the others go on."""
    scenario, number, server, messages = turn
    sockets = Sockets(options.sockets, _topics(options, scenario))
    loads = _loads(options, sockets)
    began_s = time.monotonic()
    try:
        with server.running(stage, sockets.topics) as running:
            connected, measured = run_loads(stage, server.client, running, messages, sockets, loads)
    except (NotInstalledError, FailedError, RuntimeError) as error:
        what = "not installed" if isinstance(error, NotInstalledError) else "failed"
        table.reasons[scenario, server.name] = f"{what}: {error}"
        say(f"{scenario} {server.name}: {what}: {error}")
        return
    for load, one in zip(loads, measured, strict=True):
        table.note((scenario, load.name, server.name), number, _figures(sockets, connected, one))
    costs = ", ".join(f"{load.name} {_cost_us(one):.2f}" for load, one in zip(loads, measured, strict=True))
    say(f"{scenario} {server.name}: {costs} us a frame ({time.monotonic() - began_s:.1f} s)")


def _topics(options: FanoutOptions, scenario: str) -> int:
    return 1 if scenario == "S1" else options.topics


def _loads(options: FanoutOptions, sockets: Sockets) -> list[Load]:
    per_s = options.rate / (sockets.count / sockets.topics)
    known = {
        "w1": Load("w1", "W", 1, options.seconds),
        "w16": Load("w16", "W", 16, options.seconds),
        "w16each": Load("w16each", "W", 16 * sockets.topics, options.seconds),
        "rate": Load("rate", "Q", per_s, options.seconds),
    }
    # With one topic 16 messages under way are 16 waiting for each socket.
    return [known[name] for name in options.loads if name != "w16each" or sockets.topics > 1]


def _cost_us(one: Measured) -> float:
    # A server that falls behind works on the frames of the load before; they cost the same.
    return one.server_cpu_s / max(1, one.received + one.late) * 1e6


def _figures(sockets: Sockets, connected: Connected, one: Measured) -> Figures:
    return {
        "sockets": sockets.count,
        "cpu_us_per_frame": _cost_us(one),
        "frames_expected": one.expected,
        "frames_received": one.received,
        "frames_missing": one.missing,
        "frames_extra": one.extra,
        "frames_late": one.late,
        "frames_per_s": one.frames_per_s,
        "frames_per_read": one.frames_per_read,
        "p50_ms": one.p50_ms,
        "p99_ms": one.p99_ms,
        "rss_kib_per_socket": (connected.rss_ready_kb - connected.rss_start_kb) / sockets.count,
        "connect_cpu_us_per_socket": connected.connect_cpu_s / sockets.count * 1e6,
        "sockets_closed": one.closed,
        "messages_not_taken": one.lost_writes,
        "generator_cpu_s": one.generator_cpu_s,
    }


def _results(options: FanoutOptions, table: Table, enters: dict[str, str]) -> Iterator[Result]:
    for scenario in options.scenarios:
        for load in options.loads:
            if load == "w16each" and _topics(options, scenario) == 1:
                continue
            for server in enters:
                yield _result(options, table, (scenario, load, server), enters[server])


def _result(options: FanoutOptions, table: Table, cell: Cell, enters: str) -> Result:
    scenario, load, server = cell
    runs = table.runs_of(cell)
    told: dict[str, float | str] = {
        "server": server,
        "scenario": scenario,
        "load": load,
        "sockets": options.sockets,
        "topics": _topics(options, scenario),
        "seconds": options.seconds,
        "message_bytes": options.message_bytes,
        "messages_enter": enters,
    }
    if load == "rate":
        told["frames_per_s"] = options.rate
    if (scenario, server) in table.reasons:
        told["reason"] = table.reasons[scenario, server]
    is_ours = server == "hub"
    return Result(
        bench="sockets-fanout",
        case=f"{scenario.lower()}_{load}_{server}",
        options=told,
        median=summarise(runs) if runs else {},
        runs=runs,
        lost=int(sum(one["frames_missing"] for one in runs)) if is_ours else 0,
        duplicated=int(sum(one["frames_extra"] for one in runs)) if is_ours else 0,
    )
