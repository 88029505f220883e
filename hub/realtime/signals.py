"""
Typing, who is viewing, who is online: fleeting, without seq, never stored in the log; only changes are passed on.

Authorised per message by the conversation's inbox. A note's typing never reaches the visitor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub.errors import Forbidden, InvalidInput, NotFound
from hub.realtime.broker import (
    PresenceSignal,
    RevocationSignal,
    RightsSignal,
    Signal,
    TypingSignal,
    ViewingSignal,
    VisitorSignal,
)
from hub.realtime.protocol import (
    TYPING_TTL_S,
    PresenceShown,
    Typing,
    TypingShown,
    Viewing,
    ViewingShown,
    encode,
)
from hub.realtime.session import Phase

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from hub.events.model import LoggedEvent
    from hub.realtime.broker import Broker
    from hub.realtime.connections import Connection
    from hub.realtime.fanout import Fanout
    from hub.realtime.feed import Feeds
    from hub.realtime.ports import Grant, Ports
    from hub.realtime.presence import Presence, Viewers

INBOX_CACHE_SIZE = 10_000
INBOX_CACHE_S = 60.0

_SIGNALS: msgspec.json.Decoder[Signal] = msgspec.json.Decoder(Signal)
_UNKNOWN = object()

Order = RightsSignal | RevocationSignal | VisitorSignal


class Signals:
    """What members and visitors of this process tell each other, and everybody else, in passing."""

    def __init__(
        self,
        ports: Ports,
        broker: Broker,
        presence: Presence,
        *,
        feeds: Feeds,
        fanout: Fanout,
        process_id: str,
        monotonic_s: Callable[[], float],
    ) -> None:
        self._ports = ports
        self._broker = broker
        self._presence = presence
        self._feeds = feeds
        self._fanout = fanout
        self._process_id = process_id
        self._monotonic_s = monotonic_s
        self._inboxes: dict[tuple[int, UUID], tuple[UUID, float]] = {}
        self._online: dict[int, tuple[UUID, ...] | None] = {}

    async def type(self, connection: Connection, grant: Grant, frame: Typing) -> None:
        """Pass typing on; raises ``NotFound`` for conversations this subject cannot see."""
        if grant.kind == "visitor":
            if grant.conversation_id is None:
                return
            conversation_id = grant.conversation_id
            frame = Typing(frame.on, conversation_id, "message")
        elif frame.conversation_id is None:
            raise InvalidInput("conversation_id", "Name the conversation.")
        elif not grant.may_reply:
            raise Forbidden
        else:
            conversation_id = frame.conversation_id
        inbox_id = await self._visible_inbox(grant, conversation_id)
        member_id = grant.subject_id if grant.kind == "member" else None
        shown = TypingShown(conversation_id, member_id, frame.on, frame.kind)
        connection.typing = (shown, self._monotonic_s() + TYPING_TTL_S) if frame.on else None
        self._publish(grant.workspace_id, TypingSignal(conversation_id, inbox_id, member_id, frame.on, frame.kind))

    async def view(self, connection: Connection, grant: Grant, frame: Viewing) -> None:
        """Note which conversation a member has on screen and pass the change on."""
        if grant.kind != "member":
            raise Forbidden
        before = connection.viewing
        if before is not None and before != frame.conversation_id:
            await self._unview(connection, grant)
        if frame.conversation_id is None:
            return
        inbox_id = await self._visible_inbox(grant, frame.conversation_id)
        connection.viewing = frame.conversation_id
        viewers = await self._presence.view(grant.workspace_id, frame.conversation_id, connection.id, grant.subject_id)
        if connection.closed:
            await self._unview(connection, grant)
        elif viewers is not None and not viewers.is_changed and before != frame.conversation_id:
            connection.send(ViewingShown(frame.conversation_id, viewers.member_ids))
        else:
            self._publish_viewers(grant.workspace_id, frame.conversation_id, inbox_id, viewers)

    async def leave(self, connection: Connection, grant: Grant) -> None:
        """Take back what a closed connection said: it types and views no more."""
        if connection.typing is not None and connection.typing[1] > self._monotonic_s():
            shown = connection.typing[0]
            inbox = self._cached_inbox(grant.workspace_id, shown.conversation_id)
            if inbox is not None:
                off = TypingSignal(shown.conversation_id, inbox, shown.member_id, on=False, kind=shown.kind)
                self._publish(grant.workspace_id, off)
        if connection.viewing is not None:
            await self._unview(connection, grant)
        if grant.kind == "member" and not self._has_other_connection(connection, grant):
            await self._presence.leave(grant.workspace_id, self._process_id, grant.subject_id)

    async def come_online(self, connection: Connection, grant: Grant) -> None:
        """Count a member as online, tell them who is, and tell the others where that is news."""
        known = self._online.get(grant.workspace_id)
        if known is not None and grant.subject_id in known:
            # After a reconnect storm: at most 20 s old, and everybody else is told of changes.
            connection.send(PresenceShown(known))
            return
        online = await self._presence.online(grant.workspace_id, self._process_id, [grant.subject_id])
        if online is not None and online != self._online.get(grant.workspace_id, _UNKNOWN):
            self._publish(grant.workspace_id, PresenceSignal(online))
        connection.send(PresenceShown(online))

    async def keep_online(self) -> None:
        """Prolong every local member, workspace by workspace, and pass changes on; run every 20 s."""
        for workspace_id in list(self._fanout.by_workspace):
            grants = [one.grant for one in self._fanout.by_workspace.get(workspace_id, ())]
            members = {grant.subject_id for grant in grants if grant is not None and grant.kind == "member"}
            if members:
                self._show_online(workspace_id, await self._presence.online(workspace_id, self._process_id, [*members]))
        for workspace_id in self._online.keys() - self._fanout.by_workspace.keys():
            del self._online[workspace_id]

    def on_signal(self, workspace_id: int, data: bytes) -> Order | None:
        """Show a signal of any process to those here who may see it; returns what is not to be shown but done."""
        try:
            signal = _SIGNALS.decode(data)
        except msgspec.MsgspecError:
            return None  # another version's
        match signal:
            case TypingSignal():
                self._show_typing(workspace_id, signal)
            case ViewingSignal():
                frame = encode(ViewingShown(signal.conversation_id, signal.member_ids))
                self._show(workspace_id, signal.inbox_id, frame, None)
            case PresenceSignal():
                self._show_online(workspace_id, signal.member_ids)
            case RightsSignal() | RevocationSignal() | VisitorSignal():
                return signal
        return None

    def note_event(self, event: LoggedEvent) -> None:
        """Keep the cache of conversations' inboxes true: every event of a conversation names its inbox."""
        if event.conversation_id is not None and event.inbox_id is not None:
            key = (event.workspace_id, event.conversation_id)
            if event.former_inbox_id is not None or key in self._inboxes:
                self._remember(key, event.inbox_id)

    def announce_rights(self, workspace_id: int) -> None:
        """Have every process read the rights of a workspace's connections again, now."""
        self._publish(workspace_id, RightsSignal())

    def announce_revocation(self, workspace_id: int) -> None:
        """Have every process with connections of a workspace ask which sessions ended."""
        self._publish(workspace_id, RevocationSignal())

    def announce_visitor(self, workspace_id: int, subject_id: UUID, conversation_id: UUID) -> None:
        """Have every process tell a visitor's other tabs of the conversation they began."""
        self._publish(workspace_id, VisitorSignal(subject_id, conversation_id))

    async def _unview(self, connection: Connection, grant: Grant) -> None:
        conversation_id, connection.viewing = connection.viewing, None
        if conversation_id is None:
            return
        viewers = await self._presence.unview(grant.workspace_id, conversation_id, connection.id, grant.subject_id)
        inbox_id = await self._inbox(grant.workspace_id, conversation_id)
        if inbox_id is not None:
            self._publish_viewers(grant.workspace_id, conversation_id, inbox_id, viewers)

    async def _visible_inbox(self, grant: Grant, conversation_id: UUID) -> UUID:
        inbox_id = await self._inbox(grant.workspace_id, conversation_id)
        if inbox_id is None:
            raise NotFound("conversation")
        if grant.kind == "member" and grant.visible_inboxes is not None and inbox_id not in grant.visible_inboxes:
            raise NotFound("conversation")
        return inbox_id

    async def _inbox(self, workspace_id: int, conversation_id: UUID) -> UUID | None:
        cached = self._cached_inbox(workspace_id, conversation_id)
        if cached is not None:
            return cached
        inbox_id = await self._ports.conversation_inbox(workspace_id, conversation_id)
        if inbox_id is not None:
            self._remember((workspace_id, conversation_id), inbox_id)
        return inbox_id

    def _cached_inbox(self, workspace_id: int, conversation_id: UUID) -> UUID | None:
        cached = self._inboxes.get((workspace_id, conversation_id))
        return cached[0] if cached is not None and cached[1] > self._monotonic_s() else None

    def _remember(self, key: tuple[int, UUID], inbox_id: UUID) -> None:
        self._inboxes.pop(key, None)
        self._inboxes[key] = (inbox_id, self._monotonic_s() + INBOX_CACHE_S)
        if len(self._inboxes) > INBOX_CACHE_SIZE:
            del self._inboxes[next(iter(self._inboxes))]

    def _publish_viewers(
        self, workspace_id: int, conversation_id: UUID, inbox_id: UUID, viewers: Viewers | None
    ) -> None:
        if viewers is not None and viewers.is_changed:
            self._publish(workspace_id, ViewingSignal(conversation_id, inbox_id, viewers.member_ids))

    def _publish(self, workspace_id: int, signal: Signal) -> None:
        self._broker.publish_signal(workspace_id, msgspec.json.encode(signal))

    def _show_typing(self, workspace_id: int, signal: TypingSignal) -> None:
        frame = encode(TypingShown(signal.conversation_id, signal.member_id, signal.on, signal.kind))
        self._show(workspace_id, signal.inbox_id, frame, signal.member_id)
        if signal.member_id is None or signal.kind == "note":
            return
        feed = self._feeds.get(workspace_id)
        stream = feed.streams.get(signal.conversation_id) if feed is not None else None
        for connection in list(stream.connections) if stream is not None else ():
            connection.write(frame)

    def _show(self, workspace_id: int, inbox_id: UUID, frame: bytes, author_id: UUID | None) -> None:
        """Write a frame to the live members who may see the inbox, its author left out."""
        feed = self._feeds.get(workspace_id)
        for audience in list(feed.audiences.values()) if feed is not None else ():
            if audience.inboxes is None or inbox_id in audience.inboxes:
                for connection in list(audience.connections):
                    if author_id is None or connection.grant is None or connection.grant.subject_id != author_id:
                        connection.write(frame)

    def _show_online(self, workspace_id: int, online: tuple[UUID, ...] | None) -> None:
        if workspace_id not in self._fanout.by_workspace or self._online.get(workspace_id, _UNKNOWN) == online:
            return
        self._online[workspace_id] = online
        frame = encode(PresenceShown(online))
        for connection in list(self._fanout.by_workspace[workspace_id]):
            if connection.kind == "member" and connection.session.phase is Phase.LIVE:
                connection.write(frame)

    def _has_other_connection(self, connection: Connection, grant: Grant) -> bool:
        others = self._fanout.by_subject.get((grant.workspace_id, grant.subject_id), {})
        return any(other is not connection for other in others)
