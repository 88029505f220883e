"""Both sets of bare descriptors by one body: epoll itself, and the one of ``selectors`` over it."""

import os
import selectors
import socket

import pytest

from hub.realtime.readiness import EpollReadiness, SelectorReadiness, open_readiness


@pytest.fixture(params=["epoll", "selectors"])
def ready(request):
    made = EpollReadiness() if request.param == "epoll" else SelectorReadiness(selectors.EpollSelector())
    yield made
    made.close()


@pytest.fixture
def pairs():
    """Makes connected sockets: ours, non-blocking, and the peer's."""
    made = []

    def make(count=1):
        for _ in range(count):
            ours, peer = socket.socketpair()
            ours.setblocking(False)
            made.append((ours, peer))
        return made[-count:]

    yield make
    for pair in made:
        for one in pair:
            one.close()


def test_a_member_is_named_while_it_has_bytes(ready, pairs):
    """Level-triggered: named again until it was read, then no longer."""
    ((ours, peer),) = pairs()
    ready.add(ours.fileno())
    assert ready.take(8) == []
    peer.send(b"x")
    assert ready.take(8) == [(ours.fileno(), True, False)]
    assert ready.take(8) == [(ours.fileno(), True, False)]
    os.read(ours.fileno(), 8)
    assert ready.take(8) == []


def test_writability_is_named_only_while_wanted(ready, pairs):
    """A socket with room is writable, but nobody asks until something waits for it."""
    ((ours, _),) = pairs()
    fd = ours.fileno()
    ready.add(fd)
    ready.want_write(fd, True)
    assert ready.take(8) == [(fd, False, True)]
    ready.want_write(fd, False)
    assert ready.take(8) == []


def test_a_peer_that_went_makes_its_socket_readable(ready, pairs):
    """The end is found by reading, whether or not it waits to be written."""
    (ours, peer), (waiting, other) = pairs(2)
    ready.add(ours.fileno())
    ready.add(waiting.fileno())
    ready.want_write(waiting.fileno(), True)
    peer.close()
    other.close()
    assert {(fd, readable) for fd, readable, _ in ready.take(8)} == {(ours.fileno(), True), (waiting.fileno(), True)}


def test_a_removed_member_is_not_named_again(ready, pairs):
    """Removing twice is safe; a new socket of the same number starts afresh."""
    ((ours, peer),) = pairs()
    fd = ours.fileno()
    ready.add(fd)
    peer.send(b"x")
    ready.remove(fd)
    ready.remove(fd)
    assert ready.take(8) == []
    ready.add(fd)
    assert ready.take(8) == [(fd, True, False)]


def test_everybody_has_their_turn_within_the_limit(ready, pairs):
    """Ten that are always ready, four a turn: after three turns each was named."""
    sockets = pairs(10)
    for ours, peer in sockets:
        ready.add(ours.fileno())
        peer.send(b"x")
    turns = [ready.take(4) for _ in range(3)]
    assert all(1 <= len(turn) <= 4 for turn in turns)
    assert {fd for turn in turns for fd, _, _ in turn} == {ours.fileno() for ours, _ in sockets}


def test_its_own_descriptor_is_readable_while_a_member_is(ready, pairs):
    """One reader of an event loop is enough for all members."""
    ((ours, peer),) = pairs()
    ready.add(ours.fileno())
    with selectors.DefaultSelector() as loop:
        loop.register(ready.fileno(), selectors.EVENT_READ)
        assert loop.select(0) == []
        peer.send(b"x")
        assert len(loop.select(1)) == 1


def test_a_set_without_a_descriptor_is_none():
    """Where the platform has only select or poll, the ordinary path serves; here there is epoll."""
    assert SelectorReadiness(selectors.SelectSelector()).fileno() == -1
    opened = open_readiness()
    assert opened is not None
    opened.close()
