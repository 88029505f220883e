"""People of one workspace for tests: members by role, each as an actor with the rights of this moment."""

from __future__ import annotations

from uuid import UUID

import msgspec

from hub.accounts import actions, members, people_store, roles, store
from hub.accounts.model import Actor, Member, MemberChange, NewMember, Permission, Role
from hub.db import Database
from tests.factories import WorkspaceFacts


class Desk:
    """A workspace and its people."""

    def __init__(self, database: Database, workspace: WorkspaceFacts) -> None:
        self.database, self.workspace, self.id = database, workspace, workspace.id

    async def add(self, name: str, role: Role = Role.AGENT) -> Member:
        wanted = NewMember(email=f"{name.lower()}@northwind.example", name=name, role=role)
        async with self.database.transaction([self.id]) as conn:
            return (await actions.add_member(conn, self.id, wanted))[0]

    async def actor(self, member_id: UUID) -> Actor:
        async with self.database.transaction([self.id]) as conn:
            login_id = await conn.fetchval("SELECT login_id FROM member WHERE id = $1", member_id)
            assert isinstance(login_id, UUID)
            return await store.load_actor(conn, self.id, login_id)

    async def owner(self) -> Actor:
        return await self.actor(self.workspace.owner_id)

    async def run(self, actor: Actor, action, *arguments, **more):
        async with self.database.transaction([self.id]) as conn:
            return await action(conn, actor, *arguments, **more)

    async def with_custom_role(self, name: str, *permissions: Permission) -> Member:
        """A member with a role of their own."""
        owner = await self.owner()
        role = await self.run(owner, roles.make_role, f"Role of {name}", permissions)
        member = await self.add(name)
        change = MemberChange(custom_role_id=role.id)
        return await self.run(await self.owner(), members.change_member, member.id, change)

    async def member(self, member_id: UUID) -> Member:
        async with self.database.transaction([self.id]) as conn:
            return await store.get_member(conn, self.id, member_id)

    async def audited(self) -> list[tuple[str, str, dict]]:
        """What the audit log says: action, whom or what, details."""
        async with self.database.transaction([self.id]) as conn:
            rows = await conn.fetch("SELECT action, target_id, details::text FROM audit_entry ORDER BY at, id")
        return [(row["action"], row["target_id"], msgspec.json.decode(row["details"])) for row in rows]

    async def hand_over(self, member_id: UUID):
        async with self.database.transaction([self.id]) as conn:
            return await people_store.get_hand_over(conn, self.id, member_id)
