"""The command behind `scripts/bench`: chooses a benchmark, prints each result, keeps the raw lines where asked."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from scripts.benchmarks.api import ApiOptions, api
from scripts.benchmarks.attachments import AttachmentOptions, attachments
from scripts.benchmarks.fanout.run import LOADS, SCENARIOS, SERVERS, FanoutOptions, fanout
from scripts.benchmarks.ingest import IngestOptions, ingest
from scripts.benchmarks.latency import LatencyOptions, latency
from scripts.benchmarks.mail_parse import MailParseOptions, mail_parse
from scripts.benchmarks.outage import OutageOptions, outage
from scripts.benchmarks.results import Result, as_table, describe_machine
from scripts.benchmarks.sign_in import SignInOptions, sign_in
from scripts.benchmarks.sockets import command as sockets
from scripts.benchmarks.start import StartOptions, start
from scripts.benchmarks.webhooks import WebhookOptions, webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Options = TypeVar("Options")

BENCHES = {
    "ingest": "signed webhooks HTTP → COMMIT and stream → COMMIT, with bare XADD and INSERT as floors",
    "webhooks": "each channel's calls checked, cut and appended by one process, with bare XADD as the floor",
    "latency": "webhook in → frame at a member's socket, at fixed rates",
    "outage": "signed webhooks HTTP → COMMIT in the spool while Redis hangs, beside the same with Redis there",
    "mail-parse": "mails parsed a second over our corpus, with Python's own parser as the floor",
    "attachments": "files up and down, with plain streaming to a disk as the floor",
    "api": "200 members at work over HTTP, with and without the memory of who calls, beside a bare Starlette",
    "sign-in": "passwords checked a second and the memory it takes, with bare argon2 as the floor",
    "sockets": "hold, storm, slow, churn: many sockets; fanout: one message to many, beside a floor and peers",
    "start": "hub up on an installed machine until the inbox answers",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark; returns 0 unless something acknowledged was lost or stored twice."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(f"{name:12} {text}" for name, text in BENCHES.items()))
        return 0
    if options.name is None:
        parser.print_help()
        return 0
    machine = describe_machine()
    is_sound = True
    run: Callable[[argparse.Namespace], Iterator[Result]] = options.run
    for result in run(options):
        result.command = "scripts/bench " + " ".join(arguments if arguments is not None else sys.argv[1:])
        result.machine = machine
        line = msgspec.json.encode(result).decode()
        if options.raw:
            _keep(Path(options.raw), result, line)
        print(line if options.json else as_table(result), flush=True)
        is_sound = is_sound and not result.lost and not result.duplicated
    return 0 if is_sound else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures the hub with real processes.")
    parser.add_argument("--list", action="store_true", help="name the benchmarks")
    names = parser.add_subparsers(dest="name", metavar="NAME")
    at_first = IngestOptions()
    one = _add(names, "ingest", at_first.runs)
    one.add_argument("--seconds", type=float, default=at_first.seconds, help="of sending, each run")
    one.add_argument("--connections", type=int, default=at_first.connections, help="calls under way at once")
    one.add_argument("--senders", type=int, default=at_first.senders, help="different people who write")
    one.add_argument("--stream-items", type=int, default=at_first.stream_items, help="items that fill the stream")
    one.add_argument("--workspaces", type=_counts, default=at_first.workspaces, help="e.g. 1,1000: one case each")
    one.set_defaults(run=lambda given: ingest(_read(given, IngestOptions)))
    edge = WebhookOptions()
    hooks = _add(names, "webhooks", edge.runs)
    hooks.add_argument("--seconds", type=float, default=edge.seconds, help="of calling, each run of each channel")
    hooks.add_argument("--at-once", type=int, default=edge.at_once, help="calls under way at the same time")
    hooks.add_argument(
        "--channels", type=lambda text: tuple(text.split(",")), default=edge.channels, help="some of them"
    )
    hooks.set_defaults(run=lambda given: webhooks(_read(given, WebhookOptions)))
    rates = LatencyOptions()
    two = _add(names, "latency", rates.runs)
    two.add_argument("--seconds", type=float, default=rates.seconds, help="of sending, each run")
    two.add_argument("--rates", type=_counts, default=rates.rates, help="e.g. 100,500: calls a second, one case each")
    two.set_defaults(run=lambda given: latency(_read(given, LatencyOptions)))
    away = OutageOptions()
    four = _add(names, "outage", away.runs)
    four.add_argument("--seconds", type=float, default=away.seconds, help="of sending, each side of each run")
    four.add_argument("--connections", type=int, default=away.connections, help="calls under way at once")
    four.add_argument("--workspaces", type=_counts, default=away.workspaces, help="e.g. 1,100: one case each")
    four.set_defaults(run=lambda given: outage(_read(given, OutageOptions)))
    mails = _add(names, "mail-parse", MailParseOptions().runs)
    mails.add_argument(
        "--seconds", type=float, default=MailParseOptions().seconds, help="of parsing, each run and side"
    )
    mails.set_defaults(run=lambda given: mail_parse(_read(given, MailParseOptions)))
    three = _add(names, "start", StartOptions().runs)
    three.set_defaults(run=lambda given: start(_read(given, StartOptions)))
    files = AttachmentOptions()
    five = _add(names, "attachments", files.runs)
    five.add_argument("--megabytes", type=int, default=files.megabytes, help="of each file, 1-100")
    five.add_argument("--files", type=int, default=files.files, help="sent and fetched in a run")
    five.add_argument("--at-once", type=int, default=files.at_once, help="at the same time")
    five.set_defaults(run=lambda given: attachments(_read(given, AttachmentOptions)))
    _add_members(names)
    _add_sockets(names)
    return parser


def _add_members(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    calls = ApiOptions()
    six = _add(names, "api", calls.runs)
    six.add_argument("--seconds", type=float, default=calls.seconds, help="of calling, each run and case")
    six.add_argument("--members", type=int, default=calls.members, help="each with a session and a connection")
    six.add_argument("--think-s", type=float, default=calls.think_s, help="between two calls of a member, on average")
    six.add_argument("--conversations", type=int, default=calls.conversations, help="ten messages each")
    six.set_defaults(run=lambda given: api(_read(given, ApiOptions)))
    seven = _add(names, "sign-in", SignInOptions().runs)
    seven.add_argument("--seconds", type=float, default=SignInOptions().seconds, help="of checking, each run")
    seven.set_defaults(run=lambda given: sign_in(_read(given, SignInOptions)))


def _add_sockets(names: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    scenarios = names.add_parser("sockets", help=BENCHES["sockets"]).add_subparsers(metavar="SCENARIO", required=True)
    defaults = FanoutOptions()
    sockets.add_to(scenarios, lambda parser: _with_output(parser, 1))
    about = "one message to many sockets, beside a C floor, nchan, Socket.IO, ws, Starlette and Channels"
    fan = _with_output(scenarios.add_parser("fanout", help=about), defaults.runs)
    fan.add_argument("--sockets", type=int, default=defaults.sockets, help="of each server")
    fan.add_argument("--topics", type=int, default=defaults.topics, help="in S2")
    fan.add_argument("--seconds", type=float, default=defaults.seconds, help="of publishing, each load")
    fan.add_argument("--rate", type=int, default=defaults.rate, help="frames a second, in the load `rate`")
    for name, all_of in (("servers", SERVERS), ("scenarios", SCENARIOS), ("loads", LOADS)):
        fan.add_argument(f"--{name}", type=_names(all_of), default=all_of, help="some of " + ",".join(all_of))
    fan.add_argument("--install", action="store_true", help="get the peers that are missing first")
    fan.add_argument(
        "--peers-folder", default="", help="where peers are installed (else HUB_BENCH_PEERS, or the cache)"
    )
    fan.set_defaults(run=lambda given: fanout(_read(given, FanoutOptions)))


def _add(names: argparse._SubParsersAction[argparse.ArgumentParser], name: str, runs: int) -> argparse.ArgumentParser:
    return _with_output(names.add_parser(name, help=BENCHES[name]), runs)


def _with_output(parser: argparse.ArgumentParser, runs: int) -> argparse.ArgumentParser:
    parser.add_argument("--runs", type=int, default=runs, help=f"the median of so many (default {runs})")
    parser.add_argument("--json", action="store_true", help="one line of JSON a result")
    parser.add_argument("--raw", default="", help="a folder that keeps the JSON lines")
    return parser


def _read(given: argparse.Namespace, kind: type[Options]) -> Options:
    """Fill an options struct from the command line; what has no flag keeps its default."""
    return msgspec.convert(vars(given), kind)


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(int(part) for part in text.split(",") if part.isdigit() and int(part) > 0)
    if not counts:
        raise argparse.ArgumentTypeError("numbers with commas between them")
    return counts


def _names(allowed: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Read some of the allowed names, with commas between them."""

    def read(text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        if not set(chosen) <= set(allowed):
            raise argparse.ArgumentTypeError("some of " + ",".join(allowed))
        return chosen

    return read


def _keep(folder: Path, result: Result, line: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{result.bench}.jsonl").open("a") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
