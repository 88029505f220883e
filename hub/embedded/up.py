"""`hub up`: everything on one machine, from an empty folder to an address to open, and back down.

Knows neither the schema nor the API: what it needs of them comes in as functions (Steps).
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from hub.clock import monotonic_s, new_token
from hub.embedded.backup import back_up
from hub.embedded.cluster import existing_major
from hub.embedded.folders import private_dir
from hub.embedded.lock import FolderLock
from hub.embedded.ports import choose_port
from hub.embedded.process import Launch, is_alive, last_lines, process_environment
from hub.embedded.runfile import RunFile, answers, end_leftovers, is_running, read_run_file, write_run_file
from hub.embedded.secret import KEY_FILE, ensure_secret_key
from hub.embedded.services import Addresses, LocalServices, log_path
from hub.embedded.stopping import Stopping, stopping_on_signals
from hub.embedded.supervisor import ChildProcess, Supervised, Supervisor
from hub.embedded.workers import serve_children
from hub.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hub.config import Settings
    from hub.log import Logger

READY_ALLOWANCE_S = 120.0
READY_POLL_S = 0.05
FATAL_RESTARTS = 3
DRAIN_S = 5.0
LOG_LINES_SHOWN = 20


class Schema(Protocol):
    """How far a database's schema is."""

    @property
    def current(self) -> str | None:
        """Its revision, None for an empty database."""

    @property
    def is_newer(self) -> bool:
        """Whether a newer version made it."""
        ...

    @property
    def is_current(self) -> bool:
        """Whether nothing is to be migrated."""
        ...


class Steps(msgspec.Struct, frozen=True):
    """
    What `hub up` needs from other rooms.

    Attributes:
        schema_state: Looks at the database of an owner's address.
        upgrade: Migrates it and grants its tables to a login role.
        has_owner: Whether somebody set the hub up already; takes the application's address.
        announce: Shows one line to the person who started it.
        log: Where deaths and restarts are told.
        command: Turns one of our commands and its arguments into a command line.
        begin_demo: Makes a demo ready, given the application's database, the key that seals and our port; returns lines
            for the person who started it. Without a demo wanted it may only look after one that is there.
        demo_command: What keeps the demo running; ends by itself when the demo is removed.
        workers: How many processes serve.
    """

    schema_state: Callable[[str], Awaitable[Schema]]
    upgrade: Callable[[str, str | None], Awaitable[object]]
    has_owner: Callable[[str], Awaitable[bool]]
    announce: Callable[[str], None]
    log: Logger
    command: Callable[..., tuple[str, ...]]
    begin_demo: Callable[[str, str, int], Awaitable[tuple[str, ...]]] | None = None
    demo_command: tuple[str, ...] = ()
    workers: int = 1


class Members(msgspec.Struct, frozen=True):
    """What runs: the servers, our own commands on them, when all of it ends, and where a person opens it."""

    services: tuple[Supervised, ...]
    children: list[ChildProcess]
    stopping: Stopping
    open_url: str
    notes: tuple[str, ...] = ()


async def run_up(settings: Settings, steps: Steps) -> None:
    """
    Start everything, show where to open it, and stay until told to stop.

    Args:
        settings: The environment.
        steps: What other rooms do.

    Raises:
        ConfigurationError: The operator must change something; nothing is left running.
        SchemaMismatch: The database is of a newer version; nothing is left running.
        Unavailable: A process did not come up; the text ends with its log.
    """
    private_dir(settings.data_dir)
    lock = FolderLock(settings.data_dir / "hub.lock")
    if not lock.try_acquire():
        steps.announce(f"  Already running   {await _running_url(settings, lock, steps)}")
        return
    try:
        await _run_locked(settings, steps)
    finally:
        lock.release()


async def _run_locked(settings: Settings, steps: Steps) -> None:
    if (leftover := read_run_file(_run_path(settings.data_dir))) is not None:
        await end_leftovers(leftover)
    port = choose_port(settings.host, settings.port, is_set=settings.port_is_set)
    services = LocalServices(settings)
    _warn_of_lost_key(settings, steps)
    with stopping_on_signals() as stopping:
        addresses = await services.start()
        try:
            await _migrate(settings, services, addresses, steps)
            steps.announce(f"[3/4] Database and streams ready   {_shown(settings.data_dir)}")
            notes = await _begin_demo(settings, steps, addresses, port)
            has_owner = await steps.has_owner(addresses.database_url)
        except BaseException:
            await services.stop()
            raise
        base_url = settings.public_url or f"http://localhost:{port}"
        token = new_token()
        run = RunFile(
            pid=os.getpid(),
            host=settings.host,
            port=port,
            url=f"{base_url}/",
            setup_url=f"{base_url}/setup#{token}",
            database_url="" if settings.database_url else addresses.database_url,
            redis_ephemeral_url="" if settings.redis_ephemeral_url else addresses.redis_ephemeral_url,
            redis_url="" if settings.redis_url else addresses.redis_url,
        )
        children = _children(settings, _environment(settings, addresses, port, token), steps)
        members = Members(services.members, children, stopping, run.url if has_owner else run.setup_url, notes)
        await _serve(settings.data_dir, steps, run, members)


async def _serve(data_dir: Path, steps: Steps, run: RunFile, members: Members) -> None:
    """Keep everything running, announce the address once it answers, and wait for the word to stop."""

    def note() -> None:
        pids = {child.name: child.process.pid for child in members.children if child.process is not None}
        write_run_file(_run_path(data_dir), msgspec.structs.replace(run, children=pids))

    supervisor = Supervisor(steps.log, on_start=note)
    members.stopping.on_second(supervisor.kill_children)
    try:
        async with supervisor.keeping(members.services, members.children):
            if await _is_ready(data_dir, run, supervisor, members):
                steps.announce("[4/4] Hub ready")
                steps.announce(f"  Open   {members.open_url}")
                for note_ in members.notes:
                    steps.announce(note_)
                steps.announce(f"  Stop   Ctrl-C      Logs   {_shown(data_dir / 'logs')}")
                await members.stopping.event.wait()
    finally:
        _run_path(data_dir).unlink(missing_ok=True)


async def _is_ready(data_dir: Path, run: RunFile, supervisor: Supervisor, members: Members) -> bool:
    """Wait until the API answers ready; False when told to stop before that."""
    names = [child.name for child in members.children if not child.may_end]
    deadline_s = monotonic_s() + READY_ALLOWANCE_S
    while not members.stopping.event.is_set():
        if await asyncio.to_thread(answers, run.host, run.port, "/readyz"):
            return True
        for name in names:
            if supervisor.restarts[name] >= FATAL_RESTARTS or monotonic_s() >= deadline_s:
                log = last_lines(log_path(data_dir, name), LOG_LINES_SHOWN)
                command, path = name.partition("-")[0], log_path(data_dir, name)
                raise Unavailable(f"{log}\n`hub {command}` does not come up. Its whole log is {path}.")
        await asyncio.sleep(READY_POLL_S)
    return False


async def _begin_demo(settings: Settings, steps: Steps, addresses: Addresses, port: int) -> tuple[str, ...]:
    if steps.begin_demo is None:
        return ()
    secret_key = settings.secret_key or ensure_secret_key(settings.data_dir)
    return await steps.begin_demo(addresses.database_url, secret_key, port)


async def _migrate(settings: Settings, services: LocalServices, addresses: Addresses, steps: Steps) -> None:
    """Bring the schema up to date, after a dump of what is there; a newer schema is refused by ``upgrade``."""
    state = await steps.schema_state(addresses.database_owner_url)
    is_behind = state.current is not None and not state.is_current and not state.is_newer
    if is_behind and services.postgres_binaries is not None:
        folder = settings.data_dir / "backups"
        label = str(state.current)
        await asyncio.to_thread(back_up, services.postgres_binaries, addresses.database_owner_url, folder, label)
    await steps.upgrade(addresses.database_owner_url, addresses.app_login)


def _environment(settings: Settings, addresses: Addresses, port: int, token: str) -> dict[str, str]:
    return process_environment(
        {
            "DATABASE_URL": addresses.database_url,
            "DATABASE_OWNER_URL": addresses.database_owner_url,
            "REDIS_URL": addresses.redis_url,
            "REDIS_EPHEMERAL_URL": addresses.redis_ephemeral_url,
            "HUB_SECRET_KEY": settings.secret_key or ensure_secret_key(settings.data_dir),
            "HUB_HOST": settings.host,
            "HUB_PORT": str(port),
            "HUB_DATA_DIR": str(settings.data_dir),
            "HUB_SETUP_TOKEN": token,
            "HUB_DRAIN_S": str(round(_drain_s(settings))),
        }
    )


def _children(settings: Settings, environ: dict[str, str], steps: Steps) -> list[ChildProcess]:
    folder = settings.data_dir
    serving = serve_children(
        steps.workers, steps.command, drain_s=_drain_s(settings), log_path=partial(log_path, folder), environ=environ
    )
    work = ChildProcess("work", Launch(steps.command("work"), log_path(folder, "work"), environ=environ))
    if not steps.demo_command:
        return [*serving, work]
    demo = Launch(steps.demo_command, log_path(folder, "demo"), environ=environ)
    return [*serving, work, ChildProcess("demo", demo, may_end=True)]


def _drain_s(settings: Settings) -> float:
    """A person who pressed Ctrl-C waits; whoever drains a large hub runs its parts under a supervisor of their own."""
    return min(settings.drain_s, DRAIN_S)


async def _running_url(settings: Settings, lock: FolderLock, steps: Steps) -> str:
    """Find where the hub that holds the folder answers; it may be starting just now."""
    deadline_s = monotonic_s() + READY_ALLOWANCE_S
    while monotonic_s() < deadline_s:
        run = read_run_file(_run_path(settings.data_dir))
        if run is not None and await asyncio.to_thread(is_running, run):
            has_owner = await steps.has_owner(settings.database_url or run.database_url)
            return run.url if has_owner else run.setup_url
        holder = lock.holder()
        if not holder.isdigit() or not is_alive(int(holder)):
            break
        await asyncio.sleep(READY_POLL_S)
    raise ConfigurationError(
        f"Process {lock.holder() or 'unknown'} uses {settings.data_dir} but does not answer. "
        f"Stop it, or look into {settings.data_dir / 'logs'}."
    )


def _warn_of_lost_key(settings: Settings, steps: Steps) -> None:
    is_lost = not settings.secret_key and not (settings.data_dir / KEY_FILE).exists()
    if is_lost and existing_major(settings.data_dir / "postgres") is not None:
        steps.announce(
            f"  Warning   {_shown(settings.data_dir / KEY_FILE)} is missing; channel credentials stored with it cannot "
            "be read. Put it back from your backup, or connect the channels again."
        )


def _run_path(data_dir: Path) -> Path:
    return data_dir / "hub.json"


def _shown(path: Path) -> str:
    """Shorten a path below the home folder to ~/…, as people write it."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
