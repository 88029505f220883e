"""One function per query of sign-ins, workspaces and members. Decides nothing; called by the actions and the edge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

import asyncpg
import msgspec

from hub.accounts import policy
from hub.accounts.model import (
    AccessChanged,
    Actor,
    Entered,
    LinkPurpose,
    Login,
    Member,
    MemberFilter,
    Membership,
    Role,
    SignedIn,
    UsedLink,
    Workspace,
    custom_permissions,
)
from hub.db import load_queries
from hub.errors import Conflict, Forbidden, NotFound, NotSignedIn, SecondFactorNeeded, WorkspaceSuspended

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asyncpg import Record

    from hub.accounts.model import StartedSession
    from hub.db import Database, TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))

# Any constant serves: it keeps two set-ups from both finding no owner.
_SET_UP_LOCK_ID = 0x6875622D7365
_NOT_A_MEMBER = "You are not a member of this workspace."


async def has_owner(conn: TenantConn) -> bool:
    """Say whether set-up has been done."""
    return bool(await conn.fetchval(QUERIES["has_owner"]))


async def lock_set_up(conn: TenantConn) -> None:
    """Wait for other set-ups to end."""
    await conn.fetchval(QUERIES["lock_set_up"], _SET_UP_LOCK_ID)


async def create_workspace(conn: TenantConn, name: str, made_at: datetime) -> int:
    """Make a workspace and return its id."""
    return cast("int", await conn.fetchval(QUERIES["create_workspace"], name, made_at))


async def get_workspace(conn: TenantConn, workspace_id: int) -> Workspace:
    """Return a workspace; ``NotFound`` where there is none by that id."""
    row = await conn.fetchrow(QUERIES["get_workspace"], workspace_id)
    if row is None:
        raise NotFound("workspace")
    return Workspace(id=row["id"], name=row["name"], version=row["version"])


async def only_workspace(conn: TenantConn) -> int | None:
    """Return the id of the only workspace; None where there are none or several."""
    return cast("int | None", await conn.fetchval(QUERIES["only_workspace"]))


async def find_login(conn: TenantConn, email: str) -> Login | None:
    """Find who signs in with an address, whatever its case."""
    row = await conn.fetchrow(QUERIES["find_login"], email)
    return None if row is None else msgspec.convert(dict(row), Login)


async def get_login(conn: TenantConn, login_id: UUID) -> Login:
    """Return a login; ``NotFound`` where there is none by that id."""
    row = await conn.fetchrow(QUERIES["get_login"], login_id)
    if row is None:
        raise NotFound("login")
    return msgspec.convert(dict(row), Login)


async def add_login(conn: TenantConn, login: Login, made_at: datetime) -> None:
    """Add somebody who can sign in; ``Conflict`` when another transaction just added the same address."""
    try:
        await conn.execute(QUERIES["add_login"], login.id, login.email, login.name, login.password_hash, made_at)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("Somebody was added with this address just now. Try again.", field="email") from error


async def set_password(conn: TenantConn, login_id: UUID, password_hash: str) -> None:
    """Replace a login's verifier."""
    await conn.execute(QUERIES["set_password"], login_id, password_hash)


async def name_login(conn: TenantConn, login_id: UUID, name: str) -> None:
    """Replace a login's name."""
    await conn.execute(QUERIES["name_login"], login_id, name)


async def memberships(conn: TenantConn, login_id: UUID) -> tuple[Membership, ...]:
    """Return the workspaces in which a login is an active member, by id."""
    rows = await conn.fetch(QUERIES["memberships"], login_id)
    return tuple(
        Membership(
            row["workspace_id"], row["workspace_name"], row["member_id"], Role(row["role"]), row["custom_role_id"]
        )
        for row in rows
    )


async def add_session(conn: TenantConn, token_hash: bytes, session: StartedSession) -> None:
    """Write a new sign-in."""
    await conn.execute(
        QUERIES["add_session"],
        token_hash,
        session.id,
        session.login_id,
        session.made_at,
        session.expires_at,
        session.user_agent,
        session.address,
    )


async def find_session(conn: TenantConn, token_hash: bytes) -> SignedIn | None:
    """Find a live session: not revoked, not older than its end, used in the last twelve hours."""
    row = await conn.fetchrow(QUERIES["find_session"], token_hash)
    return (
        None
        if row is None
        else SignedIn(
            session_id=row["id"],
            login_id=row["login_id"],
            email=row["email"],
            name=row["name"],
            expires_at=row["expires_at"],
        )
    )


async def live_sessions(conn: TenantConn, session_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return which of these sessions still hold, each with its login."""
    rows = await conn.fetch(QUERIES["live_sessions"], list(session_ids))
    return {row["id"]: row["login_id"] for row in rows}


async def is_operator(database: Database, login_id: UUID) -> bool:
    """Say whether a login operates this installation, by one statement of its own."""
    return bool((await database.ask(QUERIES["is_operator"], login_id))[0]["is_operator"])


async def set_operator(conn: TenantConn, login_id: UUID, *, is_operator: bool) -> bool:
    """Make a login an operator, or none any more; returns whether anything changed."""
    return bool(await conn.fetchval(QUERIES["set_operator"], login_id, is_operator))


async def list_operators(conn: TenantConn) -> list[tuple[UUID, str, str]]:
    """Return id, address and name of everybody who operates this installation."""
    return [(row["id"], row["email"], row["name"]) for row in await conn.fetch(QUERIES["list_operators"])]


async def find_entered(database: Database, session_id: UUID) -> Entered | None:
    """Say which operator is behind a session, and where; None for an ordinary one."""
    rows = await database.ask(QUERIES["entered"], session_id)
    return msgspec.convert(dict(rows[0]), Entered) if rows else None


async def entered_sessions(conn: TenantConn, session_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return which of these sessions are an operator's in somebody's workspace, with that workspace."""
    rows = await conn.fetch(QUERIES["entered_sessions"], list(session_ids))
    return {row["session_id"]: row["workspace_id"] for row in rows}


async def find_signed_in(database: Database, token_hash: bytes) -> SignedIn | None:
    """Find a live session as ``find_session`` does, by one statement of its own."""
    rows = await database.ask(QUERIES["find_session"], token_hash)
    return _signed_in(rows[0]) if rows else None


async def revoke_session(conn: TenantConn, token_hash: bytes) -> UUID | None:
    """End a session and return its id; None when it had ended already."""
    row = await conn.fetchrow(QUERIES["revoke_session"], token_hash)
    if row is None:
        return None
    conn.notices.append(AccessChanged("login", row["login_id"]))
    return cast("UUID | None", row["id"])


async def revoke_login_sessions(conn: TenantConn, login_id: UUID) -> list[UUID]:
    """End every session of a login and return their ids."""
    conn.notices.append(AccessChanged("login", login_id))
    return [row["id"] for row in await conn.fetch(QUERIES["revoke_login_sessions"], login_id)]


async def recently_revoked_sessions(database: Database, within_s: float) -> list[UUID]:
    """Return the sessions revoked in the last so many seconds, by one statement of its own."""
    return [row["id"] for row in await database.ask(QUERIES["recently_revoked_sessions"], within_s)]


async def add_link(
    conn: TenantConn, token_hash: bytes, link: UsedLink, made_at: datetime, expires_at: datetime
) -> None:
    """Write a one-time link."""
    await conn.execute(QUERIES["add_link"], token_hash, link.login_id, link.purpose.value, made_at, expires_at)


async def consume_link(conn: TenantConn, token_hash: bytes) -> UsedLink | None:
    """Use a link up; None when it never was, was used, or has run out."""
    row = await conn.fetchrow(QUERIES["consume_link"], token_hash)
    return None if row is None else UsedLink(row["login_id"], LinkPurpose(row["purpose"]))


async def add_member(conn: TenantConn, workspace_id: int, login_id: UUID, member: Member, made_at: datetime) -> None:
    """Write a new member; ``Conflict`` when the login is in the workspace already."""
    try:
        await conn.execute(
            QUERIES["add_member"],
            workspace_id,
            member.id,
            login_id,
            member.name,
            member.email,
            member.role.value,
            made_at,
            member.version,
            member.custom_role_id,
            member.avatar,
        )
    except asyncpg.UniqueViolationError as error:
        raise Conflict("This person is a member already.", field="email") from error


async def add_first_inbox(conn: TenantConn, workspace_id: int, inbox_id: UUID, name: str, made_at: datetime) -> None:
    """Write the inbox a workspace starts with."""
    await conn.execute(QUERIES["add_first_inbox"], workspace_id, inbox_id, name, made_at)


async def list_members(conn: TenantConn, workspace_id: int) -> list[Member]:
    """Return everybody of a workspace, oldest first, those who left included."""
    return [_member(row) for row in await conn.fetch(QUERIES["list_members"], workspace_id)]


async def page_members(conn: TenantConn, workspace_id: int, wanted: MemberFilter) -> list[Member]:
    """Return members as a list shows them, oldest first."""
    part = f"%{escaped_like(wanted.text)}%" if wanted.text else None
    rows = await conn.fetch(QUERIES["page_members"], workspace_id, part, wanted.active, wanted.after_id, wanted.limit)
    return [_member(row) for row in rows]


def escaped_like(text: str) -> str:
    """Return a text as a pattern of LIKE that means just it."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def get_member(conn: TenantConn, workspace_id: int, member_id: UUID) -> Member:
    """Return one member; ``NotFound`` where there is none by that id."""
    row = await conn.fetchrow(QUERIES["get_member"], workspace_id, member_id)
    if row is None:
        raise NotFound("member")
    return _member(row)


async def member_of_login(conn: TenantConn, workspace_id: int, login_id: UUID) -> Member | None:
    """Return the member a login is in a workspace, active or not."""
    row = await conn.fetchrow(QUERIES["member_of_login"], workspace_id, login_id)
    return None if row is None else _member(row)


async def change_member(conn: TenantConn, workspace_id: int, member: Member) -> None:
    """Write a member's name, role, state and version."""
    await conn.execute(
        QUERIES["change_member"],
        workspace_id,
        member.id,
        member.name,
        member.role.value,
        member.active,
        member.version,
        member.custom_role_id,
        member.avatar,
    )


async def count_owners(conn: TenantConn, workspace_id: int) -> int:
    """Return how many active owners a workspace has."""
    return cast("int", await conn.fetchval(QUERIES["count_owners"], workspace_id))


async def bump_rights(conn: TenantConn, workspace_id: int) -> None:
    """Say that somebody's rights changed."""
    await conn.execute(QUERIES["bump_rights"], workspace_id)
    conn.notices.append(AccessChanged("workspace", workspace_id))


async def rights_version(conn: TenantConn, workspace_id: int) -> int:
    """Return the version of everybody's rights in a workspace."""
    return cast("int", await conn.fetchval(QUERIES["rights_version"], workspace_id))


async def load_actor(conn: TenantConn, workspace_id: int, login_id: UUID) -> Actor:
    """
    Read who a login is in a workspace and what they may see there.

    Args:
        conn: Any transaction; no tenant is needed.
        workspace_id: Tenant.
        login_id: Whose session it is.

    Returns:
        The actor; ``visible_inboxes`` is None for owners and admins, else the inboxes open to all or listing them.

    Raises:
        Forbidden: They are not an active member; a workspace that does not exist answers the same.
        WorkspaceSuspended: The operator of the installation closed it.
        SecondFactorNeeded: They have none, and the workspace asks everybody for one.
    """
    row = await conn.fetchrow(QUERIES["load_actor"], workspace_id, login_id)
    if row is None:
        raise Forbidden(_NOT_A_MEMBER)
    _require_open(row)
    return _actor(row, workspace_id, login_id)


async def load_actors(conn: TenantConn, wanted: Sequence[tuple[int, UUID]]) -> dict[tuple[int, UUID], Actor]:
    """Read who many logins are, each in a workspace; whoever may not come in there is left out."""
    columns = [one[0] for one in wanted], [one[1] for one in wanted]
    rows = await conn.fetch(QUERIES["load_actors"], *columns)
    return {(row["workspace_id"], row["login_id"]): _actor(row, row["workspace_id"], row["login_id"]) for row in rows}


async def find_logins(conn: TenantConn, workspace_id: int, member_ids: Sequence[UUID]) -> list[tuple[UUID, str]]:
    """Return login and address of those of some members who are active."""
    rows = await conn.fetch(QUERIES["find_logins"], workspace_id, list(member_ids))
    return [(row["login_id"], row["email"]) for row in rows]


async def find_actor(database: Database, token_hash: bytes, workspace_id: int) -> tuple[SignedIn, Actor]:
    """
    Find a live session and who its login is in a workspace, in one round trip.

    Raises:
        NotSignedIn: The token is no live session's.
        Forbidden: They are not an active member; a workspace that does not exist answers the same.
        SecondFactorNeeded: They have none, and the workspace asks everybody for one.
    """
    rows = await database.ask(QUERIES["find_actor"], token_hash, workspace_id)
    if not rows:
        raise NotSignedIn
    row = rows[0]
    if row["member_id"] is None or row["entered_id"] not in (None, workspace_id):
        raise Forbidden(_NOT_A_MEMBER)
    actor = _actor(row, workspace_id, row["login_id"])
    if row["operator_id"] is not None:
        # Who sees to a suspended workspace, or to members without a second factor, is not kept out by either.
        return _signed_in(row), policy.entered(actor, row["operator_id"])
    _require_open(row)
    return _signed_in(row), actor


def _require_open(row: Record) -> None:
    if row["suspended_why"] is not None:
        raise WorkspaceSuspended(row["suspended_why"])
    if row["lacks_factor"]:
        raise SecondFactorNeeded


def _actor(row: Record, workspace_id: int, login_id: UUID) -> Actor:
    visible: list[UUID] | None = row["visible_inboxes"]
    return Actor(
        workspace_id=workspace_id,
        member_id=row["member_id"],
        login_id=login_id,
        role=Role(row["role"]),
        visible_inboxes=None if visible is None else frozenset(visible),
        rights_version=row["rights_version"],
        rights_seq=row["rights_seq"],
        permissions=None if row["permissions"] is None else custom_permissions(row["permissions"]),
    )


def _signed_in(row: Record) -> SignedIn:
    return SignedIn(
        session_id=row["id"],
        login_id=row["login_id"],
        email=row["email"],
        name=row["name"],
        expires_at=row["expires_at"],
    )


def _member(row: Record) -> Member:
    return msgspec.convert(dict(row), Member)
