"""Members, their rights and the events about them, on a real Postgres."""

from __future__ import annotations

import msgspec
import pytest

from hub import clock
from hub.accounts import actions, members, store
from hub.accounts.model import LinkPurpose, Member, MemberAdded, MemberChange, MemberChanged, NewMember, Role
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.events import store as events

pytestmark = pytest.mark.postgres


async def add(database, workspace, email: str = "cleo@example.com", role: Role = Role.AGENT) -> Member:
    async with database.transaction([workspace.id]) as conn:
        member, _ = await actions.add_member(conn, workspace.id, NewMember(email=email, role=role))
        return member


async def change(database, workspace, member_id, by: Role = Role.OWNER, **fields: object) -> Member:
    async with database.transaction([workspace.id]) as conn:
        return await members.change_member(conn, workspace.actor(by), member_id, MemberChange(**fields))


async def rights_version(database, workspace) -> int:
    async with database.snapshot([workspace.id]) as conn:
        return (await store.load_actor(conn, workspace.id, workspace.login_id)).rights_version


async def test_events_equal_state(database, workspace):
    """The members before, with the events applied, are the members after."""
    async with database.snapshot([workspace.id]) as conn:
        state = {one.id: one for one in await store.list_members(conn, workspace.id)}
        cursor = await events.workspace_head(conn, workspace.id)
    cleo = await add(database, workspace)
    await change(database, workspace, cleo.id, role=Role.ADMIN, name="Cleo  Case")
    await change(database, workspace, cleo.id, active=False)
    async with database.snapshot([workspace.id]) as conn:
        after = {one.id: one for one in await store.list_members(conn, workspace.id)}
        for event in await events.events_after(conn, workspace.id, cursor, 100):
            member = msgspec.json.decode(event.data, type=MemberAdded | MemberChanged).member
            assert member.version == event.seq
            state[member.id] = member
    assert state == after
    assert after[cleo.id].name == "Cleo Case"


@pytest.mark.parametrize(
    ("fields", "bumps"),
    [({"name": "New"}, 0), ({"role": Role.VIEWER}, 1), ({"active": False}, 1), ({"role": Role.AGENT}, 0)],
)
async def test_rights_version_moves_with_rights_only(database, workspace, fields, bumps):
    """Open sockets are checked again when somebody's rights changed, and not for a new name."""
    before = await rights_version(database, workspace)
    await change(database, workspace, workspace.agent_id, **fields)
    assert await rights_version(database, workspace) == before + bumps


async def test_last_owner_stays(database, workspace):
    """A workspace is never left without an owner; nothing of the refused change stays."""
    for fields in ({"role": Role.ADMIN}, {"active": False}):
        with pytest.raises(Conflict, match="needs an owner"):
            await change(database, workspace, workspace.owner_id, **fields)
    await change(database, workspace, workspace.agent_id, role=Role.OWNER)
    assert (await change(database, workspace, workspace.owner_id, role=Role.ADMIN)).role is Role.ADMIN


@pytest.mark.parametrize(("target", "role"), [("agent_id", Role.OWNER), ("owner_id", Role.AGENT)])
async def test_admin_neither_makes_nor_unmakes_owners(database, workspace, target, role):
    """An admin manages members, but does not rise above themselves."""
    with pytest.raises(Forbidden):
        await change(database, workspace, getattr(workspace, target), by=Role.ADMIN, role=role)


@pytest.mark.parametrize("role", [Role.AGENT, Role.VIEWER])
async def test_agent_changes_nobody(database, workspace, role):
    """Without members.manage there is no way in."""
    with pytest.raises(Forbidden):
        await change(database, workspace, workspace.agent_id, by=role, name="Mine")


async def test_unknown_member_is_not_found(database, workspace):
    """An id of nobody, or of another workspace, is not found."""
    with pytest.raises(NotFound):
        await change(database, workspace, clock.new_id(), name="X")


async def test_same_person_is_a_member_once(database, workspace):
    """A second add of an address, in any case, is a conflict and leaves no event."""
    await add(database, workspace)
    with pytest.raises(Conflict):
        await add(database, workspace, "CLEO@example.com")
    async with database.snapshot([workspace.id]) as conn:
        assert await events.workspace_head(conn, workspace.id) == 1


async def test_actor_sees_open_and_listed_inboxes(database, workspace):
    """An agent sees inboxes open to all and restricted ones that list them; an owner sees all."""
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE inbox SET restricted = true WHERE id = $1", workspace.other_inbox_id)
    cleo = await add(database, workspace)
    async with database.across() as conn:
        login = await store.find_login(conn, "cleo@example.com")
    async with database.snapshot([workspace.id]) as conn:
        assert (await store.load_actor(conn, workspace.id, login.id)).visible_inboxes == {workspace.inbox_id}
        assert (await store.load_actor(conn, workspace.id, workspace.login_id)).visible_inboxes is None
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(
            "INSERT INTO inbox_member (workspace_id, inbox_id, member_id) VALUES ($1, $2, $3)",
            workspace.id,
            workspace.other_inbox_id,
            cleo.id,
        )
        actor = await store.load_actor(conn, workspace.id, login.id)
    assert actor.visible_inboxes == {workspace.inbox_id, workspace.other_inbox_id}
    assert actor.role is Role.AGENT
    assert actor.member_id == cleo.id


async def test_inactive_member_is_no_actor(database, workspace):
    """Who left has no rights; who never was there gets the same answer."""
    cleo = await add(database, workspace)
    await change(database, workspace, cleo.id, active=False)
    async with database.across() as conn:
        login = await store.find_login(conn, "cleo@example.com")
        assert await store.memberships(conn, login.id) == ()
    async with database.snapshot([workspace.id]) as conn:
        for login_id in (login.id, clock.new_id()):
            with pytest.raises(Forbidden):
                await store.load_actor(conn, workspace.id, login_id)


async def test_transaction_of_one_workspace_sees_no_other(database, workspace):
    """Row-level security answers for every statement of the room that forgets its WHERE."""
    from tests import factories

    other = await factories.make_workspace(database, name="Contoso")
    async with database.transaction([workspace.id]) as conn:
        assert await store.list_members(conn, other.id) == []
        assert await store.member_of_login(conn, other.id, other.login_id) is None
        with pytest.raises(NotFound):
            await store.get_member(conn, other.id, other.owner_id)
        await store.bump_rights(conn, other.id)
    async with database.snapshot([other.id]) as conn:
        assert (await store.load_actor(conn, other.id, other.login_id)).rights_version == 1


async def test_operator_adds_to_the_only_workspace(database, workspace):
    """`hub member add` needs no workspace where there is one, and wants it named where there are two."""
    from tests import factories

    assert await actions.add_member_by_email(database, "cleo@example.com")
    other = await factories.make_workspace(database, name="Contoso")
    with pytest.raises(InvalidInput, match="Name the workspace"):
        await actions.add_member_by_email(database, "dan@example.com")
    assert await actions.add_member_by_email(database, "dan@example.com", workspace_id=other.id, role=Role.ADMIN)
    async with database.snapshot([other.id]) as conn:
        assert [one.role for one in await store.list_members(conn, other.id) if one.name == "dan"] == [Role.ADMIN]


async def test_operator_makes_a_new_link_for_one_who_never_came(database, workspace):
    """A lost invitation is made again; for somebody with a password it is a conflict that says so."""
    first = await actions.add_member_by_email(database, "cleo@example.com")
    second = await actions.add_member_by_email(database, "Cleo@example.com")
    assert first != second
    async with database.across() as conn:
        used = await actions.consume_link(conn, second, "verifier")
        assert used.purpose is LinkPurpose.INVITE
    with pytest.raises(Conflict):
        await actions.add_member_by_email(database, "cleo@example.com")


async def test_reset_link_for_nobody_is_not_found(database):
    """The operator learns of a typing mistake."""
    with pytest.raises(NotFound):
        await actions.make_reset_link(database, "nobody@example.com")


async def test_operator_adding_to_no_workspace_is_not_found(database, workspace):
    """A workspace that is not there is said so, and no login is left behind."""
    with pytest.raises(NotFound):
        await actions.add_member_by_email(database, "cleo@example.com", workspace_id=10**9)
    async with database.across() as conn:
        assert await store.find_login(conn, "cleo@example.com") is None
