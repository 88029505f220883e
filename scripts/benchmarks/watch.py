"""A member's socket, as docs/protocol.md describes it: notes when each message of a run comes through."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from typing import TYPE_CHECKING

from websockets.asyncio.client import ClientConnection, connect

from scripts.benchmarks.forged import message_mark

if TYPE_CHECKING:
    from scripts.benchmarks.forged import Forge


class SocketWatch:
    """
    Reads frames until it is closed.

    Attributes:
        seen: When each call's message came, by its number.
        repeated: Messages that came again.
    """

    def __init__(self, socket: ClientConnection, run: str) -> None:
        self.seen: dict[int, float] = {}
        self.repeated = 0
        self._came = asyncio.Event()
        self._socket = socket
        # Found by its bytes, not by reading the JSON: the watcher shares the machine with what it watches.
        self._mark = re.compile(message_mark(run, "([0-9]+)"))
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, forge: Forge, ticket: str) -> SocketWatch:
        """Open a socket from where the workspace stands now."""
        url = f"ws://127.0.0.1:{forge.port}/ws"
        socket = await connect(url, compression=None, proxy=None, max_queue=None)
        hello = {"type": "hello", "protocol": 1, "cursor": None, "client": "bench/1", "ticket": ticket}
        await socket.send(json.dumps(hello))
        welcome = json.loads(await socket.recv())
        cursor = {"epoch": welcome["epoch"], "seq": welcome["head"]}
        await socket.send(json.dumps({"type": "hello", "protocol": 1, "cursor": cursor, "client": "bench/1"}))
        while (again := json.loads(await socket.recv()))["type"] != "welcome":
            pass  # presence and the like may come between
        if not again["recovered"]:
            raise RuntimeError(f"the socket was not opened: {again}")
        return cls(socket, forge.run)

    async def wait_for(self, count: int, timeout_s: float) -> None:
        """Wait until so many messages came, or time is up: what is missing shows in the count."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while len(self.seen) < count:
                    self._came.clear()
                    await self._came.wait()

    async def close(self) -> None:
        """End the socket."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._socket.close()

    async def _read(self) -> None:
        async for text in self._socket:
            now = time.monotonic()
            found = self._mark.search(str(text))
            if found is None:
                continue
            number = int(found.group(1))
            if number in self.seen:
                self.repeated += 1
            else:
                self.seen[number] = now
                self._came.set()
