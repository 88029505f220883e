"""
Postgres: the pool, transactions that name their tenants, and SQL kept in files.

Stores receive a ``TenantConn`` and never a raw connection: its first statement named the workspaces of this
transaction, so row-level security answers for the rest. What was appended is handed on after COMMIT, as a hint.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Literal, cast

import aiosql
import asyncpg

from hub import clock
from hub.errors import ConfigurationError, Unavailable
from hub.log import Dependency, get_logger
from hub.metrics import Distribution
from hub.tenant import Notice as Notice
from hub.tenant import TenantConn as TenantConn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from asyncpg import Record
    from asyncpg.connection import Connection
    from asyncpg.pool import PoolConnectionProxy

    from hub.tenant import Keyring

Isolation = Literal["read_committed", "repeatable_read"]
CommitHook = Callable[[Sequence[Notice]], None]

# A statement that waits longer than this for a workspace's row is told so; the batch is tried again (measured: batches
# hold the row for 5-40 ms).
LOCK_TIMEOUT_MS = 2_000
STATEMENT_TIMEOUT_MS = 5_000
# A frozen process must not hold a workspace's row: Postgres ends its transaction after this.
IDLE_IN_TRANSACTION_TIMEOUT_MS = 3_000

# Every statement here looks rows up by index. A young table has no statistics yet, and plans made while it was empty
# scan it; a prepared statement keeps such a plan until the next ANALYZE (measured: 200 look-ups ran into the statement
# timeout at 400 rows). Joins run in the order they are written; scans and
# hashes stay possible where nothing else is.
_PLANNING = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
    "enable_material": "off",
    "join_collapse_limit": "1",
    "jit": "off",
}

# Somebody else was in the way; the database itself is well.
_BUSY = (
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
_LOST_CONNECTION = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # "Cannot switch to state …": what asyncpg 0.32 says where the server died amid its rollback (seen in kill tests).
    asyncpg.InternalClientError,
    asyncpg.TooManyConnectionsError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)


class Queries(Mapping[str, str]):
    """The statements of one ``queries.sql``, by name."""

    def __init__(self, statements: dict[str, str]) -> None:
        self._statements = statements

    def __getitem__(self, name: str) -> str:
        return self._statements[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)


def load_queries(path: Path) -> Queries:
    """
    Read a file of ``-- name: …`` statements with ``$1`` parameters.

    Args:
        path: A ``queries.sql``.

    Returns:
        Its statements by name; a missing name fails at the import of the store that asks for it.
    """
    # aiosql warns about every statement that is not a SELECT; we use it to load text, never to run it.
    logging.getLogger("aiosql").setLevel(logging.ERROR)
    loaded = aiosql.from_path(str(path), "asyncpg", mandatory_parameters=False)
    names = [name for name in loaded.available_queries if not name.endswith("_cursor")]
    return Queries({name: cast("str", getattr(loaded, name).sql) for name in names})


class PoolUsage:
    """
    How one process's pool fares; read by /metrics.

    Attributes:
        waited: Seconds a caller waited for a connection.
        server: Whether Postgres answers.
        busy: Times a lock, a deadlock or a slow statement made a caller try again.
    """

    def __init__(self) -> None:
        self.waited = Distribution()
        self.server = Dependency("postgres", get_logger("hub.db"))
        self.busy = 0

    def note_error(self, error: Exception) -> None:
        """Count what became ``Unavailable``."""
        if isinstance(error, _BUSY):
            self.busy += 1
        else:
            self.server.lost(error=type(error).__name__)


class Database:
    """
    The pool of one process.

    Attributes:
        usage: How it fares.
        keyring: Opens and seals texts of workspaces that have them sealed; None where the process has no keys.
    """

    keyring: Keyring | None = None

    def __init__(self, pool: asyncpg.Pool[Record], on_commit: CommitHook) -> None:
        self._pool = pool
        self._on_commit = on_commit
        self.usage = PoolUsage()
        # Changes when the database turns out to be another copy (failover, restore); cursors of older epochs are void.
        self.epoch = 0

    @classmethod
    async def open(cls, url: str, on_commit: CommitHook, *, max_size: int = 10, keeps_plans: bool = False) -> Database:
        """
        Open a pool whose connections act as ``hub_app``.

        Args:
            url: Connection string.
            on_commit: Called after each COMMIT that has notices; must neither block nor raise.
            max_size: Most connections, 2 or more.
            keeps_plans: Plan each statement once a connection: for a process that only looks rows up by keys. Left to
                itself Postgres plans the batch statements anew for each batch (measured: 10 ms each); statements with
                optional filters need that.

        Raises:
            Unavailable: No connection could be made.
            ConfigurationError: The database refuses the login or has no ``hub_app`` role.
        """
        database = cls.__new__(cls)
        database.usage = PoolUsage()

        async def note_epoch(connection: Connection[Record] | PoolConnectionProxy[Record]) -> None:
            database.epoch = await connection.fetchval(
                "SELECT hub_epoch(s.system_identifier::text, c.timeline_id) "
                "FROM pg_control_system() s, pg_control_checkpoint() c"
            )

        settings = {
            "role": "hub_app",
            "application_name": "hub",
            "timezone": "UTC",
            "lock_timeout": str(LOCK_TIMEOUT_MS),
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
            **_PLANNING,
            "plan_cache_mode": "force_generic_plan" if keeps_plans else "auto",
        }
        try:
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=max_size,
                init=note_epoch,
                reset=_keep,
                server_settings=settings,
                timeout=10,
                command_timeout=STATEMENT_TIMEOUT_MS / 1000 + 1,
                max_inactive_connection_lifetime=60,
            )
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
            raise ConfigurationError(f"Postgres refuses the login: {error}", field="DATABASE_URL") from error
        except (asyncpg.UndefinedFunctionError, asyncpg.InvalidParameterValueError) as error:
            raise ConfigurationError("The database is not migrated: run `hub migrate`.") from error
        except _LOST_CONNECTION as error:
            raise Unavailable("Postgres does not answer.") from error
        database._pool = pool
        database._on_commit = on_commit
        return database

    @classmethod
    async def open_patiently(
        cls,
        url: str,
        on_commit: CommitHook,
        *,
        max_size: int = 10,
        keeps_plans: bool = False,
        patience_s: float = 30.0,
    ) -> Database:
        """
        Open a pool as ``open`` does, waiting for a database that is still starting or recovering.

        A process that exits instead is started again after growing pauses, and webhooks wait that long.

        Args:
            url: Connection string.
            on_commit: Called after each COMMIT that has notices; must neither block nor raise.
            max_size: Most connections, 2 or more.
            keeps_plans: As in ``open``.
            patience_s: How long to keep asking.

        Raises:
            Unavailable: The database did not answer in all that time.
            ConfigurationError: As in ``open``; not waited for.
        """
        gives_up_at_s = asyncio.get_running_loop().time() + patience_s
        pause_s = 0.1
        while True:
            try:
                return await cls.open(url, on_commit, max_size=max_size, keeps_plans=keeps_plans)
            except Unavailable:
                if asyncio.get_running_loop().time() + pause_s > gives_up_at_s:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 1.0)

    @property
    def connections(self) -> tuple[int, int, int]:
        """How many connections are in use, open, and allowed."""
        opened = self._pool.get_size()
        return opened - self._pool.get_idle_size(), opened, self._pool.get_max_size()

    async def close(self) -> None:
        """Close every connection; ones in use get five seconds."""
        try:
            async with asyncio.timeout(5):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(self, workspace_ids: Sequence[int]) -> AsyncIterator[TenantConn]:
        """
        Open a read-write transaction for some workspaces; commits on a clean exit, then passes the notices on.

        Args:
            workspace_ids: Tenants it may touch: one for a request, a batch's for intake.

        Raises:
            Unavailable: The database is away, or did not grant a lock in time; nothing was written, or (when COMMIT's
                answer was lost) perhaps everything: callers retry with the same idempotency keys.
        """
        async with self._session(workspace_ids, isolation="read_committed", readonly=False) as conn:
            yield conn
        if conn.notices:
            self._on_commit(conn.notices)

    @asynccontextmanager
    async def snapshot(self, workspace_ids: Sequence[int]) -> AsyncIterator[TenantConn]:
        """Open a read-only transaction whose statements all see one moment."""
        async with self._session(workspace_ids, isolation="repeatable_read", readonly=True) as conn:
            yield conn

    @asynccontextmanager
    async def across(self) -> AsyncIterator[TenantConn]:
        """Open a transaction without a tenant: it sees no tenant rows, only the listed ``hub_…`` functions."""
        async with self._session((), isolation="read_committed", readonly=False) as conn:
            yield conn
        if conn.notices:
            self._on_commit(conn.notices)

    async def ask(self, sql: str, *arguments: object) -> list[Record]:
        """
        Run one statement by itself, without a tenant: one round trip where ``across`` takes three.

        Args:
            sql: Asks one of the listed ``hub_…`` functions.
            arguments: Its parameters.

        Raises:
            Unavailable: The database is away.
        """
        asked_s = clock.monotonic_s()
        try:
            async with self._pool.acquire(timeout=5) as connection:
                self.usage.waited.observe(clock.monotonic_s() - asked_s)
                rows = await connection.fetch(sql, *arguments)
                self.usage.server.found()
                return rows
        except _LOST_CONNECTION as error:
            self.usage.note_error(error)
            raise Unavailable("The database is not answering.", retry_after_s=2.0) from error

    @asynccontextmanager
    async def _session(
        self, workspace_ids: Sequence[int], *, isolation: Isolation, readonly: bool
    ) -> AsyncIterator[TenantConn]:
        ids = tuple(workspace_ids)
        asked_s = clock.monotonic_s()
        try:
            async with self._pool.acquire(timeout=5) as connection:
                self.usage.waited.observe(clock.monotonic_s() - asked_s)
                # One round trip: the transaction names its tenants as it begins.
                await connection.execute(_begin(ids, isolation, readonly=readonly))
                try:
                    yield TenantConn(connection, ids, self.keyring)
                except BaseException:
                    await _roll_back(connection)
                    raise
                await _commit(connection)
                self.usage.server.found()
        except _LOST_CONNECTION as error:
            self.usage.note_error(error)
            raise Unavailable("The database is not answering.", retry_after_s=2.0) from error


def _begin(ids: Sequence[int], isolation: Isolation, *, readonly: bool) -> str:
    level = "REPEATABLE READ" if isolation == "repeatable_read" else "READ COMMITTED"
    begin = f"BEGIN ISOLATION LEVEL {level} {'READ ONLY' if readonly else 'READ WRITE'}"
    return f"{begin}; SELECT set_config('app.ws_set', '{_array(ids)}', true)" if ids else begin


async def _commit(connection: PoolConnectionProxy[Record]) -> None:
    """Postgres answers COMMIT of a failed transaction with ROLLBACK, and no error: who hid that error hears of it."""
    tag = await connection.execute("COMMIT")
    if tag != "COMMIT":
        raise RuntimeError("the transaction had failed and was rolled back")


async def _roll_back(connection: PoolConnectionProxy[Record]) -> None:
    """Best effort: what raised is on its way out, and a connection that does not answer is not used again."""
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError):
        await connection.execute("ROLLBACK")


async def _keep(connection: Connection[Record]) -> None:
    """Give a connection back as it is: asyncpg rolls an open transaction back before, and all we set ends with it."""
    # asyncpg's RESET ALL would be a round trip for nothing: we neither LISTEN nor hold session locks.


def _array(ids: Sequence[int]) -> str:
    return "{" + ",".join(str(int(one)) for one in ids) + "}"
