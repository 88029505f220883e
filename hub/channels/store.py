"""Reads and writes inboxes, channel accounts and data keys: one function a query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from hub.channels.model import AccountStatus, ChannelAccount, Inbox, Route, SealedRoute
from hub.channels.sealing import Place, WrappedKey, sealed_key_id
from hub.db import load_queries
from hub.errors import ConfigurationError, NotFound

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from asyncpg import Record

    from hub.channels.sealing import Sealer
    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))

_settings_decoder = msgspec.json.Decoder(dict[str, str])


# ── what members see ────────────────────────────────────────────────────────────────────────────────────────────────


async def list_inboxes(conn: TenantConn, workspace_id: int, inbox_ids: Collection[UUID] | None) -> list[Inbox]:
    """Return the workspace's inboxes, oldest first, of those an audience sees (None: all)."""
    rows = await conn.fetch(QUERIES["list_inboxes"], workspace_id, _array(inbox_ids))
    return [_inbox(row) for row in rows]


async def get_inbox(conn: TenantConn, workspace_id: int, inbox_id: UUID) -> Inbox:
    """Return one inbox; ``NotFound`` where the workspace has none by that id."""
    row = await conn.fetchrow(QUERIES["get_inbox"], workspace_id, inbox_id)
    if row is None:
        raise NotFound("inbox")
    return _inbox(row)


async def first_inbox(conn: TenantConn, workspace_id: int) -> Inbox | None:
    """Return the inbox new channel accounts feed when nothing else is said, None in a workspace without any."""
    row = await conn.fetchrow(QUERIES["first_inbox"], workspace_id)
    return _inbox(row) if row else None


async def list_channel_accounts(
    conn: TenantConn, workspace_id: int, inbox_ids: Collection[UUID] | None
) -> list[ChannelAccount]:
    """Return the channel accounts of the inboxes an audience sees (None: all), oldest first, removed ones too."""
    rows = await conn.fetch(QUERIES["list_channel_accounts"], workspace_id, _array(inbox_ids))
    return [_account(row) for row in rows]


async def get_channel_account(conn: TenantConn, workspace_id: int, account_id: UUID) -> ChannelAccount:
    """Return one channel account without its secrets; ``NotFound`` where the workspace has none by that id."""
    row = await conn.fetchrow(QUERIES["get_channel_account"], workspace_id, account_id)
    if row is None:
        raise NotFound("channel account")
    return _account(row)


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def open_credentials(conn: TenantConn, sealer: Sealer, workspace_id: int, account_id: UUID) -> dict[str, str]:
    """
    Open a channel account's credentials.

    Args:
        conn: A transaction of the workspace.
        sealer: The installation's keys.
        workspace_id: Tenant.
        account_id: Channel account.

    Returns:
        Credentials by field name; never logged, never sent to a client.

    Raises:
        NotFound: The workspace has no such account, or it has no credentials any more.
        ConfigurationError: The installation's key does not open them.
    """
    rows = await conn.fetch(QUERIES["sealed_credentials"], workspace_id, account_id)
    if not rows:
        raise NotFound("channel account")
    sealed = cast("bytes", rows[0]["credentials_sealed"])
    return unseal(sealer, {row["id"]: _key(row) for row in rows}, credentials_place(workspace_id, account_id), sealed)


async def open_value(conn: TenantConn, sealer: Sealer, place: Place, sealed: bytes) -> bytes:
    """Open any value sealed for a place of the transaction's workspace."""
    rows = await conn.fetch(QUERIES["keys"], place.workspace_id)
    wrapped = {row["id"]: _key(row) for row in rows}.get(sealed_key_id(sealed))
    if wrapped is None:
        raise ConfigurationError("The data key of these credentials is missing.")
    return sealer.unwrap(wrapped).open(place, sealed)


def unseal(sealer: Sealer, keys: dict[int, WrappedKey], place: Place, sealed: bytes) -> dict[str, str]:
    """Open sealed credentials with whichever of the workspace's data keys sealed them."""
    wrapped = keys.get(sealed_key_id(sealed))
    if wrapped is None:
        raise ConfigurationError("The data key of these credentials is missing.")
    return _settings_decoder.decode(sealer.unwrap(wrapped).open(place, sealed))


def credentials_place(workspace_id: int, account_id: UUID) -> Place:
    """Return the place a channel account's credentials are bound to."""
    return Place(workspace_id, "channel_account", "credentials_sealed", str(account_id))


async def newest_key(conn: TenantConn, workspace_id: int) -> WrappedKey | None:
    """Return the data key that seals new values, None before the first."""
    row = await conn.fetchrow(QUERIES["newest_key"], workspace_id)
    return _key(row) if row else None


# ── across workspaces ───────────────────────────────────────────────────────────────────────────────────────────────


async def load_routes(conn: TenantConn) -> list[SealedRoute]:
    """Return every channel account that is not removed, of every workspace."""
    return [_route(row) for row in await conn.fetch(QUERIES["load_routes"])]


async def load_keys(conn: TenantConn) -> list[WrappedKey]:
    """Return every workspace's wrapped data keys."""
    return [_key(row) for row in await conn.fetch(QUERIES["load_keys"])]


# ── writes, called by actions under the lock ────────────────────────────────────────────────────────────────────────


async def insert_inbox(conn: TenantConn, workspace_id: int, inbox: Inbox, created_at: datetime) -> None:
    await conn.execute(
        QUERIES["insert_inbox"],
        workspace_id,
        inbox.id,
        inbox.name,
        inbox.restricted,
        inbox.reopen_days,
        created_at,
        inbox.version,
    )


async def update_inbox(conn: TenantConn, workspace_id: int, inbox: Inbox) -> None:
    values = inbox.name, inbox.restricted, inbox.reopen_days, inbox.version
    await conn.execute(QUERIES["update_inbox"], workspace_id, inbox.id, *values)


async def insert_channel_account(
    conn: TenantConn, workspace_id: int, account: ChannelAccount, sealed: bytes, external_ref: str
) -> None:
    await conn.execute(
        QUERIES["insert_channel_account"],
        workspace_id,
        account.id,
        account.inbox_id,
        account.channel,
        account.name,
        _text(account.settings),
        sealed,
        external_ref,
        account.created_at,
        account.version,
        account.demo,
    )


async def update_channel_account(conn: TenantConn, workspace_id: int, account: ChannelAccount) -> None:
    await conn.execute(
        QUERIES["update_channel_account"],
        workspace_id,
        account.id,
        account.name,
        account.status.value,
        account.status_reason,
        _text(account.settings),
        account.version,
    )


async def update_credentials(
    conn: TenantConn, workspace_id: int, account_id: UUID, sealed: bytes | None, external_ref: str | None
) -> None:
    await conn.execute(QUERIES["update_credentials"], workspace_id, account_id, sealed, external_ref)


async def insert_key(conn: TenantConn, key: WrappedKey, created_at: datetime) -> None:
    await conn.execute(QUERIES["insert_key"], key.workspace_id, key.id, key.key_version, key.wrapped, created_at)


async def update_key(conn: TenantConn, key: WrappedKey) -> None:
    await conn.execute(QUERIES["update_key"], key.workspace_id, key.id, key.key_version, key.wrapped)


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _array(inbox_ids: Collection[UUID] | None) -> list[UUID] | None:
    return None if inbox_ids is None else list(inbox_ids)


def _text(settings: dict[str, str]) -> str:
    return msgspec.json.encode(settings).decode()


def _inbox(row: Record) -> Inbox:
    return Inbox(
        id=row["id"],
        name=row["name"],
        restricted=row["restricted"],
        reopen_days=row["reopen_days"],
        version=row["version"],
    )


def _account(row: Record) -> ChannelAccount:
    return ChannelAccount(
        id=row["id"],
        inbox_id=row["inbox_id"],
        channel=row["channel"],
        name=row["name"],
        status=AccountStatus(row["status"]),
        status_reason=row["status_reason"],
        settings=_settings_decoder.decode(row["settings"]),
        created_at=row["created_at"],
        version=row["version"],
        demo=row["demo"],
    )


def _key(row: Record) -> WrappedKey:
    return WrappedKey(row["workspace_id"], row["id"], row["key_version"], row["wrapped"])


def _route(row: Record) -> SealedRoute:
    route = Route(
        workspace_id=row["workspace_id"],
        id=row["id"],
        inbox_id=row["inbox_id"],
        channel=row["channel"],
        status=AccountStatus(row["status"]),
        settings=_settings_decoder.decode(row["settings"]),
        external_ref=row["external_ref"],
        demo=row["demo"],
        token_expires_at=row["token_expires_at"],
    )
    return SealedRoute(route, row["credentials_sealed"])
