"""What comes in from Redis, however the packets are cut; the whole broker is tests/contract/test_brokers.py's."""

import asyncio

import pytest

from hub.realtime.subscription import Subscription

MESSAGE = b"*3\r\n$7\r\nmessage\r\n$7\r\nhub:{1}\r\n$4\r\n\x00\r\n\xff\r\n"
SUBSCRIBED = b"*3\r\n$9\r\nsubscribe\r\n$7\r\nhub:{1}\r\n:1\r\n"
PONG = b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"


class Transport:
    """Stands for the connection redis-py made."""

    def __init__(self):
        self.written, self.is_aborted, self.ended = [], False, []

    def get_protocol(self):
        return self

    def write(self, data):
        self.written.append(data)

    def abort(self):
        self.is_aborted = True

    def connection_lost(self, exc):
        self.ended.append(exc)


class Link:
    def __init__(self):
        self._writer = type("Writer", (), {"transport": Transport()})()


@pytest.fixture
async def heard():
    """A subscription over a transport that records, and what it called back with."""
    link, calls = Link(), []
    subscription = Subscription(link, calls.extend, calls.append)
    return subscription, link._writer.transport, calls


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
async def test_messages_arrive_whole_and_in_order_however_they_are_cut(heard, size):
    """Byte by byte or a hundred in one packet; an answer to a ping is a sign of life and nothing else."""
    subscription, _, calls = heard
    stream = SUBSCRIBED + (MESSAGE + PONG) * 100
    for at in range(0, len(stream), size):
        subscription.data_received(stream[at : at + size])
    assert calls == ["hub:{1}"] + [("hub:{1}", b"\x00\r\n\xff")] * 100
    assert subscription.heard == -(-len(stream) // size)


async def test_commands_are_counted_in_bytes(heard):
    """A channel that is not ASCII is as long as its bytes."""
    subscription, transport, _ = heard
    subscription.send("SUBSCRIBE", "ä")
    assert transport.written == [b"*2\r\n$9\r\nSUBSCRIBE\r\n$2\r\n\xc3\xa4\r\n"]


@pytest.mark.parametrize("data", [b"-NOAUTH Authentication required.\r\n", b"!nonsense\r\n"])
async def test_a_refusal_or_nonsense_ends_the_connection(heard, data):
    """The backend then connects again; nothing raises into the event loop."""
    subscription, transport, calls = heard
    subscription.data_received(data)
    assert transport.is_aborted
    assert calls == []


async def test_the_end_is_told_to_who_waits_and_to_redis_py(heard):
    """Once, however often the transport says so."""
    subscription, transport, _ = heard
    assert not subscription.lost.done()
    error = OSError("reset")
    subscription.connection_lost(error)
    subscription.connection_lost(None)
    async with asyncio.timeout(1):
        await subscription.lost
    assert transport.ended[0] is error
