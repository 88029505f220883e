"""Who works in a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub.accounts import store
from hub.accounts.model import Member

if TYPE_CHECKING:
    from api.call import MemberCall


class MembersView(msgspec.Struct, frozen=True):
    members: list[Member]


async def read_all(call: MemberCall) -> MembersView:
    """List everybody, those who left included: old messages refer to them."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return MembersView(await store.list_members(conn, call.actor.workspace_id))
