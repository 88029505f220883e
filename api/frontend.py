"""Serves the built inbox: its page for every client-side route, its hashed assets for ever. Knows no API."""

from __future__ import annotations

import asyncio
import gzip
import mimetypes
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.page import page_answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from api.auth import Edge
    from api.softphones import PageSources
    from hub.config import Settings

_NOT_PAGES: Final = ("api/", "webhooks/", "ws", "widget", "sample/")
# Served from the root, so that it may answer for every page; never kept, so that a fault in it can be mended.
_WORKER: Final = "sw.js"
_WORKER_POLICY: Final = "default-src 'none'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
_COMPRESSED: Final = ("text/", "application/javascript", "application/json", "image/svg+xml")
_WORTH_COMPRESSING_BYTES: Final = 1_000
_MOST_CACHED_BYTES: Final = 32 * 1024 * 1024

_NOT_BUILT: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The inbox is not built yet</title>
<h1>The inbox is not built yet</h1>
<p>The hub is running, but its pages are missing. In the project's folder run <code>./scripts/run</code>,
or <code>npm ci &amp;&amp; npm run build</code> in <code>frontend</code>, and reload this page.</p>
</html>
"""


class StaticFile(msgspec.Struct, frozen=True):
    """One file in memory; ``compressed`` is None where gzip gains nothing."""

    content: bytes
    compressed: bytes | None
    media_type: str
    modified_ns: int


class Folder:
    """The files below one folder, kept in memory once read, compressed once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, StaticFile] = {}
        self._cached_bytes = 0

    async def find(self, name: str) -> StaticFile | None:
        """
        Read a file.

        Args:
            name: Relative path as in the URL, unchecked.

        Returns:
            The file as it is on disk now; None where there is none below the folder.
        """
        if "\x00" in name or "\\" in name or any(part in ("", ".", "..") for part in name.split("/")):
            return None
        return await asyncio.to_thread(self._read, name)

    def _read(self, name: str) -> StaticFile | None:
        path = self._root / name
        try:
            modified_ns = path.stat().st_mtime_ns
            known = self._files.get(name)
            if known is not None and known.modified_ns == modified_ns:
                return known
            if not path.resolve().is_relative_to(self._root.resolve()) or not path.is_file():
                return None
            content = path.read_bytes()
        except OSError:
            return None
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        file = StaticFile(content, _compress(content, media_type), media_type, modified_ns)
        self._keep(name, file)
        return file

    def _keep(self, name: str, file: StaticFile) -> None:
        if self._cached_bytes + len(file.content) > _MOST_CACHED_BYTES:
            self._files.clear()
            self._cached_bytes = 0
        self._files[name] = file
        self._cached_bytes += len(file.content)


class Assets:
    """A folder of files whose names carry their hash, so that browsers never ask for one again."""

    def __init__(self, root: Path, prefix: str = "/assets/") -> None:
        self._folder = Folder(root)
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        _require_read(request)
        file = await self._folder.find(request.url.path.removeprefix(self._prefix))
        if file is None:
            raise HTTPException(404)
        response = file_response(request, file)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        # Pages may load these from another origin of ours (HUB_ASSET_URL).
        response.headers["cross-origin-resource-policy"] = "cross-origin"
        response.headers["access-control-allow-origin"] = "*"
        await response(scope, receive, send)


class Pages:
    """Everything else: a file of the build's root (icons, manifest), or the inbox's page."""

    def __init__(self, root: Path, settings: Settings, edge: Edge, sources: Callable[[], PageSources]) -> None:
        self._folder = Folder(root)
        self._settings = settings
        self._edge = edge
        self._sources = sources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = request.path_params.get("path", "")
        await (await self._respond(request, path))(scope, receive, send)

    async def _respond(self, request: Request, path: str) -> Response:
        if path.startswith(_NOT_PAGES):
            raise HTTPException(404)
        _require_read(request)
        if "." in path.rpartition("/")[2] and path != "index.html":
            file = await self._folder.find(path)
            if file is None:
                raise HTTPException(404)
            answer = file_response(request, file)
            if path == _WORKER:
                # Its own policy, not a page's: it loads nothing and calls nobody but the API.
                answer.headers["content-security-policy"] = _WORKER_POLICY
            return answer
        page = await self._folder.find("index.html")
        if page is None:
            return HTMLResponse(_NOT_BUILT, 503)
        return page_answer(page.content, self._settings, self._edge, sources=self._sources())


def file_response(request: Request, file: StaticFile) -> Response:
    """Answer with a file, compressed where the browser takes it, or 304 where it has it."""
    etag = f'"{file.modified_ns:x}-{len(file.content):x}"'
    headers = {"etag": etag, "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    content = file.content
    if file.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        content = file.compressed
    return Response(content, headers=headers, media_type=file.media_type)


def _require_read(request: Request) -> None:
    if request.method not in ("GET", "HEAD"):
        raise HTTPException(405, headers={"allow": "GET, HEAD"})


def _compress(content: bytes, media_type: str) -> bytes | None:
    if len(content) < _WORTH_COMPRESSING_BYTES or not media_type.startswith(_COMPRESSED):
        return None
    compressed = gzip.compress(content, 9, mtime=0)
    return compressed if len(compressed) < len(content) else None
