"""A sender's image server on loopback that does whatever a hostile one would do, by path; it notes who asked what."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from typing import Self

from PIL import Image

from connectors.downloads import Reach
from hub.net import public_addresses
from tests.pictures import encode

HOST = "pictures.example"
PNG = encode(Image.new("RGB", (40, 30), "navy"), "PNG")
GIF = encode(Image.new("P", (4, 4)), "GIF")
AVIF = b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + b"\0" * 100
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
_PIECE = b"\0" * 65_536


class HostileImages:
    """One running server; ``heard`` are the heads of its requests, ``sent_bytes`` what it could send of endless bodies."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.sent_bytes = 0
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """Serve while the block runs."""
        one = cls()
        server = await asyncio.start_server(one._accept, "127.0.0.1", 0)
        one.port = int(server.sockets[0].getsockname()[1])
        try:
            yield one
        finally:
            server.close()
            for task in list(one._tasks):
                task.cancel()
            await asyncio.gather(*one._tasks, return_exceptions=True)
            await server.wait_closed()

    def url(self, path: str) -> str:
        """Return the address of an image, as a mail names it."""
        return f"http://{HOST}:{self.port}/{path}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.heard.append(head)
                await self._answer(head.split(" ")[1].partition("?")[0].strip("/"), reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if path in _REDIRECTS:
            target = _REDIRECTS[path].format(port=self.port)
            writer.write(f"HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n".encode())
        elif path in ("endless", "slow"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n" + PNG[:8])
            while True:
                writer.write(_PIECE if path == "endless" else b"\0")
                await writer.drain()
                self.sent_bytes += len(_PIECE)
                await asyncio.sleep(0 if path == "endless" else 0.05)
        elif path == "silent":
            await reader.read()
        elif path != "reset":
            status, mime, body = _BODIES.get(path, (404, "text/plain", b""))
            coded = "content-encoding: gzip\r\n" if path == "compressed" else ""
            head = f"HTTP/1.1 {status} X\r\ncontent-type: {mime}\r\n{coded}content-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
        await writer.drain()


def reach_of(server: HostileImages) -> Reach:
    """Let the sender's name be on this computer, at any port; every other address is judged as always."""

    async def addresses(host: str, port: int) -> list[str]:
        return ["127.0.0.1"] if (host, port) == (HOST, server.port) else await public_addresses(host, port)

    return Reach(addresses=addresses, ports=None)


_REDIRECTS = {
    "inside": "http://127.0.0.1:{port}/png",
    "metadata": "http://169.254.169.254/latest/meta-data",
    "loop": "/loop",
    "to-file": "file:///etc/passwd",
    "moved": "/png",
}
_BODIES = {
    "png": (200, "image/png", PNG),
    "gif-called-html": (200, "text/html", GIF),
    "avif": (200, "application/octet-stream", AVIF),
    "svg": (200, "image/png", SVG),
    "html": (200, "image/png", b"<!doctype html><script>alert(1)</script>"),
    "empty": (200, "image/png", b""),
    "compressed": (200, "image/png", gzip.compress(PNG)),
    "error": (500, "image/png", PNG),
    "forbidden": (403, "image/png", PNG),
}
