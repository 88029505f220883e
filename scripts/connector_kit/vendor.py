"""A vendor's API on loopback that answers what it is told and remembers what it was asked. For tests and the rules."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from types import TracebackType


class Asked(msgspec.Struct, frozen=True):
    """One request as it came; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class StubVendor:
    """
    Use it as a context manager; ``base_url`` goes into ``Account.base_url``.

    Args:
        status: Of every answer.
        body: Of every answer.
        headers: Of every answer.
    """

    def __init__(self, status: int = 200, body: bytes = b"{}", headers: dict[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, headers or {}
        self.asked: list[Asked] = []
        self._server = _Server(self)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> StubVendor:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, vendor: StubVendor) -> None:
        self.vendor = vendor
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    # A connection left open by a client's pool must not keep the server from ending.
    timeout = 5

    def answer(self) -> None:
        """Record the request and answer it."""
        vendor = self.server.vendor
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        named = {name.lower(): value for name, value in self.headers.items()}
        vendor.asked.append(Asked(self.command, self.path, named, body))
        self.send_response(vendor.status)
        for name, value in ({"content-type": "application/json"} | vendor.headers).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(vendor.body)))
        self.end_headers()
        self.wfile.write(vendor.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_arguments: Any) -> None:  # noqa: ANN401
        """Write nothing: tests read the requests."""
