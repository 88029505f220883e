"""
The edge for vendors: ``POST|GET /webhooks/{channel}/{channel_account_id}``, and ``…/app`` for the installation's app.

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
from api.webhook_routing import Recipients, no_app
from connectors.account_notes import AccountNotes
from connectors.base import Staff, WebhookReply, WebhookRequest
from connectors.key_sets import KeySets
from hub import clock, tracing
from hub.errors import (
    HubError,
    MalformedPayload,
    NotFound,
    SignatureRejected,
    SigningKeyUnknown,
    TooLarge,
    Unavailable,
)
from hub.log import get_logger
from hub.metrics import Distribution

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from connectors.base import Account, Connector
    from hub.channels.model import Route
    from hub.envelope import StreamItem

PREFIX = "/webhooks/"
# In place of an account: the installation's own app at the vendor calls for all of them.
APP = "app"
_ID_CHARS = 36

_encoder = msgspec.json.Encoder()
_log = get_logger("api.webhooks")


class Connectors(Protocol):
    def get(self, channel: str) -> Connector: ...


class Routes(Protocol):
    async def find(self, account_id: UUID) -> Route: ...
    def named(self, channel: str, external_ref: str) -> Sequence[Route]: ...


class Appending(Protocol):
    async def append(self, item: StreamItem) -> None: ...


@dataclass(slots=True)
class WebhookMetrics:
    """What the edge did in this process, in calls (``items``: stored; ``unrouted``: of accounts nobody connected)."""

    stored: int = 0
    items: int = 0
    handshakes: int = 0
    bad_signature: int = 0
    unknown_account: int = 0
    malformed: int = 0
    too_large: int = 0
    unavailable: int = 0
    failed: int = 0
    unrouted: int = 0


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


async def nobody_known(route: Route) -> Staff:  # noqa: ARG001  the shape of those that know
    """Say nothing of who could take a call."""
    return Staff()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDeps:
    """
    What the edge needs.

    Attributes:
        base_url: The address vendors call us at, without a trailing slash; never the request's Host.
        streams: Takes items for good (``connectors.ingress``).
        account_of: Opens an account for its connector (``connectors.accounts``).
        app_account: What stands for an account where the installation's app at a channel's vendor calls; ``NotFound``
            where there is none.
        bodies: What large calls of this process may hold together.
        timing: Counts calls by channel.
        tracer: Begins the trace of what a call brings.
        notes: What accounts' pages show.
        keys: Keys of the issuers whose tokens some channels' calls carry.
        staff: Says who could take a call, for channels whose answers depend on it.
    """

    base_url: str
    routes: Routes
    connectors: Connectors
    streams: Appending
    account_of: Callable[[Route], Account]
    app_account: Callable[[str], Account] = no_app
    metrics: WebhookMetrics = field(default_factory=WebhookMetrics)
    bodies: BodyBudget = field(default_factory=BodyBudget)
    timing: WebhookTiming = field(default_factory=lambda: WebhookTiming(()))
    tracer: tracing.Tracer = tracing.NO_TRACER
    notes: AccountNotes = field(default_factory=AccountNotes)
    keys: KeySets = field(default_factory=KeySets)
    staff: Callable[[Route], Awaitable[Staff]] = nobody_known


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
    route = None if account_id is None else await deps.routes.find(account_id)
    if route is not None and route.channel != channel:
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
        try:
            return await _store(request, route, connector, deps)
        except SignatureRejected:
            if route is not None:
                place = route.workspace_id, route.id
                deps.notes.went_wrong(
                    place, "webhook", "signature", "A call was not signed with this account's secret."
                )
            raise
        except MalformedPayload as error:
            if route is not None:
                deps.notes.went_wrong((route.workspace_id, route.id), "webhook", "malformed", error.message)
            raise


async def _store(request: WebhookRequest, route: Route | None, connector: Connector, deps: WebhookDeps) -> WebhookReply:
    if connector.verify is None or connector.split is None:
        raise NotFound("webhook of this channel")
    account = deps.app_account(connector.manifest.id) if route is None else deps.account_of(route)
    handshake = await _verify(request, connector, account, deps.keys)
    if handshake is not None:
        deps.metrics.handshakes += 1
        return handshake
    recipients = Recipients(request, connector, deps)
    items = recipients.address(route, connector.split(request))
    deps.metrics.unrouted += recipients.unrouted
    recipients.note(deps.notes, items)
    with deps.tracer.span("stream.append", kind="producer", attributes={"hub.items": len(items)}):
        await _append(deps.streams, items)
    deps.metrics.stored += 1
    deps.metrics.items += len(items)
    if connector.reply is None:
        return connector.stored_reply
    asks = route is not None and connector.asks_staff is not None and connector.asks_staff(request)
    return connector.reply(request, account, await deps.staff(route) if asks and route is not None else Staff())


async def _verify(
    request: WebhookRequest, connector: Connector, account: Account, keys: KeySets
) -> WebhookReply | None:
    if connector.verify is None:
        raise NotFound("webhook of this channel")
    try:
        return connector.verify(request, await keys.attach(connector, account))
    except SigningKeyUnknown:
        newer = await keys.attach_newer(connector, account)
        if newer is None:
            raise
        return connector.verify(request, newer)


def _parse_path(path: str) -> tuple[str, UUID | None]:
    """Return channel and account; None for the address of the installation's app, which has many accounts."""
    channel, _, account = path[len(PREFIX) :].partition("/")
    if account == APP:
        return channel, None
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
