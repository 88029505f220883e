"""
Rights and revocation of open connections: reads their grants again when told, and all of them within a minute.

Told by the log (every change of rights is an event), by ``revocations.py`` and by signals; the sweep answers for what
none of them said. A revoked session is closed; who sees other inboxes than before, or may reply where they could not,
starts from a snapshot; anything less is taken silently.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from msgspec import structs

from hub.errors import HubError
from hub.log import get_logger
from hub.realtime.protocol import CloseCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from hub.realtime.connections import Connection, Connections
    from hub.realtime.fanout import Fanout
    from hub.realtime.feed import Feeds
    from hub.realtime.ports import Grant, Ports

# Every open connection's grant is read again within this, a slice at a time.
SWEEP_S = 45.0
# A visitor's token lives 400 days and their conversations are signalled: looked at in every sixth sweep only, which
# was half of an idle worker's time otherwise. Whether their live chat is still open is looked at in each.
THOROUGH_EVERY = 6
SLICE = 500
RETRY_S = 2.0

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
        self._sweep = self._slices()
        self._sweeps = 1
        self._thorough_until = 0
        self._wake = asyncio.Event()

    def want(self, workspace_id: int) -> None:
        """Read the grants of one workspace's members again soon."""
        if workspace_id in self._fanout.by_workspace:
            self._urgent.add(workspace_id)
            self._wake.set()

    def want_conversations(self) -> None:
        """Look for visitors' conversations in the next whole sweep: signals of them may have been lost."""
        # The one that is under way may be nearly through.
        self._thorough_until = self._sweeps + 1

    def close_revoked(self, session_ids: frozenset[UUID]) -> None:
        """Close the connections of sessions that ended."""
        for connection in list(self._connections.all):
            # Most are visitors, and putting a grant together costs 5 microseconds.
            if connection.kind != "member":
                continue
            grant = connection.grant
            if grant is not None and grant.session_id in session_ids:
                self._connections.close(connection, CloseCode.NOT_SIGNED_IN, "not signed in")

    async def run(self) -> None:
        """Poll for ever: the named workspaces when woken, and slice by slice everybody."""
        loop = asyncio.get_running_loop()
        next_s = loop.time() + self._pace_s()
        while True:
            try:
                async with asyncio.timeout_at(next_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            if self._urgent:
                await self._poll_urgent()
            if loop.time() >= next_s:
                next_s = loop.time() + self._pace_s()
                await self.go_on()

    async def go_on(self) -> None:
        """Look at the next slice of the sweep; never raises, the next sweep looks again."""
        try:
            is_thorough = self._sweeps % THOROUGH_EVERY == 0 or self._sweeps <= self._thorough_until
            await self._read_again(next(self._sweep), thoroughly=is_thorough)
        except HubError as error:
            _log.debug("rights_unreadable", code=error.code)
        except Exception:  # loop: the next sweep reads again
            _log.exception("rights_failed")

    async def poll(self, workspace_ids: set[int] | None = None) -> None:
        """
        Read grants again and act.

        Args:
            workspace_ids: Whose members; None means everybody with a connection here.

        Raises:
            Unavailable: They could not be read; nobody was touched since.
        """
        chosen = self._fanout.by_workspace.keys() if workspace_ids is None else workspace_ids
        for some in self._chunks(sorted(chosen), members_only=workspace_ids is not None):
            await self._read_again(some, thoroughly=True)

    async def _poll_urgent(self) -> None:
        urgent, self._urgent = self._urgent, set()
        try:
            await self.poll(urgent)
        except HubError as error:
            self._urgent |= urgent
            asyncio.get_running_loop().call_later(RETRY_S, self._wake.set)
            _log.debug("rights_unreadable", code=error.code)
        except Exception:  # loop: the sweep reads again
            _log.exception("rights_failed")

    def _pace_s(self) -> float:
        """Seconds between two slices, so that all of them take a sweep's time."""
        return SWEEP_S / max(1, math.ceil(len(self._connections.all) / SLICE) + 1)

    def _slices(self) -> Iterator[list[Connection]]:
        """Go round everybody for ever, in the order of workspaces: nobody's turn moves far."""
        while True:
            yield from self._chunks(sorted(self._fanout.by_workspace), members_only=False)
            self._sweeps += 1
            yield []

    def _chunks(self, workspace_ids: list[int], *, members_only: bool) -> Iterator[list[Connection]]:
        some: list[Connection] = []
        for workspace_id in workspace_ids:
            for connection in list(self._fanout.by_workspace.get(workspace_id, ())):
                if connection.closed or (members_only and connection.kind != "member"):
                    continue
                some.append(connection)
                if len(some) >= SLICE:
                    yield some
                    some = []
        if some:
            yield some

    async def _read_again(self, some: list[Connection], *, thoroughly: bool) -> None:
        if not thoroughly:
            some = await self._close_with_their_accounts(some)
        holders: dict[Grant, list[Connection]] = {}
        for connection in some:
            grant = connection.grant
            if grant is not None and not connection.closed:
                holders.setdefault(grant, []).append(connection)
        if not holders:
            return
        grants = list(holders)
        stood_at = {one.workspace_id: feed.last for one in grants if (feed := self._feeds.get(one.workspace_id))}
        for old, new in zip(grants, await self._ports.refresh(grants), strict=True):
            if new is not None and new.kind == "member" and new.workspace_id in stood_at:
                feed = self._feeds.get(new.workspace_id)
                if feed is not None:
                    feed.rights.learn(new.rights_version, stood_at[new.workspace_id])
            for connection in holders[old] if new != old else ():
                # It may have got another grant, or gone, while we asked.
                if connection.grant == old and not connection.closed:
                    self._apply(connection, old, new)
        await self._find_conversations([one for one in some if one.kind == "visitor" and not one.closed])

    async def _close_with_their_accounts(self, some: list[Connection]) -> list[Connection]:
        """Close visitors whose live chat takes none any more, without a look at their tokens; returns the others."""
        rest: list[Connection] = []
        open_accounts: dict[UUID, bool] = {}
        for connection in some:
            account_id = connection.account_id
            if account_id is None:
                rest.append(connection)
                continue
            if account_id not in open_accounts:
                open_accounts[account_id] = await self._ports.takes_visitors(account_id)
            if not open_accounts[account_id] and not connection.closed:
                self._connections.close(connection, CloseCode.NOT_SIGNED_IN, "not signed in")
        return rest

    async def _find_conversations(self, visitors: list[Connection]) -> None:
        """Find conversations that began elsewhere, where the signal of it was lost; one query for all."""
        asked = {
            one: (grant, self._ports.visitor_thread(grant)) for one in visitors if (grant := one.grant) is not None
        }
        if not asked:
            return
        found = await self._ports.visitor_conversations(list({thread for _, thread in asked.values()}))
        for connection, (grant, thread) in asked.items():
            newest = found.get(thread)
            if newest is not None and newest.conversation_id != grant.conversation_id and connection.grant == grant:
                self.take_conversation(connection, newest.conversation_id)

    def take_conversation(self, connection: Connection, conversation_id: UUID) -> None:
        """Let a visitor's connection hear the conversation that they began, here or elsewhere."""
        old = connection.grant
        if old is None or connection.closed or old.conversation_id == conversation_id:
            return
        connection.grant = structs.replace(old, conversation_id=conversation_id)
        if old.conversation_id is None:
            self._on_conversation(connection)
        else:
            self._fanout.lose([connection], "rights", 0)

    def _apply(self, connection: Connection, old: Grant, new: Grant | None) -> None:
        if new is None:
            self._connections.close(connection, CloseCode.NOT_SIGNED_IN, "not signed in")
            return
        connection.grant = new
        feed = self._feeds.get(new.workspace_id)
        if new.kind == "visitor":
            return
        if (new.visible_inboxes, new.may_reply) != (old.visible_inboxes, old.may_reply):
            # Also where hello is being answered at this moment: its audience is the old one.
            opener = connection.opener
            if opener is not None:
                opener.cancel()
            self._fanout.lose([connection], "rights", feed.last if feed is not None else 0)
        elif feed is not None:
            self._fanout.move(connection, feed)
