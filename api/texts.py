"""How a workspace keeps the texts of its messages, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from api.call import required
from hub.texts import actions, store
from hub.texts.model import Sealing

if TYPE_CHECKING:
    from api.call import MemberCall


class SealingRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sealed: bool


class SealingView(msgspec.Struct, frozen=True):
    """How texts are kept; ``search`` says what search cannot do."""

    sealing: Sealing


async def read(call: MemberCall) -> SealingView:
    """How texts of messages are kept, and how far a change is."""
    async with call.resources.database.snapshot([call.actor.workspace_id]) as conn:
        return SealingView((await store.get_kept(conn, call.actor.workspace_id)).sealing)


async def change(call: MemberCall) -> SealingView:
    """Seal texts of messages from now on, or open them again; those that are stored follow in the background."""
    wanted = await call.decode(SealingRequest)
    sealer = required(call.resources.sealer, "secret key")
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return SealingView(await actions.set_sealed(conn, sealer, call.actor, wanted=wanted.sealed))


async def change_key(call: MemberCall) -> SealingView:
    """Seal texts with a fresh key; those that are stored follow in the background."""
    sealer = required(call.resources.sealer, "secret key")
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return SealingView(await actions.change_key(conn, sealer, call.actor))
