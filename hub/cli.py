"""The `hub` command: reads the environment, calls one function, turns errors into words and an exit code.

A process entry: the one module of hub/ above api/ and connectors/, which it imports inside the command that needs them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import sys
from typing import TYPE_CHECKING
from uuid import UUID

from hub import audit_commands, key_commands, log, operator_commands
from hub.config import Settings, read_settings
from hub.demo_process import commands as demo_commands
from hub.embedded.folders import private_dir
from hub.embedded.ownership import has_owner
from hub.embedded.process import last_lines
from hub.embedded.services import log_path
from hub.embedded.stopping import until_stopped
from hub.embedded.up import Steps, run_up
from hub.embedded.workers import EXIT_CONFIGURATION, run_workers
from hub.errors import ConfigurationError, HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXIT_FAILED = 1
MOST_WORKERS = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Args:
        arguments: The command line without the program's name; the process's own when left out.

    Returns:
        The exit code: 0 done, 1 failed, 2 the operator must change something.
    """
    options = _parser().parse_args(arguments)
    command: Callable[[Settings, argparse.Namespace], int] = options.run
    try:
        return command(read_settings(), options)
    except ConfigurationError as error:
        print(error.message, file=sys.stderr)
        return EXIT_CONFIGURATION
    except HubError as error:
        print(error.message, file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hub", description="A real-time messaging hub with a unified inbox.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start everything on this machine and show the address to open")
    up.add_argument("--workers", type=_worker_count, default=1, help="serve processes that share the port (default 1)")
    demo_commands.add_up_options(up)
    up.set_defaults(run=_up)
    serve = commands.add_parser("serve", help="run the HTTP API, the webhooks, the frontend and the WebSocket hub")
    serve.add_argument("--workers", type=_worker_count, default=1, help="processes that share the port (default 1)")
    serve.add_argument("--worker-index", type=int, default=0, help=argparse.SUPPRESS)
    serve.add_argument("--worker-count", type=int, default=1, help=argparse.SUPPRESS)
    serve.add_argument("--listeners-fd", type=int, default=-1, help=argparse.SUPPRESS)
    serve.set_defaults(run=_serve)
    work = commands.add_parser("work", help="run intake, dispatch, reactor and jobs")
    work.set_defaults(run=_work)
    migrate = commands.add_parser("migrate", help="bring the database to the schema of this version")
    migrate.set_defaults(run=_migrate)
    setup = commands.add_parser("setup", help="make the first workspace and its owner, without a browser")
    setup.add_argument("--workspace", required=True, help="its name")
    setup.add_argument("--email", required=True, help="the owner's address")
    setup.add_argument("--password", required=True, help="at least 12 characters")
    setup.add_argument("--name", default="", help="the owner's name; the address's first part when left out")
    setup.add_argument("--json", action="store_true", help="print ids as JSON")
    setup.set_defaults(run=_setup)
    member = commands.add_parser(
        "member", help="add a member or let one choose a new password (prints a one-time link); remove lost factors"
    )
    member.add_argument("action", choices=("add", "reset-password", "reset-factors"))
    member.add_argument("email")
    member.add_argument("--role", choices=("admin", "agent", "viewer"), default="agent", help="default agent")
    member.add_argument("--workspace-id", type=int, default=None, help="needed where there are several")
    member.set_defaults(run=_member)
    demo = commands.add_parser("demo", help="let simulated customers write to a running hub, or remove them")
    demo_commands.add_options(demo)
    demo.set_defaults(run=_demo)
    tail = commands.add_parser("tail", help="show events as they pass: types and ids, never what was said")
    tail.add_argument("--workspace", type=int, default=None, metavar="ID", help="only this workspace")
    tail.add_argument("--type", action="append", default=[], metavar="TYPE", help="only these types; may be repeated")
    tail.add_argument("--conversation", default="", metavar="ID", help="only this one; its end, as shown, is enough")
    tail.add_argument(
        "--since", default="", metavar="WHEN", help="begin with what was: 15m, 2h, 1d or 2026-11-22T18:00"
    )
    tail.add_argument("--follow", action=argparse.BooleanOptionalAction, default=True, help="go on as events come")
    tail.add_argument("--json", action="store_true", help="print a JSON object an event")
    tail.set_defaults(run=_tail)
    _add_dead_letters(commands.add_parser("dead-letters", help="raw items that could not be stored: see, replay, drop"))
    audit = commands.add_parser("audit", help="check the audit log, sign its heads, show the key")
    audit_commands.add_options(audit)
    audit.set_defaults(run=_audit)
    keys = commands.add_parser(
        "keys", help="keys of the installation: what each holds, and everything under the newest"
    )
    key_commands.add_options(keys)
    keys.set_defaults(run=_keys)
    operators = commands.add_parser("operator", help="who operates this installation: list, grant EMAIL, revoke EMAIL")
    operator_commands.add_options(operators)
    operators.set_defaults(run=_operators)
    mail = commands.add_parser("mail", help="mails of the hub's own that have not gone out, with their links: private")
    mail.add_argument("action", choices=("list",))
    mail.add_argument("--limit", type=int, default=50, choices=range(1, 1001), metavar="N", help="default 50")
    mail.add_argument("--json", action="store_true", help="print JSON")
    mail.set_defaults(run=_mail)
    doctor = commands.add_parser(
        "doctor", help="look for faults and say what to do; exit code 0 well, 1 warnings, 2 faults"
    )
    doctor.add_argument("--json", action="store_true", help="print findings as JSON")
    doctor.set_defaults(run=_doctor)
    return parser


def _add_dead_letters(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    list_ = actions.add_parser("list", help="the newest ones, without what they say")
    list_.add_argument("--state", choices=("new", "replayed", "dropped"), default="new", help="default new")
    list_.add_argument("--limit", type=int, default=50, help="most to list (default 50)")
    show = actions.add_parser("show", help="one of them")
    show.add_argument("ids", nargs=1, type=UUID, metavar="ID")
    show.add_argument("--body", action="store_true", help="with the vendor's bytes as text: private")
    replay = actions.add_parser("replay", help="take them in again, after a fix")
    drop = actions.add_parser("drop", help="mark them as not wanted")
    for one in (replay, drop):
        one.add_argument("ids", nargs="*", type=UUID, metavar="ID")
        one.add_argument("--all", action="store_true", help="all that fit the other options, instead of ids")
    for one in (list_, replay, drop):
        one.add_argument("--workspace-id", type=int, default=None, help="of one workspace")
        one.add_argument("--channel", default=None, help="of one channel, e.g. twilio_sms")
        one.add_argument("--since", default=None, help="kept since: 36h, 7d or 2026-11-22")
    for name, one in (("list", list_), ("show", show), ("replay", replay), ("drop", drop)):
        one.add_argument("--json", action="store_true", help="print JSON")
        one.set_defaults(run=_dead_letters, action=name)


def _up(settings: Settings, options: argparse.Namespace) -> int:
    """Run everything; only the announced lines go to the terminal, the rest to logs/up.log."""
    from hub.migrations.runner import schema_state, upgrade

    os.umask(0o077)
    private_dir(settings.data_dir)
    path = log_path(settings.data_dir, "up")
    private_dir(path.parent)
    try:
        with path.open("a", buffering=1) as file, contextlib.redirect_stderr(file):
            log.configure("up")
            steps = Steps(
                schema_state=schema_state,
                upgrade=upgrade,
                has_owner=has_owner,
                announce=lambda line: print(line, flush=True),
                log=log.get_logger("hub.embedded"),
                command=_command_line,
                workers=options.workers,
            )
            steps = demo_commands.with_demo(settings, steps, options, _channels(), _command_line)
            asyncio.run(run_up(settings, steps))
    except HubError:
        raise
    except Exception as error:  # edge: the last resort of a process: whatever it was, the person gets words and the log
        print(f"{last_lines(path)}\n{type(error).__name__}: {error}", file=sys.stderr)
        print(f"The hub could not start; its log is {path}.", file=sys.stderr)
        return EXIT_FAILED
    return 0


def _channels() -> frozenset[str]:
    from connectors.registry import ConnectorRegistry

    return frozenset(one.id for one in ConnectorRegistry.load().manifests())


def _demo(settings: Settings, options: argparse.Namespace) -> int:
    from hub import operator

    log.configure("demo")
    if options.action == "remove":
        asyncio.run(_end_demo(settings, options.workspace))
    else:
        asyncio.run(demo_commands.run(operator.of_running_hub(settings), options, _channels(), _say))
    return 0


async def _end_demo(settings: Settings, workspace_id: int | None) -> None:
    from hub import operator
    from hub.demo_process.ending import end_demo

    async with operator.reached(settings) as stores:
        await end_demo(stores.database_url, stores.redis_ephemeral_url, workspace_id, _say)


def _say(line: str) -> None:
    print(line, flush=True)


def _serve(settings: Settings, options: argparse.Namespace) -> int:
    if options.workers > 1:
        log.configure("serve")
        ours = log.get_logger("hub.embedded")
        return asyncio.run(run_workers(options.workers, _command_line, drain_s=settings.drain_s, log=ours))
    from api.serve import Place
    from api.serve import main as serve

    place = Place(options.worker_index, options.worker_count, options.listeners_fd)
    serve(settings, place, setup_token=os.environ.get("HUB_SETUP_TOKEN", ""))
    return 0


def _work(settings: Settings, _options: argparse.Namespace) -> int:
    from connectors.work import main as work

    work(settings)
    return 0


def _migrate(settings: Settings, _options: argparse.Namespace) -> int:
    from hub.migrations.runner import upgrade

    if not settings.database_owner_url:
        raise ConfigurationError("Set DATABASE_OWNER_URL or DATABASE_URL; `hub up` migrates its own database itself.")
    login = _login_of(settings.database_url)
    state = asyncio.run(upgrade(settings.database_owner_url, login))
    print(f"The database is at schema {state.current}.")
    return 0


def _setup(settings: Settings, options: argparse.Namespace) -> int:
    from hub import operator
    from hub.accounts.model import SetUp

    log.configure("setup")
    name = options.name or options.email.partition("@")[0]
    wanted = SetUp(workspace=options.workspace, name=name, email=options.email, password=options.password)
    owner = asyncio.run(operator.set_up(settings, wanted))
    if options.json:
        print(json.dumps({"workspace_id": owner.workspace_id, "member_id": str(owner.member_id)}))
    else:
        print(f"Workspace {owner.workspace_id} is ready. Sign in as {options.email}.")
    return 0


def _member(settings: Settings, options: argparse.Namespace) -> int:
    from hub import operator
    from hub.accounts.model import Role

    log.configure("member")
    if options.action == "reset-factors":
        asyncio.run(operator.reset_factors(settings, options.email))
        print("Their second factors are gone and their sessions have ended. Make sure it was them who asked.")
        return 0
    if options.action == "add":
        role = Role(options.role)
        link = asyncio.run(operator.add_member(settings, options.email, role, options.workspace_id))
    else:
        link = asyncio.run(operator.reset_password(settings, options.email))
    print(link)
    return 0


def _mail(settings: Settings, options: argparse.Namespace) -> int:
    import msgspec

    from hub import operator

    log.configure("mail", level=logging.WARNING)
    waiting = asyncio.run(operator.waiting_mails(settings, options.limit))
    if options.json:
        print(msgspec.json.encode(waiting).decode())
        return 0
    for one in waiting:
        tried = f"  ({one.attempt} tries, last: {one.error_code})" if one.error_code else ""
        print(f"{one.created_at:%Y-%m-%d %H:%M}  {one.template:<18}  {one.recipient}  {one.link}{tried}")
    if not waiting:
        print("No mail waits.")
    return 0


def _tail(settings: Settings, options: argparse.Namespace) -> int:
    from hub import clock, tail

    log.configure("tail", level=logging.CRITICAL)
    wanted = tail.Wanted(
        workspace_id=options.workspace,
        types=frozenset(name for one in options.type for name in one.split(",")),
        conversation=options.conversation,
        since=tail.read_since(options.since, clock.now()) if options.since else None,
        follows=options.follow,
    )
    show = tail.as_json if options.json else tail.line_writer(in_colour=is_coloured())
    try:
        asyncio.run(until_stopped(tail.watch(settings, wanted, lambda one: print(show(one), flush=True))))
    except BrokenPipeError:
        # `hub tail | head`: whoever read has seen enough; Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _operators(settings: Settings, options: argparse.Namespace) -> int:
    asyncio.run(operator_commands.run(settings, options, _say))
    return 0


def _keys(settings: Settings, options: argparse.Namespace) -> int:
    log.configure("keys", level=logging.WARNING)
    return asyncio.run(key_commands.run(settings, options, _say))


def _audit(settings: Settings, options: argparse.Namespace) -> int:
    log.configure("audit", level=logging.WARNING)
    return 0 if asyncio.run(audit_commands.run(settings, options, _say)) else EXIT_FAILED


def _dead_letters(settings: Settings, options: argparse.Namespace) -> int:
    import msgspec

    from connectors import dead_letter_commands as commands
    from connectors.dead_letters import Wanted

    log.configure("dead-letters", level=logging.WARNING)
    if options.action == "show":
        shown = asyncio.run(commands.show(settings, options.ids[0], with_body=options.body))
        print(msgspec.json.encode(shown).decode() if options.json else commands.describe(shown))
        return 0
    if options.action != "list" and bool(options.ids) == options.all:
        raise ConfigurationError("Name the dead letters by their ids, or say --all.")
    wanted = Wanted(
        state=getattr(options, "state", "new"),
        channel=options.channel,
        since=commands.read_since(options.since) if options.since else None,
    )
    chosen = commands.Chosen(ids=tuple(getattr(options, "ids", ())), workspace_id=options.workspace_id, wanted=wanted)
    if options.action == "list":
        letters = asyncio.run(commands.list_chosen(settings, chosen, options.limit))
        print(msgspec.json.encode(letters).decode() if options.json else commands.describe_all(letters))
        return 0
    done = asyncio.run((commands.replay if options.action == "replay" else commands.drop)(settings, chosen))
    words = f"{options.action}: {len(done.done)} done, {len(done.skipped)} skipped"
    print(msgspec.json.encode(done).decode() if options.json else words)
    return EXIT_FAILED if options.ids and done.skipped else 0


def _login_of(database_url: str) -> str | None:
    """Return the login the application connects with; None when the owner's own is to be used."""
    from urllib.parse import unquote, urlsplit

    name = urlsplit(database_url).username
    return unquote(name) if name else None


def _doctor(settings: Settings, options: argparse.Namespace) -> int:
    from api.compose import frontend_dir
    from connectors.registry import ConnectorRegistry
    from hub.doctor.examine import examine
    from hub.doctor.model import Patient
    from hub.doctor.shown import as_json, as_text, exit_code

    log.configure("doctor", level=logging.CRITICAL)
    registry = ConnectorRegistry.load()
    patient = Patient(settings, frontend_dir(), lambda channel: registry.get(channel).verify is not None)
    findings = asyncio.run(examine(patient))
    print(as_json(findings) if options.json else as_text(findings, in_colour=is_coloured()))
    return exit_code(findings)


def is_coloured() -> bool:
    """Whether a person looks on who wants colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _command_line(*arguments: str) -> tuple[str, ...]:
    """Return the command line of one of our commands in this installation, whatever folder it is started from."""
    return (sys.executable, "-P", "-m", "hub.cli", *arguments)


def _worker_count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {MOST_WORKERS}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
