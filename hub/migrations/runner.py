"""Brings a database to the schema this version needs; called by ``hub migrate``, ``hub up`` and the tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import asyncpg
import msgspec

from hub.errors import SchemaMismatch
from hub.migrations.head import head_revision

if TYPE_CHECKING:
    from alembic.config import Config
    from asyncpg.connection import Connection
    from sqlalchemy import Connection as SqlConnection

# Any constant serves: it keeps two processes from migrating one database at once.
MIGRATION_LOCK_ID = 0x6875622D6D6967


class SchemaState(msgspec.Struct, frozen=True):
    """
    Where a database's schema stands.

    Attributes:
        current: Revision in the database, None when it is empty.
        head: Revision this version needs.
        is_newer: Whether the database was migrated by a version newer than this one.
    """

    current: str | None
    head: str
    is_newer: bool

    @property
    def is_current(self) -> bool:
        return self.current == self.head


async def upgrade(owner_url: str, app_login: str | None = None) -> SchemaState:
    """
    Run every migration the database lacks.

    Args:
        owner_url: Connection string of a role that may create tables and roles.
        app_login: Login the application connects with; it is granted ``hub_app``. The owner's own login when left out.

    Returns:
        The state afterwards.

    Raises:
        SchemaMismatch: The database is newer than this version.
    """
    state = await schema_state(owner_url)
    if state.is_newer:
        raise SchemaMismatch(
            f"The database has schema {state.current}, this version knows only up to {state.head}. "
            "Start the newer version of the hub, or restore the backup made before the upgrade."
        )
    lock = await asyncpg.connect(owner_url)
    try:
        await lock.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK_ID)
        if not state.is_current:
            await _run_alembic(owner_url)
        await _grant_application_role(lock, app_login)
    finally:
        await lock.close()
    return await schema_state(owner_url)


async def schema_state(owner_url: str) -> SchemaState:
    """Compare the revision in the database with the newest this version has."""
    head = head_revision()
    connection = await asyncpg.connect(owner_url)
    try:
        current = await _current_revision(connection)
    finally:
        await connection.close()
    # Revisions are four digits and one line without branches.
    return SchemaState(current=current, head=head, is_newer=current is not None and current > head)


async def _current_revision(connection: Connection) -> str | None:
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    return cast("str | None", await connection.fetchval("SELECT version_num FROM alembic_version"))


async def _run_alembic(owner_url: str) -> None:
    # Loaded only where there is something to do: Alembic and SQLAlchemy take half a second of every start.
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(owner_url), poolclass=NullPool
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade_to_head)
            await connection.commit()
    finally:
        await engine.dispose()


def _upgrade_to_head(connection: SqlConnection) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def _grant_application_role(connection: Connection, app_login: str | None) -> None:
    login = app_login or await connection.fetchval("SELECT session_user")
    statement = await connection.fetchval("SELECT format('GRANT hub_app TO %I', $1::text)", login)
    await connection.execute(statement)


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("file_template", "m%%(rev)s_%%(slug)s")
    return config
