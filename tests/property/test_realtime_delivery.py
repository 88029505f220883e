"""Whatever the broker and the sockets do, a client that follows docs/protocol.md ends with exactly the visible events."""

import asyncio
import json
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from hub.realtime.limits import Limits
from hub.realtime.ports import Handshake
from tests.realtime_fakes import Rig, parse_frames, settle

SALES, SUPPORT = UUID(int=1), UUID(int=2)
CHAT = UUID(int=9)

step = st.one_of(
    st.tuples(
        st.just("commit"),
        st.sampled_from([None, SALES, SUPPORT]),
        st.sampled_from([None, SALES, SUPPORT]),
        st.sampled_from(["now", "later", "twice", "never"]),
    ),
    st.tuples(st.just("chat"), st.sampled_from(["now", "later", "twice", "never"])),
    st.tuples(st.just("burst"), st.integers(1, 300), st.booleans()),
    st.tuples(st.just("late_hints"), st.randoms(use_true_random=False)),
    st.tuples(st.just("cut"), st.integers(0, 2)),
    st.tuples(st.just("pause"), st.integers(0, 2)),
    st.tuples(st.just("read_again"), st.integers(0, 2)),
    st.tuples(st.just("broker_cut")),
    st.tuples(st.just("broker_mend")),
    st.tuples(st.just("database"), st.booleans()),
    st.tuples(st.just("heal")),
    st.tuples(st.just("restart_feed")),
    st.tuples(st.just("rights"), st.sampled_from([SALES, SUPPORT]), st.sampled_from(["now", "later", "never"])),
    st.tuples(st.just("revoke"), st.integers(0, 1), st.booleans()),
    st.tuples(st.just("rename"), st.sampled_from(["now", "never"])),
    st.tuples(st.just("wait"), st.integers(1, 8)),
)


class Client:
    """docs/protocol.md sections 1 and 5, nothing more; its socket may be cut or stop reading at any moment."""

    def __init__(self, rig, credential, inboxes, visitor=False):
        self.rig, self.credential, self.visitor = rig, credential, visitor
        # What it may see since which seq, oldest first.
        self.rights = [(0, inboxes)]
        self.ticket = None
        # How far the hub had followed the log at the newest hello.
        self.stood_at = 0
        self.cursor, self.applied = None, []
        self.connection = None
        self.is_deaf, self.unread = False, []
        self.failures = []
        self.repeats = 0

    @property
    def inboxes(self):
        return self.rights[-1][1]

    def connect(self):
        client = self

        class Sink:
            """Feeds this client while it is the current socket; what a cut socket was given is lost."""

            def write(self, connection, data):
                if client.connection is not None and client.connection.sink is not self:
                    return
                try:
                    (client.unread.extend if client.is_deaf else client.take)(parse_frames(data))
                except (AssertionError, ValueError) as failure:  # the hub would take it for a dead socket
                    client.failures.append(failure)

            def close(self, connection, code, reason):
                if client.connection is not None and client.connection.sink is self:
                    client.connection = None
                    if code == 4501:
                        client.sign_in_again()

        self.unread.clear()
        self.is_deaf = self.is_dropping = False
        self.connection = None
        self.connection = self.rig.hub.attach(Sink(), Handshake())
        self.hello(**(self.credential if self.ticket is None else {"resume_ticket": self.ticket}))

    def sign_in_again(self):
        """The sign-in ended: another one, and everything from the beginning."""
        self.ticket, self.cursor, self.applied = None, None, []
        name = self.credential["ticket"]
        held = self.rig.ports.grants[name]
        self.rig.ports.grants[name] = structs.replace(held, session_id=uuid4())

    def hello(self, **credential):
        self.is_dropping = True
        feed = self.rig.hub.feeds.get(1)
        self.stood_at = feed.last if feed is not None else 0
        where = None if self.cursor is None else {"epoch": 1, "seq": self.cursor}
        text = json.dumps({"type": "hello", "protocol": 1, "cursor": where, **credential})
        self.rig.hub.on_frame(self.connection, text.encode())

    def take(self, frames):
        for frame in frames:
            match frame["type"]:
                case "welcome":
                    self.is_dropping = False
                    self.ticket = frame["resume_ticket"]
                    if not frame["recovered"]:
                        self.fetch_snapshot()
                case "event" if not self.is_dropping:
                    self.apply(frame)
                case "gap":
                    if frame["reason"] == "rights":
                        self.fetch_snapshot()
                    else:
                        self.hello()
                case "head" if frame["seq"] > (self.cursor or 0):
                    self.hello()

    def apply(self, frame):
        seq, prev = frame["seq"], frame["prev"]
        assert any(prev == before(self.visible(inboxes), seq) for _, inboxes in self.rights), (
            "prev: no function of the log"
        )
        if seq <= self.stood_at and not self.visitor:
            assert seq in self.visible(self.rights_at(self.stood_at)), "shown against the rights at hello"
        if seq <= self.cursor:
            self.repeats += 1
            return
        if prev > self.cursor:
            self.hello()
            return
        self.applied.append(seq)
        self.cursor = seq

    def fetch_snapshot(self):
        self.applied = self.visible()
        self.cursor = len(self.applied) if self.visitor else len(self.rig.ports.logs.get(1, []))
        self.hello()

    def rights_at(self, seq):
        return [inboxes for since, inboxes in self.rights if since <= seq][-1]

    def visible(self, *inboxes):
        if self.visitor:
            return list(range(1, self.rig.ports.conversation_seqs.get(CHAT, 0) + 1))
        return self.rig.ports.visible(1, *(inboxes or [self.inboxes]))

    def pause(self):
        if self.connection is not None and not self.is_deaf:
            self.is_deaf = True
            self.rig.hub.on_pause(self.connection)

    def read_again(self):
        if self.connection is not None and self.is_deaf:
            self.is_deaf = False
            frames, self.unread = self.unread, []
            self.take(frames)
            self.rig.hub.on_resume(self.connection)

    def cut(self):
        connection, self.connection = self.connection, None
        if connection is not None:
            self.rig.hub.on_close(connection)

    def go_on(self):
        """What a client does on its own: come back, and send pings."""
        if self.connection is None:
            self.connect()
        elif not self.is_deaf:
            # One bucket a client would slow the test, not change it.
            self.connection.paid_until_s = 0.0
            self.rig.say(self.connection, "ping")


def before(visible, seq):
    """The seq before one that is visible; -1 where it is not."""
    if seq not in visible:
        return -1
    return visible[visible.index(seq) - 1] if visible.index(seq) else 0


async def run(steps, ring_bytes):
    async with Rig(limits=Limits(ring_bytes=ring_bytes)) as rig:
        ports = rig.ports
        ports.member("all")
        ports.member("sales", inboxes=frozenset({SALES}))
        ports.visitor("chat", conversation_id=CHAT)
        ports.append(inbox_id=SUPPORT)
        ports.append(inbox_id=SALES, conversation_id=CHAT, visitor=True)
        clients = [
            Client(rig, {"ticket": "all"}, None),
            Client(rig, {"ticket": "sales"}, frozenset({SALES})),
            Client(rig, {"visitor_token": "chat"}, None, visitor=True),
        ]
        for client in clients:
            client.connect()
        await settle()
        late = []
        for one in steps:
            await act(rig, clients, late, one)
            await settle(6)
        ports.is_down = False
        for client in clients:
            client.read_again()
        await rig.hub.revocations.refresh()
        async with asyncio.timeout(20):
            # Whoever still waits for a welcome may be told instead that their sign-in has ended.
            while any(one.applied != one.visible() or one.connection is None or one.is_dropping for one in clients):
                await rig.hub.healing.tick()
                await rig.hub.revocations.refresh()
                await asyncio.sleep(0.01)
                for client in clients:
                    client.go_on()
        await asyncio.sleep(0.02)
        for client in clients:
            assert client.applied == client.visible()
            assert client.failures == []
            # The hub never sends what the cursor of the newest hello covers.
            assert client.repeats == 0
        assert all(one.grant.session_id not in ports.revoked for one in rig.hub.connections.all if one.grant)


async def act(rig, clients, late, one):  # noqa: C901
    match one:
        case ("commit", inbox, former, fate):
            former = former if inbox is not None and former != inbox else None
            hint(rig, late, rig.ports.append(inbox_id=inbox, former_inbox_id=former), fate)
        case ("chat", fate):
            hint(rig, late, rig.ports.append(inbox_id=SALES, conversation_id=CHAT, visitor=True), fate)
        case ("burst", amount, is_hinted):
            events = [rig.ports.append(inbox_id=SALES, pad=2_000) for _ in range(amount)]
            if is_hinted:
                rig.broker.publish(events)
        case ("late_hints", random):
            random.shuffle(late)
            rig.broker.publish(late)
            late.clear()
        case ("cut", number):
            clients[number].cut()
        case ("pause", number):
            clients[number].pause()
        case ("read_again", number):
            clients[number].read_again()
        case ("rights", inbox, fate):
            client = clients[1]
            inboxes = frozenset({inbox})
            event = rig.ports.change_rights(rig.ports.grants["sales"], visible_inboxes=inboxes)
            client.rights.append((event.seq, inboxes))
            hint(rig, late, event, fate)
        case ("rename", fate):
            hint(rig, late, rig.ports.append(type_="member_changed"), fate)
        case ("revoke", number, is_told):
            rig.ports.revoked.append(rig.ports.grants[clients[number].credential["ticket"]].session_id)
            if is_told:
                rig.hub.announce_revocation([1])
        case ("broker_cut",):
            rig.bus.cut()
        case ("broker_mend",):
            rig.bus.mend()
        case ("database", is_up):
            rig.ports.is_down = not is_up
        case ("heal",):
            rig.hub.healing.want_all()
        case ("restart_feed",):
            if (feed := rig.hub.feeds.get(1)) is not None:
                rig.hub.healing._void(feed)
        case ("wait", milliseconds):
            await asyncio.sleep(milliseconds / 1_000)
            for client in clients:
                client.go_on()


def hint(rig, late, event, fate):
    if fate == "later":
        late.append(event)
    elif fate != "never":
        rig.broker.publish([event] * (2 if fate == "twice" else 1))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(step, min_size=5, max_size=60), st.sampled_from([0, 20_000, 1 << 24]))
def test_a_client_ends_with_exactly_the_visible_events_in_order(steps, ring_bytes):
    """
    Under any drops, repeats, reorders, outages, slow readers and reconnects by ticket: nothing lost, nothing twice.

    Rights change and sign-ins end at any moment: nothing is shown that the rights forbid where the hub stands, and
    whoever's sign-in ended is out. Whatever the rings hold, nothing included.
    """
    asyncio.run(run(steps, ring_bytes))
