"""An OTLP/HTTP collector in this process: takes what real exporters send and decodes it with the protocol's classes."""

from __future__ import annotations

import gzip
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Received:
    """One span as it came over the wire."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    process: str
    attributes: dict[str, str]
    status: str
    began_ns: int
    ended_ns: int


class Collector:
    """Listens on a free port of loopback until stopped."""

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.take(self.path, body)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def take(self, path: str, body: bytes) -> None:
        """Decode one export."""
        assert path == "/v1/traces"
        self.bodies.append(body)
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            process = next(a.value.string_value for a in resource.resource.attributes if a.key == "hub.process")
            for scope in resource.scope_spans:
                self.spans += [_received(span, process) for span in scope.spans]

    def wait_for(self, is_there: Callable[[list[Received]], bool], within_s: float = 20) -> list[Received]:
        """Wait until the spans so far satisfy; return them."""
        deadline = time.monotonic() + within_s
        while not is_there(list(self.spans)):
            assert time.monotonic() < deadline, [(one.name, one.trace_id[:6], one.process) for one in self.spans]
            time.sleep(0.1)
        return list(self.spans)

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def _received(span, process: str) -> Received:
    attributes = {one.key: one.value.string_value or str(one.value.int_value) for one in span.attributes}
    return Received(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        process=process,
        attributes=attributes,
        status=str(span.status.code),
        began_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
    )
