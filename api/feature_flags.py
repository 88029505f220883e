"""Asks a feature flag where a call is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.audit.model import INSTALLATION
from hub.installation.flags import Flags

if TYPE_CHECKING:
    from api.call import Call
    from hub.installation.model import Flag


async def is_on(call: Call, flag: Flag, workspace_id: int = INSTALLATION) -> bool:
    """Say whether a feature is on; a process that keeps no flags reads them for this call."""
    flags = call.resources.flags or Flags(call.resources.database)
    return await flags.is_on(flag, workspace_id)


async def names_on(call: Call, workspace_id: int) -> list[str]:
    """Return the names of the features that are on in a workspace."""
    flags = call.resources.flags or Flags(call.resources.database)
    return [one.name.value for one in await flags.states(workspace_id) if one.is_on]
