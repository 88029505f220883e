"""Every change to workspaces, members and one-time links. Called by the edge, ``hub setup`` and ``hub member``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.accounts import passwords as rules
from hub.accounts import sessions, store
from hub.accounts.model import (
    LinkPurpose,
    Login,
    Member,
    MemberAdded,
    MemberChanged,
    NewMember,
    Owner,
    Role,
    SetUp,
    UsedLink,
)
from hub.audit import actions as audit
from hub.audit.model import INSTALLATION, OPERATOR, ActorKind, Caller, Entry
from hub.errors import Conflict, InvalidInput, NotFound
from hub.events import store as events
from hub.events.model import NewEvent
from hub.limits import actions as limits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from hub.accounts.model import Membership
    from hub.accounts.passwords import Passwords
    from hub.db import Database, TenantConn

FIRST_INBOX: Final = "Inbox"
LINK_LIFETIMES: Final = {LinkPurpose.INVITE: timedelta(days=7), LinkPurpose.RESET: timedelta(minutes=30)}
_MOST_NAME_CHARS: Final = 200
_MOST_EMAIL_CHARS: Final = 320
_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f,;<>\"]+@[^@\s\x00-\x1f,;<>\"]+")


async def set_up(database: Database, passwords: Passwords, wanted: SetUp, caller: Caller = OPERATOR) -> Owner:
    """
    Make the first workspace, its owner and its first inbox; once per installation.

    Args:
        database: An empty installation.
        passwords: Makes the verifier.
        wanted: What the first screen asked.
        caller: For the audit log: where the call came from.

    Returns:
        The ids made.

    Raises:
        InvalidInput: A field cannot be used; ``field`` names it.
        Conflict: The installation has an owner already.
    """
    email = clean_email(wanted.email)
    name = clean_name("name", wanted.name)
    workspace = clean_name("workspace", wanted.workspace)
    rules.check_new(wanted.password, about=(email, name, workspace))
    async with database.across() as conn:
        await _require_no_owner(conn)
    password_hash = await passwords.make_hash(wanted.password)
    async with database.across() as conn:
        await store.lock_set_up(conn)
        await _require_no_owner(conn)
        login = await _login_with_password(conn, email, name, password_hash)
        workspace_id = await store.create_workspace(conn, workspace, clock.now())
        member = await join(conn, workspace_id, login.id, NewMember(email=email, name=name, role=Role.OWNER))
        # No event: nobody can hold a snapshot of a workspace that did not exist a moment ago.
        await store.add_first_inbox(conn, workspace_id, clock.new_id(), FIRST_INBOX, clock.now())
        made, owner = ("workspace", workspace_id), {"owner_id": str(member.id)}
        await audit.record(conn, audit.made_by(caller, INSTALLATION, "installation.set_up", made))
        await audit.record(conn, audit.made_by(caller, workspace_id, "workspace.made", made, owner))
        # Whoever sets an installation up operates it.
        await store.set_operator(conn, login.id, is_operator=True)
    return Owner(workspace_id=workspace_id, member_id=member.id, login_id=login.id)


async def add_member(conn: TenantConn, workspace_id: int, wanted: NewMember) -> tuple[Member, str]:
    """
    Add a person to a workspace.

    Args:
        conn: A fresh transaction.
        workspace_id: Tenant.
        wanted: Who, and as what.

    Returns:
        The member, and the token of the link with which they choose their password (valid for 7 days, once).

    Raises:
        InvalidInput: The address or name cannot be used.
        Conflict: They are a member already.
    """
    email = clean_email(wanted.email)
    name = clean_name("name", wanted.name or email.partition("@")[0])
    login = await store.find_login(conn, email)
    if login is None:
        login = Login(id=clock.new_id(), email=email, name=name, password_hash=None)
        await store.add_login(conn, login, clock.now())
    member = await join(conn, workspace_id, login.id, NewMember(email=email, name=name, role=wanted.role))
    return member, await create_link(conn, login.id, LinkPurpose.INVITE)


async def add_member_by_email(
    database: Database, email: str, *, role: Role = Role.AGENT, workspace_id: int | None = None
) -> str:
    """
    Add a person as the operator (``hub member add``), or make a new link for one who never chose a password.

    Args:
        database: The installation.
        email: Their address.
        role: Used for a new member only.
        workspace_id: Tenant; None means the only one there is.

    Returns:
        The token of their invitation link.

    Raises:
        InvalidInput: There are several workspaces and none is named, or none at all; or the address cannot be used.
        Conflict: They are a member and have a password.
    """
    async with database.across() as conn:
        tenant = workspace_id if workspace_id is not None else await _only_workspace(conn)
    async with database.transaction([tenant]) as conn:
        await events.lock_one(conn, tenant)
        login = await store.find_login(conn, clean_email(email))
        member = login and await store.member_of_login(conn, tenant, login.id)
        if login and member and member.active and login.password_hash is None:
            return await create_link(conn, login.id, LinkPurpose.INVITE)
        added, token = await add_member(conn, tenant, NewMember(email=email, role=role))
        entry = Entry(
            workspace_id=tenant,
            action="member.added",
            actor_kind=ActorKind.OPERATOR,
            target_kind="member",
            target_id=str(added.id),
            details=msgspec.json.encode({"role": role}),
        )
        await audit.record(conn, entry)
        return token


async def join(conn: TenantConn, workspace_id: int, login_id: UUID, wanted: NewMember) -> Member:
    """
    Make a login a member of a workspace.

    Args:
        conn: A transaction; it may hold the lock already.
        workspace_id: Tenant.
        login_id: Whose.
        wanted: As what; its name is cleaned.

    Raises:
        NotFound: There is no such workspace.
        Conflict: They are or were a member already.
    """
    heads = await events.lock(conn, [workspace_id])
    if workspace_id not in heads:
        raise NotFound("workspace")
    await limits.require_member_room(conn, workspace_id)
    member = Member(
        id=clock.new_id(),
        name=wanted.name,
        email=wanted.email,
        role=wanted.role,
        active=True,
        version=heads[workspace_id] + 1,
        custom_role_id=wanted.custom_role_id,
        avatar=wanted.avatar,
    )
    await store.add_member(conn, workspace_id, login_id, member, clock.now())
    await events.append(conn, heads, [member_event(workspace_id, MemberAdded(member), None)])
    return member


def member_event(workspace_id: int, what: MemberAdded | MemberChanged, actor_id: UUID | None) -> NewEvent:
    """Make the event of a member's new row."""
    return NewEvent(
        workspace_id=workspace_id,
        type="member_added" if isinstance(what, MemberAdded) else "member_changed",
        data=msgspec.json.encode(what),
        occurred_at=clock.now(),
        actor_id=actor_id,
    )


async def make_reset_link(database: Database, email: str) -> str:
    """Make a link with which somebody chooses a new password, valid for 30 minutes, and return its token."""
    async with database.across() as conn:
        login = await store.find_login(conn, clean_email(email))
        if login is None:
            raise NotFound("member with this address")
        return await create_link(conn, login.id, LinkPurpose.RESET)


async def create_link(conn: TenantConn, login_id: UUID, purpose: LinkPurpose) -> str:
    """Make a one-time link and return its token; only the hash is stored."""
    token = clock.new_token()
    made_at = clock.now()
    expires_at = made_at + LINK_LIFETIMES[purpose]
    await store.add_link(conn, sessions.token_hash(token), UsedLink(login_id, purpose), made_at, expires_at)
    return token


async def consume_link(conn: TenantConn, token: str, password_hash: str) -> UsedLink:
    """
    Use a link up: set the password and end every session of that login.

    Args:
        conn: A transaction; no tenant is needed.
        token: From the link, unchecked.
        password_hash: The verifier of a password that passed the rules.

    Raises:
        InvalidInput: The link was never made, was used, or has run out.
    """
    used = await store.consume_link(conn, sessions.token_hash(token))
    if used is None:
        raise InvalidInput("token", "This link was used already or has run out. Ask for a new one.")
    await store.set_password(conn, used.login_id, password_hash)
    await store.revoke_login_sessions(conn, used.login_id)
    return used


async def rename(conn: TenantConn, login_id: UUID, name: str, joined: Sequence[Membership]) -> None:
    """
    Call a person by another name, in every workspace they belong to.

    Args:
        conn: A fresh transaction that named those workspaces.
        login_id: Whom.
        name: 1-200 characters.
        joined: Their memberships.

    Raises:
        InvalidInput: The name is empty or too long.
    """
    cleaned = clean_name("name", name)
    heads = await events.lock(conn, [one.workspace_id for one in joined])
    await store.name_login(conn, login_id, cleaned)
    for one in joined:
        before = await store.get_member(conn, one.workspace_id, one.member_id)
        after = msgspec.structs.replace(before, name=cleaned, version=heads[one.workspace_id] + 1)
        await store.change_member(conn, one.workspace_id, after)
        await events.append(conn, heads, [member_event(one.workspace_id, MemberChanged(after), one.member_id)])


def clean_email(email: str) -> str:
    """Bring an address to the form it is stored in: trimmed, lower case; ``InvalidInput`` where it is none."""
    cleaned = email.strip().lower()
    if len(cleaned) > _MOST_EMAIL_CHARS or not _EMAIL.fullmatch(cleaned):
        raise InvalidInput("email", "This is not an e-mail address.")
    return cleaned


def clean_name(field: str, name: str) -> str:
    """Bring a name to the form it is stored in, one line of 1-200 characters; ``InvalidInput`` where it has none."""
    cleaned = " ".join(name.split())
    if not cleaned or "\x00" in cleaned:
        raise InvalidInput(field, "This cannot be empty.")
    if len(cleaned) > _MOST_NAME_CHARS:
        raise InvalidInput(field, f"Use at most {_MOST_NAME_CHARS} characters.")
    return cleaned


async def _require_no_owner(conn: TenantConn) -> None:
    if await store.has_owner(conn):
        raise Conflict("This hub is set up already. Sign in instead.")


async def _only_workspace(conn: TenantConn) -> int:
    workspace_id = await store.only_workspace(conn)
    if workspace_id is None:
        raise InvalidInput("workspace", "Name the workspace: there are none yet, or several.")
    return workspace_id


async def _login_with_password(conn: TenantConn, email: str, name: str, password_hash: str) -> Login:
    """The person at the set-up screen holds the operator's token: an old login of theirs gets the new password."""
    login = await store.find_login(conn, email)
    if login is None:
        login = Login(id=clock.new_id(), email=email, name=name, password_hash=password_hash)
        await store.add_login(conn, login, clock.now())
    else:
        await store.set_password(conn, login.id, password_hash)
        await store.revoke_login_sessions(conn, login.id)
    return login
