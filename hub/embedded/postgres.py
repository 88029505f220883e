"""Postgres for one machine: made, started on a unix socket, adopted or recovered after a crash, stopped.

Not for a server with users of its own: whoever may enter the 0700 socket folder is trusted. Called by `hub up`, tests.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING
from urllib.parse import quote

import asyncpg
import msgspec

from hub.clock import monotonic_s
from hub.embedded.cluster import OWNER_ROLE, prepare_cluster, server_command
from hub.embedded.folders import private_dir
from hub.embedded.lock import FolderLock
from hub.embedded.postmaster import Postmaster, clear_stale, read_postmaster, runs_on
from hub.embedded.process import Launch, ServerProcess, last_lines, rotate_log, start_process
from hub.embedded.unprivileged import RunAs, allows_user_namespaces, run_as
from hub.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from hub.embedded.binaries import PostgresBinaries

LOGIN_ROLE = "hub"
DATABASE = "hub"
START_ALLOWANCE_S = 60.0
STOP_ALLOWANCE_S = 60.0
RETRY_PAUSE_S = 0.5
DYING_S = 2.0
POLL_S = 0.02


class PostgresUrls(msgspec.Struct, frozen=True):
    """
    How to reach an embedded Postgres.

    Attributes:
        database_url: As the login role ``hub``, which owns nothing; the migrations grant it ``hub_app``.
        owner_url: As ``hub_owner``, for migrations and backups.
        login_role: The name the migrations grant to.
    """

    database_url: str
    owner_url: str
    login_role: str = LOGIN_ROLE


class PostgresOptions(msgspec.Struct, frozen=True):
    """
    What differs between a laptop and a test run.

    Attributes:
        is_durable: False turns fsync off, for data nobody keeps.
        dies_with_us: Whether it stops when the process that started it is killed (Linux).
        has_namespaces: False makes root use another user id as if namespaces were forbidden; None asks the machine.
    """

    is_durable: bool = True
    dies_with_us: bool = True
    has_namespaces: bool | None = None


class EmbeddedPostgres:
    """
    One cluster in one folder.

    Args:
        binaries: The installation to run.
        data_dir: The cluster's own folder, made when missing.
        run_dir: Folder for the socket, at most 80 bytes long (see hub.embedded.folders).
        log_path: Where the server's log goes.
        options: What differs from a laptop's defaults.
    """

    name = "postgres"

    def __init__(
        self,
        binaries: PostgresBinaries,
        data_dir: Path,
        run_dir: Path,
        log_path: Path,
        options: PostgresOptions | None = None,
    ) -> None:
        self._binaries = binaries
        self._data_dir = data_dir
        self._run_dir = run_dir
        self._log_path = log_path
        self._options = options or PostgresOptions()
        self._lock = FolderLock(data_dir.with_name(f"{data_dir.name}.lock"))
        self._process: ServerProcess | None = None
        self._urls: PostgresUrls | None = None

    @property
    def process(self) -> ServerProcess | None:
        """The running server, None before start and after stop."""
        return self._process

    @property
    def urls(self) -> PostgresUrls | None:
        """The addresses of the last start, the same over restarts; None before the first."""
        return self._urls

    async def start(self) -> PostgresUrls:
        """
        Make the cluster when there is none, then start it, or take over the one that runs on this folder.

        Returns:
            The two addresses; both answer when this returns.

        Raises:
            ConfigurationError: The folder is in use, of another major version, or not ours.
            Unavailable: The server did not come up within 60 s; the text ends with its log.
        """
        self._lock.acquire()
        try:
            private_dir(self._data_dir.parent)
            private_dir(self._run_dir)
            self._urls = await self._start_locked()
        except BaseException:
            await self.stop()
            raise
        return self._urls

    async def stop(self) -> None:
        """End the server, its clients disconnected, everything written; then free the folder."""
        if self._process is not None:
            await self._process.stop((signal.SIGINT, signal.SIGQUIT), STOP_ALLOWANCE_S)
            self._process = None
        self._lock.release()

    def abandon(self) -> None:
        """Free the folder and leave the server running, for the next hub to adopt."""
        self._process = None
        self._lock.release()

    async def _start_locked(self) -> PostgresUrls:
        await self._collect_ended()
        postmaster = read_postmaster(self._data_dir)
        if postmaster is not None and runs_on(postmaster, self._data_dir):
            urls = await self._adopt(postmaster)
            if urls is not None:
                return urls
        runner = self._runner()
        await asyncio.to_thread(prepare_cluster, runner, self._data_dir, is_durable=self._options.is_durable)
        await self._launch(runner)
        return await _open(str(runner.socket_dir))

    async def _adopt(self, postmaster: Postmaster) -> PostgresUrls | None:
        """Wait for a server found running; None when it was on its way out and has ended."""
        if self._process is None or self._process.pid != postmaster.pid:
            self._process = ServerProcess(postmaster.pid)
        if await self._is_ready(monotonic_s() + START_ALLOWANCE_S):
            try:
                return await _open(postmaster.socket_dir)
            except (OSError, asyncpg.PostgresError):
                if not await self._process.wait(STOP_ALLOWANCE_S):
                    raise
        if self._process.is_running():
            raise Unavailable(f"Postgres in {self._data_dir} runs but does not answer:\n{last_lines(self._log_path)}")
        return None

    async def _collect_ended(self) -> None:
        """Let a server of ours that was just killed finish dying: Postgres takes an uncollected one for alive."""
        if self._process is not None and await self._process.wait(DYING_S):
            self._process = None

    def _runner(self) -> RunAs:
        forced = self._options.has_namespaces
        ask = allows_user_namespaces if forced is None else lambda: forced
        return run_as(self._binaries, self._data_dir, self._run_dir, has_namespaces=ask)

    async def _launch(self, runner: RunAs) -> None:
        """Start the server and wait; tried again while backends of a killed postmaster still hold its memory."""
        deadline_s = monotonic_s() + START_ALLOWANCE_S
        rotate_log(self._log_path)
        isolation, path = runner.place(self._data_dir)
        launch = Launch(
            command=server_command(runner, path, is_durable=self._options.is_durable),
            log_path=self._log_path,
            death_signal=signal.SIGINT if self._options.dies_with_us else 0,
            isolation=isolation,
        )
        was_left_over = (self._data_dir / "postmaster.pid").exists()
        while True:
            clear_stale(self._data_dir)
            self._process = start_process(launch)
            if await self._is_ready(deadline_s):
                return
            if not was_left_over or monotonic_s() >= deadline_s:
                raise Unavailable(f"Postgres did not start in {self._data_dir}:\n{last_lines(self._log_path)}")
            await asyncio.sleep(RETRY_PAUSE_S)

    async def _is_ready(self, deadline_s: float) -> bool:
        """Wait until our server accepts connections, as its pid file says; False when it ended or time is up."""
        while self._process is not None and self._process.is_running() and monotonic_s() < deadline_s:
            postmaster = read_postmaster(self._data_dir)
            if postmaster is not None and postmaster.pid == self._process.pid and postmaster.is_ready:
                return True
            await asyncio.sleep(POLL_S)
        return False


async def _open(socket_folder: str) -> PostgresUrls:
    """Make the login role and the database where they are missing, and return the addresses."""
    connection = await asyncpg.connect(host=socket_folder, user=OWNER_ROLE, database="postgres")
    try:
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", LOGIN_ROLE):
            await connection.execute(f"CREATE ROLE {LOGIN_ROLE} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS")
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}")
    finally:
        await connection.close()
    place = quote(socket_folder)
    return PostgresUrls(
        database_url=f"postgresql://{LOGIN_ROLE}@/{DATABASE}?host={place}",
        owner_url=f"postgresql://{OWNER_ROLE}@/{DATABASE}?host={place}",
    )
