"""Looks at Postgres over one connection of the application's login: reachable, safe, of our schema, not full."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from hub import clock
from hub.doctor.model import Finding, fault, ok, warning
from hub.migrations.head import head_revision

if TYPE_CHECKING:
    from asyncpg.connection import Connection

CONNECT_WITHIN_S = 4.0
OLDEST_VERSION = 150_000
SKEW_WARNING_S, SKEW_FAULT_S = 2.0, 30.0
FULL_WARNING, FULL_FAULT = 0.8, 0.95

TOO_MANY = (
    "Raise max_connections in Postgres, or run less: `hub serve` takes HUB_DATABASE_CONNECTIONS (60), `hub work` 24."
)

_ROLES_SQL = """
SELECT r.rolname, r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relowner = r.oid AND n.nspname = 'public' AND c.relkind IN ('r', 'p')) AS owns_tables
FROM pg_roles r WHERE r.rolname IN ('hub_app', session_user)
"""
_CONNECTIONS_SQL = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int AS used,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most
"""


async def connect(url: str) -> tuple[Connection | None, Finding]:
    """Connect, or say why that does not work."""
    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_WITHIN_S, command_timeout=CONNECT_WITHIN_S)
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        todo = "Put the right user and password into DATABASE_URL, and let pg_hba.conf admit this machine."
        return None, fault("Postgres refuses the login", todo, type(error).__name__)
    except asyncpg.InvalidCatalogNameError:
        return None, fault("The database does not exist", "Create it (CREATE DATABASE …), then run `hub migrate`.")
    except asyncpg.TooManyConnectionsError:
        return None, fault("Postgres takes no more connections", TOO_MANY)
    except asyncpg.CannotConnectNowError:
        return None, warning("Postgres is starting or recovering", "Wait, and look again.")
    except TimeoutError:
        todo = "It hangs, or a firewall swallows packets: look at its log and at the network between."
        return None, fault("Postgres does not answer in time", todo, f"{CONNECT_WITHIN_S:.0f} s")
    except (OSError, asyncpg.PostgresError, ValueError) as error:
        todo = "Start it, or correct host and port in DATABASE_URL."
        return None, fault("Postgres cannot be reached", todo, type(error).__name__)
    return connection, ok("Postgres answers")


async def version(connection: Connection) -> Finding:
    """Is it new enough?"""
    return judge_version(int(await connection.fetchval("SHOW server_version_num")))


def judge_version(number: int) -> Finding:
    """Judge ``server_version_num``."""
    shown = f"version {number // 10_000}.{number % 10_000}"
    if number < OLDEST_VERSION:
        return fault("Postgres is too old", "Upgrade it to 15 or newer.", shown)
    return ok("Postgres is new enough", shown)


async def durability(connection: Connection) -> Finding:
    """Is what it acknowledges on disk?"""
    names = ("fsync", "full_page_writes", "synchronous_commit")
    off = [name for name in names if await connection.fetchval("SELECT current_setting($1)", name) == "off"]
    if off:
        todo = (
            "Turn them on in postgresql.conf: after a power cut acknowledged messages are gone, or the whole database."
        )
        return fault("Postgres may lose what it acknowledged", todo, f"off: {', '.join(off)}")
    return ok("Postgres keeps what it acknowledges")


async def roles(connection: Connection) -> Finding:
    """Does row-level security hold for the application?"""
    rows = {row["rolname"]: row for row in await connection.fetch(_ROLES_SQL)}
    role = rows.pop("hub_app", None)
    if role is None:
        return fault("The role hub_app is missing", "Run `hub migrate`.")
    if role["rolsuper"] or role["rolbypassrls"] or role["owns_tables"]:
        todo = "ALTER ROLE hub_app NOSUPERUSER NOBYPASSRLS; its tables to the owner. Tenants could see each other."
        return fault("Row-level security does not hold for hub_app", todo)
    for name, login in rows.items():
        if login["rolsuper"] or login["rolbypassrls"]:
            todo = "Make a login of its own without rights, GRANT hub_app TO it, and use it in DATABASE_URL."
            return warning("DATABASE_URL signs in as a superuser", todo, name)
    return ok("Row-level security holds")


async def schema(connection: Connection) -> Finding:
    """Is the schema the one this version needs?"""
    wanted = head_revision()
    if await connection.fetchval("SELECT to_regclass('public.alembic_version')") is None:
        return fault("The database is empty", "Run `hub migrate`.", f"this version needs {wanted}")
    try:
        await connection.execute("SET ROLE hub_app")
    except asyncpg.PostgresError as error:
        todo = "Run `hub migrate` with the same DATABASE_URL: it grants hub_app to that login."
        return fault("The login may not act as hub_app", todo, type(error).__name__)
    found = str(await connection.fetchval("SELECT version_num FROM alembic_version"))
    if found > wanted:
        todo = "Run the newer version of the hub, or restore the backup made before the upgrade."
        return fault("The database is of a newer version", todo, f"schema {found}, this version needs {wanted}")
    if found < wanted:
        return fault("The database is behind", "Run `hub migrate`.", f"schema {found}, this version needs {wanted}")
    return ok("The schema is current", found)


async def connections(connection: Connection) -> Finding:
    """Are there connections left?"""
    row = await connection.fetchrow(_CONNECTIONS_SQL)
    return judge_connections(row["used"], row["most"]) if row is not None else ok("Connections could not be counted")


def judge_connections(used: int, most: int) -> Finding:
    """Judge how full the server is."""
    if used >= FULL_FAULT * most:
        return fault("Postgres is out of connections", TOO_MANY, f"{used} of {most}")
    if used >= FULL_WARNING * most:
        return warning("Postgres is nearly out of connections", TOO_MANY, f"{used} of {most}")
    return ok("Postgres has connections left", f"{used} of {most} in use")


async def clock_skew(connection: Connection) -> Finding:
    """Do our clocks agree?"""
    before = clock.now()
    theirs = await connection.fetchval("SELECT clock_timestamp()")
    middle = before + (clock.now() - before) / 2
    return judge_skew("Postgres", (theirs - middle).total_seconds())


def judge_skew(whose: str, ahead_s: float) -> Finding:
    """Judge how far another machine's clock is ahead of ours."""
    todo = "Let both machines follow a time server (chrony, systemd-timesyncd)."
    detail = f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine"
    if abs(ahead_s) > SKEW_FAULT_S:
        return fault(f"The clock of {whose} is wrong, or ours", todo, detail)
    if abs(ahead_s) > SKEW_WARNING_S:
        return warning(f"The clocks of {whose} and this machine differ", todo, detail)
    return ok(f"The clocks of {whose} and this machine agree")


LOOKS = (version, durability, roles, connections, clock_skew, schema)
