"""Takes the demo out of an installation from the shell. Called by ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.demo.actions import remove_demo
from hub.demo.store import demo_workspaces
from hub.demo_process.place import opened
from hub.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable


async def end_demo(
    database_url: str, redis_ephemeral_url: str, workspace_id: int | None, announce: Callable[[str], None]
) -> None:
    """
    Remove the demo from the named workspace, or from every one that has it.

    Args:
        database_url: For the application.
        redis_ephemeral_url: Carries hints to what runs; empty where nothing does.
        workspace_id: Which workspace; None means every one with a demo.
        announce: Gets a line a workspace.

    Raises:
        NotFound: There is no demo there.
    """
    async with opened(database_url, redis_ephemeral_url) as database:
        wanted = [workspace_id] if workspace_id is not None else await demo_workspaces(database)
        if not wanted:
            raise NotFound("demo")
        for one in wanted:
            removed = await remove_demo(database, one)
            announce(f"The demo is out of workspace {one}: {removed:,} conversations removed.")
