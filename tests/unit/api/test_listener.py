"""A worker's listening socket: what it does when it fills up, over real sockets and real processes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile

import pytest

from api.listener import OpenListeners, WorkerListener, full_answer
from api.serve import connections_of_worker, listen
from hub.config import read_settings
from hub.descriptors import Room
from hub.errors import ConfigurationError
from tests.realtime_fakes import FakeClock


class Greeter(asyncio.Protocol):
    """Says hello and stays."""

    def __init__(self, made):
        made.append(self)

    def connection_made(self, transport):
        self.transport = transport
        transport.write(b"hello")


class Others:
    """The other workers of a port, as the test says."""

    def __init__(self):
        self.listen, self.calls = True, []

    def enter(self):
        self.calls.append("enter")

    def leave(self):
        self.calls.append("leave")
        return self.listen

    def has_others(self):
        return self.listen


class Taking:
    """A listener in this loop, with a count of descriptors that the test sets."""

    def __init__(self, limit=1_000):
        self.made, self.others, self.clock, self.open = [], Others(), FakeClock(), 10
        first = listen("127.0.0.1", 0, shared=True)
        self.port = first.getsockname()[1]
        self.listener = WorkerListener(
            first, Room(limit), self.others,
            listen=lambda: listen("127.0.0.1", self.port, shared=True),
            count_open=lambda: self.open, monotonic_s=self.clock,
        )  # fmt: skip

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        client.settimeout(5)
        return client


@pytest.fixture
async def taking():
    made = Taking()
    await made.listener.start(lambda: Greeter(made.made))
    yield made
    made.listener.end()
    for one in made.made:
        one.transport.abort()
    await asyncio.sleep(0)


async def read(client):
    client.setblocking(False)
    with contextlib.closing(client):
        async with asyncio.timeout(5):
            return await asyncio.get_running_loop().sock_recv(client, 1000)


async def test_what_waits_is_accepted_before_a_full_worker_stops(taking):
    """Fifty clients whose connections nobody had accepted yet: all are served, none is reset; the next one is refused."""
    clients = [taking.connect() for _ in range(50)]  # the loop does not run meanwhile
    taking.listener.admit(taking.listener.room.most_sockets)
    await asyncio.sleep(0)
    assert not taking.listener.is_open
    assert [await read(one) for one in clients] == [b"hello"] * 50
    with pytest.raises(ConnectionRefusedError):
        taking.connect()
    assert taking.listener.closes == 1


async def test_a_worker_listens_again_once_it_has_room(taking):
    """Not at the first socket that goes: with some to spare."""
    room = taking.listener.room
    taking.open = room.most_sockets
    await taking.listener.look()
    assert not taking.listener.is_open
    taking.open = room.reopens_at + 1
    await taking.listener.look()
    assert not taking.listener.is_open
    taking.open = room.reopens_at
    await taking.listener.look()
    assert taking.listener.is_open
    assert await read(taking.connect()) == b"hello"


async def test_the_last_worker_that_listens_goes_on(taking):
    """Full or not: HTTP must be answered. And one that stopped starts again when the others are gone."""
    room = taking.listener.room
    taking.others.listen, taking.open = False, room.most_sockets
    await taking.listener.look()
    assert taking.listener.is_open
    assert await read(taking.connect()) == b"hello"
    taking.others.listen = True
    await taking.listener.look()
    assert not taking.listener.is_open
    taking.others.listen = False
    await taking.listener.look()
    assert taking.listener.is_open


async def test_a_full_worker_that_must_go_on_does_not_ask_with_each_connection(taking):
    """Four times a second at most."""
    taking.others.listen = False
    for _ in range(100):
        assert taking.listener.admit(taking.listener.room.most_sockets)
    await asyncio.sleep(0)
    taking.clock.advance(0.3)
    taking.listener.admit(taking.listener.room.most_sockets)
    await asyncio.sleep(0)
    assert taking.others.calls.count("leave") == 2


async def test_connections_are_sent_away_with_words_when_no_descriptor_is_left(taking):
    """Before there is none at all: stores and files need some."""
    assert taking.listener.admit(taking.listener.room.refuses_at - 1)
    assert not taking.listener.admit(taking.listener.room.refuses_at)
    assert taking.listener.refused == 1
    head, _, text = full_answer().partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 503 Service Unavailable"
    assert b"content-length: %d" % len(text) in lines
    assert 1 <= int(next(line for line in lines if line.startswith(b"retry-after: ")).split()[1]) <= 20


async def test_fewer_may_wait_the_fuller_a_worker_is(taking):
    """All who wait are accepted in one turn: they must fit."""
    room = taking.listener.room
    taking.listener.admit(room.limit - 100)
    assert taking.listener._backlog == room.backlog(room.limit - 99) == 32
    taking.open = 10
    await taking.listener.look()
    assert taking.listener._backlog == room.backlog(10) == 256


def test_listeners_of_killed_processes_do_not_count():
    """The lock of a process ends with it: whoever is left is the last one, and goes on."""
    with tempfile.TemporaryFile() as board:
        program = (
            f"import sys; from api.listener import OpenListeners as O; one = O({board.fileno()}, 1, 3); one.enter();"
            "print('listening', flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program], pass_fds=[board.fileno()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other:
            assert other.stdout.readline() == b"listening\n"
            mine = OpenListeners(board.fileno(), 0, 3)
            mine.enter()
            assert mine.has_others()
            assert mine.leave()
            mine.enter()
            other.kill()
            other.wait()
        assert not mine.has_others()
        assert not mine.leave()


def test_two_that_are_full_at_once_do_not_both_stop():
    """Leaving takes turns: while somebody else has the turn, one goes on listening."""
    with tempfile.TemporaryFile() as board:
        program = (
            f"import fcntl, sys; [fcntl.lockf({board.fileno()}, fcntl.LOCK_EX, 1, n) for n in (1, 2)];"
            "print('locked', flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program], pass_fds=[board.fileno()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other:
            assert other.stdout.readline() == b"locked\n"
            mine = OpenListeners(board.fileno(), 0, 2)
            mine.enter()
            assert mine.has_others()
            assert not mine.leave()
            other.kill()
            other.wait()


def test_a_worker_alone_never_stops_listening():
    """There is nobody to listen in its place."""
    alone = OpenListeners()
    alone.enter()
    assert not alone.has_others()
    assert not alone.leave()


@pytest.mark.parametrize(("workers", "each"), [(1, 10), (6, 10), (8, 7), (20, 3), (30, 2)])
def test_workers_share_the_postgres_connections(workers, each):
    """Ten each while they fit into sixty, then fewer: together never more than that."""
    settings = read_settings({"HOME": "/"})
    assert connections_of_worker(settings, workers) == each
    assert workers * each <= settings.database_connections


def test_more_workers_than_connections_are_told_what_to_change():
    """Before they quarrel over connections."""
    with pytest.raises(ConfigurationError, match="HUB_DATABASE_CONNECTIONS"):
        connections_of_worker(read_settings({"HOME": "/"}), 31)
    assert connections_of_worker(read_settings({"HOME": "/", "HUB_DATABASE_CONNECTIONS": "200"}), 31) == 6
