"""A database that goes away is told as one thing, however the driver puts it."""

from __future__ import annotations

import asyncpg
import pytest

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
