"""Clients that send too much or read nothing: memory stays bounded, and everybody else is served on."""

from __future__ import annotations

import contextlib
import gc
import time
from pathlib import Path

from tests.integration.conformance.hosted import eventually, ping_is_answered
from tests.integration.conformance.peer import CONT, PING, TEXT, close, frame, said

MIB = 1024 * 1024
PINGS = frame(PING, b"p" * 125) * 500
PING_MESSAGE = frame(TEXT, said("ping", cursor=0))


def resident_bytes():
    """Memory of this process, the server in it."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def send_what_fits(peer, data, total):
    """Send data again and again until ``total`` bytes are gone or the server takes no more; returns how many went."""
    peer.socket.settimeout(0.3)
    sent = 0
    with contextlib.suppress(TimeoutError, ConnectionError):
        while sent < total:
            sent += peer.socket.send(data)
    peer.socket.settimeout(5)
    return sent


def is_anybody_unwritable(hosted):
    return any(one.unwritable_since_s is not None for one in hosted.rig.hub.connections.all)


def test_messages_over_20_a_second_are_refused_then_closed(hosted):
    """A burst of 40 passes, 40 more are refused with a time to wait, the next ends it with 4003."""
    with hosted.peer() as peer:
        peer.open()
        peer.send(PING_MESSAGE * 200)
        outcome = peer.outcome()
    assert outcome.types == ["head"] * 39 + ["error"] * 40 + ["bye"]
    assert {text["code"] for text in outcome.texts if text["type"] == "error"} == {"too_many_requests"}
    assert (outcome.code, outcome.texts[-1]["retry_after_s"] > 0) == (4003, True)


def test_20_messages_a_second_pass_for_ever(hosted):
    """Second after second, with a burst now and then."""
    with hosted.peer() as peer:
        peer.open()
        for _ in range(10):
            peer.send(PING_MESSAGE * 20)
            for _ in range(20):
                peer.expect("head")
            hosted.advance(1)
        hosted.advance(2)
        peer.send(PING_MESSAGE * 40)
        for _ in range(40):
            peer.expect("head")


def test_pings_without_reading_cost_no_memory(hosted):
    """Pongs that nobody reads are left out; after 15 s the connection ends."""
    with hosted.peer() as good, hosted.peer(receive_bytes=2**16) as peer:
        good.open()
        peer.open()
        before = resident_bytes()
        while not hosted.call(is_anybody_unwritable, hosted):
            assert send_what_fits(peer, PINGS, 2 * MIB), "the server stopped reading"
        assert send_what_fits(peer, PINGS, 4 * MIB)
        assert resident_bytes() - before < 6 * MIB
        assert ping_is_answered(good)
        hosted.advance(16)
        eventually(lambda: hosted.connections == 2, "the connection is still there")


def test_fragments_without_end_cost_no_memory(hosted):
    """Empty ones add nothing to the message's size: they must not be kept either."""
    with hosted.peer() as peer:
        peer.open()
        peer.send(frame(TEXT, b"{", fin=False))
        for _ in range(20):
            peer.send(frame(CONT, fin=False) * 2_000)
        peer.send(frame(PING, b"there"))
        while (got := peer.next()) is not None and got[1] != b"there":
            pass
        gc.collect()
        # Whoever keeps the fragments keeps them in some list.
        kept = [one for one in gc.get_objects() if type(one) is list and len(one) > 1 and one[-1] == b""]
        assert max(map(len, kept), default=0) < 2_000
        peer.send(close(1000))
        assert peer.outcome().code == 1000


def test_a_flood_of_tiny_frames_holds_nobody_up(hosted):
    """Somebody who sends nothing but empty pings, as fast as they go: another client is answered soon."""
    with hosted.peer() as good, hosted.peer() as peer:
        good.open()
        peer.open()
        peer.socket.setblocking(False)
        flood = frame(PING) * 20_000
        waits_s = []
        for _ in range(8):
            with contextlib.suppress(BlockingIOError):
                peer.socket.send(flood)
            with contextlib.suppress(BlockingIOError):
                peer.socket.recv(MIB)
            began_s = time.monotonic()
            assert ping_is_answered(good)
            waits_s.append(time.monotonic() - began_s)
        # All that was sent at once takes 20 times as long: each of its frames costs some microseconds.
        assert min(waits_s) < 0.05, waits_s


def test_many_who_never_say_hello_are_sent_away(hosted):
    """A hundred sockets that only shook hands: all closed after five seconds, none is left."""
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(hosted.peer()) for _ in range(100)]
        for peer in peers:
            peer.upgrade()
        eventually(lambda: hosted.connections == 101, "not all are in")
        hosted.advance(6)
        assert [peer.outcome().code for peer in peers] == [4503] * 100


def test_who_never_ends_the_connection_is_cut_off(hosted):
    """After our close frame: silence, or more and more data; ten seconds later nothing of them is left."""
    with hosted.peer() as silent, hosted.peer() as talking:
        for peer in (silent, talking):
            peer.open()
            peer.send(frame(CONT))
            assert peer.outcome(answers=False).code == 1002
        send_what_fits(talking, b"\0" * 65_536, 4 * MIB)
        assert hosted.connections == 1
        held = hosted.held
        hosted.advance(12)
        eventually(lambda: hosted.held == held - 2, "the connections are still held")
