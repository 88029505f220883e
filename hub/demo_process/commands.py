"""
What ``hub up --demo`` and ``hub demo`` do with their options. Called by ``cli``, which alone knows the channels.

Imports what it calls where it calls it: every command reads these options, few need the rest (measured: 0.12 s).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub import log
from hub.embedded.secret import ensure_secret_key
from hub.embedded.stopping import stopping_on_signals

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hub.config import Settings
    from hub.demo_process.place import DemoPlace
    from hub.embedded.up import Steps


def add_up_options(parser: argparse.ArgumentParser) -> None:
    """Add the demo's options to ``hub up``."""
    parser.add_argument("--demo", nargs="?", const="small", choices=("small", "big"), help="with simulated customers")
    parser.add_argument("--demo-workspace", type=int, default=None, help="an existing workspace that is to have it")
    _add_options(parser, "--demo-")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``hub demo``."""
    parser.add_argument("action", nargs="?", choices=("run", "remove"), default="run")
    parser.add_argument("--workspace", type=int, default=None, help="an existing one; else the one that has the demo")
    parser.add_argument("--big", action="store_true", help="begin with 5,000 conversations")
    parser.add_argument("--begun", action="store_true", help="what `hub up --demo` starts: all is ready already")
    _add_options(parser, "--")


def with_demo(
    settings: Settings,
    steps: Steps,
    options: argparse.Namespace,
    channels: frozenset[str],
    command_line: Callable[..., tuple[str, ...]],
) -> Steps:
    """
    Have ``hub up`` make the demo ready and keep it running; without ``--demo`` pause one that is there.

    Args:
        settings: The environment.
        steps: What ``hub up`` does.
        options: Its options.
        channels: Those this version has.
        command_line: Turns ``demo`` and its options into a command line.
    """
    from hub.demo_process.begin import begin, park
    from hub.demo_process.place import DemoWanted

    if not options.demo:
        return msgspec.structs.replace(steps, begin_demo=lambda database_url, _key, _port: park(database_url))
    wanted = DemoWanted(
        seed=options.demo_seed,
        speed=options.demo_speed,
        is_big=options.demo == "big",
        workspace_id=options.demo_workspace,
    )

    async def begin_demo(database_url: str, secret_key: str, port: int) -> tuple[str, ...]:
        # Nobody else runs yet who would hear a hint.
        found = msgspec.structs.replace(
            settings, database_url=database_url, redis_ephemeral_url="", secret_key=secret_key, port=port
        )
        return await begin(_place(found, channels), wanted, steps.announce)

    arguments = ["demo", "run", "--begun", "--seed", str(wanted.seed), "--speed", str(wanted.speed)]
    if wanted.workspace_id is not None:
        arguments += ["--workspace", str(wanted.workspace_id)]
    return msgspec.structs.replace(steps, begin_demo=begin_demo, demo_command=command_line(*arguments))


async def run(
    settings: Settings, options: argparse.Namespace, channels: frozenset[str], say: Callable[[str], None]
) -> None:
    """
    Run a demo beside a hub until it is removed, or until a signal says stop.

    Args:
        settings: With the running hub's addresses.
        options: Of ``hub demo``.
        channels: Those this version has.
        say: Shows a line to the person who started it.
    """
    from hub.demo_process.begin import begin
    from hub.demo_process.place import DemoWanted
    from hub.demo_process.running import run_demo

    wanted = DemoWanted(seed=options.seed, speed=options.speed, is_big=options.big, workspace_id=options.workspace)
    place = _place(settings, channels)
    with stopping_on_signals() as stopping:
        if not options.begun:
            for line in await begin(place, wanted, say):
                say(line)
        await run_demo(place, wanted, stopping, log.get_logger("hub.demo"))


def _place(settings: Settings, channels: frozenset[str]) -> DemoPlace:
    from hub.demo_process.place import DemoPlace

    return DemoPlace(
        database_url=settings.database_url,
        redis_ephemeral_url=settings.redis_ephemeral_url,
        secret_key=settings.secret_key or ensure_secret_key(settings.data_dir),
        data_dir=settings.data_dir,
        public_url=settings.base_url,
        host=settings.host,
        port=settings.port,
        channels=channels,
    )


def _add_options(parser: argparse.ArgumentParser, prefix: str) -> None:
    parser.add_argument(f"{prefix}seed", type=int, default=1, help="the same seed, the same customers (default 1)")
    parser.add_argument(f"{prefix}speed", type=float, default=1.0, help="how fast the customers live (default 1)")
