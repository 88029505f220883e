"""Workspaces of a person: listed for the switcher, made, renamed, deleted and taken back; and domains that may join."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from api.etag import Seen, fields_of, require_mergeable, wanted_version
from api.feature_flags import is_on
from hub.accounts import domains, invitation_store, people_store, store, workspaces
from hub.accounts.domains import DomainChange
from hub.accounts.invitations import Accepting
from hub.accounts.model import Membership, Role, Workspace
from hub.accounts.people import DeletedWorkspace, Domain, Joinable
from hub.errors import Forbidden, NotFound
from hub.installation.model import Flag
from hub.notices import store as notices
from hub.throttle import Allowance

if TYPE_CHECKING:
    from api.call import MemberCall, SessionCall

# Whoever is in more has the rest counted when they go there.
_MOST_COUNTED: Final = 50
_MOST_WORKSPACE_ID: Final = 2**63 - 1


class WorkspacesView(msgspec.Struct, frozen=True):
    """
    Where a person is a member.

    Attributes:
        joinable: Take them without an invitation, by the domain of their address.
        deleted: Those they own and can still take back.
    """

    workspaces: list[Membership]
    joinable: list[Joinable]
    deleted: list[DeletedWorkspace]


class UnreadRow(msgspec.Struct, frozen=True):
    """Of one workspace: how many notices its member has not read."""

    workspace_id: int
    unread: int


class UnreadView(msgspec.Struct, frozen=True):
    """Workspaces with something unread; those that are not listed have nothing, or are closed to the caller."""

    workspaces: list[UnreadRow]


class WorkspaceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str


class DeletionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The workspace's name, typed once more."""

    name: str


class MembershipView(msgspec.Struct, frozen=True):
    membership: Membership


class WorkspaceView(msgspec.Struct, frozen=True):
    workspace: Workspace


class DomainRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A domain of the caller's own address; nobody may join by it before it is enabled."""

    domain: str
    role: Role = Role.AGENT
    enabled: bool = False


class DomainsView(msgspec.Struct, frozen=True):
    domains: list[Domain]


class DomainView(msgspec.Struct, frozen=True):
    domain: Domain


async def read_all(call: SessionCall) -> WorkspacesView:
    """List the caller's workspaces."""
    login_id = call.signed_in.login_id
    async with call.resources.database.across() as conn:
        return WorkspacesView(
            workspaces=list(await store.memberships(conn, login_id)),
            joinable=await domains.joinable(conn, login_id),
            deleted=await invitation_store.deleted_workspaces(conn, login_id),
        )


async def read_unread(call: SessionCall) -> UnreadView:
    """Count what the caller has not read in each of their workspaces, each in a transaction of its own."""
    login_id, database = call.signed_in.login_id, call.resources.database
    async with database.across() as conn:
        joined = (await store.memberships(conn, login_id))[:_MOST_COUNTED]
        # Leaves out who lacks a second factor that the workspace asks for.
        actors = await store.load_actors(conn, [(one.workspace_id, login_id) for one in joined])
    found = []
    for actor in actors.values():
        async with database.snapshot([actor.workspace_id]) as conn:
            counts = await notices.count_new(conn, actor.workspace_id, actor.member_id, actor.visible_inboxes)
        if counts.unread:
            found.append(UnreadRow(actor.workspace_id, counts.unread))
    return UnreadView(found)


async def create(call: SessionCall) -> MembershipView:
    """Make a workspace; the caller owns it."""
    if not await is_on(call, Flag.NEW_WORKSPACES):
        raise Forbidden("New workspaces cannot be made here now.")
    wanted = await call.decode(WorkspaceRequest)
    key = f"workspace:login:{call.signed_in.login_id}"
    await call.resources.throttle.take((Allowance(key, times=10, window_s=86_400),))
    async with call.resources.database.across() as conn:
        profile = await people_store.login_profile(conn, call.signed_in.login_id)
        who = Accepting(login_id=call.signed_in.login_id, profile=profile, address=call.address)
        return MembershipView(await workspaces.make_workspace(conn, wanted.name, who))


async def change(call: MemberCall) -> WorkspaceView:
    """Rename the workspace."""
    wanted = await call.decode(WorkspaceRequest)
    workspace_id = call.actor.workspace_id
    seen = Seen(workspace_id, "workspace", wanted_version(call.request))
    async with call.resources.database.transaction([workspace_id]) as conn:
        await require_mergeable(conn, seen, lambda: store.get_workspace(conn, workspace_id), fields_of(wanted))
        return WorkspaceView(await workspaces.rename_workspace(conn, call.actor, wanted.name))


async def remove(call: MemberCall) -> None:
    """Close the workspace to everybody; an owner can take it back for 30 days."""
    wanted = await call.decode(DeletionRequest)
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await workspaces.delete_workspace(conn, call.actor, wanted.name)


async def restore(call: SessionCall) -> None:
    """Open a deleted workspace again."""
    workspace_id = _workspace_id(call)
    async with call.resources.database.transaction([workspace_id]) as conn:
        await workspaces.restore_workspace(conn, workspace_id, call.signed_in.login_id, call.address)


async def join(call: SessionCall) -> MembershipView:
    """Join a workspace by the domain of one's address."""
    workspace_id, login_id = _workspace_id(call), call.signed_in.login_id
    key = f"joining:login:{login_id}"
    await call.resources.throttle.take((Allowance(key, times=30, window_s=3600),))
    async with call.resources.database.transaction([workspace_id]) as conn:
        profile = await people_store.login_profile(conn, login_id)
        who = Accepting(login_id=login_id, profile=profile, address=call.address)
        member = await domains.join(conn, workspace_id, who)
        name = (await store.get_workspace(conn, workspace_id)).name
    return MembershipView(Membership(workspace_id, name, member.id, member.role))


async def read_domains(call: MemberCall) -> DomainsView:
    """List the domains whose people may join."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return DomainsView(await invitation_store.list_domains(conn, call.actor.workspace_id))


async def add_domain(call: MemberCall) -> DomainView:
    """Prove a domain by one's own address."""
    wanted = await call.decode(DomainRequest)
    change = DomainChange(role=wanted.role, enabled=wanted.enabled)
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return DomainView(await domains.add_domain(conn, call.actor, wanted.domain, change))


async def change_domain(call: MemberCall) -> DomainView:
    """Change what the people of a domain become, or whether they may join."""
    wanted = await call.decode(DomainChange)
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return DomainView(await domains.change_domain(conn, call.actor, call.path["domain"], wanted))


async def remove_domain(call: MemberCall) -> None:
    """Forget a domain; who joined by it stays."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await domains.remove_domain(conn, call.actor, call.path["domain"])


def _workspace_id(call: SessionCall) -> int:
    """Read the workspace of a route that its members do not need to be members for."""
    text = call.path["workspace_id"]
    if not text.isascii() or not text.isdigit() or len(text) > 19 or not 0 < int(text) <= _MOST_WORKSPACE_ID:
        raise NotFound("workspace")
    return int(text)
