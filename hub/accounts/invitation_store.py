"""One function per query of invitations, domains and whole workspaces. Decides nothing; called by the actions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

import asyncpg
import msgspec

from hub.accounts.people import DELETION_GRACE, DeletedWorkspace, Domain, Found, Invitation, InvitedTo, Joinable
from hub.db import load_queries
from hub.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asyncpg import Record

    from hub.accounts.model import Workspace
    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("invitations.sql"))


class NewInvitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation as it is stored, beside the hash of its token."""

    email: str
    offer: InvitedTo
    invited_by: UUID
    made_at: datetime
    expires_at: datetime


# ── invitations ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def members_by_email(conn: TenantConn, workspace_id: int, emails: Sequence[str]) -> dict[str, bool]:
    """Return which of these addresses are members', and whether they still work here."""
    rows = await conn.fetch(QUERIES["members_by_email"], workspace_id, list(emails))
    return {row["email"]: row["active"] for row in rows}


async def count_open(conn: TenantConn, workspace_id: int) -> int:
    """Return how many invitations are open."""
    return cast("int", await conn.fetchval(QUERIES["count_open"], workspace_id))


async def put_invitation(
    conn: TenantConn, workspace_id: int, invitation_id: UUID, token_hash: bytes, new: NewInvitation
) -> Invitation:
    """Write an invitation, in place of the open one to that address; returns it with the id it has then."""
    row = await conn.fetchrow(
        QUERIES["put_invitation"],
        workspace_id,
        invitation_id,
        token_hash,
        new.email,
        new.offer.standing.role.value,
        new.offer.standing.custom_role_id,
        list(new.offer.team_ids),
        list(new.offer.inbox_ids),
        new.invited_by,
        new.made_at,
        new.expires_at,
    )
    if row is None:
        raise NotFound("invitation")
    return _invitation(row)


async def list_invitations(conn: TenantConn, workspace_id: int, after_id: UUID | None, limit: int) -> list[Invitation]:
    """Return open invitations, newest first, those that ran out too."""
    rows = await conn.fetch(QUERIES["list_invitations"], workspace_id, after_id, limit)
    return [_invitation(row) for row in rows]


async def open_invitations(conn: TenantConn, workspace_id: int, emails: Sequence[str]) -> dict[str, Invitation]:
    """Return the open invitations to these addresses."""
    rows = await conn.fetch(QUERIES["open_invitations"], workspace_id, list(emails))
    return {row["email"]: _invitation(row) for row in rows}


async def get_invitation(conn: TenantConn, workspace_id: int, invitation_id: UUID) -> Invitation:
    """Return one open invitation; ``NotFound`` where there is none by that id."""
    row = await conn.fetchrow(QUERIES["get_invitation"], workspace_id, invitation_id)
    if row is None:
        raise NotFound("invitation")
    return _invitation(row)


async def live_invitation(conn: TenantConn, found: Found, token_hash: bytes, now: datetime) -> Invitation | None:
    """Return an invitation that can be accepted by this link at this moment."""
    row = await conn.fetchrow(QUERIES["live_invitation"], found.workspace_id, found.invitation_id, token_hash, now)
    return None if row is None else _invitation(row)


async def accept_invitation(conn: TenantConn, found: Found, now: datetime) -> None:
    """Use an invitation up."""
    await conn.execute(QUERIES["accept_invitation"], found.workspace_id, found.invitation_id, now)


async def revoke_invitation(conn: TenantConn, workspace_id: int, invitation_id: UUID, now: datetime) -> None:
    """Take an invitation back."""
    await conn.execute(QUERIES["revoke_invitation"], workspace_id, invitation_id, now)


async def find_invitation(conn: TenantConn, token_hash: bytes) -> Found | None:
    """Find where an invitation is, whatever became of it; no tenant is needed."""
    row = await conn.fetchrow(QUERIES["find_invitation"], token_hash)
    return None if row is None else Found(row["workspace_id"], row["id"])


async def login_of_member(conn: TenantConn, workspace_id: int, member_id: UUID) -> UUID:
    """Return whose membership this is."""
    login_id = await conn.fetchval(QUERIES["login_of_member"], workspace_id, member_id)
    if not isinstance(login_id, UUID):
        raise NotFound("member")
    return login_id


# ── workspaces ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def change_workspace(conn: TenantConn, workspace: Workspace, deleted_at: datetime | None) -> None:
    """Write a workspace's name and whether it is deleted."""
    await conn.execute(QUERIES["change_workspace"], workspace.id, workspace.name, deleted_at, workspace.version)


async def workspace_deleted_at(conn: TenantConn, workspace_id: int) -> datetime | None:
    """Return since when a workspace is deleted."""
    return cast("datetime | None", await conn.fetchval(QUERIES["workspace_deleted_at"], workspace_id))


async def deleted_workspaces(conn: TenantConn, login_id: UUID) -> list[DeletedWorkspace]:
    """Return the deleted workspaces that a login owns."""
    rows = await conn.fetch(QUERIES["deleted_workspaces"], login_id)
    return [
        DeletedWorkspace(
            workspace_id=row["workspace_id"],
            workspace_name=row["workspace_name"],
            member_id=row["member_id"],
            deleted_at=row["deleted_at"],
            erased_at=row["deleted_at"] + DELETION_GRACE,
        )
        for row in rows
    ]


async def joinable_workspaces(conn: TenantConn, login_id: UUID, domain: str) -> list[Joinable]:
    """Return the workspaces a login may join by the domain of their address, 20 at most."""
    rows = await conn.fetch(QUERIES["joinable_workspaces"], login_id, domain)
    return [Joinable(row["workspace_id"], row["workspace_name"]) for row in rows]


# ── domains ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def list_domains(conn: TenantConn, workspace_id: int) -> list[Domain]:
    """Return the domains a workspace proved."""
    return [_domain(row) for row in await conn.fetch(QUERIES["list_domains"], workspace_id)]


async def get_domain(conn: TenantConn, workspace_id: int, domain: str) -> Domain:
    """Return one domain; ``NotFound`` where the workspace did not prove it."""
    row = await conn.fetchrow(QUERIES["get_domain"], workspace_id, domain)
    if row is None:
        raise NotFound("domain")
    return _domain(row)


async def add_domain(conn: TenantConn, workspace_id: int, domain: Domain, by: UUID, made_at: datetime) -> None:
    """Write a domain that ``by`` just proved; ``Conflict`` where it is there already."""
    values = domain.domain, domain.role.value, domain.enabled, domain.version
    try:
        await conn.execute(QUERIES["add_domain"], workspace_id, *values, by, made_at)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("This domain is here already.", field="domain") from error


async def change_domain(conn: TenantConn, workspace_id: int, domain: Domain) -> None:
    """Write a domain."""
    values = domain.domain, domain.role.value, domain.enabled, domain.version
    await conn.execute(QUERIES["change_domain"], workspace_id, *values)


async def remove_domain(conn: TenantConn, workspace_id: int, domain: str) -> None:
    """Forget a domain."""
    await conn.execute(QUERIES["remove_domain"], workspace_id, domain)


def _invitation(row: Record) -> Invitation:
    return msgspec.convert(dict(row), Invitation)


def _domain(row: Record) -> Domain:
    return msgspec.convert(dict(row), Domain)
