"""A log in memory behind the ``Ports`` of the real-time core, sockets that record, and a client by docs/protocol.md."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

from msgspec import structs

from hub.errors import HubError, NotSignedIn, Unavailable
from hub.events.model import LoggedEvent, WorkspaceHead
from hub.realtime.audience import is_visible
from hub.realtime.broker_memory import MemoryBroker, MemoryBus
from hub.realtime.connections import PING_FRAME
from hub.realtime.hub import RealtimeHub
from hub.realtime.limits import DEFAULT_LIMITS
from hub.realtime.ports import Grant, Handshake, Sent, VisitorConversation, VisitorThread
from hub.realtime.presence import MemoryPresence

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class FakeClock:
    """Monotonic seconds that move when told."""

    def __init__(self):
        self.now_s = 1_000.0

    def __call__(self):
        return self.now_s

    def advance(self, seconds):
        self.now_s += seconds


class FakePorts:
    """The layers above: an append-only log, grants by ticket, and a switch that takes the database away."""

    def __init__(self):
        self.logs: dict[int, list[LoggedEvent]] = {}
        self.conversations: dict[UUID, UUID] = {}
        self.conversation_seqs: dict[UUID, int] = {}
        self.grants: dict[str, Grant] = {}
        self.current: dict[tuple, Grant | None] = {}
        self.rights_versions: dict[int, int] = {}
        self.revoked: list[UUID] = []
        self.visitors: dict[UUID, UUID] = {}
        self.closed_accounts: set[UUID] = set()
        self.is_down = False
        self.epoch_now = 1
        self.calls: list[tuple] = []
        self.sent: dict[UUID, Sent] = {}
        self.send_error: HubError | None = None

    def append(
        self,
        workspace_id=1,
        *,
        inbox_id=None,
        former_inbox_id=None,
        conversation_id=None,
        visitor=False,
        type_="conversation_closed",
        pad=0,
    ):
        """Commit one event and return it as the hint would carry it."""
        log = self.logs.setdefault(workspace_id, [])
        seq = len(log) + 1
        conversation_seq = None
        if visitor:
            conversation_seq = self.conversation_seqs.get(conversation_id, 0) + 1
            self.conversation_seqs[conversation_id] = conversation_seq
        data = json.dumps({"type": type_, "n": seq, **({"pad": "x" * pad} if pad else {})}).encode()
        event = LoggedEvent(
            workspace_id=workspace_id,
            seq=seq,
            type=type_,
            data=data,
            inbox_id=inbox_id,
            former_inbox_id=former_inbox_id,
            conversation_id=conversation_id,
            conversation_seq=conversation_seq,
        )
        log.append(event)
        return event

    def visible(self, workspace_id, inboxes):
        """The seqs an audience may see, oldest first."""
        return [event.seq for event in self.logs.get(workspace_id, []) if is_visible(inboxes, event)]

    def member(self, ticket="t", workspace_id=1, inboxes=None, **changes):
        """Let a ticket open sockets as a member (again and again: tickets are tested elsewhere)."""
        grant = Grant(
            kind="member",
            workspace_id=workspace_id,
            subject_id=uuid4(),
            session_id=uuid4(),
            visible_inboxes=inboxes,
            rights_version=1,
            may_reply=True,
            name="Ann",
        )
        self.grants[ticket] = structs.replace(grant, **changes)
        return self.grants[ticket]

    def visitor(self, ticket="v", workspace_id=1, conversation_id=None, account_id=None):
        self.grants[ticket] = Grant(
            kind="visitor",
            workspace_id=workspace_id,
            subject_id=uuid4(),
            may_reply=True,
            account_id=account_id,
        )
        if conversation_id is not None:
            self.visitors[self.grants[ticket].subject_id] = conversation_id
        return self.grants[ticket]

    async def _ask(self, *call):
        self.calls.append(call)
        await asyncio.sleep(0)
        if self.is_down:
            raise Unavailable("The database is not answering.")

    async def authorise(self, hello, handshake):
        await self._ask("authorise")
        credential = hello.ticket or hello.visitor_token or handshake.cookie_token
        if credential not in self.grants:
            raise NotSignedIn
        return self.grants[credential]

    def authorise_visitor(self, token, address):
        """As from memory: visitors come in although the database is away."""
        if token not in self.grants:
            raise NotSignedIn
        return structs.replace(self.grants[token], conversation_id=None, visitor_token=token, address=address)

    async def takes_visitors(self, account_id):
        await self._ask("takes_visitors")
        return account_id not in self.closed_accounts

    def visitor_thread(self, grant):
        return VisitorThread(grant.workspace_id, grant.subject_id, "")

    async def visitor_conversations(self, threads):
        await self._ask("visitor_conversations", len(threads))
        found = {}
        for thread in threads:
            known = self.visitors.get(thread.channel_account_id)
            if known is not None:
                found[thread] = VisitorConversation(known, self.conversation_seqs.get(known, 0))
        return found

    async def revoked_sessions(self, within_s):
        await self._ask("revoked_sessions")
        return list(self.revoked)

    def change_rights(self, grant, workspace_id=1, **changes):
        """Change a member's rights in the transaction that appends the event of it; returns the event."""
        version = self.rights_versions[workspace_id] = self.rights_versions.get(workspace_id, 1) + 1
        event = self.append(workspace_id, type_="member_changed")
        for ticket, held in self.grants.items():
            if held.kind == "member" and held.workspace_id == workspace_id:
                now = self.current.get(("member", held.subject_id), held)
                mine = changes if held.subject_id == grant.subject_id else {}
                if now is not None:
                    now = structs.replace(now, rights_version=version, rights_seq=event.seq, **mine)
                    self.grants[ticket] = self.current["member", held.subject_id] = now
        return event

    async def refresh(self, grants):
        await self._ask("refresh", len(grants))
        return [self._renewed(one) for one in grants]

    def _renewed(self, grant):
        now = self.current.get((grant.kind, grant.subject_id), grant)
        if now is None or grant.session_id in self.revoked:
            return None
        return structs.replace(now, session_id=grant.session_id)

    async def send(self, grant, frame):
        await self._ask("send", frame.text)
        if self.send_error is not None:
            raise self.send_error
        if frame.client_message_id not in self.sent:
            conversation_id = frame.conversation_id or grant.conversation_id or uuid4()
            if grant.kind == "visitor":
                self.visitors[grant.subject_id] = conversation_id
            inbox_id = self.conversations.setdefault(conversation_id, uuid4())
            event = self.append(
                grant.workspace_id,
                conversation_id=conversation_id,
                inbox_id=inbox_id,
                visitor=frame.kind == "message",
                type_="message_queued",
            )
            seq = event.conversation_seq if grant.kind == "visitor" else event.seq
            self.sent[frame.client_message_id] = Sent(uuid4(), seq, conversation_id)
        return self.sent[frame.client_message_id]

    async def read(self, grant, frame):
        await self._ask("read", frame.seq)

    async def event_ranges(self, wanted):
        await self._ask("event_ranges", *wanted)
        return {one: self.logs.get(one.workspace_id, [])[one.after : one.after + one.limit] for one in wanted}

    async def conversation_ranges(self, wanted):
        await self._ask("conversation_ranges", *wanted)
        return {one: self._of_conversation(one) for one in wanted}

    def _of_conversation(self, wanted):
        found = [
            one
            for one in self.logs.get(wanted.workspace_id, [])
            if one.conversation_id == wanted.conversation_id
            and one.conversation_seq is not None
            and one.conversation_seq > wanted.after
        ]
        return found[: wanted.limit]

    async def visible_heads(self, wanted):
        await self._ask("visible_heads", *wanted)
        return {
            one: max((seq for seq in self.visible(one.workspace_id, one.inboxes) if seq <= one.at), default=0)
            for one in wanted
        }

    async def heads(self, workspace_ids):
        await self._ask("heads", len(workspace_ids))
        return {
            one: WorkspaceHead(len(self.logs.get(one, [])), self.rights_versions.get(one, 1)) for one in workspace_ids
        }

    async def recent_heads(self, since):
        await self._ask("recent_heads")
        return {one: len(log) for one, log in self.logs.items() if log}

    async def conversation_inbox(self, workspace_id, conversation_id):
        await self._ask("conversation_inbox")
        return self.conversations.get(conversation_id)

    def visitor_view(self, event):
        return json.dumps({"type": "message_added", "n": event.conversation_seq}).encode()

    def removal(self, event):
        return json.dumps({"type": "conversation_removed", "n": event.seq}).encode()

    def arrival(self, event):
        return json.dumps({"type": "conversation_moved", "n": event.seq, "previous_status": None}).encode()

    def epoch(self):
        return self.epoch_now


class FakeSink:
    """A socket that records what it was given; may refuse or be full."""

    def __init__(self):
        self.writes: list[bytes] = []
        self.closed_with: tuple[int, str] | None = None
        self.error: Exception | None = None
        self._read = 0

    def write(self, connection, data):
        if self.error is not None:
            raise self.error
        self.writes.append(data)

    def close(self, connection, code, reason):
        if self.closed_with is None:
            self.closed_with = (code, reason)

    @property
    def frames(self):
        """Every frame written so far, parsed."""
        return [frame for data in self.writes for frame in parse_frames(data)]

    def take(self):
        """The frames since the last call."""
        frames = self.frames
        new, self._read = frames[self._read :], len(frames)
        return new


def parse_frames(data):
    """Take WebSocket text frames apart; pings of the hub are no frames of the protocol."""
    frames, at = [], 0
    while at < len(data):
        if data.startswith(PING_FRAME, at):
            at += len(PING_FRAME)
            continue
        assert data[at] == 0x81
        size, at = data[at + 1], at + 2
        if size == 126:
            size, at = int.from_bytes(data[at : at + 2], "big"), at + 2
        elif size == 127:
            size, at = int.from_bytes(data[at : at + 8], "big"), at + 8
        frames.append(json.loads(data[at : at + size]))
        at += size
    return frames


class Rig:
    """A started hub over fakes."""

    def __init__(self, ports=None, bus=None, beside=None, limits=DEFAULT_LIMITS):
        """``beside``: another rig of the same installation, whose clock, bus, log and presence this one shares."""
        self.ports = ports or (beside.ports if beside else FakePorts())
        self.clock = beside.clock if beside else FakeClock()
        self.bus = bus or (beside.bus if beside else MemoryBus())
        self.broker = MemoryBroker(self.bus)
        self.presence = beside.presence if beside else MemoryPresence(self.clock)
        self.hub = RealtimeHub(
            self.ports, self.broker, self.presence, secret_key=b"k" * 32, now=lambda: NOON, monotonic_s=self.clock,
            limits=limits,
        )  # fmt: skip

    async def __aenter__(self):
        await self.hub.start()
        return self

    async def __aexit__(self, *_):
        await self.hub.stop()

    def connect(self, handshake=None):
        sink = FakeSink()
        return self.hub.attach(sink, handshake or Handshake()), sink

    def say(self, connection, type_, **fields):
        self.hub.on_frame(connection, json.dumps({"type": type_, **fields}).encode())

    async def open(self, ticket="t", cursor=0, *, waits=True):
        """Connect and say hello; returns the connection and its sink."""
        connection, sink = self.connect()
        self.hello(connection, ticket=ticket, cursor=cursor)
        if waits:
            await until(lambda: any(frame["type"] == "welcome" for frame in sink.frames) or sink.closed_with)
            await settle()
        return connection, sink

    def hello(self, connection, *, cursor=0, epoch=1, **fields):
        where = None if cursor is None else {"epoch": epoch, "seq": cursor}
        self.say(connection, "hello", protocol=1, cursor=where, **fields)

    def commit(self, *args, **kwargs):
        """Commit an event and hint it."""
        event = self.ports.append(*args, **kwargs)
        self.broker.publish([event])
        return event


async def settle(turns=30):
    """Let everything that is ready run."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def until(condition, deadline_s=5.0):
    """Wait until something is true."""
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.002)


def events_of(sink):
    """The seqs of the events a socket was given."""
    return [frame["seq"] for frame in sink.frames if frame["type"] == "event"]


def of_type(sink, type_):
    return [frame for frame in sink.frames if frame["type"] == type_]
