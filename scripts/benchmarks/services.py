"""One embedded Postgres and two Valkeys in a folder of their own. Called by benchmarks and by the tests' fixtures."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from hub.embedded.binaries import find_postgres, find_valkey
from hub.embedded.postgres import EmbeddedPostgres, PostgresOptions
from hub.embedded.valkey import EPHEMERAL_MAXMEMORY_BYTES, EmbeddedValkey, ValkeyOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

Result = TypeVar("Result")

# Postgres' log alone grows to one GiB before it is cut, and several runs go side by side.
MEMORY_BYTES = 4 << 30


class Services(msgspec.Struct, frozen=True):
    """
    Running services.

    Attributes:
        owner_url: Postgres as the migrations' owner.
        database_url: Postgres as the application's login role.
        login_role: Name of that role.
        redis_url: The durable Valkey.
        redis_ephemeral_url: The one without persistence.
        pids: The three servers' process ids: ``postgres``, ``valkey-streams``, ``valkey-ephemeral``.
        stop: Ends all three and removes their folder.
    """

    owner_url: str
    database_url: str
    login_role: str
    redis_url: str
    redis_ephemeral_url: str
    pids: dict[str, int]
    stop: Callable[[], None]


def start_services(*, fast: bool = True) -> Services:
    """
    Start the three services in a fresh folder; call it on the main thread, outside a running event loop.

    Args:
        fast: True turns Postgres' fsync off and keeps the files in memory (what tests want); False is what `hub up`
            runs (benchmarks, kill tests).

    Returns:
        Their addresses and how to stop them. They also stop when this process is killed (Linux).
    """
    top = Path(tempfile.mkdtemp(prefix="hub-services-", dir=in_memory() if fast else None))
    logs, run = top / "logs", top / "run"
    postgres = EmbeddedPostgres(
        find_postgres(), top / "postgres", run, logs / "postgres.log", PostgresOptions(is_durable=not fast)
    )
    durable = EmbeddedValkey(
        find_valkey(),
        top / "valkey-streams",
        run,
        logs / "valkey-streams.log",
        ValkeyOptions(is_durable=True),
    )
    ephemeral = EmbeddedValkey(
        find_valkey(),
        top / "valkey-ephemeral",
        run,
        logs / "valkey-ephemeral.log",
        ValkeyOptions(is_durable=False, maxmemory_bytes=EPHEMERAL_MAXMEMORY_BYTES),
    )

    async def stop_all() -> None:
        await asyncio.gather(postgres.stop(), durable.stop(), ephemeral.stop())

    def stop() -> None:
        run_alone(stop_all())
        shutil.rmtree(top, ignore_errors=True)

    async def start_all() -> Services:
        urls, redis_url, ephemeral_url = await asyncio.gather(postgres.start(), durable.start(), ephemeral.start())
        servers = (postgres, durable, ephemeral)
        pids = {one.name: one.process.pid for one in servers if one.process is not None}
        return Services(urls.owner_url, urls.database_url, urls.login_role, redis_url, ephemeral_url, pids, stop)

    try:
        return run_alone(start_all())
    except BaseException:
        stop()
        raise


def in_memory() -> str | None:
    """
    Return a folder kept in memory for data that nobody keeps, or None where there is too little of it.

    Two thirds of the time of a test with a database of its own went into writing that database to disk.
    """
    shared = Path("/dev/shm")  # noqa: S108  a folder of one's own is made in it
    try:
        found = os.statvfs(shared)
    except OSError:
        return None
    return str(shared) if found.f_bavail * found.f_frsize >= MEMORY_BYTES and os.access(shared, os.W_OK) else None


def run_alone(work: Coroutine[Any, Any, Result]) -> Result:
    """Run on a loop of its own: ``asyncio.run`` would also unset the loop of a test that follows."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()
