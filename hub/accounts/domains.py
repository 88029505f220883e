"""Domains whose people may join a workspace without an invitation, proved by an owner's address. Called by the edge."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hub import clock
from hub.accounts import actions, invitation_store, people_store, standing, store
from hub.accounts.model import Actor, NewMember, Permission, Role
from hub.accounts.people import Domain
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.events import store as events

if TYPE_CHECKING:
    from uuid import UUID

    from hub.accounts.invitations import Accepting
    from hub.accounts.model import Member
    from hub.accounts.people import Joinable
    from hub.db import TenantConn

_NOT_A_MEMBER = "You are not a member of this workspace."
_ROLES = frozenset({Role.AGENT, Role.VIEWER})


class DomainChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes about a domain; None leaves a field as it is."""

    role: Role | None = None
    enabled: bool | None = None


async def add_domain(conn: TenantConn, actor: Actor, domain: str, change: DomainChange) -> Domain:
    """
    Note that a domain is the workspace's, by the word of an owner who gets mail there.

    Args:
        conn: A fresh transaction.
        actor: The owner.
        domain: Of their own, verified address.
        change: What its people become, an agent by default; nobody may join before it is enabled.

    Raises:
        Forbidden: The actor may not do this, or their address is not verified.
        InvalidInput: It is another domain than theirs, or one where anybody gets a mailbox.
        Conflict: It is here already.
    """
    _, actor = await standing.lock(conn, actor, Permission.WORKSPACE_MANAGE)
    wanted = domain.strip().lower().rstrip(".")
    profile = await people_store.login_profile(conn, actor.login_id)
    if not profile.is_verified:
        raise Forbidden("Confirm your e-mail address first.")
    if domain_of(profile.email) != wanted:
        raise InvalidInput("domain", "Sign in with an address of this domain to prove that it is yours.")
    if is_public(wanted):
        raise InvalidInput("domain", "Anybody gets an address under this domain.")
    made = Domain(domain=wanted, role=_role(change.role or Role.AGENT), enabled=bool(change.enabled), version=1)
    await invitation_store.add_domain(conn, actor.workspace_id, made, actor.member_id, clock.now())
    await standing.record(conn, actor, "domain.added", ("domain", wanted), _details(made))
    return made


async def change_domain(conn: TenantConn, actor: Actor, domain: str, change: DomainChange) -> Domain:
    """Change what the people of a domain become, or whether they may join; ``NotFound`` where it is not here."""
    _, actor = await standing.lock(conn, actor, Permission.WORKSPACE_MANAGE)
    before = await invitation_store.get_domain(conn, actor.workspace_id, domain)
    after = msgspec.structs.replace(
        before,
        role=before.role if change.role is None else _role(change.role),
        enabled=before.enabled if change.enabled is None else change.enabled,
    )
    if after == before:
        return before
    after = msgspec.structs.replace(after, version=before.version + 1)
    await invitation_store.change_domain(conn, actor.workspace_id, after)
    await standing.record(conn, actor, "domain.changed", ("domain", domain), _details(after))
    return after


async def remove_domain(conn: TenantConn, actor: Actor, domain: str) -> None:
    """Forget a domain; who joined by it stays. ``NotFound`` where it is not here."""
    _, actor = await standing.lock(conn, actor, Permission.WORKSPACE_MANAGE)
    await invitation_store.get_domain(conn, actor.workspace_id, domain)
    await invitation_store.remove_domain(conn, actor.workspace_id, domain)
    await standing.record(conn, actor, "domain.removed", ("domain", domain))


async def joinable(conn: TenantConn, login_id: UUID) -> list[Joinable]:
    """Return the workspaces a login may join by the domain of their verified address. No tenant is needed."""
    profile = await people_store.login_profile(conn, login_id)
    if not profile.is_verified or is_public(domain_of(profile.email)):
        return []
    return await invitation_store.joinable_workspaces(conn, login_id, domain_of(profile.email))


async def join(conn: TenantConn, workspace_id: int, who: Accepting) -> Member:
    """
    Join a workspace by the domain of one's verified address.

    Args:
        conn: A fresh transaction of the workspace.
        workspace_id: Tenant.
        who: Whose login.

    Raises:
        Forbidden: The workspace does not take them this way; one that does not exist answers the same.
        Conflict: They are a member, or were one: then somebody there takes them back.
    """
    try:
        await events.lock_one(conn, workspace_id)
        domain = await invitation_store.get_domain(conn, workspace_id, domain_of(who.profile.email))
    except NotFound:
        raise Forbidden(_NOT_A_MEMBER) from None
    deleted_at = await invitation_store.workspace_deleted_at(conn, workspace_id)
    if not (domain.enabled and who.profile.is_verified and deleted_at is None):
        raise Forbidden(_NOT_A_MEMBER)
    if await store.member_of_login(conn, workspace_id, who.login_id) is not None:
        raise Conflict("You are or were a member of this workspace. Ask somebody there to take you back.")
    wanted = NewMember(
        email=who.profile.email,
        name=who.profile.name or who.profile.email.partition("@")[0],
        role=domain.role,
        avatar=who.profile.avatar,
    )
    member = await actions.join(conn, workspace_id, who.login_id, wanted)
    actor = Actor(workspace_id, member.id, who.login_id, member.role, None, 0, address=who.address)
    await standing.record(conn, actor, "member.joined", ("member", member.id), {"domain": domain.domain})
    return member


def domain_of(email: str) -> str:
    """Return the part after the last @."""
    return email.rpartition("@")[2]


def is_public(domain: str) -> bool:
    """Say whether anybody gets a mailbox under a domain, as far as our list knows."""
    parts = domain.split(".")
    return any(".".join(parts[start:]) in _public() for start in range(len(parts)))


@lru_cache(maxsize=1)
def _public() -> frozenset[str]:
    text = Path(__file__).with_name("public_mail_domains.txt").read_text("utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def _role(role: Role) -> Role:
    if role not in _ROLES:
        raise InvalidInput("role", "Who joins by themselves becomes an agent or a viewer.")
    return role


def _details(domain: Domain) -> dict[str, object]:
    return {"role": domain.role, "enabled": domain.enabled}
