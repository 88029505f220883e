"""`sockets fanout`: one message to many sockets, on the hub, the C floor and its peers, side by side in one run."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scripts.benchmarks.fanout.hub_server import opened
from scripts.benchmarks.fanout.load import FailedError, Load, Sockets, connected
from scripts.benchmarks.fanout.processes import NotInstalledError, say, started_redis
from scripts.benchmarks.fanout.servers import Server, Stage, peers
from scripts.benchmarks.peers.install import default_folder, install
from scripts.benchmarks.results import Figures, Result, summarise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.benchmarks.fanout.load import Connected, Generator, Measured

SERVERS = ("hub", "floor", "floor_joining", "nchan", "ws", "socketio", "starlette", "channels")
SCENARIOS = ("S1", "S2")
LOADS = ("w1", "w16", "w16each", "rate")


class FanoutOptions(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to measure.

    Attributes:
        runs: The median of so many; in each run every server has one turn a load, one after the other.
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
    seconds: float = 2.5
    rate: int = 20_000
    message_bytes: int = 300
    servers: tuple[str, ...] = SERVERS
    scenarios: tuple[str, ...] = SCENARIOS
    loads: tuple[str, ...] = LOADS
    install: bool = False
    peers_folder: str = ""


# By scenario, load and server: each run's figures, or why there are none.
Cell = tuple[str, str, str]


class Table:
    """Everything measured so far."""

    def __init__(self) -> None:
        self.runs: dict[Cell, dict[int, Figures]] = {}
        self.reasons: dict[tuple[str, str], str] = {}

    def note(self, cell: Cell, number: int, figures: Figures) -> None:
        """Keep one run's figures."""
        self.runs.setdefault(cell, {})[number] = figures

    def costs(self, scenario: str, load: str, number: int) -> str:
        """Lay out what a frame cost everybody in one run."""
        return ", ".join(
            f"{cell[2]} {runs[number]['cpu_us_per_frame']:.2f}"
            for cell, runs in self.runs.items()
            if cell[:2] == (scenario, load) and number in runs
        )

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
        wanted: list[tuple[Stage, Server]] = []
        known: dict[str, Server] = {one.name: one for one in peers()}
        for name in options.servers:
            # Of its own: what is published for one would make others on the same channels work too.
            redis_port = stack.enter_context(started_redis(temporary, name))
            server = known[name] if name in known else stack.enter_context(opened(options.topics, redis_port))
            wanted.append((Stage(temporary, folder, redis_port, options.message_bytes), server))
            enters[name] = server.enters
        for scenario in options.scenarios:
            _measure_scenario(options, scenario, wanted, table)
    yield from _results(options, table, enters)


def _measure_scenario(options: FanoutOptions, scenario: str, servers: list[tuple[Stage, Server]], table: Table) -> None:
    """Connect to all servers, then measure them in turns: a slow second of the machine meets all of them."""
    sockets = Sockets(options.sockets, _topics(options, scenario))
    with contextlib.ExitStack() as stack:
        generators: dict[str, Generator] = {}
        for stage, server in servers:
            with _told(table, scenario, server.name):
                server.check(stage)
                messages = server.messages(stage, sockets.topics)
                running = stack.enter_context(server.running(stage, sockets.topics))
                one = generators[server.name] = stack.enter_context(
                    connected(stage, server, running, messages, sockets)
                )
                say(f"{scenario} {server.name}: connected in {one.connected.connect_s:.1f} s")
        for number in range(options.runs):
            for load in _loads(options, sockets):
                for name, generator in list(generators.items()):
                    with _told(table, scenario, name):
                        figures = _figures(sockets, generator.connected, generator.run(load))
                        table.note((scenario, load.name, name), number, figures)
                        continue
                    del generators[name]
                say(f"{scenario} {load.name}, run {number + 1}: {table.costs(scenario, load.name, number)}")


@contextlib.contextmanager
def _told(table: Table, scenario: str, server: str) -> Iterator[None]:
    """Note why a server takes no further part; the others go on."""
    try:
        yield
    except (NotInstalledError, FailedError, RuntimeError) as error:
        what = "not installed" if isinstance(error, NotInstalledError) else "failed"
        table.reasons[scenario, server] = f"{what}: {error}"
        say(f"{scenario} {server}: {what}: {error}")


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
