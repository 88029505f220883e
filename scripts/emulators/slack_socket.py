"""Socket Mode of the emulated Slack: tickets, sockets, envelopes that want an acknowledgement, and disconnects."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

APP_TOKEN = "xapp-1-A0EMULATED-emulated-app-token"  # noqa: S105  of no app


class Sockets:
    """
    The sockets of one app.

    Attributes:
        token: The app-level token that may open them.
        acknowledged: Envelopes' ids, in the order they were acknowledged.
        opened: How many sockets were opened so far.
    """

    def __init__(self) -> None:
        self.token = APP_TOKEN
        self.acknowledged: list[str] = []
        self.opened = 0
        self._tickets: set[str] = set()
        self._live: list[ServerConnection] = []
        self._server: Server | None = None
        self._changed = asyncio.Event()

    async def ticket(self) -> str:
        """Return an address that opens one socket, once."""
        if self._server is None:
            self._server = await serve(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        ticket = secrets.token_hex(8)
        self._tickets.add(ticket)
        return f"ws://127.0.0.1:{port}/link/?ticket={ticket}&app_id=A0EMULATED"

    async def tell(self, payload: dict[str, Any], *, times: int = 1, wait_s: float = 5.0) -> dict[str, Any]:
        """
        Tell an event, each time in an envelope of its own, over the socket that was opened last.

        Returns:
            ``acknowledged``: how many of the envelopes were, within ``wait_s``.
        """
        ids = [secrets.token_hex(8) for _ in range(times)]
        for envelope_id in ids:
            frame = {"envelope_id": envelope_id, "type": "events_api", "accepts_response_payload": False}
            await self.say(frame | {"payload": payload, "retry_attempt": 0, "retry_reason": ""})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while not set(ids) <= set(self.acknowledged):
                    self._changed.clear()
                    await self._changed.wait()
        return {"acknowledged": len(set(ids) & set(self.acknowledged))}

    async def say(self, frame: object) -> None:
        """Send anything over the socket that was opened last; waits for one."""
        while not self._live:
            self._changed.clear()
            await self._changed.wait()
        await self._live[-1].send(frame if isinstance(frame, str) else json.dumps(frame))

    async def cut(self, reason: str = "refresh_requested", *, warns: bool = True) -> None:
        """Say that every socket is about to end, and end it a moment later, or at once."""
        ending = list(self._live)
        if warns:
            for socket in ending:
                with contextlib.suppress(ConnectionClosed):
                    await socket.send(json.dumps({"type": "disconnect", "reason": reason}))
            await asyncio.sleep(0.3)
        for socket in ending:
            await socket.close()

    async def close(self) -> None:
        """End all."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        ticket = parse_qs(urlsplit(socket.request.path).query).get("ticket", [""])[0]
        if ticket not in self._tickets:
            await socket.close(1008, "no such ticket")
            return
        self._tickets.discard(ticket)
        await socket.send(json.dumps({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A0"}}))
        self._live.append(socket)
        self.opened += 1
        self._changed.set()
        try:
            async for text in socket:
                self.acknowledged.append(json.loads(text)["envelope_id"])
                self._changed.set()
        finally:
            self._live.remove(socket)
