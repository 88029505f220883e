"""What a workspace uses, for those who run it, and operators in it: who was there, ended, refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub.audit.model import INSTALLATION
from hub.errors import NotFound
from hub.installation import actions, entering, store
from hub.installation.model import EnteredRow, Usage

if TYPE_CHECKING:
    from api.call import MemberCall


class OperatorsView(msgspec.Struct, frozen=True):
    """
    Operators of the installation in this workspace.

    Attributes:
        allowed: Whether they may enter.
        entered: Their stays, newest first; one without ``ended_at`` and before ``expires_at`` goes on.
    """

    allowed: bool
    entered: tuple[EnteredRow, ...]


class OperatorsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    allowed: bool


async def read(call: MemberCall) -> Usage:
    """Read what this workspace uses, against what it may."""
    async with call.resources.database.snapshot([call.actor.workspace_id]) as conn:
        return await actions.read_usage(conn, call.actor.workspace_id)


async def read_operators(call: MemberCall) -> OperatorsView:
    """Say whether operators of the installation may enter this workspace, and when they did."""
    workspace_id = call.actor.workspace_id
    async with call.resources.database.snapshot([workspace_id]) as conn:
        allowed = await store.lets_operators_in(conn, workspace_id)
        return OperatorsView(allowed, tuple(await store.list_entered(conn, workspace_id)))


async def change_operators(call: MemberCall) -> OperatorsView:
    """Let operators of the installation enter this workspace, or not."""
    wanted = await call.decode(OperatorsRequest)
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await actions.let_operators_in(conn, call.actor, on=wanted.allowed)
    return await read_operators(call)


async def end_entered(call: MemberCall) -> None:
    """End an operator's stay in this workspace at once."""
    workspace_id = call.actor.workspace_id
    session_id = call.path_id("session_id", "stay")
    async with call.resources.database.transaction([INSTALLATION, workspace_id]) as conn:
        if session_id not in {one.session_id for one in await store.list_entered(conn, workspace_id, 1_000)}:
            raise NotFound("stay")
        await entering.leave(conn, call.caller, workspace_id, session_id)
    if call.resources.realtime is not None:
        call.resources.realtime.announce_revocation([workspace_id])
