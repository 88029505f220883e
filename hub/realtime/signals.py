"""
What people tell each other in passing: typing, passed on; viewing and being online, left to ``presence_rounds.py``.

Without seq, never stored in the log. Authorised per message by the conversation's inbox. A note's typing never reaches
the visitor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub.errors import Forbidden, InvalidInput, NotFound
from hub.realtime.broker import (
    NoticeSignal,
    PresenceSignal,
    RevocationSignal,
    RightsSignal,
    Signal,
    TypingSignal,
    VisitorSignal,
)
from hub.realtime.protocol import TYPING_TTL_S, NoticeShown, Typing, TypingShown, Viewing, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from hub.events.model import LoggedEvent
    from hub.realtime.broker import Broker
    from hub.realtime.connections import Connection
    from hub.realtime.fanout import Fanout
    from hub.realtime.feed import Feeds
    from hub.realtime.ports import Grant, Ports
    from hub.realtime.presence_rounds import PresenceRounds

INBOX_CACHE_SIZE = 10_000
INBOX_CACHE_S = 60.0

_SIGNALS: msgspec.json.Decoder[Signal] = msgspec.json.Decoder(Signal)

Order = RightsSignal | RevocationSignal | VisitorSignal


class Signals:
    """What members and visitors of this process tell each other, and everybody else, in passing."""

    def __init__(
        self,
        ports: Ports,
        broker: Broker,
        presence: PresenceRounds,
        *,
        feeds: Feeds,
        fanout: Fanout,
        monotonic_s: Callable[[], float],
    ) -> None:
        self._ports = ports
        self._broker = broker
        self._presence = presence
        self._feeds = feeds
        self._fanout = fanout
        self._monotonic_s = monotonic_s
        self._inboxes: dict[tuple[int, UUID], tuple[UUID, float]] = {}

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
        """Note which conversation a member has on screen; raises ``NotFound`` for one they cannot see."""
        # A program that only reads is nobody who has a conversation on screen: people would wait for its answer.
        if grant.kind != "member" or (grant.is_key and not grant.may_reply):
            raise Forbidden
        if frame.conversation_id is None or connection.viewing != frame.conversation_id:
            self._presence.unview(connection, grant)
        if frame.conversation_id is None:
            return
        inbox_id = await self._visible_inbox(grant, frame.conversation_id)
        if not connection.closed:
            self._presence.view(connection, grant, frame.conversation_id, inbox_id)

    def leave(self, connection: Connection, grant: Grant) -> None:
        """Take back what a closed connection said: it types and views no more."""
        if connection.typing is not None and connection.typing[1] > self._monotonic_s():
            shown = connection.typing[0]
            inbox = self._cached_inbox(grant.workspace_id, shown.conversation_id)
            if inbox is not None:
                off = TypingSignal(shown.conversation_id, inbox, shown.member_id, on=False, kind=shown.kind)
                self._publish(grant.workspace_id, off)
        if grant.kind == "member":
            self._presence.leave(connection, grant)

    def on_signal(self, workspace_id: int, data: bytes) -> Order | None:
        """Show a signal of any process to those here who may see it; returns what is not to be shown but done."""
        try:
            signal = _SIGNALS.decode(data)
        except msgspec.MsgspecError:
            return None  # another version's
        match signal:
            case TypingSignal():
                self._show_typing(workspace_id, signal)
            case PresenceSignal():
                self._presence.on_signal(workspace_id, signal)
            case NoticeSignal():
                self._show_notice(workspace_id, signal)
            case RightsSignal() | RevocationSignal() | VisitorSignal():
                return signal
        return None

    def note_event(self, event: LoggedEvent) -> None:
        """Keep the cache of conversations' inboxes true: every event of a conversation names its inbox."""
        if event.conversation_id is not None and event.inbox_id is not None:
            key = (event.workspace_id, event.conversation_id)
            if event.former_inbox_id is not None or key in self._inboxes:
                self._remember(key, event.inbox_id)
            if event.former_inbox_id is not None:
                self._presence.move(event.workspace_id, event.conversation_id, event.inbox_id)

    def announce_rights(self, workspace_id: int) -> None:
        """Have every process read the rights of a workspace's connections again, now."""
        self._publish(workspace_id, RightsSignal())

    def announce_revocation(self, workspace_id: int) -> None:
        """Have every process with connections of a workspace ask which sessions ended."""
        self._publish(workspace_id, RevocationSignal())

    def announce_visitor(self, workspace_id: int, subject_id: UUID, conversation_id: UUID) -> None:
        """Have every process tell a visitor's other tabs of the conversation they began."""
        self._publish(workspace_id, VisitorSignal(subject_id, conversation_id))

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

    def _publish(self, workspace_id: int, signal: Signal) -> None:
        self._broker.publish_signal(workspace_id, msgspec.json.encode(signal))

    def _show_notice(self, workspace_id: int, signal: NoticeSignal) -> None:
        """Tell one member's sockets and nobody else's; whoever is away reads the list when they come back."""
        frame = encode(NoticeShown(signal.notice_id))
        for connection in self._fanout.by_workspace.of_subject(workspace_id, signal.member_id):
            if connection.grant is not None and connection.grant.kind == "member":
                connection.write(frame)

    def _show_typing(self, workspace_id: int, signal: TypingSignal) -> None:
        frame = encode(TypingShown(signal.conversation_id, signal.member_id, signal.on, signal.kind))
        self._show(workspace_id, signal.inbox_id, frame, signal.member_id)
        if signal.member_id is None or signal.kind == "note":
            return
        feed = self._feeds.get(workspace_id)
        stream = feed.stream(signal.conversation_id) if feed is not None else None
        for connection in stream.connections if stream is not None else ():
            connection.write(frame)

    def _show(self, workspace_id: int, inbox_id: UUID, frame: bytes, author_id: UUID | None) -> None:
        """Write a frame to the live members who may see the inbox, its author left out."""
        feed = self._feeds.get(workspace_id)
        authors = () if author_id is None else self._fanout.by_workspace.of_subject(workspace_id, author_id)
        for audience in list(feed.audiences.values()) if feed is not None else ():
            if audience.inboxes is None or inbox_id in audience.inboxes:
                for connection in list(audience.connections):
                    if connection not in authors:
                        connection.write(frame)
