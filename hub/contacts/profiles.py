"""Reads and writes of what vendors say of contacts: whose name is to be asked for, and their pictures."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from hub.db import load_queries
from hub.envelope import Identity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from hub.contacts.model import ProfileWanted
    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("profiles.sql"))
# Whom a vendor did not name is asked about again when they write after this.
ASKED_AGAIN_AFTER: Final = timedelta(days=7)
PICTURE_LIMIT_BYTES: Final = 256 * 1024


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """
    A claimed question.

    Attributes:
        attempt: 1 for the first try.
    """

    workspace_id: int
    contact_id: UUID
    channel_account_id: UUID
    identity: Identity
    attempt: int


async def want(conn: TenantConn, wanted: Sequence[ProfileWanted], now: datetime) -> None:
    """Note whose names are to be asked for; who has a name, or was asked about lately, is left out."""
    await conn.execute(QUERIES["want_profiles"], msgspec.json.encode(wanted).decode(), now, now - ASKED_AGAIN_AFTER)


async def due(conn: TenantConn, now: datetime, of_account: int, at_most: int) -> dict[tuple[int, UUID], list[UUID]]:
    """
    Return contacts whose names are to be asked for, across workspaces.

    Returns:
        By workspace and account, the longest waiting first; none of an account with a member's message waiting.
    """
    found: dict[tuple[int, UUID], list[UUID]] = {}
    for row in await conn.fetch(QUERIES["due_profiles"], now, of_account, at_most):
        found.setdefault((row["workspace_id"], row["channel_account_id"]), []).append(row["contact_id"])
    return found


async def claim(conn: TenantConn, workspace_id: int, contact_id: UUID, now: datetime, until: datetime) -> Asked | None:
    """Take a due question until a moment, as another try; None where somebody else has it."""
    row = await conn.fetchrow(QUERIES["claim_profile"], workspace_id, contact_id, now, until)
    if row is None:
        return None
    return Asked(
        workspace_id=workspace_id,
        contact_id=contact_id,
        channel_account_id=row["channel_account_id"],
        identity=Identity(row["scheme"], row["value"], row["scope"]),
        attempt=row["attempt"],
    )


async def put_off(conn: TenantConn, asked: Asked, due_at: datetime | None, *, tries: int) -> None:
    """Ask again at a moment, or no more (None); ``tries`` were made by then."""
    await conn.execute(QUERIES["put_off_profile"], asked.workspace_id, asked.contact_id, due_at, tries)


async def may_be_named(conn: TenantConn, workspace_id: int, contact_id: UUID) -> bool:
    """Say whether a vendor may name a contact: it has no name, and no member took one away."""
    return bool(await conn.fetchval(QUERIES["may_be_named"], workspace_id, contact_id))


async def keep_avatar(conn: TenantConn, workspace_id: int, contact_id: UUID, webp: bytes, made_at: datetime) -> str:
    """
    Keep a picture in place of an earlier one.

    Args:
        conn: A transaction of this workspace.
        workspace_id: Tenant.
        contact_id: Whose.
        webp: Small, 1 byte to ``PICTURE_LIMIT_BYTES``.
        made_at: Now.

    Returns:
        Its address below ``/avatars/``, which nobody guesses.
    """
    token = secrets.token_hex(16)
    await conn.execute(QUERIES["keep_avatar"], workspace_id, contact_id, token, webp, made_at)
    address = f"{workspace_id}-{token}"
    await conn.execute(QUERIES["name_avatar"], workspace_id, contact_id, address)
    return address


async def read_avatar(conn: TenantConn, workspace_id: int, token: str) -> bytes | None:
    """Return a picture by the two halves of its address; None where there is none."""
    row = await conn.fetchrow(QUERIES["read_avatar"], workspace_id, token)
    return None if row is None else row["webp"]
