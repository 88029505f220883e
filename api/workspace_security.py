"""Whether a workspace asks everybody for a second factor, and members who lost theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from hub.notices import security
from hub.notices.model import News
from hub.signin.factors import insisting, store

if TYPE_CHECKING:
    from api.call import MemberCall


class SecurityRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    requires_second_factor: bool


class SecurityView(msgspec.Struct, frozen=True):
    """
    How a workspace is kept.

    Attributes:
        members_without: Ids of active members who have no second factor: shut out where one is required.
    """

    requires_second_factor: bool
    members_without: tuple[UUID, ...]


async def read(call: MemberCall) -> SecurityView:
    """Say whether everybody needs a second factor, and who has none."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return SecurityView(
            await store.requires_second_factor(conn, call.actor.workspace_id),
            await store.members_without_factor(conn, call.actor.workspace_id),
        )


async def change(call: MemberCall) -> SecurityView:
    """Ask everybody for a second factor from now on, or stop asking."""
    wanted = await call.decode(SecurityRequest)
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await insisting.require_second_factor(conn, call.actor, on=wanted.requires_second_factor, address=call.address)
    return await read(call)


async def reset_member(call: MemberCall) -> None:
    """Take away the second factors of a member who lost them."""
    member_id = call.path_id("member_id")
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await insisting.reset_member(conn, call.actor, member_id, call.address)
        await security.tell_member(conn, call.actor.workspace_id, member_id, News.FACTOR_REMOVED)
    if call.resources.realtime is not None:
        call.resources.realtime.announce_revocation([call.actor.workspace_id])
