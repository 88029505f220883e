"""What an idle connection costs, every index included, counted by the interpreter."""

import asyncio
import gc
import json
import tracemalloc
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from hub.channels.visitors import VisitorClaims, VisitorTokens
from hub.realtime.ports import Handshake
from hub.realtime.session import Phase
from tests.realtime_fakes import FakePorts, Rig, until

COUNT = 2_000
WORKSPACES = 20
TOKENS = VisitorTokens({1: b"k" * 32})


class FreshPorts(FakePorts):
    """Grants as the database makes them: no two share an object. Nothing is recorded."""

    async def authorise(self, hello, handshake):
        grant = self.grants[hello.ticket]
        return structs.replace(
            grant,
            subject_id=copy_of(grant.subject_id),
            session_id=grant.session_id and uuid4(),
            login_id=grant.session_id and uuid4(),
            conversation_id=grant.conversation_id and copy_of(grant.conversation_id),
            visible_inboxes=frozenset(map(copy_of, grant.visible_inboxes or ())) if grant.session_id else frozenset(),
            visitor_token="" if grant.session_id else make_token(grant),
            address=handshake.address,
        )

    async def _ask(self, *call):
        await asyncio.sleep(0)


class SharedSink:
    """One for all sockets, as the lane is."""

    def write(self, connection, data):
        pass

    def close(self, connection, code, reason):
        pass


def copy_of(one):
    return UUID(bytes=one.bytes)


def make_token(grant):
    claims = VisitorClaims(
        workspace_id=grant.workspace_id, channel_account_id=uuid4(), visitor_id=uuid4(), expires_at_s=1_900_000_000
    )
    return TOKENS.sign(claims)


def let_in(ports, kind, number):
    ticket = f"{kind}{number}"
    if kind == "visitor":
        ports.visitor(ticket, 1 + number % WORKSPACES, uuid4())
    else:
        # Half of the members see everything, the others the same three inboxes.
        inboxes = None if number % 2 else frozenset(UUID(int=one) for one in range(3))
        ports.member(ticket, 1 + number % WORKSPACES, inboxes, name="")
    return ticket


async def open_sockets(rig, kind, numbers):
    """Open sockets, say hello, and wait until each is live and its task has ended."""
    sink, opened = SharedSink(), []
    for number in numbers:
        ticket = let_in(rig.ports, kind, number)
        address, agent = f"203.0.113.{number % 250}", f"Mozilla/5.0 ({number})"
        connection = rig.hub.attach(sink, Handshake(origin="https://a.example", address=address, user_agent=agent))
        connection.fd = 10_000 + number
        hello = {"type": "hello", "protocol": 1, "ticket": ticket, "cursor": {"epoch": 1, "seq": 0}}
        rig.hub.on_frame(connection, json.dumps(hello).encode())
        opened.append(connection)
        if len(opened) % 100 == 0:
            await until(lambda: all(one.phase is Phase.LIVE and one.rare is None for one in opened), 20.0)
            rig.ports.grants.clear()
            rig.ports.visitors.clear()
    return opened


@pytest.mark.parametrize("kind", ["visitor", "member"])
async def test_an_idle_connection_costs_less_than_a_kilobyte(kind):
    """Attached, welcomed and live: connection, grant, indexes, stream or audience, wheel and presence together."""
    async with Rig(FreshPorts()) as rig:
        await open_sockets(rig, kind, range(200))  # what a workspace costs, and what is made on first use
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            opened = await open_sockets(rig, kind, range(200, 200 + COUNT))
            await asyncio.sleep(0.1)
            gc.collect()
            used = tracemalloc.get_traced_memory()[0] - before - opened.__sizeof__()
        finally:
            tracemalloc.stop()
        assert len(rig.hub.connections.all) == 200 + COUNT
        # 758 and 742 when this was written; the lane adds a place in a list.
        assert used / COUNT < 900
        # Not a vacuous measurement: a plain object with two fields is more than this.
        assert used / COUNT > 100


async def test_nothing_is_left_of_connections_that_closed():
    """Indexes, streams and the wheel are empty again, at once."""
    async with Rig(FreshPorts()) as rig:
        opened = [*await open_sockets(rig, "visitor", range(100)), *await open_sockets(rig, "member", range(100))]
        for connection in opened:
            rig.hub.on_close(connection)
        hub = rig.hub
        assert not hub.connections.all
        assert not list(hub.connections.all)
        assert not hub.fanout.by_workspace
        assert not any(feed.streams for feed in hub.feeds.all())
        assert not any(audience.connections for feed in hub.feeds.all() for audience in feed.audiences.values())
