"""
Rights and revocation: reads the grants of open connections again, every 10 s and when told, and acts on what changed.

A revoked session is closed; who sees other inboxes than before starts from a snapshot; anything less is taken silently.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.errors import HubError
from hub.log import get_logger
from hub.realtime.protocol import CloseCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.realtime.connections import Connection, Connections
    from hub.realtime.fanout import Fanout
    from hub.realtime.feed import Feeds
    from hub.realtime.ports import Grant, Ports

INTERVAL_S = 10.0
SLICE = 500
# Events after which somebody's rights may be others.
RIGHTS_EVENTS = frozenset({"member_added", "member_changed", "inbox_changed"})

_log = get_logger("realtime")


class Rights:
    """The one that asks; ``poll`` is one round of it."""

    def __init__(
        self,
        ports: Ports,
        feeds: Feeds,
        fanout: Fanout,
        connections: Connections,
        *,
        on_conversation: Callable[[Connection], None],
    ) -> None:
        self._ports = ports
        self._feeds = feeds
        self._fanout = fanout
        self._connections = connections
        self._on_conversation = on_conversation
        self._urgent: set[int] = set()
        self._wake = asyncio.Event()

    def want(self, workspace_id: int) -> None:
        """Read the grants of one workspace again soon."""
        if workspace_id in self._fanout.by_workspace:
            self._urgent.add(workspace_id)
            self._wake.set()

    async def run(self) -> None:
        """Poll for ever: everything every 10 s, the named workspaces when woken."""
        loop = asyncio.get_running_loop()
        all_at_s = loop.time() + INTERVAL_S
        while True:
            try:
                async with asyncio.timeout_at(all_at_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            urgent, self._urgent = self._urgent, set()
            is_all = loop.time() >= all_at_s
            if is_all:
                all_at_s = loop.time() + INTERVAL_S
            try:
                await self.poll(None if is_all else urgent)
            except HubError as error:
                self._urgent |= urgent
                _log.debug("rights_unreadable", code=error.code)
            except Exception:  # loop: the next poll reads again
                _log.exception("rights_failed")

    async def poll(self, workspace_ids: set[int] | None = None) -> None:
        """
        Read grants again and act.

        Args:
            workspace_ids: Which workspaces; None means all with connections here.

        Raises:
            Unavailable: They could not be read; nobody was touched since.
        """
        chosen = self._fanout.by_workspace.keys() if workspace_ids is None else workspace_ids
        holders: dict[Grant, list[Connection]] = {}
        for workspace_id in list(chosen):
            for connection in self._fanout.by_workspace.get(workspace_id, ()):
                if connection.grant is not None:
                    holders.setdefault(connection.grant, []).append(connection)
        grants = list(holders)
        for start in range(0, len(grants), SLICE):
            some = grants[start : start + SLICE]
            for old, new in zip(some, await self._ports.refresh(some), strict=True):
                for connection in holders[old] if new != old else ():
                    # It may have got another grant, or gone, while we asked.
                    if connection.grant == old and not connection.closed:
                        self._apply(connection, old, new)

    def _apply(self, connection: Connection, old: Grant, new: Grant | None) -> None:
        if new is None:
            self._connections.close(connection, CloseCode.NOT_SIGNED_IN, "not signed in")
            return
        connection.grant = new
        feed = self._feeds.get(new.workspace_id)
        if new.kind == "visitor":
            if new.conversation_id != old.conversation_id:
                self.change_conversation(connection, old)
        elif new.visible_inboxes != old.visible_inboxes:
            # Also where hello is being answered at this moment: its audience is the old one.
            opener = connection.opener
            if opener is not None:
                opener.cancel()
            self._fanout.lose([connection], "rights", feed.last if feed is not None else 0)
        elif feed is not None:
            self._fanout.move(connection, feed)

    def change_conversation(self, connection: Connection, old: Grant) -> None:
        """A visitor's first conversation is attached; another one than before starts from a snapshot."""
        if old.conversation_id is None:
            self._on_conversation(connection)
        else:
            self._fanout.lose([connection], "rights", 0)
