"""Who works in a workspace: listed, changed, let go, taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from api.etag import Seen, fields_of, require_mergeable, wanted_version
from api.paging import decode_cursor, encode_cursor
from hub.accounts import members, store
from hub.accounts.model import Member, MemberChange, MemberFilter, Role
from hub.accounts.people import HandOver
from hub.errors import InvalidInput

if TYPE_CHECKING:
    from api.call import MemberCall

_STATES = {"": None, "active": True, "inactive": False}


class MembersView(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    A page of members.

    Attributes:
        next: Asks for the page after it; left out on the last one.
    """

    members: list[Member]
    next: str | None = None


class MemberView(msgspec.Struct, frozen=True):
    member: Member


class MemberPatch(MemberChange, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes about a member; ``active: false`` leaves their open conversations to nobody."""


class DeactivationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who gets the open conversations of whoever goes."""

    hand_over_to: HandOver


async def read_all(call: MemberCall) -> MembersView:
    """List members, those who left included: old messages refer to them."""
    state = call.query.get("state", "")
    if state not in _STATES:
        raise InvalidInput("state", "Must be active or inactive.")
    limit = call.query_int("limit", 200, low=1, high=200)
    wanted = MemberFilter(
        text=call.query.get("q", "").strip(),
        active=_STATES[state],
        after_id=read_after(call.query.get("before", "")),
        limit=limit,
    )
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        rows = await store.page_members(conn, call.actor.workspace_id, wanted)
    return MembersView(rows, encode_cursor((str(rows[-1].id),)) if len(rows) == limit else None)


async def read(call: MemberCall) -> MemberView:
    """Return one member."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return MemberView(await store.get_member(conn, call.actor.workspace_id, call.path_id("member_id")))


async def change(call: MemberCall) -> MemberView:
    """Rename a member, give them another role, let them go or take them back."""
    wanted = await call.decode(MemberPatch)
    workspace_id, member_id = call.actor.workspace_id, call.path_id("member_id")
    seen = Seen(workspace_id, "member", wanted_version(call.request))
    async with call.resources.database.transaction([workspace_id]) as conn:
        await require_mergeable(conn, seen, lambda: store.get_member(conn, workspace_id, member_id), _changes(wanted))
        return MemberView(await members.change_member(conn, call.actor, member_id, wanted))


async def deactivate(call: MemberCall) -> MemberView:
    """Let a member go and hand their open conversations over."""
    wanted = await call.decode(DeactivationRequest)
    member_id = call.path_id("member_id")
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return MemberView(await members.deactivate(conn, call.actor, member_id, wanted.hand_over_to))


async def reactivate(call: MemberCall) -> MemberView:
    """Take a member back as what they were."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return MemberView(await members.reactivate(conn, call.actor, call.path_id("member_id")))


async def leave(call: MemberCall) -> None:
    """Leave the workspace, and hand one's own open conversations over."""
    wanted = await call.decode(DeactivationRequest)
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await members.leave(conn, call.actor, wanted.hand_over_to)


def _changes(wanted: MemberPatch) -> dict[str, object]:
    """What somebody is here is one thing in two fields: who is given a role loses the custom one, and back."""
    standing: dict[str, object] = {}
    if wanted.role is not None or wanted.custom_role_id is not None:
        standing = {"role": wanted.role or Role.VIEWER, "custom_role_id": wanted.custom_role_id}
    return fields_of(wanted) | standing


def read_after(cursor: str) -> UUID | None:
    """Read the cursor of a list whose key is the last row's id; ``InvalidInput`` where it is none of ours."""
    if not cursor:
        return None
    (text,) = decode_cursor(cursor, 1)
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput("before", "This is not a cursor of ours.") from None
