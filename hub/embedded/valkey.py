"""Valkey for one machine on a unix socket: started durable or without any file, adopted or recovered, stopped.

Two of them make the hub's wire: the durable one acknowledges webhooks, the other may forget. Called by `hub up`, tests.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.clock import monotonic_s
from hub.embedded.folders import private_dir
from hub.embedded.lock import FolderLock
from hub.embedded.process import Launch, ServerProcess, last_lines, rotate_log, start_process
from hub.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from hub.embedded.binaries import ValkeyBinary

START_ALLOWANCE_S = 60.0
STOP_ALLOWANCE_S = 30.0
ANSWER_TIMEOUT_S = 5.0
DYING_S = 2.0
# A server that was told to end still answers until its next timer tick, 100 ms at its slowest (hz 10).
ENDING_S = 0.3
POLL_S = 0.02
MAXMEMORY_BYTES = 1024 * 1024 * 1024
EPHEMERAL_MAXMEMORY_BYTES = 256 * 1024 * 1024
# No limit for pub/sub clients: the server would cut a hub process that is slow for a moment off from its events.
FIXED = (
    *(
        "--bind",
        "127.0.0.1",
        "--port",
        "0",
        "--unixsocketperm",
        "700",
        "--daemonize",
        "no",
        "--databases",
        "1",
    ),
    *("--client-output-buffer-limit", "pubsub", "0", "0", "0"),
)


class ValkeyOptions(msgspec.Struct, frozen=True):
    """
    What an instance promises.

    Attributes:
        is_durable: True acknowledges a write only once it is on disk and refuses writes when full; False keeps
            nothing over a restart and drops what expires soonest when full.
        maxmemory_bytes: Where it is full.
        dies_with_us: Whether it stops when the process that started it is killed (Linux).
    """

    is_durable: bool
    maxmemory_bytes: int = MAXMEMORY_BYTES
    dies_with_us: bool = True


class EmbeddedValkey:
    """
    One instance in one folder.

    Args:
        binary: The server to run.
        data_dir: Its own folder; the name of the folder names the instance and its socket.
        run_dir: Folder for the socket, at most 80 bytes long (see hub.embedded.folders).
        log_path: Where the server's log goes.
        options: What it promises.
    """

    def __init__(
        self, binary: ValkeyBinary, data_dir: Path, run_dir: Path, log_path: Path, options: ValkeyOptions
    ) -> None:
        self.name = data_dir.name
        self._binary = binary
        self._data_dir = data_dir
        self._socket = run_dir / f"{data_dir.name}.sock"
        self._log_path = log_path
        self._options = options
        self._lock = FolderLock(data_dir.with_name(f"{data_dir.name}.lock"))
        # Held by the server itself: free only when no server writes this folder, whoever started it.
        self._server_lock = FolderLock(data_dir.with_name(f"{data_dir.name}.server.lock"))
        self._process: ServerProcess | None = None

    @property
    def process(self) -> ServerProcess | None:
        """The running server, None before start and after stop."""
        return self._process

    @property
    def url(self) -> str:
        """Its address, the same over restarts."""
        return f"unix://{self._socket}"

    async def start(self) -> str:
        """
        Start the server, or take over the one that runs on this folder with the same promises.

        Returns:
            Its address, ``unix:///…``; it answers when this returns, its log read back.

        Raises:
            ConfigurationError: The folder is in use or not ours.
            Unavailable: The server did not come up within 60 s; the text ends with its log.
        """
        self._lock.acquire()
        try:
            private_dir(self._data_dir)
            private_dir(self._socket.parent)
            await self._start_locked()
        except BaseException:
            await self.stop()
            raise
        return self.url

    async def stop(self) -> None:
        """End the server, everything written; then free the folder."""
        if self._process is not None:
            await self._process.stop((signal.SIGTERM,), STOP_ALLOWANCE_S)
            self._process = None
        self._lock.release()

    def abandon(self) -> None:
        """Free the folder and leave the server running, for the next hub to adopt."""
        self._process = None
        self._lock.release()

    async def _start_locked(self) -> None:
        deadline_s = monotonic_s() + START_ALLOWANCE_S
        if self._process is not None and await self._process.wait(DYING_S):
            self._process = None
        while not self._server_lock.try_acquire():
            leftover = await self._leftover()
            if leftover is not None and await self._take(*leftover):
                return
            if monotonic_s() >= deadline_s:
                raise ConfigurationError(
                    f"A server still uses {self._data_dir} but does not answer on {self._socket}. Stop it first."
                )
            await asyncio.sleep(POLL_S)
        try:
            self._socket.unlink(missing_ok=True)
            self._launch()
        finally:
            self._server_lock.release()
        if not await self._is_ready(deadline_s):
            raise Unavailable(f"{self.name} did not start:\n{last_lines(self._log_path)}")

    async def _take(self, pid: int, promises: dict[str, str]) -> bool:
        """Take over a running server; False when it was ending, or had other settings and was stopped for it."""
        found = self._process if self._process is not None and self._process.pid == pid else ServerProcess(pid)
        if await found.wait(ENDING_S):
            return False
        if promises != _promises(self._options):
            await found.stop((signal.SIGTERM,), STOP_ALLOWANCE_S)
            return False
        self._process = found
        return True

    def _launch(self) -> None:
        rotate_log(self._log_path)
        self._process = start_process(
            Launch(
                command=self._command(),
                log_path=self._log_path,
                death_signal=signal.SIGTERM if self._options.dies_with_us else 0,
                held_fds=(self._server_lock.descriptor,),
            )
        )

    def _command(self) -> tuple[str, ...]:
        settings = [part for name, value in _promises(self._options).items() for part in (f"--{name}", value)]
        places = ("--dir", str(self._data_dir), "--unixsocket", str(self._socket))
        return (str(self._binary.path), *settings, *places, *FIXED)

    async def _is_ready(self, deadline_s: float) -> bool:
        while self._process is not None and self._process.is_running() and monotonic_s() < deadline_s:
            leftover = await self._leftover()
            if leftover is not None and leftover[0] == self._process.pid:
                return True
            await asyncio.sleep(POLL_S)
        return False

    async def _leftover(self) -> tuple[int, dict[str, str]] | None:
        """Ask who answers on the socket: its process id and its settings; None while nobody does or it still loads."""
        if not self._socket.exists():
            return None
        client = Redis(unix_socket_path=os.fspath(self._socket), decode_responses=True, socket_timeout=ANSWER_TIMEOUT_S)
        try:
            await client.ping()
            server = await client.info("server")
            settings = await client.config_get(*_promises(self._options))
        except (RedisError, OSError):
            return None
        finally:
            await client.aclose()
        return int(server["process_id"]), {str(name): str(value) for name, value in settings.items()}


def _promises(options: ValkeyOptions) -> dict[str, str]:
    """Return the settings a caller relies on, as the server itself spells them."""
    return {
        "appendonly": "yes" if options.is_durable else "no",
        "appendfsync": "always",
        "save": "",
        "maxmemory": str(options.maxmemory_bytes),
        "maxmemory-policy": "noeviction" if options.is_durable else "volatile-ttl",
    }
