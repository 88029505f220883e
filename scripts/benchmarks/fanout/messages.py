"""What is published in the fan-out benchmark: the same message for all, in each server's own inner format."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec
from redis.asyncio import Redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from redis.asyncio.client import PubSub

# What fanload replaces as it publishes; each is found once in a message.
TIME_MARK = "1234567890123456789"
SEQ_MARK = 0x0123_4567_89AB_CDEF
MS_MARK = 0x0FED_CBA9_8765_4321
RECORDED_WITHIN_S = 20.0


class Message(msgspec.Struct, frozen=True):
    """
    One topic's message as bytes for the publishing port.

    Attributes:
        first_seq: The number that replaces ``SEQ_MARK`` in the first one; 0 where there is no mark.
    """

    data: bytes
    first_seq: int = 0

    def line(self) -> bytes:
        """Lay it out as fanload reads it."""
        places = (
            self.data.find(TIME_MARK.encode()),
            self.data.find(MS_MARK.to_bytes(8, "big")),
            self.data.find(SEQ_MARK.to_bytes(8, "big")),
        )
        if places[0] < 0 or (self.first_seq and places[2] < 0):
            raise ValueError(f"the marks are not in {self.data!r}")
        head = " ".join(str(one) for one in (*places, self.first_seq, len(self.data)))
        return head.encode() + b"\n" + self.data + b"\n"


def body(size_bytes: int, *, time_as_text: bool = False) -> dict[str, str | int]:
    """
    Make a message whose JSON has ``size_bytes``.

    Args:
        size_bytes: 120 or more.
        time_as_text: JavaScript's numbers are too short for nanoseconds: where it reads and writes the message.
    """
    made: dict[str, str | int] = {"type": "message_received", "t": TIME_MARK if time_as_text else int(TIME_MARK)}
    made["text"] = "x" * (size_bytes - len(msgspec.json.encode(made | {"text": ""})))
    return made


def body_json(size_bytes: int) -> bytes:
    """Return ``body`` as JSON."""
    return msgspec.json.encode(body(size_bytes))


def redis_publish(channel: bytes, payload: bytes) -> bytes:
    """Return the Redis command."""
    parts = (b"PUBLISH", channel, payload)
    return b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def http_post(path: str, payload: bytes) -> bytes:
    """Return the HTTP request."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload


class Recorder:
    """Hears what a program publishes on Redis."""

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub

    async def next(self) -> bytes:
        """Return the next message as the command that publishes it again."""
        async with asyncio.timeout(RECORDED_WITHIN_S):
            while True:
                one = await self._pubsub.get_message(timeout=RECORDED_WITHIN_S)
                if one is not None and one["type"] == "pmessage" and TIME_MARK.encode() in one["data"]:
                    return redis_publish(one["channel"], one["data"])


@contextlib.asynccontextmanager
async def recording(redis_port: int) -> AsyncIterator[Recorder]:
    """Hear every channel of a Redis; what is published inside is not missed."""
    async with (
        Redis(host="127.0.0.1", port=redis_port, protocol=2, socket_timeout=None) as redis,
        redis.pubsub() as pubsub,
    ):
        await pubsub.psubscribe("*")
        await pubsub.get_message(timeout=RECORDED_WITHIN_S)
        yield Recorder(pubsub)


async def recorded(redis_port: int, topics: int, emit: Callable[[], Awaitable[object]]) -> list[Message]:
    """Let a program publish one message for each topic, in order, and return them."""
    async with recording(redis_port) as recorder:
        emitting = asyncio.ensure_future(emit())
        messages = [Message(await recorder.next()) for _ in range(topics)]
        await emitting
    return messages
