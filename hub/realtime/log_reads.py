"""
Reads of the log for many sockets at once: what is asked in one moment is one query, and no question is asked twice.

Called by the feeds and by catching up. Nothing is kept here: what is worth keeping is in the rings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.realtime.coalesce import Coalescer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.events.model import ConversationRange, LoggedEvent, LogRange, VisibleHead, WorkspaceHead
    from hub.realtime.ports import Ports

# The first question is asked in this loop turn; in a storm one query in this time answers everybody since the last.
PAUSE_S = 0.025
# Rows of one query; with events of 1 KB some 2 MB in flight.
QUERY_EVENTS = 2_000


class LogReads:
    """One a process; every coroutine raises ``Unavailable`` while the log cannot be read."""

    def __init__(self, ports: Ports) -> None:
        self._heads: Coalescer[int, WorkspaceHead] = Coalescer(ports.heads, pause_s=PAUSE_S)
        self._ranges: Coalescer[LogRange, Sequence[LoggedEvent]] = Coalescer(
            ports.event_ranges, pause_s=PAUSE_S, weigh=lambda one: one.limit, most=QUERY_EVENTS
        )
        self._conversations: Coalescer[ConversationRange, Sequence[LoggedEvent]] = Coalescer(
            ports.conversation_ranges, pause_s=PAUSE_S, weigh=lambda one: one.limit, most=QUERY_EVENTS
        )
        self._visible: Coalescer[VisibleHead, int] = Coalescer(ports.visible_heads, pause_s=PAUSE_S)

    async def head(self, workspace_id: int) -> WorkspaceHead | None:
        """Return how far a workspace's log goes; None where there is no such workspace."""
        return await self._heads.get(workspace_id)

    async def events(self, wanted: LogRange) -> list[LoggedEvent]:
        """Return the events of a range in order."""
        return list(await self._ranges.get(wanted) or ())

    async def conversation_events(self, wanted: ConversationRange) -> list[LoggedEvent]:
        """Return the visitor-visible events of a range in order."""
        return list(await self._conversations.get(wanted) or ())

    async def visible_head(self, wanted: VisibleHead) -> int:
        """Return the newest seq at or before a seq that an audience may see; 0 for none."""
        return await self._visible.get(wanted) or 0
