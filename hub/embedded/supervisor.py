"""Keeps processes running: starts them, restarts what dies, drains them at the end. Called by `hub up` and `hub serve`.

Not a scheduler: it knows names and exit codes, nothing of what its members do.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from hub.clock import monotonic_s
from hub.embedded.process import Launch, ServerProcess, rotate_log, start_process
from hub.errors import HubError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from hub.log import Logger

DRAIN_ALLOWANCE_S = 10.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
HEALTHY_AFTER_S = 30.0
WATCH_S = 0.1


class Supervised(Protocol):
    """What the supervisor keeps running: one of our commands, or an embedded server."""

    name: str

    @property
    def process(self) -> ServerProcess | None:
        """The running process, None when it was never started or is stopped."""

    async def start(self) -> object:
        """Start it, or start it again after it died."""

    async def stop(self) -> object:
        """End it and wait for it."""


class ChildProcess:
    """
    One of our own commands.

    Args:
        name: Names it in logs.
        launch: How to start it.
        may_end: Whether an exit with code 0 means that its work is done, and it is not started again.
        drain_s: How long it may take to end before it is killed.
    """

    def __init__(self, name: str, launch: Launch, *, may_end: bool = False, drain_s: float = DRAIN_ALLOWANCE_S) -> None:
        self.name = name
        self.launch = launch
        self.may_end = may_end
        self.drain_s = drain_s
        self._process: ServerProcess | None = None

    @property
    def process(self) -> ServerProcess | None:
        """The running process, None before start."""
        return self._process

    async def start(self) -> None:
        """Start it with its log rotated."""
        if self.launch.log_path is not None:
            rotate_log(self.launch.log_path)
        self._process = start_process(self.launch)

    async def stop(self) -> None:
        """Ask it to drain, and kill it where that takes longer than ``drain_s``."""
        if self._process is not None:
            await self._process.stop((signal.SIGTERM,), self.drain_s)


class Supervisor:
    """
    Watches its members until told to stop.

    Args:
        log: Where deaths and restarts are told.
        on_start: Called after each restart, e.g. to note the new process ids.
        hopeless_code: Exit code of a child that says: no restart helps, the operator must change something.

    Attributes:
        hopeless: Set when a child ended with that code at its first start.
    """

    def __init__(
        self, log: Logger, on_start: Callable[[], None] = lambda: None, *, hopeless_code: int | None = None
    ) -> None:
        self.hopeless = asyncio.Event()
        self._hopeless_code = hopeless_code
        self.restarts: Counter[str] = Counter()
        self._log = log
        self._on_start = on_start
        self._children: tuple[Supervised, ...] = ()

    @contextlib.asynccontextmanager
    async def keeping(self, services: Sequence[Supervised], children: Sequence[Supervised]) -> AsyncIterator[None]:
        """
        Keep members running inside the block; at its end drain the children, then the services they need.

        Args:
            services: Servers the children depend on, started already.
            children: Our own commands, started here.
        """
        self._children = tuple(children)
        keepers: list[asyncio.Task[None]] = []
        try:
            for child in children:
                await child.start()
            self._on_start()
            keepers += [asyncio.create_task(self._keep(member)) for member in (*services, *children)]
            yield
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            await asyncio.gather(*(child.stop() for child in children))
            await asyncio.gather(*(service.stop() for service in services))

    def kill_children(self) -> None:
        """End the children at once, for a person who asked twice."""
        for child in self._children:
            if child.process is not None:
                child.process.send(signal.SIGKILL)

    async def _keep(self, member: Supervised) -> None:
        """Restart one member for ever: at once when it had been healthy, with growing pauses when it keeps dying."""
        failures = 0
        while True:
            started_s = monotonic_s()
            if member.process is not None:
                await member.process.wait(poll_s=WATCH_S)
                code = member.process.exit_code
                if code == 0 and isinstance(member, ChildProcess) and member.may_end:
                    self._log.info("process_ended", name=member.name)
                    return
                failures = 0 if monotonic_s() - started_s >= HEALTHY_AFTER_S else failures
                if code is not None and code == self._hopeless_code and not self.restarts[member.name]:
                    self.hopeless.set()
                self._log.warning("process_died", name=member.name, exit_code=code, failures=failures)
            await asyncio.sleep(restart_pause_s(failures))
            failures += 1
            try:
                await member.start()
            except (HubError, OSError) as error:
                self._log.error("process_not_started", name=member.name, error=str(error))
                continue
            self.restarts[member.name] += 1
            self._log.info("process_restarted", name=member.name, pid=member.process.pid if member.process else None)
            self._on_start()


def restart_pause_s(failures: int) -> float:
    """Return the seconds to wait before a restart after so many failures in a row: 0, 0.5, 1, 2 … 15."""
    return min(FIRST_PAUSE_S * 2 ** (failures - 1), LONGEST_PAUSE_S) if failures else 0.0
