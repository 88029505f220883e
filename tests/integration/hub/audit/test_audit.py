"""The audit log on a real Postgres: what is written, who reads it, and that nobody changes it."""

from __future__ import annotations

import asyncpg
import pytest

from hub import clock
from hub.audit import actions
from hub.audit.model import INSTALLATION, ActorKind, Entry
from tests.factories import make_workspace

pytestmark = pytest.mark.postgres

READ = "SELECT action, details FROM audit_entry ORDER BY id"


def entry(workspace_id: int, action: str = "member.role_changed") -> Entry:
    return Entry(
        workspace_id=workspace_id,
        action=action,
        actor_kind=ActorKind.MEMBER,
        actor_id=clock.new_id(),
        target_kind="member",
        target_id="7",
        address="192.0.2.7",
        details=b'{"role": ["agent", "admin"]}',
    )


async def test_an_entry_is_read_in_its_own_workspace_only(database, workspace):
    """Neither another workspace nor the installation's own entries are seen."""
    other = await make_workspace(database)
    async with database.transaction([workspace.id]) as conn:
        await actions.record(conn, entry(workspace.id))
        await actions.record(conn, entry(INSTALLATION, "login.signed_in"))
    async with database.transaction([workspace.id]) as conn:
        rows = await conn.fetch(READ)
    async with database.transaction([other.id]) as conn:
        assert await conn.fetch(READ) == []
    assert [(row["action"], row["details"]) for row in rows] == [
        ("member.role_changed", '{"role": ["agent", "admin"]}')
    ]


async def test_an_entry_of_another_workspace_is_refused(database, workspace):
    """A wrong workspace id is an error, never a row in somebody else's log."""
    other = await make_workspace(database)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction([workspace.id]) as conn:
            await actions.record(conn, entry(other.id))


@pytest.mark.parametrize("change", ["UPDATE audit_entry SET action = 'a.b'", "DELETE FROM audit_entry"])
async def test_the_application_never_changes_an_entry(database, workspace, change):
    """Its role may add and read."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction([workspace.id]) as conn:
            await conn.execute(change)


async def test_an_entry_goes_with_the_transaction_it_tells_of(database, workspace):
    """What was not done is not told."""

    class NotDone(Exception):
        pass

    with pytest.raises(NotDone):
        async with database.transaction([workspace.id]) as conn:
            await actions.record(conn, entry(workspace.id))
            raise NotDone
    async with database.transaction([workspace.id]) as conn:
        assert await conn.fetch(READ) == []
