"""Many members and visitors of many workspaces, made in a few statements, and a hub over a counted real database."""

from __future__ import annotations

import itertools
import json
from contextlib import asynccontextmanager

from api.call import Resources
from api.ws_ports import SocketPorts
from hub import clock
from hub.channels.routes import ChannelRoutes
from hub.channels.sealing import Sealer, read_keys
from hub.channels.visitors import TOKEN_PURPOSE, VisitorClaims, VisitorTokens
from hub.db import Database
from hub.realtime.broker_memory import MemoryBroker, MemoryBus
from hub.realtime.hub import RealtimeHub
from hub.realtime.limits import Limits
from hub.realtime.ports import Grant, Handshake
from hub.realtime.presence import MemoryPresence
from hub.realtime.resume import ResumeTickets
from tests.factories import make_workspace

SECRET = "0123456789abcdef" * 4
RESUME_KEY = b"k" * 32


class Unused:
    """Stands for parts the sockets do not touch."""


class CountedDatabase(Database):
    """Counts what is asked of it: a transaction with one statement counts one, as one statement by itself does."""

    asked = 0

    async def ask(self, sql, *arguments):
        self.asked += 1
        return await super().ask(sql, *arguments)

    def _session(self, workspace_ids, *, isolation, readonly):
        self.asked += 1
        return super()._session(workspace_ids, isolation=isolation, readonly=readonly)


class Crowd:
    """Who comes back: hellos as their clients would say them."""

    def __init__(self):
        self.members: list[Grant] = []
        self.visitors: list[tuple[VisitorClaims, str]] = []
        self.workspace_ids: list[int] = []

    def tickets(self, epoch):
        """The resume tickets of the members."""
        issuer = ResumeTickets(RESUME_KEY, clock.now)
        return [issuer.issue(grant, epoch) for grant in self.members]


async def make_crowd(database, *, workspaces, members, visitors, events=3):
    """Make workspaces of some members, in three audiences, and visitors with a conversation of ``events`` each."""
    crowd = Crowd()
    tokens = VisitorTokens(Sealer(read_keys(SECRET)).derive_keys(TOKEN_PURPOSE))
    for _ in range(workspaces):
        facts = await make_workspace(database)
        crowd.workspace_ids.append(facts.id)
        third = clock.new_id()
        async with database.transaction([facts.id]) as conn:
            await conn.execute("UPDATE inbox SET restricted = true WHERE id = $1", facts.other_inbox_id)
            await conn.execute(
                "INSERT INTO inbox (workspace_id, id, name, restricted, created_at) VALUES ($1, $2, 'C', true, now())",
                facts.id,
                third,
            )
        sees = [None, frozenset({facts.inbox_id}), frozenset({facts.inbox_id, third})]
        await _add_members(database, facts, crowd, members, sees, third)
        await _add_visitors(database, facts, crowd, tokens, visitors, events)
    return crowd


async def _add_members(database, facts, crowd, amount, sees, third):
    people = [(clock.new_id(), clock.new_id(), clock.new_id()) for _ in range(amount)]
    now = clock.now()
    async with database.transaction([facts.id]) as conn:
        await conn.executemany(
            "INSERT INTO login (id, email, created_at) VALUES ($1, $2, $3)",
            [(login, f"{login.hex}@example.com", now) for login, _, _ in people],
        )
        await conn.executemany(
            "INSERT INTO login_session (token_hash, id, login_id, created_at, used_at, expires_at)"
            " VALUES (sha256($1), $2, $3, $4::timestamptz, $4, $4::timestamptz + interval '1 day')",
            [(session.bytes, session, login, now) for login, session, _ in people],
        )
        await conn.executemany(
            "INSERT INTO member (workspace_id, id, login_id, name, email, role, created_at)"
            " VALUES ($1, $2, $3, 'Max', 'max@example.com', $4, $5)",
            [
                (facts.id, member, login, "owner" if number % 3 == 0 else "agent", now)
                for number, (login, _, member) in enumerate(people)
            ],
        )
        await conn.executemany(
            "INSERT INTO inbox_member (workspace_id, inbox_id, member_id) VALUES ($1, $2, $3)",
            [(facts.id, third, member) for number, (_, _, member) in enumerate(people) if number % 3 == 2],
        )
    for number, (login, session, member) in enumerate(people):
        grant = Grant(
            kind="member",
            workspace_id=facts.id,
            subject_id=member,
            session_id=session,
            login_id=login,
            visible_inboxes=sees[number % 3],
            rights_version=1,
            may_reply=True,
        )
        crowd.members.append(grant)


async def _add_visitors(database, facts, crowd, tokens, amount, events):
    now = clock.now()
    seqs = itertools.count(1)
    contacts, conversations, logged = [], [], []
    for _ in range(amount):
        claims = VisitorClaims(
            workspace_id=facts.id,
            channel_account_id=facts.livechat_id,
            visitor_id=clock.new_id(),
            expires_at_s=int(now.timestamp()) + 86_400,
        )
        crowd.visitors.append((claims, tokens.sign(claims)))
        contact, conversation = clock.new_id(), clock.new_id()
        contacts.append((facts.id, contact, now))
        conversations.append(
            (facts.id, conversation, facts.inbox_id, facts.livechat_id, claims.thread_key(), contact, events, now)
        )
        logged += [
            (facts.id, next(seqs), facts.inbox_id, conversation, number, EVENT, now) for number in range(1, events + 1)
        ]
    async with database.transaction([facts.id]) as conn:
        await conn.executemany("INSERT INTO contact (workspace_id, id, created_at) VALUES ($1, $2, $3)", contacts)
        await conn.executemany(
            "INSERT INTO conversation (workspace_id, id, inbox_id, channel_account_id, channel, thread_key, contact_id,"
            " identity_scheme, identity_value, status, visitor_seq, last_activity_at, created_at)"
            " VALUES ($1, $2, $3, $4, 'livechat', $5, $6, 'visitor', $5, 'open', $7, $8, $8)",
            conversations,
        )
        await conn.executemany(
            "INSERT INTO event (workspace_id, seq, type, inbox_id, conversation_id, conversation_seq, data, occurred_at)"
            " VALUES ($1, $2, 'message_received', $3, $4, $5, $6, $7)",
            logged,
        )
        await conn.execute("UPDATE workspace SET event_seq = $2 WHERE id = $1", facts.id, len(logged))


EVENT = json.dumps(
    {
        "type": "message_received",
        "message": {
            "id": "01890000-0000-7000-8000-000000000001",
            "conversation_id": "01890000-0000-7000-8000-000000000002",
            "seq": 1,
            "kind": "message",
            "direction": "inbound",
            "author_kind": "contact",
            "author_id": None,
            "author_name": "Ann",
            "status": None,
            "error": None,
            "version": 1,
            "text": "Where is my order? " * 8,
            "occurred_at": "2026-11-22T12:00:00Z",
            "client_message_id": None,
            "attachments": [],
        },
    }
)


@asynccontextmanager
async def hub_over(database, *, ring_mib=32, hellos_per_s=1_000_000):
    """A started hub over a real database, as a process that just began."""
    sealer = Sealer(read_keys(SECRET))
    routes = ChannelRoutes(database, sealer)
    await routes.refresh()
    resources = Resources(
        settings=Unused(),
        database=database,
        passwords=Unused(),
        throttle=Unused(),
        frontend_dir=Unused(),
        routes=routes,
        sealer=sealer,
        redis_ephemeral=Unused(),
    )
    limits = Limits(hellos_per_s=hellos_per_s, ring_bytes=ring_mib * 1024 * 1024)
    hub = RealtimeHub(
        SocketPorts(resources),
        MemoryBroker(MemoryBus()),
        MemoryPresence(clock.monotonic_s),
        secret_key=RESUME_KEY,
        limits=limits,
    )
    await hub.start()
    try:
        yield hub
    finally:
        await hub.stop()


def say_hello(hub, sink, cursor, **credential):
    """Open a socket and say hello; returns its connection."""
    connection = hub.attach(sink, Handshake())
    where = {"epoch": credential.pop("epoch"), "seq": cursor}
    text = json.dumps({"type": "hello", "protocol": 1, "cursor": where, **credential})
    hub.on_frame(connection, text.encode())
    return connection
