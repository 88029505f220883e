"""One function per query of custom roles, teams, hand-overs and profiles. Decides nothing; called by the actions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

import asyncpg
import msgspec

from hub.accounts.model import AccessChanged, custom_permissions
from hub.accounts.people import CustomRole, HandOver, Profile, Team
from hub.db import load_queries
from hub.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from asyncpg import Record

    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("people.sql"))


# ── custom roles ────────────────────────────────────────────────────────────────────────────────────────────────────


async def list_roles(conn: TenantConn, workspace_id: int) -> list[CustomRole]:
    """Return the custom roles of a workspace, by name."""
    return [_role(row) for row in await conn.fetch(QUERIES["list_roles"], workspace_id)]


async def get_role(conn: TenantConn, workspace_id: int, role_id: UUID) -> CustomRole:
    """Return one custom role; ``NotFound`` where there is none by that id."""
    row = await conn.fetchrow(QUERIES["get_role"], workspace_id, role_id)
    if row is None:
        raise NotFound("role")
    return _role(row)


async def add_role(conn: TenantConn, workspace_id: int, role: CustomRole, made_at: datetime) -> None:
    """Write a new custom role; ``Conflict`` where one has that name."""
    words = [one.value for one in role.permissions]
    try:
        await conn.execute(QUERIES["add_role"], workspace_id, role.id, role.name, words, role.version, made_at)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("Another role has this name.", field="name") from error


async def change_role(conn: TenantConn, workspace_id: int, role: CustomRole) -> None:
    """Write a custom role; ``Conflict`` where another one has that name."""
    words = [one.value for one in role.permissions]
    try:
        await conn.execute(QUERIES["change_role"], workspace_id, role.id, role.name, words, role.version)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("Another role has this name.", field="name") from error


async def remove_role(conn: TenantConn, workspace_id: int, role_id: UUID) -> None:
    """Take a custom role away; old invitations forget it."""
    await conn.execute(QUERIES["forget_role"], workspace_id, role_id)
    await conn.execute(QUERIES["remove_role"], workspace_id, role_id)


async def role_uses(conn: TenantConn, workspace_id: int, role_id: UUID) -> tuple[int, int]:
    """Return how many members have a custom role, and how many open invitations offer it."""
    row = await conn.fetchrow(QUERIES["role_uses"], workspace_id, role_id)
    return (0, 0) if row is None else (row["members"], row["invitations"])


# ── teams ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def list_teams(conn: TenantConn, workspace_id: int) -> list[Team]:
    """Return the teams of a workspace, by name."""
    return [_team(row) for row in await conn.fetch(QUERIES["list_teams"], workspace_id)]


async def get_team(conn: TenantConn, workspace_id: int, team_id: UUID) -> Team:
    """Return one team; ``NotFound`` where there is none by that id."""
    row = await conn.fetchrow(QUERIES["get_team"], workspace_id, team_id)
    if row is None:
        raise NotFound("team")
    return _team(row)


async def add_team(conn: TenantConn, workspace_id: int, team: Team, made_at: datetime) -> None:
    """Write a new team with its members; ``Conflict`` where one has that name."""
    try:
        await conn.execute(QUERIES["add_team"], workspace_id, team.id, team.name, team.version, made_at)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("Another team has this name.", field="name") from error
    await fill_team(conn, workspace_id, team.id, team.member_ids)


async def change_team(conn: TenantConn, workspace_id: int, team: Team) -> None:
    """Write a team with its members; ``Conflict`` where another one has that name."""
    try:
        await conn.execute(QUERIES["change_team"], workspace_id, team.id, team.name, team.version)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("Another team has this name.", field="name") from error
    await conn.execute(QUERIES["clear_team"], workspace_id, team.id)
    await fill_team(conn, workspace_id, team.id, team.member_ids)


async def fill_team(conn: TenantConn, workspace_id: int, team_id: UUID, member_ids: Collection[UUID]) -> None:
    """Put members into a team."""
    await conn.execute(QUERIES["fill_team"], workspace_id, team_id, list(member_ids))


async def remove_team(conn: TenantConn, workspace_id: int, team_id: UUID) -> None:
    """Take a team away."""
    await conn.execute(QUERIES["remove_team"], workspace_id, team_id)


async def inboxes_of_teams(conn: TenantConn, workspace_id: int, team_ids: Collection[UUID]) -> frozenset[UUID]:
    """Return the restricted inboxes that these teams open."""
    rows = await conn.fetch(QUERIES["inboxes_of_teams"], workspace_id, list(team_ids))
    return frozenset(row["inbox_id"] for row in rows)


async def open_inboxes(conn: TenantConn, workspace_id: int, member_id: UUID, inbox_ids: Collection[UUID]) -> None:
    """Let a member into inboxes."""
    await conn.execute(QUERIES["open_inboxes"], workspace_id, member_id, list(inbox_ids))


async def require_members(conn: TenantConn, workspace_id: int, member_ids: Collection[UUID]) -> None:
    """Refuse a list that names somebody who is no member."""
    rows = await conn.fetch(QUERIES["known_members"], workspace_id, list(member_ids))
    if {row["id"] for row in rows} != set(member_ids):
        raise InvalidInput("member_ids", "One of these is not a member.")


async def known_teams(conn: TenantConn, workspace_id: int, team_ids: Collection[UUID]) -> list[UUID]:
    """Return which of these teams there are."""
    return [row["id"] for row in await conn.fetch(QUERIES["known_teams"], workspace_id, list(team_ids))]


async def known_inboxes(conn: TenantConn, workspace_id: int, inbox_ids: Collection[UUID]) -> list[UUID]:
    """Return which of these inboxes there are."""
    return [row["id"] for row in await conn.fetch(QUERIES["known_inboxes"], workspace_id, list(inbox_ids))]


# ── hand-overs ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def put_hand_over(
    conn: TenantConn, workspace_id: int, member_id: UUID, to: HandOver, asked: tuple[UUID, datetime]
) -> None:
    """Note to whom a member's open conversations go; ``asked`` is by whom and when."""
    await conn.execute(QUERIES["put_hand_over"], workspace_id, member_id, to.to, to.id, *asked)


async def get_hand_over(conn: TenantConn, workspace_id: int, member_id: UUID) -> tuple[HandOver, UUID | None] | None:
    """Return to whom a member's open conversations go and who asked for it; None where that is done."""
    row = await conn.fetchrow(QUERIES["get_hand_over"], workspace_id, member_id)
    return None if row is None else (HandOver(to=row["to_kind"], id=row["to_id"]), row["asked_by"])


async def drop_hand_over(conn: TenantConn, workspace_id: int, member_id: UUID) -> None:
    """End a hand-over."""
    await conn.execute(QUERIES["drop_hand_over"], workspace_id, member_id)


async def due_hand_overs(conn: TenantConn, limit: int) -> list[tuple[int, UUID]]:
    """Return (workspace, member) of hand-overs that are not done, longest waiting first."""
    return [(row["workspace_id"], row["member_id"]) for row in await conn.fetch(QUERIES["due_hand_overs"], limit)]


async def receivers(conn: TenantConn, workspace_id: int, to_id: UUID) -> dict[UUID, UUID]:
    """Return the active members a member's or team's id stands for, each with their login."""
    return {row["id"]: row["login_id"] for row in await conn.fetch(QUERIES["receivers"], workspace_id, to_id)}


# ── profiles ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def login_profile(conn: TenantConn, login_id: UUID) -> Profile:
    """Return a person as they are in every workspace; ``NotFound`` where they have gone."""
    row = await conn.fetchrow(QUERIES["login_profile"], login_id)
    if row is None:
        raise NotFound("login")
    return msgspec.convert(dict(row), Profile)


async def change_profile(conn: TenantConn, login_id: UUID, profile: Profile) -> None:
    """Write a person's name, time zone, locale and the address of their picture."""
    await conn.execute(
        QUERIES["change_profile"], login_id, profile.name, profile.time_zone, profile.locale, profile.avatar
    )
    conn.notices.append(AccessChanged("login", login_id))


async def is_time_zone(conn: TenantConn, name: str) -> bool:
    """Say whether the time zone database of Postgres has that name."""
    return bool(await conn.fetchval(QUERIES["is_time_zone"], name))


async def put_avatar(conn: TenantConn, login_id: UUID, token: str, webp: bytes, made_at: datetime) -> None:
    """Keep a person's picture at a new address; the old one is forgotten."""
    await conn.execute(QUERIES["drop_avatar"], login_id)
    await conn.execute(QUERIES["add_avatar"], token, login_id, webp, made_at)


async def drop_avatar(conn: TenantConn, login_id: UUID) -> None:
    """Forget a person's picture."""
    await conn.execute(QUERIES["drop_avatar"], login_id)


async def read_avatar(conn: TenantConn, token: str) -> bytes | None:
    """Return the picture at an address."""
    return cast("bytes | None", await conn.fetchval(QUERIES["read_avatar"], token))


async def verify_login(conn: TenantConn, login_id: UUID) -> None:
    """Note that a login's address was proved."""
    await conn.execute(QUERIES["verify_login"], login_id)


def _role(row: Record) -> CustomRole:
    return CustomRole(row["id"], row["name"], sorted(custom_permissions(row["permissions"])), row["version"])


def _team(row: Record) -> Team:
    return Team(row["id"], row["name"], row["member_ids"], row["version"])
