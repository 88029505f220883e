"""A client written from docs/protocol.md that never gives up, and writes down every event frame it is sent."""

from __future__ import annotations

import asyncio
import json
import random
import time
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.faults.frames import Frame, FrameLog

PING_EVERY_S = 5.0
BEHIND_FOR_S = 2.0
# The page says 0-20 s, to spread thousands of clients; there is one of us, and a test's minute is short.
COME_BACK_WITHIN_S = 1.0
NOT_SIGNED_IN = 4501
AWAY = (OSError, ConnectionClosed, InvalidHandshake, InvalidMessage, httpx.HTTPError, TimeoutError, EOFError)


class Recorder:
    """
    One client of one workspace, run as a task.

    Attributes:
        cursor: The last event applied; None before the first snapshot.
        snapshots: How often it had to start from a snapshot; once is the start.
        welcomes: How often the hub answered its hello.
        resumes: How often it said hello again on an open connection.
    """

    def __init__(self, base_url: str, workspace_id: int, bearer: str, path: Path) -> None:
        self.workspace_id = workspace_id
        self.cursor: dict[str, int] | None = None
        self.snapshots = self.welcomes = self.resumes = 0
        self._base_url = base_url
        self._bearer = bearer
        self._log = FrameLog(path, workspace_id)
        self._resume_ticket: str | None = None
        self._is_welcome = False
        self._behind_since_s: float | None = None
        self._chance = random.Random(workspace_id)

    @property
    def seq(self) -> int:
        """The last seq applied."""
        return self.cursor["seq"] if self.cursor else 0

    async def run(self) -> None:
        """Stay connected until cancelled."""
        try:
            while True:
                try:
                    await self._connect_once()
                except AWAY as error:
                    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
                        # Refused for good with this credential: sign in anew.
                        self._resume_ticket = None if error.rcvd.code == NOT_SIGNED_IN else self._resume_ticket
                await asyncio.sleep(self._chance.uniform(0, COME_BACK_WITHIN_S))
        finally:
            self._log.close()

    async def _connect_once(self) -> None:
        if self.cursor is None:
            await self._take_snapshot()
        address = self._base_url.replace("http", "ws", 1).replace("localhost", "127.0.0.1") + "/ws"
        async with connect(address, compression=None, proxy=None, ping_interval=None, open_timeout=5) as socket:
            credential: dict[str, Any] = {"bearer": self._bearer, "workspace_id": self.workspace_id}
            if self._resume_ticket is not None:
                credential = {"resume_ticket": self._resume_ticket}
            await self._hello(socket, client="recorder/1", **credential)
            pinging = asyncio.create_task(self._ping(socket))
            try:
                async for text in socket:
                    await self._take(socket, json.loads(text))
            finally:
                pinging.cancel()
                await asyncio.gather(pinging, return_exceptions=True)

    async def _take_snapshot(self) -> None:
        headers = {"authorization": f"Bearer {self._bearer}"}
        async with httpx.AsyncClient(headers=headers, timeout=10, trust_env=False) as client:
            answer = await client.get(f"{self._base_url}/api/v1/workspaces/{self.workspace_id}/snapshot")
        if answer.status_code != 200:
            raise TimeoutError
        state = answer.json()
        self.cursor = {"epoch": state["epoch"], "seq": state["seq"]}
        self.snapshots += 1
        self._log.record(Frame("snapshot", self.seq))

    async def _hello(self, socket: ClientConnection, **fields: Any) -> None:
        self._is_welcome = False
        self._behind_since_s = None
        await socket.send(json.dumps({"type": "hello", "protocol": 1, "cursor": self.cursor} | fields))

    async def _resume(self, socket: ClientConnection) -> None:
        if self._is_welcome:
            self.resumes += 1
            await self._hello(socket)

    async def _take(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "event":
                await self._take_event(socket, frame)
            case "welcome":
                self._is_welcome = True
                self.welcomes += 1
                self._log.record(Frame("welcome", self.seq))
                self._resume_ticket = frame["resume_ticket"]
                if not frame["recovered"]:
                    await self._take_snapshot()
                    await self._hello(socket)
            case "gap":
                if frame["reason"] == "rights":
                    await self._take_snapshot()
                await self._resume(socket)
            case "head":
                self._resume_ticket = frame.get("resume_ticket") or self._resume_ticket
                await self._compare_head(socket, frame["seq"])

    async def _take_event(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        seq, prev, event = frame["seq"], frame["prev"], frame["event"]
        text = event["message"]["text"] if event["type"] == "message_received" else ""
        self._log.record(Frame("event", seq, prev, event["type"], text))
        if prev <= self.seq < seq:
            self.cursor = (self.cursor or {}) | {"seq": seq}
        elif prev > self.seq:
            await self._resume(socket)

    async def _compare_head(self, socket: ClientConnection, head: int) -> None:
        now_s = time.monotonic()
        if head <= self.seq:
            self._behind_since_s = None
        elif self._behind_since_s is None:
            self._behind_since_s = now_s
        elif now_s - self._behind_since_s > BEHIND_FOR_S:
            await self._resume(socket)

    async def _ping(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(PING_EVERY_S)
            if self._is_welcome:
                await socket.send(json.dumps({"type": "ping", "cursor": self.seq}))
