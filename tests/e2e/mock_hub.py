"""
A hub small enough to read, for the widget alone: one visitor's conversation by docs/protocol.md §6, on loopback.

It keeps everything in memory and does what a test tells it to; the acceptance tests use the real hub.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.requests import Request

CHANNEL = "0190c0de-0000-7000-8000-000000000001"

FRAME_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {ws}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors {site}"
)
SITE_POLICY = "default-src 'none'; script-src {hub}; frame-src {hub}; require-trusted-types-for 'script'"

SITE_PAGE = """<!doctype html><html lang="en"><head><title>Shop</title><meta name="viewport" content="width=device-width">
<script async src="{hub}/widget.js" data-channel="{channel}"></script></head>
<body><main><h1>Teapots and kettles</h1><p>Free delivery from 40 €. Everything is back within 30 days.</p>
<p>A long page scrolls behind the chat.</p><p><a href="/other">Another page</a></p></main></body></html>"""


@dataclass
class MockHub:
    """What the visitor said and was told, and the switches a test turns."""

    widget: Path
    config: dict[str, Any]
    site: str = ""
    url: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    visits: list[dict[str, Any]] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)
    is_down: bool = False
    _sockets: set[WebSocket] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/widget.js", lambda _: FileResponse(self.widget / "widget.js")),
                Route("/widget/{channel}", self._frame),
                Mount("/widget-assets", StaticFiles(directory=self.widget / "assets")),
                Route("/api/v1/livechat/{channel}", self._config),
                Route("/api/v1/livechat/{channel}/visitors", self._visit, methods=["POST"]),
                WebSocketRoute("/ws", self._socket),
            ]
        )

    def site_app(self) -> Starlette:
        """A customer's website whose policy allows our script and frame, and nothing else at all."""

        def page(_: Request) -> Response:
            policy = SITE_POLICY.format(hub=self.url)
            body = SITE_PAGE.format(hub=self.url, channel=CHANNEL)
            return HTMLResponse(body, headers={"content-security-policy": policy})

        return Starlette(routes=[Route("/", page), Route("/other", page)])

    def answer(self, text: str) -> None:
        """A member writes."""
        self._run(self._add(text, "member", "Priya Nair", None))

    def type(self, *, on: bool) -> None:
        """A member types."""
        self._run(
            self._say({"type": "typing", "conversation_id": CHANNEL, "member_id": "m", "on": on, "kind": "message"})
        )

    def cut(self) -> None:
        """Every connection breaks without a word."""

        async def cut() -> None:
            for one in list(self._sockets):
                await one.close(1001)

        self._run(cut())

    def _run(self, work: Any) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    def _frame(self, _: Request) -> Response:
        policy = FRAME_POLICY.format(ws=self.url.replace("http", "ws"), site=self.site)
        return FileResponse(self.widget / "frame.html", headers={"content-security-policy": policy})

    def _config(self, _: Request) -> Response:
        return Response(status_code=503) if self.is_down else JSONResponse(self.config)

    async def _visit(self, request: Request) -> Response:
        self.visits.append(await request.json())
        answer = {
            "visitor_token": "the visitor's token",
            "visitor_id": "v",
            "conversation_id": None,
            "cursor": {"epoch": 1, "seq": len(self.events)},
            "messages": self.messages,
            "next": None,
            "name": "",
        }
        return JSONResponse(answer)

    async def _socket(self, websocket: WebSocket) -> None:
        self._loop = asyncio.get_running_loop()
        if self.is_down or websocket.headers.get("origin") != self.url:
            await websocket.close(4502)
            return
        await websocket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await self._hear(websocket, json.loads(await websocket.receive_text()))
        self._sockets.discard(websocket)

    async def _hear(self, websocket: WebSocket, frame: dict[str, Any]) -> None:
        self.heard.append(frame)
        head = len(self.events)
        if frame["type"] == "hello":
            welcome = {"type": "welcome", "protocol": 1, "epoch": 1, "head": head, "recovered": True, "heartbeat_s": 25}
            await websocket.send_json(welcome)
            for event in self.events[frame["cursor"]["seq"] :]:
                await websocket.send_json(event)
            self._sockets.add(websocket)
        elif frame["type"] == "ping":
            await websocket.send_json({"type": "head", "seq": head})
        elif frame["type"] == "send":
            mine = frame["client_message_id"]
            known = next((one for one in self.messages if one["client_message_id"] == mine), None)
            message = known or await self._add(frame["text"], "contact", None, mine)
            ack = {"type": "ack", "client_message_id": mine, "message_id": message["id"], "seq": len(self.events)}
            await websocket.send_json(ack)

    async def _add(self, text: str, kind: str, name: str | None, mine: str | None) -> dict[str, Any]:
        message = {
            "id": f"m{len(self.messages) + 1}",
            "author_kind": kind,
            "author_name": name,
            "text": text,
            "occurred_at": datetime.now(UTC).isoformat(),
            "client_message_id": mine,
        }
        self.messages.append(message)
        seq = len(self.events) + 1
        event = {"type": "event", "seq": seq, "prev": seq - 1, "event": {"type": "message_added", "message": message}}
        self.events.append(event)
        await self._say(event)
        return message

    async def _say(self, frame: dict[str, Any]) -> None:
        for one in list(self._sockets):
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await one.send_json(frame)


@contextlib.contextmanager
def serve(app: Callable[[], Starlette], host: str) -> Iterator[str]:
    """
    Serve on a free port of a loopback name, in a thread.

    Args:
        app: Made in this thread, served in the other.
        host: ``127.0.0.1`` or ``localhost``: to a browser, two sites.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app(), log_level="error", lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
