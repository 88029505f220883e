"""A database that goes away is told as one thing, however the driver puts it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from hub.db import Database
from hub.errors import Unavailable

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
        asyncpg.AdminShutdownError("terminating connection due to unexpected postmaster exit"),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        ConnectionResetError(104, "Connection reset by peer"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_lost_connection_is_unavailable(database, workspace, error):
    """Every way in which asyncpg tells that the server has gone, its own confusion included, means: try again."""
    with pytest.raises(Unavailable):
        async with database.transaction([workspace.id]):
            raise error


async def test_an_error_of_the_data_is_not_unavailable(database, workspace):
    """What trying again cannot mend comes out as it is."""
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with database.transaction([workspace.id]) as conn:
            await conn.fetchval("SELECT 1 / 0")


async def test_open_patiently_waits_for_a_database_that_comes_up(database_urls, tmp_path):
    """A process that starts before its database has recovered waits for it instead of dying."""
    late = database_urls.database_url.replace(database_urls.database_url.partition("host=")[2], str(tmp_path))
    opening = asyncio.create_task(Database.open_patiently(late, lambda _: None, max_size=2, patience_s=20))
    await asyncio.sleep(0.3)
    assert not opening.done()

    folder = Path(database_urls.database_url.partition("host=")[2].partition("&")[0])
    (tmp_path / ".s.PGSQL.5432").symlink_to(folder / ".s.PGSQL.5432")

    opened = await opening
    assert opened.epoch > 0
    await opened.close()


async def test_open_patiently_gives_up(tmp_path):
    """A database that never answers is told as such after the patience, not waited for without end."""
    with pytest.raises(Unavailable):
        await Database.open_patiently(f"postgresql://hub@/hub?host={tmp_path}", lambda _: None, patience_s=0.5)
