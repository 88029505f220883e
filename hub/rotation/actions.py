"""
Brings everything sealed by an older version of the installation's key under the one that writes now.

Every chunk is a transaction of its own that changes a row only where it is still what was read, so that any number of
these may run, be broken off and run again while the hub works. Called by ``hub keys``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from hub import clock
from hub.audit import actions as audit
from hub.audit.chain import KEY_PURPOSE, HeadKeys
from hub.channels.sealing import WrappedKey
from hub.db import load_queries
from hub.errors import ConfigurationError
from hub.log import get_logger
from hub.mailer import vault
from hub.mailer.actions import keep_key
from hub.push import keys as push_keys
from hub.push import store as push
from hub.push.keys import PushKey
from hub.signin.factors import sealing as factors

if TYPE_CHECKING:
    from hub.channels.sealing import Sealer
    from hub.db import Database, TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))
CHUNK_ROWS: Final = 200
_FIRST: Final = UUID(int=0)
# As in ``hub.privacy.exporting``: an export's key is in its own row.
_EXPORT_KEY_ID: Final = 0

_log = get_logger("hub.rotation")


class Held(msgspec.Struct, frozen=True):
    """How many things of a kind a version of the installation's key holds."""

    what: str
    version: int
    amount: int


async def read_held(database: Database) -> list[Held]:
    """Return what each version holds, of everything that says by which it was sealed."""
    async with database.across() as conn:
        return [Held(**row) for row in await conn.fetch(QUERIES["key_versions"])]


async def rotate(database: Database, sealer: Sealer, *, chunk_rows: int = CHUNK_ROWS) -> dict[str, int]:
    """
    Bring everything under the key that writes; returns how many of each kind it did.

    What does not open, because its version is not named or it was damaged, is left and logged; ``read_held`` names it.

    Raises:
        Unavailable: Postgres does not answer; what was done stays done.
    """
    return {
        "keys of workspaces": await _rewrap_keys(database, sealer, chunk_rows),
        "keys of exports": await _rewrap_exports(database, sealer, chunk_rows),
        "authenticator apps": await _reseal_totps(database, sealer, chunk_rows),
        "mails that wait": await _reseal_mails(database, sealer, chunk_rows),
        "push key": await _reseal_push_key(database, sealer),
    }


async def sign_heads(database: Database, sealer: Sealer, data_dir: Path) -> int:
    """Sign the newest entry of each chain of the audit log that grew, and note the public key; returns how many."""
    keys = HeadKeys(sealer.derive_keys(KEY_PURPOSE))
    heads = await audit.sign_heads(database, keys)
    await audit.copy_heads(database, data_dir, heads, keys.newest)
    return len(heads)


async def _rewrap_keys(database: Database, sealer: Sealer, chunk_rows: int) -> int:
    done, last = 0, 0
    while rows := await database.ask(QUERIES["stale_workspaces"], sealer.version, last, chunk_rows):
        for row in rows:
            last = row["workspace_id"]
            async with database.transaction([last]) as conn:
                done += await _rewrap_workspace(conn, sealer, last)
    return done


async def _rewrap_workspace(conn: TenantConn, sealer: Sealer, workspace_id: int) -> int:
    done = 0
    for row in await conn.fetch(QUERIES["stale_keys"], workspace_id, sealer.version):
        new = _rewrapped(sealer, WrappedKey(**row))
        if new is None:
            continue
        columns = (workspace_id, row["id"], row["wrapped"], new.key_version, new.wrapped)
        done += await conn.execute(QUERIES["rewrap_key"], *columns) == "UPDATE 1"
    return done


async def _rewrap_exports(database: Database, sealer: Sealer, chunk_rows: int) -> int:
    done, last = 0, _FIRST
    while rows := await database.ask(QUERIES["stale_exports"], sealer.version, last, chunk_rows):
        for workspace_id, export_id in rows:
            last = export_id
            async with database.transaction([workspace_id]) as conn:
                done += await _rewrap_export(conn, sealer, workspace_id, export_id)
    return done


async def _rewrap_export(conn: TenantConn, sealer: Sealer, workspace_id: int, export_id: UUID) -> bool:
    row = await conn.fetchrow(QUERIES["export_key"], workspace_id, export_id)
    if row is None:
        return False
    old = WrappedKey(workspace_id, _EXPORT_KEY_ID, row["key_version"], row["wrapped"])
    new = _rewrapped(sealer, old)
    if new is None:
        return False
    columns = (workspace_id, export_id, old.wrapped, new.key_version, new.wrapped)
    return await conn.execute(QUERIES["rewrap_export"], *columns) == "UPDATE 1"


async def _reseal_totps(database: Database, sealer: Sealer, chunk_rows: int) -> int:
    keys = factors.FactorSealer(sealer.derive_keys(factors.PURPOSE))
    done, last = 0, _FIRST
    while rows := await database.ask(QUERIES["stale_totps"], sealer.version, last, chunk_rows):
        async with database.across() as conn:
            for row in rows:
                last = row["login_id"]
                try:
                    secret = keys.open(last, row["id"], row["secret_sealed"])
                except ConfigurationError as error:
                    _log.warning("not_rotated", what="authenticator app", id=str(row["id"]), reason=error.message)
                    continue
                columns = (last, row["id"], row["secret_sealed"], keys.seal(last, row["id"], secret))
                done += bool(await conn.fetchval(QUERIES["reseal_totp"], *columns))
    return done


async def _reseal_mails(database: Database, sealer: Sealer, chunk_rows: int) -> int:
    keys = vault.Vault(sealer.derive_keys(vault.PURPOSE))
    async with database.across() as conn:
        # Before anything is resealed: what is queued from now on is sealed to the newest, too.
        await keep_key(conn, keys.newest)
    done, last = 0, _FIRST
    while rows := await database.ask(QUERIES["stale_mails"], keys.newest.version, last, chunk_rows):
        async with database.across() as conn:
            for row in rows:
                last = row["id"]
                try:
                    fields = keys.open(last, row["key_version"], row["sealed"])
                except ConfigurationError as error:
                    _log.warning("not_rotated", what="mail", id=str(last), reason=error.message)
                    continue
                columns = (last, row["sealed"], keys.newest.seal(last, fields), keys.newest.version)
                done += bool(await conn.fetchval(QUERIES["reseal_mail"], *columns))
    return done


def _rewrapped(sealer: Sealer, old: WrappedKey) -> WrappedKey | None:
    """Wrap a key anew; None where it does not open: the others must not wait for it, and the status names it."""
    try:
        return sealer.rewrap(old)
    except ConfigurationError as error:
        _log.warning("not_rotated", what="key", workspace_id=old.workspace_id, id=old.id, reason=error.message)
        return None


async def _reseal_push_key(database: Database, sealer: Sealer) -> int:
    keys = sealer.derive_keys(push_keys.PURPOSE)
    async with database.across() as conn:
        found = await push.sealed_key(conn)
        if found is None or found.key_version == sealer.version:
            return 0
        try:
            resealed = PushKey.open(found, keys).seal(keys)
        except ConfigurationError as error:
            _log.warning("not_rotated", what="push key", reason=error.message)
            return 0
        await push.keep_key(conn, resealed, clock.now(), replaces=True)
    return 1
