"""A serve worker as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.processes]

PROGRAM = """
from hub.config import read_settings
from api.serve import main
main(read_settings(), on_ready=lambda address: print(address, flush=True))
"""
SECRET_TEXT = "a-very-secret-password"


class Served:
    """A running worker."""

    def __init__(self, process: Process, port: int, url: str) -> None:
        self.process = process
        self.port = port
        self.url = url


@pytest.fixture
async def served(database_urls, redis_durable, redis_ephemeral, tmp_path) -> AsyncIterator[Served]:
    """A worker on a free port; its log is read at the end."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        env=os.environ
        | {
            "HUB_PORT": str(port),
            "HUB_DATA_DIR": str(tmp_path),
            "HUB_SETUP_TOKEN": "printed",
            "HUB_SECRET_KEY": "k" * 44,
            "DATABASE_URL": database_urls.database_url,
            "REDIS_URL": redis_durable,
            "REDIS_EPHEMERAL_URL": redis_ephemeral,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        url = (await process.stdout.readline()).decode().strip()
    yield Served(process, port, url)
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def ended(served: Served) -> tuple[int, str]:
    async with asyncio.timeout(30):
        _, log = await served.process.communicate()
    assert served.process.returncode is not None
    return served.process.returncode, log.decode()


async def test_worker_serves_and_ends_cleanly(served):
    """Ready, set up, signed in over a real socket; SIGTERM ends it with 0; the log holds no secret and no address."""
    assert served.url == f"http://localhost:{served.port}"
    origin = {"origin": served.url, "x-hub-request": "1"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.port}", headers=origin) as client:
        assert (await client.get("/readyz")).status_code == 200
        body = {"workspace": "W", "name": "Ann", "email": "ann@secret.example", "password": SECRET_TEXT}
        assert (await client.post("/api/v1/setup", json={"token": "guess"} | body)).status_code == 403
        assert (await client.post("/api/v1/setup", json={"token": "printed"} | body)).status_code == 200
        assert (await client.get("/api/v1/session")).json()["login"]["email"] == "ann@secret.example"
        assert "server" not in (await client.get("/healthz")).headers
    served.process.send_signal(signal.SIGTERM)
    code, log = await ended(served)
    assert code == 0
    for secret in (SECRET_TEXT, "ann@secret.example", "printed"):
        assert secret not in log
    assert all(json.loads(line) for line in log.splitlines() if line.startswith("{"))


async def test_call_in_flight_is_answered_before_the_end(served):
    """SIGTERM takes no more connections, but whoever is half-way through gets their answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    body = b'{"email":"a@b.c","password":"x"}'
    head = f"POST /api/v1/session HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    writer.write(head + body[:5])
    await writer.drain()
    await asyncio.sleep(0.2)
    served.process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.5)
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(body[5:])
    async with asyncio.timeout(10):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 401 ")
    writer.close()
    assert (await ended(served))[0] == 0


async def test_forwarded_headers_are_not_believed(served):
    """Without an https public URL there is no proxy: a guesser gains nothing by naming other addresses."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.port}") as client:
        statuses = [
            (
                await client.post(
                    "/api/v1/session",
                    json={"email": "a@b.c", "password": "x"},
                    headers={"x-forwarded-for": f"198.51.100.{number}"},
                )
            ).status_code
            for number in range(11)
        ]
    assert statuses == [401] * 10 + [429]
