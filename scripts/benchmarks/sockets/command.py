"""The command line of `scripts/bench sockets hold|storm|slow|churn`."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, TypeVar

import msgspec

from scripts.benchmarks.sockets.churn import ChurnOptions, churn
from scripts.benchmarks.sockets.hold import HoldOptions, hold
from scripts.benchmarks.sockets.slow import SlowOptions, slow
from scripts.benchmarks.sockets.storm import StormOptions, storm

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from scripts.benchmarks.results import Result

    OneOptions = TypeVar("OneOptions", bound=msgspec.Struct)

_HELP = {
    "runs": "the median of so many",
    "sockets": "held: three in ten of members, the rest of visitors",
    "workspaces": "0: one for each 100 sockets",
    "workers": "serve processes; each holds 19,000 sockets at most",
    "loaders": "load processes; each holds 19,500 sockets at most",
    "connects_per_s": "new connections a second, of all load processes",
    "settle_s": "seconds of rest before memory is read",
    "frames_per_s": "frames a second at all sockets together",
    "seconds": "of frames, or of coming and going",
    "warm_up_s": "seconds of frames before those that count",
    "ping_s": "each client's ping, 0 never",
    "before_s": "seconds of events before the kill",
    "first_retry_s": "a client's first try comes within so many seconds",
    "within_s": "how long to wait for the last one",
    "slow": "sockets that read a byte a second",
    "half_open": "sockets that stop reading and answering",
    "odd_frames_per_s": "frames a second at those two kinds",
    "text_chars": "length of the messages those two kinds are sent",
    "receive_bytes": "SO_RCVBUF of those two kinds",
    "per_s": "connects, and as many closes, a second",
    "clients": "people who take turns",
}
_ABOUT = {
    "hold": "memory and connect CPU of idle sockets, then frames through COMMIT, every one counted",
    "storm": "kill -9 of all serve processes while events flow: lost, time to resumed, CPU",
    "slow": "slow readers and half-open sockets among good ones: memory bounded, others undisturbed",
    "churn": "sockets that come and go: no leak in memory, descriptors or presence",
}


def add_to(
    scenarios: argparse._SubParsersAction[argparse.ArgumentParser],
    with_output: Callable[[argparse.ArgumentParser], argparse.ArgumentParser],
) -> None:
    """
    Add the four scenarios.

    Args:
        scenarios: Of `scripts/bench sockets`.
        with_output: Adds ``--json`` and ``--raw``.
    """
    _add(scenarios, with_output, HoldOptions, hold)
    _add(scenarios, with_output, StormOptions, storm)
    _add(scenarios, with_output, SlowOptions, slow)
    _add(scenarios, with_output, ChurnOptions, churn)


def _add(
    scenarios: argparse._SubParsersAction[argparse.ArgumentParser],
    with_output: Callable[[argparse.ArgumentParser], argparse.ArgumentParser],
    kind: type[OneOptions],
    run: Callable[[OneOptions], Iterator[Result]],
) -> None:
    parser = with_output(scenarios.add_parser(run.__name__, help=_ABOUT[run.__name__]))
    for field in msgspec.structs.fields(kind):
        if field.name != "runs":
            name = "--" + field.name.replace("_", "-")
            parser.add_argument(
                name,
                type=type(field.default),
                default=field.default,
                help=f"{_HELP[field.name]} (default {field.default})",
            )
    parser.set_defaults(run=lambda given: _run(run, msgspec.convert(vars(given), kind)))


def _run(run: Callable[[OneOptions], Iterator[Result]], options: OneOptions) -> Iterator[Result]:
    """Whoever ends us, by Ctrl-C or SIGTERM, ends what we started: leaving the blocks does that."""
    before = {
        # A shell's background job is started with SIGINT ignored.
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)),
    }
    try:
        yield from run(options)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
