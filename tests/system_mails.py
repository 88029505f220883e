"""Mails the hub queued of its own, opened as the worker opens them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from hub import clock
from hub.mailer import store
from hub.mailer.store import QUERIES
from hub.mailer.vault import Vault

if TYPE_CHECKING:
    from hub.db import Database

# Every test database seals to this one.
VAULT = Vault({1: b"m" * 32})


async def keep_key(owner_url: str) -> None:
    """Make the key known to a database."""
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(QUERIES["keep_key"], VAULT.newest.version, VAULT.newest.public_key, clock.now())
    finally:
        await connection.close()


async def queued_mails(database: Database) -> list[tuple[str, str, dict[str, str]]]:
    """Return (recipient, template, fields) of every mail that waits, oldest first."""
    async with database.across() as conn:
        found = await store.list_waiting(conn, 200)
    return [(one.recipient, one.template, VAULT.open(one.id, one.key_version, one.sealed)) for one in reversed(found)]
