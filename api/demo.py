"""Removing the demo from a workspace in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.demo import actions

if TYPE_CHECKING:
    from api.call import MemberCall


async def remove(call: MemberCall) -> None:
    """Remove the demo's channel accounts with their conversations, files and contacts; everything else stays."""
    await actions.remove_demo(call.resources.database, call.actor.workspace_id, call.caller)
