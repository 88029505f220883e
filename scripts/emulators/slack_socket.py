"""
The emulated Slack's Socket Mode: addresses that are good once, greetings, envelopes that want to be acknowledged.

What is not acknowledged is sent again, as Slack does, over any socket that is open. Orders: ``socket_send {items,
times, kind}`` sends each item in envelopes of its own, ``times`` over; ``socket_text {text}`` sends any text, or
``bytes`` as they are; ``socket_disconnect {reason, after_s}`` says that the newest socket ends, and ends it;
``socket_cut`` ends all without a word; ``socket_retry {after_s}`` sets when an envelope is sent again; ``app_token
{value}`` is what its use says from now on (``good`` or an error); ``app_id {value}`` is whose app greets.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Upgrade
from websockets.http11 import Response

from scripts.emulators.http1 import Answer, as_json
from scripts.emulators.slack_app import APP, APP_TOKEN, App, refused
from scripts.emulators.vendor import Asked

RETRY_S: Final = 1.0
MOST_RETRIES: Final = 3


@dataclass(slots=True)
class Sent:
    """An envelope, how often it was sent, and whether it was acknowledged."""

    envelope: dict[str, Any]
    times: int = 0
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)


class Sockets:
    """
    The sockets of one app.

    Args:
        app: Whose app-level tokens open them.
        payload_of: Makes the payload of an item, the same that a call by HTTP has as its body.
    """

    def __init__(self, app: App, payload_of: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        self._app = app
        self._payload_of = payload_of
        self._tickets: set[str] = set()
        self._open: list[ServerConnection] = []
        self._sent: dict[str, Sent] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0
        self._server: Server | None = None
        self._starting = asyncio.Lock()
        self.opened = 0
        self.strange: list[str] = []
        self.retry_s = RETRY_S
        self.app_id = APP

    def facts(self) -> dict[str, Any]:
        """Tell how many sockets are open and were, what was acknowledged, and what no client should have said."""
        found = [name for name, one in self._sent.items() if one.acknowledged.is_set()]
        sent = [{"envelope_id": name, "times": one.times} for name, one in self._sent.items()]
        return {
            "open": len(self._open),
            "opened": self.opened,
            "acknowledged": found,
            "sent": sent,
            "strange": self.strange,
        }

    async def close(self) -> None:
        """End every socket and stop listening."""
        for task in list(self._tasks):
            task.cancel()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    # ── the Web API ─────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self, asked: Asked) -> Answer:
        """Answer ``apps.connections.open``: only an app-level token opens anything."""
        scheme, _, token = asked.request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise refused("not_authed")
        if token in self._app.tokens:
            raise refused("not_allowed_token_type")
        if (state := self._app.app_tokens.get(token, "invalid_auth")) != "good":
            raise refused(state)
        async with self._starting:
            if not self._port:
                self._server = await serve(self._serve, "127.0.0.1", 0, process_request=self._admit, compression=None)
                self._port = next(iter(self._server.sockets)).getsockname()[1]
        ticket = secrets.token_hex(12)
        self._tickets.add(ticket)
        return as_json(200, {"ok": True, "url": f"ws://127.0.0.1:{self._port}/link/?ticket={ticket}&app_id={APP}"})

    # ── sockets ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _admit(self, wire: ServerConnection, upgrade: Upgrade) -> Response | None:
        parts = urlsplit(upgrade.path)
        ticket = parse_qs(parts.query).get("ticket", [""])[0]
        if parts.path != "/link/" or ticket not in self._tickets:
            return wire.respond(HTTPStatus.FORBIDDEN, "no such ticket\n")
        self._tickets.discard(ticket)
        return None

    async def _serve(self, wire: ServerConnection) -> None:
        hello = {
            "type": "hello",
            "num_connections": len(self._open) + 1,
            "debug_info": {"host": "emulated", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self.app_id},
        }
        await wire.send(json.dumps(hello))
        self._open.append(wire)
        self.opened += 1
        try:
            async for text in wire:
                self._acknowledge(text)
        except ConnectionClosed:
            return
        finally:
            self._open.remove(wire)

    def _acknowledge(self, text: str | bytes) -> None:
        try:
            answer = json.loads(text)
            self._sent[answer["envelope_id"]].acknowledged.set()
        except (ValueError, KeyError, TypeError):
            self.strange.append(str(text)[:200])

    async def _send(self, sent: Sent) -> None:
        """Send an envelope until somebody acknowledges it, as often as Slack would."""
        while sent.times <= MOST_RETRIES and not sent.acknowledged.is_set():
            sent.envelope["retry_attempt"] = sent.times
            sent.envelope["retry_reason"] = "timeout" if sent.times else ""
            if self._open:
                sent.times += 1
                with suppress(ConnectionClosed):
                    await self._open[-1].send(json.dumps(sent.envelope))
            with suppress(TimeoutError):
                async with asyncio.timeout(self.retry_s):
                    await sent.acknowledged.wait()

    # ── control ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def steer(self, op: str, order: dict[str, Any]) -> object:
        """Do an order; see the module's first lines."""
        match op:
            case "socket_send":
                return [self._post(one, order) for one in order["items"] for _ in range(order.get("times", 1))]
            case "socket_text":
                text: str = order["text"]
                await self._open[-1].send(text.encode() if order.get("bytes") else text)
            case "socket_disconnect":
                await self._disconnect(order["reason"], float(order.get("after_s", 0.5)))
            case "socket_cut":
                for wire in list(self._open):
                    wire.transport.abort()
            case "socket_retry":
                self.retry_s = float(order["after_s"])
            case "app_token":
                self._app.app_tokens[APP_TOKEN] = order["value"]
            case "app_id":
                self.app_id = order["value"]
            case _:
                raise KeyError(op)
        return {}

    def _post(self, item: Mapping[str, Any], order: Mapping[str, Any]) -> str:
        name = secrets.token_hex(16)
        envelope = {"envelope_id": name, "type": order.get("kind", "events_api"), "accepts_response_payload": False}
        sent = self._sent[name] = Sent(envelope | {"payload": item.get("payload") or self._payload_of(item)})
        self._later(self._send(sent))
        return name

    async def _disconnect(self, reason: str, after_s: float) -> None:
        wire = self._open[-1]
        await wire.send(json.dumps({"type": "disconnect", "reason": reason, "debug_info": {"host": "emulated"}}))

        async def end() -> None:
            await asyncio.sleep(after_s)
            await wire.close()

        self._later(end())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
