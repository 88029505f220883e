"""Whether somebody set this installation up. Asked before anything else runs; called by ``cli``."""

from __future__ import annotations

import asyncpg


async def has_owner(database_url: str) -> bool:
    """Whether somebody set this installation up; asked as the application's role."""
    connection = await asyncpg.connect(database_url, server_settings={"role": "hub_app"})
    try:
        return bool(await connection.fetchval("SELECT hub_has_owner()"))
    finally:
        await connection.close()
