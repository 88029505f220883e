"""A whole hub as processes, started by `hub up` in a folder of its own; and a client written from docs/protocol.md."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from scripts.benchmarks.services import in_memory

ROOT = Path(__file__).parents[2]
EMAIL, PASSWORD = "ola@northwind.example", "correct horse battery"
START_WITHIN_S = 90


class RunningHub:
    """`hub up` on a free port; ``owner`` is signed in."""

    def __init__(self, *arguments: str, **environ: str) -> None:
        self.arguments = arguments
        self.said = ""
        self.folder = tempfile.TemporaryDirectory(prefix="hub-up-", dir=in_memory())
        self.port = free_port()
        self.base_url = f"http://localhost:{self.port}"
        self.environ = os.environ | {
            "HUB_DATA_DIR": self.folder.name,
            "HUB_PORT": str(self.port),
            **environ,
        }
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "REDIS_EPHEMERAL_URL", "HUB_PUBLIC_URL"):
            if name not in environ:
                self.environ.pop(name, None)
        self.workspace_id = 0
        self.token = ""
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub.cli", "up", *self.arguments],
            cwd=ROOT,
            env=self.environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"/setup#(\S+)", line):
                self.setup_token = found.group(1)
            if line.startswith("  Stop"):
                self.said = "".join(lines)
                return process
        raise AssertionError("hub up ended: " + "".join(lines))

    def set_up(self) -> None:
        """Make the workspace through the API, as the set-up page does, and sign in for a bearer token."""
        with httpx.Client(base_url=self.base_url, headers={"origin": self.base_url, "x-hub-request": "1"}) as client:
            body = {"workspace": "Northwind", "name": "Ola", "email": EMAIL, "password": PASSWORD}
            done = client.post("/api/v1/setup", json=body | {"token": self.setup_token})
            assert done.status_code == 200, done.text
            self.workspace_id = done.json()["workspace_id"]
        self.sign_in(EMAIL, PASSWORD)

    def sign_in(self, email: str, password: str) -> None:
        """Sign in for a bearer token, and choose the first workspace."""
        with httpx.Client(base_url=self.base_url) as client:
            signed_in = client.post("/api/v1/session", json={"email": email, "password": password, "bearer": True})
            assert signed_in.status_code == 200, signed_in.text
        self.token = signed_in.json()["token"]
        self.workspace_id = signed_in.json()["workspaces"][0]["workspace_id"]

    def api(self) -> httpx.Client:
        """Return a client of the owner under the workspace's address."""
        return httpx.Client(
            base_url=f"{self.base_url}/api/v1/workspaces/{self.workspace_id}/",
            headers={"authorization": f"Bearer {self.token}"},
            timeout=20,
        )

    def connect_sms(self, twilio: Any, number: str) -> dict[str, Any]:
        """Connect an SMS account to the emulator."""
        from tests.emulators import ACCOUNT_SID, AUTH_TOKEN

        body = {
            "channel": "twilio_sms",
            "name": "Support line",
            "credentials": {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN},
            "settings": {"phone_number": number},
        }
        with self.api() as client:
            answer = client.post("channel-accounts", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def ticket(self) -> str:
        """Issue a socket ticket."""
        with httpx.Client(headers={"authorization": f"Bearer {self.token}"}) as client:
            answer = client.post(f"{self.base_url}/api/v1/socket-tickets", json={"workspace_id": self.workspace_id})
        assert answer.status_code == 200, answer.text
        return answer.json()["ticket"]

    def child_pids(self) -> dict[str, int]:
        """Return the supervised processes by what they run."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text().rsplit(")", 1)[1].split()
                if int(fields[1]) == self.process.pid:
                    command = (path.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found[command] = int(path.parent.name)
        return found

    def log(self, name: str) -> str:
        """Return a process's log so far."""
        path = Path(self.folder.name) / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def connect_chat(self) -> str:
        """Connect a live chat and return its id."""
        body = {"channel": "livechat", "name": "Website chat", "credentials": {}, "settings": {}}
        with self.api() as client:
            answer = client.post("channel-accounts", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def add_member(self, email: str) -> str:
        """Return the one-time link that ``hub member add`` prints."""
        command = [sys.executable, "-m", "hub.cli", "member", "add", email]
        return subprocess.run(
            command, cwd=ROOT, env=self.environ, stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()

    def pid_of(self, command: str) -> int:
        """Return the process that runs one of our commands, e.g. ``serve``."""
        return next(pid for line, pid in self.child_pids().items() if f"hub.cli {command}" in line)

    def stop(self) -> None:
        """Ctrl-C, and wait."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.folder.cleanup()


class ProtocolClient:
    """
    A client by docs/protocol.md alone.

    Attributes:
        events: What was applied, in order.
        other: Frames that are no events.
    """

    def __init__(self, hub: RunningHub, *, cursor: dict[str, int] | None = None, **hello: Any) -> None:
        self.hub, self.cursor, self.hello = hub, cursor, hello
        self.events: list[dict[str, Any]] = []
        self.other: list[dict[str, Any]] = []
        self.resumes = 0
        self.socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Open a socket and say hello with the cursor."""
        credentials = self.hello or {"ticket": await asyncio.to_thread(self.hub.ticket)}
        self.socket = await connect(f"ws://127.0.0.1:{self.hub.port}/ws", compression=None, proxy=None)
        await self.say(type="hello", protocol=1, cursor=self.cursor, client="acceptance/1", **credentials)
        self._reading = asyncio.create_task(self._read(self.socket))

    async def say(self, **frame: Any) -> None:
        """Send one frame."""
        assert self.socket is not None
        await self.socket.send(json.dumps(frame))

    async def send(self, conversation_id: str, text: str, **frame: Any) -> str:
        """Send a message and return its client_message_id."""
        client_message_id = str(uuid.uuid4())
        await self.say(
            type="send",
            client_message_id=client_message_id,
            conversation_id=conversation_id,
            kind="message",
            text=text,
            attachments=[],
            seen_seq=None,
            **frame,
        )
        return client_message_id

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(Exception):
            async for text in socket:
                self._take(json.loads(text))
                self._changed.set()

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] != "event":
            self.other.append(frame)
            if frame["type"] == "gap":
                self.resumes += 1
                asyncio.get_running_loop().create_task(self.say(type="hello", protocol=1, cursor=self.cursor))
            return
        assert self.cursor is not None
        if frame["seq"] <= self.cursor["seq"]:
            return
        assert frame["prev"] <= self.cursor["seq"], "an event is missing"
        self.cursor = self.cursor | {"seq": frame["seq"]}
        self.events.append(frame)

    async def wait_for(self, condition: Any, timeout_s: float = 15) -> None:
        """Wait until ``condition(self)`` holds."""
        deadline = time.monotonic() + timeout_s
        while not condition(self):
            left = deadline - time.monotonic()
            assert left > 0, f"not in time; have {[one['event']['type'] for one in self.events]} {self.other}"
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(left, 0.2))

    def types(self) -> list[str]:
        """Return the types of the events applied."""
        return [one["event"]["type"] for one in self.events]

    async def cut(self) -> None:
        """Lose the connection without a close frame."""
        if self.socket is not None:
            self.socket.transport.abort()
            self.socket = None
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
