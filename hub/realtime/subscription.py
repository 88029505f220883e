"""
One connection to Redis that listens: made by redis-py, read by ``hiredis`` as the bytes come in.

redis-py's own pub/sub reader costs 60 microseconds a message and wakes once for each; this takes all that one packet
brought. Kept by ``broker_backend.py``, which connects again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import hiredis

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis
    from redis.asyncio.connection import Connection

CONNECT_TIMEOUT_S = 2.0

# A channel, and what was published on it. A plain tuple: one is made for each message.
Message = tuple[str, bytes]


class Subscription(asyncio.Protocol):
    """
    A connected subscription; make it with ``open``.

    Attributes:
        heard: Goes up with everything that arrives.
        lost: Done when the connection is gone.
    """

    def __init__(
        self, link: Connection, on_messages: Callable[[list[Message]], None], on_subscribed: Callable[[str], None]
    ) -> None:
        self._link = link
        # redis-py offers no way to its transport: its version is pinned, and tests/contract/test_brokers.py would tell.
        self._transport = cast("asyncio.StreamWriter", link._writer).transport
        self._before = self._transport.get_protocol()
        self._reader = hiredis.Reader()
        self._on_messages = on_messages
        self._on_subscribed = on_subscribed
        self._names: dict[bytes, str] = {}
        self.heard = 0
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls, redis: Redis, on_messages: Callable[[list[Message]], None], on_subscribed: Callable[[str], None]
    ) -> Subscription:
        """
        Connect as a client of redis-py would: address, TLS and password are its business.

        Args:
            redis: Whose address it is.
            on_messages: Called with the messages of a packet, all at once; must not raise.
            on_subscribed: Called with each channel that Redis sends from now on.

        Raises:
            RedisError: Redis refused.
            OSError: Redis is not there, or did not answer in time.
        """
        link = cast("Connection", redis.connection_pool.make_connection())  # type: ignore[no-untyped-call]  # redis-py
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await link.connect()  # type: ignore[no-untyped-call]  # redis-py
        except BaseException:
            await link.disconnect(nowait=True)
            raise
        subscription = cls(link, on_messages, on_subscribed)
        subscription._transport.set_protocol(subscription)
        return subscription

    def send(self, *words: str) -> None:
        """Send a command: SUBSCRIBE, UNSUBSCRIBE, PING."""
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            raw = word.encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
        self._transport.write(b"".join(parts))

    async def close(self) -> None:
        """End the connection."""
        self._transport.abort()
        await self._link.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        """Take what one packet brought, be it a hundred messages or half of one."""
        self.heard += 1
        reader = self._reader
        messages: list[Message] = []
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not False:
                if type(reply) is list and len(reply) == 3 and reply[0] == b"message":
                    channel: bytes = reply[1]
                    messages.append((self._names.get(channel) or self._name(channel), reply[2]))
                    continue
                if messages:
                    # A confirmation may own up to a gap, which covers what came before it.
                    self._on_messages(messages)
                    messages = []
                self._take(reply)
        except hiredis.HiredisError:
            self._transport.abort()
        if messages:
            self._on_messages(messages)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end, for us and for redis-py."""
        if not self.lost.done():
            self.lost.set_result(None)
        self._before.connection_lost(exc)

    def _take(self, reply: object) -> None:
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        if not isinstance(reply, list) or len(reply) < 3:
            return  # the answer to a PING
        if reply[0] == b"subscribe":
            self._on_subscribed(self._name(cast("bytes", reply[1])))

    def _name(self, channel: bytes) -> str:
        return self._names.setdefault(channel, channel.decode())
