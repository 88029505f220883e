"""The serve processes of one port, as children of a supervisor. Called by `hub serve --workers` and `hub up`."""

from __future__ import annotations

import asyncio
import tempfile
from typing import TYPE_CHECKING

from hub.embedded.process import Launch
from hub.embedded.stopping import stopping_on_signals
from hub.embedded.supervisor import DRAIN_ALLOWANCE_S, ChildProcess, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO

    from hub.log import Logger

    Command = Callable[..., tuple[str, ...]]

EXIT_CONFIGURATION = 2


def name_of(index: int, count: int) -> str:
    """Name a worker in logs and files: ``serve`` where there is one."""
    return f"serve-{index}" if count > 1 else "serve"


def serve_children(
    count: int,
    command: Command,
    *,
    drain_s: float,
    log_path: Callable[[str], Path] | None = None,
    environ: dict[str, str] | None = None,
) -> list[ChildProcess]:
    """
    Return the children that serve one port.

    Args:
        count: How many.
        command: Makes the command line of one of our commands from its arguments.
        drain_s: How long each takes to end by itself.
        log_path: Where each writes, by name; None leaves that to ours.
        environ: Their environment; ours when None.
    """
    board = _listeners_file() if count > 1 else None
    children: list[ChildProcess] = []
    for index in range(count):
        name = name_of(index, count)
        place: tuple[str, ...] = ()
        if board is not None:
            place = (f"--worker-index={index}", f"--worker-count={count}", f"--listeners-fd={board.fileno()}")
        launch = Launch(
            command("serve", *place),
            None if log_path is None else log_path(name),
            environ=environ,
            held_fds=() if board is None else (board.fileno(),),
        )
        children.append(_Worker(name, launch, drain_s + DRAIN_ALLOWANCE_S, board))
    return children


async def run_workers(count: int, command: Command, *, drain_s: float, log: Logger) -> int:
    """
    Keep serve processes running on one port until told to stop; a second signal ends them at once.

    Returns:
        The exit code: 2 where a worker says that the operator must change something before it can start.
    """
    supervisor = Supervisor(log, hopeless_code=EXIT_CONFIGURATION)
    with stopping_on_signals() as stopping:
        stopping.on_second(supervisor.kill_children)
        async with supervisor.keeping((), serve_children(count, command, drain_s=drain_s)):
            waiting = [asyncio.ensure_future(one.wait()) for one in (stopping.event, supervisor.hopeless)]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for one in waiting:
                one.cancel()
    return EXIT_CONFIGURATION if supervisor.hopeless.is_set() else 0


class _Worker(ChildProcess):
    """Holds the file of who listens: as long as there is a child to inherit it, it must stay open here."""

    def __init__(self, name: str, launch: Launch, drain_s: float, board: IO[bytes] | None) -> None:
        super().__init__(name, launch, drain_s=drain_s)
        self._board = board


def _listeners_file() -> IO[bytes]:
    """Make the nameless file on which workers lock a byte each while they listen."""
    return tempfile.TemporaryFile()  # open as long as the workers are
