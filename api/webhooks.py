"""
The edge for vendors: ``POST|GET /webhooks/{channel}/{channel_account_id}``.

A call is verified over its raw bytes, cut into items, and answered 2xx only once all of them are kept for good: on the
ingress stream, or in Postgres while Redis is away (``connectors/ingress.py``). Nothing else here touches Postgres, so
calls are verified and taken while it is down. An account that is paused or must sign in again still takes
items: a pause stops our sending, and what a vendor tells us meanwhile must not be lost. ``WebhookGate`` stands before
the application as plain ASGI, because routing and middleware cost more than the whole of this.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import msgspec
from msgspec import structs
from starlette.responses import Response

from api.errors import PROBLEM_TYPE, problem_of
from api.webhook_body import Body, BodyBudget, BodyLate, CallerGone
from connectors.base import WebhookReply, WebhookRequest
from connectors.raw_items import ITEM_LIMIT_BYTES
from hub import clock, tracing
from hub.envelope import StreamItem
from hub.errors import HubError, MalformedPayload, NotFound, SignatureRejected, TooLarge, Unavailable
from hub.log import get_logger
from hub.metrics import Distribution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from connectors.base import Account, Connector, RawItem
    from hub.channels.model import Route

PREFIX = "/webhooks/"
KEY_LIMIT_CHARS = 300
_ID_CHARS = 36

_encoder = msgspec.json.Encoder()
_log = get_logger("api.webhooks")


class Connectors(Protocol):
    def get(self, channel: str) -> Connector: ...


class Routes(Protocol):
    async def find(self, account_id: UUID) -> Route: ...


class Appending(Protocol):
    async def append(self, item: StreamItem) -> None: ...


@dataclass(slots=True)
class WebhookMetrics:
    """What the edge did in this process, in calls (``items``: items stored); read by /metrics."""

    stored: int = 0
    items: int = 0
    handshakes: int = 0
    bad_signature: int = 0
    unknown_account: int = 0
    malformed: int = 0
    too_large: int = 0
    unavailable: int = 0
    failed: int = 0


class WebhookTiming:
    """
    Calls by channel and status, and how long they took; read by /metrics.

    Args:
        channels: Known ones: whatever else an address names is counted as ``other``, for anybody can call any.
    """

    def __init__(self, channels: Iterable[str]) -> None:
        self._channels = frozenset(channels)
        self.calls: Counter[tuple[str, int]] = Counter()
        self.seconds: dict[str, Distribution] = {}

    def channel_of(self, path: str) -> str:
        """Return the channel a path names, if there is such a one."""
        channel = path[len(PREFIX) :].partition("/")[0]
        return channel if channel in self._channels else "other"

    def note(self, channel: str, status: int, seconds: float) -> None:
        """Count one call."""
        self.calls[channel, status] += 1
        self.seconds.setdefault(channel, Distribution()).observe(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDeps:
    """
    What the edge needs.

    Attributes:
        base_url: The address vendors call us at, without a trailing slash; never the request's Host.
        streams: Takes items for good (``connectors.ingress``).
        account_of: Opens an account for its connector (``connectors.accounts``).
        bodies: What large calls of this process may hold together.
        timing: Counts calls by channel.
        tracer: Begins the trace of what a call brings.
    """

    base_url: str
    routes: Routes
    connectors: Connectors
    streams: Appending
    account_of: Callable[[Route], Account]
    metrics: WebhookMetrics = field(default_factory=WebhookMetrics)
    bodies: BodyBudget = field(default_factory=BodyBudget)
    timing: WebhookTiming = field(default_factory=lambda: WebhookTiming(()))
    tracer: tracing.Tracer = tracing.NO_TRACER


class Problem(msgspec.Struct, frozen=True):
    """Why an answer is not 2xx; ``api/errors.py`` makes a problem document of it."""

    code: str
    message: str
    field: str | None = None
    retry_after_s: float | None = None


class _Refused(HubError):
    """An answer on its way out."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.message)
        self.status = status
        self.problem = problem


class WebhookGate:
    """
    Answers webhooks by itself and passes everything else on.

    Args:
        app: The application behind.
        deps: For webhooks.
    """

    def __init__(self, app: ASGIApp, deps: WebhookDeps) -> None:
        self._app = app
        self._deps = deps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        began_s = clock.monotonic_s()
        channel = self._deps.timing.channel_of(scope["path"])
        with self._deps.tracer.span("webhook", kind="server", attributes={"hub.channel": channel}) as span:
            status, headers, body = await _answer(scope, receive, self._deps)
            span.set("http.response.status_code", status)
        self._deps.timing.note(channel, status, clock.monotonic_s() - began_s)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def receive_webhook(request: Request, deps: WebhookDeps) -> Response:
    """Answer a webhook as an ordinary Starlette route; the same as ``WebhookGate``, slower."""
    status, headers, body = await _answer(request.scope, request.receive, deps)
    return Response(body, status, {name.decode(): value.decode() for name, value in headers})


Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


async def _answer(scope: Scope, receive: Receive, deps: WebhookDeps) -> Answer:
    metrics = deps.metrics
    try:
        return _reply(await _take(scope, receive, deps))
    except _Refused as refused:
        return _problem(refused.status, refused.problem)
    except TooLarge as error:
        metrics.too_large += 1
        return _problem(413, Problem(error.code, error.message))
    except BodyLate as error:
        return _problem(408, Problem(error.code, error.message))
    except CallerGone as error:
        return _problem(400, Problem(error.code, error.message))
    except SignatureRejected:
        metrics.bad_signature += 1
        return _problem(401, Problem("signature_rejected", "The signature does not match."))
    except NotFound as error:
        metrics.unknown_account += 1
        return _problem(404, Problem(error.code, error.message))
    except MalformedPayload as error:
        metrics.malformed += 1
        return _problem(400, Problem(error.code, error.message))
    except Unavailable as error:
        metrics.unavailable += 1
        return _problem(503, Problem(error.code, error.message, retry_after_s=error.retry_after_s))
    except Exception as error:  # loop: the outermost edge; the vendor is told to come back
        metrics.failed += 1
        code = error.code if isinstance(error, HubError) else type(error).__name__
        _log.error("webhook_failed", error=code, path_chars=len(scope["path"]))
        return _problem(500, Problem("internal", "This could not be taken; it is our fault. Try again later."))


async def _take(scope: Scope, receive: Receive, deps: WebhookDeps) -> WebhookReply:
    method: str = scope["method"]
    if method not in ("POST", "GET"):
        raise _Refused(405, Problem("method_not_allowed", "Webhooks are POST or GET."))
    channel, account_id = _parse_path(scope["path"])
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    route = await deps.routes.find(account_id)
    if route.channel != channel:
        raise NotFound("channel account")
    connector = deps.connectors.get(channel)
    if connector.verify is None or connector.split is None:
        raise NotFound("webhook of this channel")
    with Body(deps.bodies, connector.manifest.webhook_limit_bytes) as body:
        request = WebhookRequest(
            method=method,
            url=_url(scope, deps.base_url),
            headers=headers,
            body=await body.read(receive, headers.get("content-length", "")),
            received_at=clock.now(),
        )
        return await _store(request, route, connector, deps)


async def _store(request: WebhookRequest, route: Route, connector: Connector, deps: WebhookDeps) -> WebhookReply:
    if connector.verify is None or connector.split is None:
        raise NotFound("webhook of this channel")
    handshake = connector.verify(request, deps.account_of(route))
    if handshake is not None:
        deps.metrics.handshakes += 1
        return handshake
    items = _stream_items(route, connector.split(request), request)
    with deps.tracer.span("stream.append", kind="producer", attributes={"hub.items": len(items)}):
        await _append(deps.streams, items)
    deps.metrics.stored += 1
    deps.metrics.items += len(items)
    return connector.stored_reply


def _parse_path(path: str) -> tuple[str, UUID]:
    channel, _, account = path[len(PREFIX) :].partition("/")
    # UUID() is generous about braces and missing dashes: only the form we hand out is an address.
    if len(account) != _ID_CHARS:
        raise NotFound("channel account")
    try:
        return channel, UUID(account)
    except ValueError:
        raise NotFound("channel account") from None


def _url(scope: Scope, base_url: str) -> str:
    """Rebuild the address as the vendor was given it: what it signed."""
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    path = raw_path.partition(b"?")[0].decode("latin-1")
    query: bytes = scope["query_string"]
    return f"{base_url}{path}?{query.decode('latin-1')}" if query else f"{base_url}{path}"


def _stream_items(route: Route, raw_items: Sequence[RawItem], request: WebhookRequest) -> list[StreamItem]:
    """Address the items; all of them are checked before the first one is stored."""
    account_id = str(route.id)
    received_at_ms = int(request.received_at.timestamp() * 1000)
    items: list[StreamItem] = []
    for raw in raw_items:
        # App-level webhooks, one address for many accounts, come with the channels that have them.
        if raw.account_ref and raw.account_ref != route.external_ref:
            raise NotFound("channel account")
        if not 0 < len(raw.key) <= KEY_LIMIT_CHARS:
            raise MalformedPayload("An item has no usable id.")
        if len(raw.body) > ITEM_LIMIT_BYTES:
            raise TooLarge(ITEM_LIMIT_BYTES)
        items.append(
            StreamItem(
                workspace_id=route.workspace_id,
                channel_account_id=account_id,
                channel=route.channel,
                key=raw.key,
                body=raw.body,
                received_at_ms=received_at_ms,
                trace=tracing.current(),
            )
        )
    return items


async def _append(streams: Appending, items: list[StreamItem]) -> None:
    if len(items) == 1:
        await streams.append(items[0])
        return
    # All or nothing towards the vendor: it sends everything again, and the dedupe keys absorb what was stored.
    answers = await asyncio.gather(*(streams.append(one) for one in items), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


def _reply(reply: WebhookReply) -> Answer:
    headers = [
        (b"content-type", reply.content_type.encode("latin-1")),
        (b"content-length", str(len(reply.body)).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    return reply.status, headers, reply.body


def _problem(status: int, problem: Problem) -> Answer:
    document = problem_of(status, problem.code, problem.message)
    body = _encoder.encode(structs.replace(document, field=problem.field, retry_after_s=problem.retry_after_s))
    headers = [
        (b"content-type", PROBLEM_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if problem.retry_after_s is not None:
        headers.append((b"retry-after", str(max(1, round(problem.retry_after_s))).encode()))
    if status == 405:
        headers.append((b"allow", b"GET, POST"))
    return status, headers, body
