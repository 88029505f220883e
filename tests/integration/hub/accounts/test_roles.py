"""Roles: nobody rises above themselves, whatever they change; custom roles hold at once and end cleanly."""

from __future__ import annotations

import asyncio

import pytest

from hub import clock
from hub.accounts import members, people_store, policy, roles, store
from hub.accounts.model import MemberChange, Permission, Role
from hub.accounts.people import HandOver
from hub.errors import Conflict, Forbidden, HubError, InvalidInput, NotFound
from tests.integration.hub.accounts.desk import Desk
from tests.verify_action import verify_action

pytestmark = pytest.mark.postgres

P = Permission
RANK = {Role.VIEWER: 0, Role.AGENT: 1, Role.ADMIN: 2, Role.OWNER: 3}
CHANGES = {
    **{f"to {role}": MemberChange(role=role) for role in Role},
    "deactivate": MemberChange(active=False),
    "rename": MemberChange(name="Someone Else"),
}


@pytest.fixture
def desk(database, workspace) -> Desk:
    return Desk(database, workspace)


def may_by_hand(actor: Role, target: Role, change: MemberChange) -> bool:
    """The rule in ranks: owners and admins manage members, nobody above them, and make nobody more than they are."""
    reached = max(RANK[target], RANK[change.role or target])
    return RANK[actor] >= RANK[Role.ADMIN] and reached <= RANK[actor]


async def test_no_role_reaches_above_itself(desk):
    """Every role x every role of the other x every change: exactly what the ranks allow, and refusals change nothing."""
    people = {role: (await desk.add(f"A{role}", role), await desk.add(f"B{role}", role)) for role in Role}
    wrong = []
    for who in Role:
        actor = await desk.actor(people[who][0].id)
        for whom in Role:
            target = people[whom][1]
            for name, change in CHANGES.items():
                try:
                    # Rolled back each time, so that every case starts from the same people.
                    async with desk.database.transaction([desk.id]) as conn:
                        await members.change_member(conn, actor, target.id, change)
                        raise _Undo
                except _Undo:
                    did = True
                except Forbidden:
                    did = False
                if did is not may_by_hand(who, whom, change):
                    wrong.append((who, whom, name, did))
    assert wrong == []
    assert await desk.member(people[Role.OWNER][1].id) == people[Role.OWNER][1]


async def test_custom_role_with_every_permission_is_no_admin(desk):
    """Who manages members by a custom role makes neither admins (they see every inbox) nor owners, nor touches them."""
    cleo = await desk.with_custom_role("Cleo", *(set(P) - {P.WORKSPACE_MANAGE, P.ROLES_MANAGE}))
    dan = await desk.add("Dan")
    actor = await desk.actor(cleo.id)
    for role in (Role.ADMIN, Role.OWNER):
        for whom in (cleo.id, dan.id):
            with pytest.raises(Forbidden):
                await desk.run(actor, members.change_member, whom, MemberChange(role=role))
    with pytest.raises(Forbidden):
        await desk.run(actor, members.deactivate, desk.workspace.owner_id, HandOver(to="nobody"))
    assert (await desk.run(actor, members.change_member, dan.id, MemberChange(role=Role.VIEWER))).role is Role.VIEWER


async def test_narrow_custom_role_gives_only_what_it_has(desk):
    """Members.manage alone gives away nothing: not the agent's role, not a custom role with more."""
    cleo = await desk.with_custom_role("Cleo", P.MEMBERS_MANAGE)
    rich = await desk.run(await desk.owner(), roles.make_role, "Rich", [P.PRIVACY_MANAGE])
    dan = await desk.add("Dan", Role.VIEWER)
    actor = await desk.actor(cleo.id)
    for change in (MemberChange(role=Role.AGENT), MemberChange(custom_role_id=rich.id)):
        with pytest.raises(Forbidden):
            await desk.run(actor, members.change_member, dan.id, change)
        with pytest.raises(Forbidden):
            await desk.run(actor, members.change_member, cleo.id, change)
    admin = await desk.add("Adam", Role.ADMIN)
    with pytest.raises(Forbidden):
        await desk.run(await desk.actor(admin.id), members.change_member, dan.id, MemberChange(custom_role_id=rich.id))


async def test_actor_with_fewer_permissions_than_their_role_is_held_to_them(desk):
    """An owner's narrower key edits no role beyond itself, and makes no owner."""
    owner = await desk.owner()
    narrow = type(owner)(
        owner.workspace_id, owner.member_id, owner.login_id, Role.OWNER, None, owner.rights_version,
        permissions=frozenset({P.INBOX_READ, P.ROLES_MANAGE, P.MEMBERS_MANAGE}),
    )  # fmt: skip
    with pytest.raises(Forbidden):
        await desk.run(narrow, roles.make_role, "Sender", [P.INBOX_REPLY])
    with pytest.raises(Forbidden):
        await desk.run(narrow, members.change_member, desk.workspace.agent_id, MemberChange(role=Role.OWNER))
    await desk.run(owner, roles.make_role, "Other", [P.INBOX_REPLY])
    # The version of rights did not move: the narrowing itself is what holds, also after it did.
    await desk.run(owner, members.change_member, desk.workspace.agent_id, MemberChange(role=Role.VIEWER))
    with pytest.raises(Forbidden):
        await desk.run(narrow, roles.make_role, "Sender", [P.INBOX_REPLY])


async def test_custom_role_holds_at_once_and_follows_its_changes(desk):
    """What the role says is what the member may do; editing it moves the version of rights."""
    cleo = await desk.with_custom_role("Cleo", P.INBOX_REPLY)
    before = await desk.actor(cleo.id)
    assert policy.allowed(before) == {P.INBOX_READ, P.INBOX_REPLY}
    assert (cleo.role, before.role) == (Role.VIEWER, Role.VIEWER)
    await desk.run(
        await desk.owner(), roles.change_role, cleo.custom_role_id, name="Assigner", permissions=[P.INBOX_ASSIGN]
    )
    after = await desk.actor(cleo.id)
    assert policy.allowed(after) == {P.INBOX_READ, P.INBOX_ASSIGN}
    assert after.rights_version == before.rights_version + 1
    back = await desk.run(await desk.owner(), members.change_member, cleo.id, MemberChange(role=Role.AGENT))
    assert (back.custom_role_id, policy.allowed(await desk.actor(cleo.id))) == (None, policy.permissions_of(Role.AGENT))


async def test_retired_permission_is_ignored(desk):
    """A word that left the catalogue, or that nobody may have by a custom role, gives nothing."""
    cleo = await desk.with_custom_role("Cleo", P.INBOX_REPLY)
    async with desk.database.transaction([desk.id]) as conn:
        await conn.execute("UPDATE custom_role SET permissions = '{rockets.launch,workspace.manage,inbox.assign}'")
    assert policy.allowed(await desk.actor(cleo.id)) == {P.INBOX_READ, P.INBOX_ASSIGN}


async def test_role_in_use_stays(desk):
    """Removing a role that members have says how many; once nobody has it, it goes."""
    cleo = await desk.with_custom_role("Cleo", P.INBOX_REPLY)
    with pytest.raises(Conflict, match="by 1 members and 0 open"):
        await desk.run(await desk.owner(), roles.remove_role, cleo.custom_role_id)
    await desk.run(await desk.owner(), members.change_member, cleo.id, MemberChange(role=Role.AGENT))
    await desk.run(await desk.owner(), roles.remove_role, cleo.custom_role_id)
    async with desk.database.transaction([desk.id]) as conn:
        assert await people_store.list_roles(conn, desk.id) == []
    with pytest.raises(NotFound):
        await desk.run(await desk.owner(), roles.remove_role, cleo.custom_role_id)


@pytest.mark.parametrize("kept", [P.WORKSPACE_MANAGE, P.ROLES_MANAGE])
async def test_what_only_owners_do_is_in_no_role(desk, kept):
    """Editing roles and owning the workspace are not given away piecemeal."""
    with pytest.raises(InvalidInput):
        await desk.run(await desk.owner(), roles.make_role, "Almost owner", [kept])


async def test_names_of_roles_are_used_once(desk):
    """A second role of a name, in any case, is a conflict that names the field."""
    owner = await desk.owner()
    await desk.run(owner, roles.make_role, "Night shift", [])
    with pytest.raises(Conflict) as refused:
        await desk.run(owner, roles.make_role, "night  SHIFT", [])
    assert refused.value.field == "name"


async def test_only_owners_edit_roles(desk):
    """Admins see roles and give them, they do not edit them."""
    admin = await desk.actor((await desk.add("Adam", Role.ADMIN)).id)
    with pytest.raises(Forbidden):
        await desk.run(admin, roles.make_role, "Mine", [])


async def test_events_equal_state_and_the_audit_log_tells(desk):
    """A client that applies the events has the roles a snapshot shows; each change is in the audit log."""
    owner = await desk.owner()
    async with verify_action(desk.database, owner, events_expected=3):
        role = await desk.run(owner, roles.make_role, "Night shift", [P.INBOX_REPLY])
        await desk.run(owner, roles.change_role, role.id, name="Night", permissions=[])
        await desk.run(await desk.owner(), roles.remove_role, role.id)
    assert [action for action, _, _ in await desk.audited()] == ["role.made", "role.changed", "role.removed"]


async def test_two_owners_demoting_each_other_leave_one(desk):
    """Both at the same moment: one is done, the other refused; there is an owner afterwards."""
    other = await desk.add("Otto", Role.OWNER)
    first, second = await desk.owner(), await desk.actor(other.id)
    change = MemberChange(role=Role.AGENT)
    done = await asyncio.gather(
        desk.run(first, members.change_member, other.id, change),
        desk.run(second, members.change_member, desk.workspace.owner_id, change),
        return_exceptions=True,
    )
    assert sum(isinstance(one, HubError) for one in done) == 1
    async with desk.database.transaction([desk.id]) as conn:
        assert await store.count_owners(conn, desk.id) == 1


async def test_rights_taken_a_moment_ago_are_gone(desk):
    """An admin who was demoted while their call was on its way is refused under the lock."""
    admin = await desk.add("Adam", Role.ADMIN)
    stale = await desk.actor(admin.id)
    await desk.run(await desk.owner(), members.change_member, admin.id, MemberChange(role=Role.AGENT))
    with pytest.raises(Forbidden):
        await desk.run(stale, members.change_member, desk.workspace.agent_id, MemberChange(role=Role.VIEWER))
    await desk.run(await desk.owner(), members.change_member, admin.id, MemberChange(active=False))
    with pytest.raises(Forbidden):
        await desk.run(stale, members.leave, HandOver(to="nobody"))


async def test_role_of_another_workspace_is_none(desk):
    """A custom role is found in its own workspace only."""
    from tests import factories

    theirs = Desk(desk.database, await factories.make_workspace(desk.database, name="Contoso"))
    role = await theirs.run(await theirs.owner(), roles.make_role, "Theirs", [])
    owner = await desk.owner()
    with pytest.raises(InvalidInput):
        await desk.run(owner, members.change_member, desk.workspace.agent_id, MemberChange(custom_role_id=role.id))
    with pytest.raises(NotFound):
        await desk.run(owner, roles.change_role, role.id, name="Mine", permissions=None)
    with pytest.raises(NotFound):
        await desk.run(owner, roles.remove_role, clock.new_id())


class _Undo(Exception):
    """Rolls a transaction back whose action was allowed."""
