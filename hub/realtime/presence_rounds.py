"""
Shows members who is online and who looks at the same conversation, in rounds: one a workspace and second at most.

What came in since the last round goes to the store as this worker's one entry a workspace, all workspaces in one call,
and comes back as what all workers say together; only what differs from what was shown goes to sockets, encoded once.
Other workers are told to look again. Kept by ``signals.py``, run by ``hub.py``. See docs/decisions/0019.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from hub.log import get_logger
from hub.realtime.broker import PresenceSignal
from hub.realtime.presence import LEAVE_GRACE_S, VIEWING_TTL_S, Here, Present
from hub.realtime.presence_state import Screen, Workspace
from hub.realtime.protocol import ViewingShown, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from hub.realtime.broker import Broker
    from hub.realtime.connections import Connection
    from hub.realtime.fanout import Fanout
    from hub.realtime.feed import Feeds
    from hub.realtime.ports import Grant
    from hub.realtime.presence import Presence

# A third of what an entry is believed for.
REFRESH_S = 20.0
# All workspaces in one go were 1.5 s of a full machine: eight workers with a thousand each, all at the same moment.
REFRESH_PARTS = 20
ROUND_S = 1.0
# What comes in one burst is one round.
GATHER_S = 0.02
SLICE = 500

_log = get_logger("realtime")


class PresenceRounds:
    """
    What this worker's members are shown of each other.

    Attributes:
        frames: Presence and viewing frames queued, for /metrics.
    """

    def __init__(
        self,
        presence: Presence,
        broker: Broker,
        *,
        feeds: Feeds,
        fanout: Fanout,
        holder: str,
        monotonic_s: Callable[[], float],
    ) -> None:
        self._presence = presence
        self._broker = broker
        self._feeds = feeds
        self._fanout = fanout
        self._holder = holder
        self._monotonic_s = monotonic_s
        self._workspaces: dict[int, Workspace] = {}
        self._due: dict[int, float] = {}
        # Workspaces whose turn in this refresh is still to come, how many make a part, and when the next part is due.
        self._line: list[int] = []
        self._part = 0
        self._part_at_s = self._refresh_at_s = monotonic_s() + REFRESH_S
        self._wake = asyncio.Event()
        self.frames = 0

    def come(self, connection: Connection, grant: Grant) -> None:
        """Count a member as online and show them who is; again after each hello that was answered."""
        workspace = self._workspaces.setdefault(grant.workspace_id, Workspace())
        is_back = workspace.leaving.pop(grant.subject_id, None) is not None
        if (is_back or grant.subject_id in workspace.members) and workspace.is_shown:
            # After a reconnect storm: at most 20 s old, and every change since then was shown.
            workspace.members.add(grant.subject_id)
            self._write([connection], workspace.frame())
            return
        if grant.subject_id not in workspace.members:
            workspace.members.add(grant.subject_id)
            workspace.is_changed = True
        workspace.newcomers[connection] = None
        self._want(grant.workspace_id)

    def leave(self, connection: Connection, grant: Grant) -> None:
        """Let a member whose last connection here closed go offline, after a grace."""
        self.unview(connection, grant)
        workspace = self._workspaces.get(grant.workspace_id)
        if workspace is None:
            return
        workspace.newcomers.pop(connection, None)
        others = self._fanout.by_workspace.of_subject(grant.workspace_id, grant.subject_id)
        if grant.subject_id in workspace.members and not any(other is not connection for other in others):
            workspace.members.discard(grant.subject_id)
            workspace.leaving[grant.subject_id] = self._monotonic_s() + LEAVE_GRACE_S
            self._want(grant.workspace_id, LEAVE_GRACE_S)

    def view(self, connection: Connection, grant: Grant, conversation_id: UUID, inbox_id: UUID) -> None:
        """Note for the next 30 s that a member has a conversation on screen, and show them who else has."""
        workspace = self._workspaces.setdefault(grant.workspace_id, Workspace())
        screen = workspace.screens.get(conversation_id)
        if screen is None:
            screen = workspace.screens[conversation_id] = Screen(inbox_id)
        screen.inbox_id = inbox_id
        is_new = connection not in screen.until_s
        screen.until_s[connection] = self._monotonic_s() + VIEWING_TTL_S
        connection.viewing = conversation_id
        if is_new:
            screen.newcomers[connection] = None
            workspace.changed_screens.add(conversation_id)
            self._want(grant.workspace_id)

    def unview(self, connection: Connection, grant: Grant) -> None:
        """Note that a connection has no conversation on screen any more."""
        conversation_id, connection.viewing = connection.viewing, None
        workspace = self._workspaces.get(grant.workspace_id)
        if conversation_id is None or workspace is None:
            return
        if workspace.take_from_screen(conversation_id, connection):
            self._want(grant.workspace_id)

    def move(self, workspace_id: int, conversation_id: UUID, inbox_id: UUID) -> None:
        """Note that a conversation is in another inbox now: only those who see it are shown who looks at it."""
        workspace = self._workspaces.get(workspace_id)
        if workspace is not None and conversation_id in workspace.screens:
            workspace.screens[conversation_id].inbox_id = inbox_id

    def on_signal(self, workspace_id: int, signal: PresenceSignal) -> None:
        """Look again, where another worker's change concerns somebody here."""
        workspace = self._workspaces.get(workspace_id)
        if signal.holder == self._holder or workspace is None:
            return
        if signal.members or not workspace.screens.keys().isdisjoint(signal.conversation_ids):
            self._want(workspace_id)

    def want_all(self) -> None:
        """Look at every workspace again soon, part by part: signals may have been lost."""
        self._line = []
        self._part_at_s = self._refresh_at_s = self._monotonic_s()
        self._wake.set()

    async def run(self) -> None:
        """Go round for ever."""
        while True:
            next_s = min(self._due.values(), default=self._part_at_s)
            try:
                async with asyncio.timeout(max(0.0, min(next_s, self._part_at_s) - self._monotonic_s())):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            await asyncio.sleep(GATHER_S)
            try:
                await self.go_round()
            except Exception:  # loop: shown again in 20 s
                _log.exception("presence_failed")

    async def go_round(self) -> None:
        """Do what is due: workspaces where something changed, and each of them every 20 s."""
        now_s = self._monotonic_s()
        due = [workspace_id for workspace_id, due_s in self._due.items() if due_s <= now_s]
        due += [workspace_id for workspace_id in self._take_part(now_s) if workspace_id not in self._due]
        for start in range(0, len(due), SLICE):
            await self._look(due[start : start + SLICE])

    def _take_part(self, now_s: float) -> list[int]:
        """Return the workspaces whose entries are to be repeated now."""
        if now_s < self._part_at_s:
            return []
        if not self._line and now_s >= self._refresh_at_s:
            self._refresh_at_s = now_s + REFRESH_S
            self._line = list(self._workspaces)
            self._part = -(-len(self._line) // REFRESH_PARTS)
        part, self._line = self._line[: self._part], self._line[self._part :]
        self._part_at_s = now_s + ROUND_S if self._line else self._refresh_at_s
        return part

    async def stop(self) -> None:
        """Leave what is here with the others for the grace only: who comes back elsewhere is not shown as gone."""
        now_s = self._monotonic_s()
        here = {workspace_id: one.here(now_s) for workspace_id, one in self._workspaces.items()}
        self._workspaces.clear()
        for start in range(0, len(here), SLICE):
            await self._presence.keep(self._holder, dict([*here.items()][start : start + SLICE]), LEAVE_GRACE_S)

    def _want(self, workspace_id: int, after_s: float = 0.0) -> None:
        """Have a workspace's round come as soon as the last one is a second old."""
        at_s = max(self._monotonic_s() + after_s, self._workspaces[workspace_id].rests_until_s)
        known_s = self._due.get(workspace_id)
        if known_s is None or at_s < known_s:
            self._due[workspace_id] = at_s
            self._wake.set()

    async def _look(self, workspace_ids: list[int]) -> None:
        now_s = self._monotonic_s()
        here: dict[int, Here] = {}
        signals: dict[int, PresenceSignal] = {}
        for workspace_id in workspace_ids:
            self._due.pop(workspace_id, None)
            workspace = self._workspaces.get(workspace_id)
            if workspace is None:
                continue
            here[workspace_id] = workspace.here(now_s)
            workspace.rests_until_s = now_s + ROUND_S
            if changes := workspace.take_changes():
                signals[workspace_id] = PresenceSignal(self._holder, *changes)
            if workspace.leaving:
                self._want(workspace_id, min(workspace.leaving.values()) - now_s)
        if not here:
            return
        present = await self._presence.keep(self._holder, here)
        for workspace_id in here:
            self._show(workspace_id, None if present is None else present.get(workspace_id))
        if present is not None:
            for workspace_id, signal in signals.items():
                # After the store has it: whoever looks now sees it.
                self._broker.publish_signal(workspace_id, msgspec.json.encode(signal))

    def _show(self, workspace_id: int, present: Present | None) -> None:
        workspace = self._workspaces.get(workspace_id)
        if workspace is None:
            return
        if workspace.is_empty:
            del self._workspaces[workspace_id]
            self._due.pop(workspace_id, None)
            return
        newcomers, workspace.newcomers = workspace.newcomers, {}
        change = workspace.show(None if present is None else present.members)
        if change is not None:
            self._write([one for one in self._live_members(workspace_id) if one not in newcomers], change)
        self._write(newcomers, workspace.frame())
        for conversation_id, screen in workspace.screens.items():
            viewers = None if present is None else present.viewers.get(conversation_id, ())
            self._show_viewers(conversation_id, screen, viewers)

    def _show_viewers(self, conversation_id: UUID, screen: Screen, viewers: tuple[UUID, ...] | None) -> None:
        newcomers, screen.newcomers = screen.newcomers, {}
        shown_to = newcomers if screen.is_shown and viewers == screen.viewers else screen.until_s
        screen.viewers = viewers
        screen.is_shown = True
        if seen := [one for one in shown_to if _sees(one, screen.inbox_id)]:
            self._write(seen, encode(ViewingShown(conversation_id, viewers)))

    def _live_members(self, workspace_id: int) -> list[Connection]:
        feed = self._feeds.get(workspace_id)
        if feed is None:
            return []
        return [connection for audience in feed.audiences.values() for connection in audience.connections]

    def _write(self, connections: Iterable[Connection], frame: bytes) -> None:
        for connection in connections:
            if connection.write(frame):
                self.frames += 1


def _sees(connection: Connection, inbox_id: UUID) -> bool:
    grant = connection.grant
    return grant is not None and (grant.visible_inboxes is None or inbox_id in grant.visible_inboxes)
