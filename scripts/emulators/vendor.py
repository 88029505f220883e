"""
What every emulated vendor shares: strict requests, planned misbehaviour, signed calls to webhooks, and control.

An emulator declares its endpoints as ``Endpoint`` and its requests as msgspec structs with ``forbid_unknown_fields``:
a missing, unknown or wrongly typed field is refused in the vendor's own error shape (``Vendor.fault``). ``GET
/_control`` tells what was asked and made; ``POST /_control`` with ``{"op": …}`` steers, see ``Vendor.steer``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec

from scripts.emulators.http1 import Answer, Cut, Request, as_json, listen

CALL_TIMEOUT_S = 15.0
_FORM = "application/x-www-form-urlencoded"


class Fault(msgspec.Struct, frozen=True):
    """
    Why a request is refused, before the vendor gave it a shape.

    Attributes:
        kind: ``credentials``, ``missing_endpoint``, ``body`` (not readable at all), or ``field``.
        reason: In words, for whoever reads the test's output.
        field: Where, e.g. ``$.text.body``.
    """

    kind: str
    reason: str
    field: str = ""


class Refused(Exception):
    """Raised by an endpoint that refuses; carries the whole answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.status))
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Asked:
    """
    One checked request.

    Attributes:
        arguments: Groups of the path's pattern.
        body: The struct of ``Endpoint.body``, or None.
        query: The struct of ``Endpoint.query``, or None.
    """

    request: Request
    arguments: tuple[str, ...] = ()
    body: Any = None
    query: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """
    One endpoint.

    Attributes:
        path: Regular expression the whole path must match.
        answer: Makes the answer; may raise ``Refused``.
        body: What the body must be; None: there must be none that matters.
        query: What the query must be; None: anything (say so only where the vendor does).
        form: Whether the body is a form, values then being text (``strict`` is off).
        raw: Whether the endpoint reads the bytes by itself (uploads); ``body`` is ignored.
        public: Whether it is open without credentials.
    """

    method: str
    path: str
    answer: Callable[[Asked], Answer | Cut | Awaitable[Answer | Cut]]
    body: object = None
    query: object = None
    form: bool = False
    raw: bool = False
    public: bool = False


@dataclass(slots=True, kw_only=True)
class Delivery:
    """
    How calls to the webhook go out.

    Attributes:
        times: How often each is made.
        sign: ``right``, ``wrong`` (another key), ``old`` (a timestamp of an hour ago, where there is one) or ``none``.
        batch: Whether all items travel in one call, where the vendor batches.
        shuffle: Whether the order is mixed; seeded, so that a failure comes again.
        delay_s: Before each.
    """

    times: int = 1
    sign: str = "right"
    batch: bool = False
    shuffle: bool = False
    delay_s: float = 0.0


@dataclass(slots=True)
class Call:
    """A call to a webhook, ready to go."""

    url: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"


class Vendor:
    """
    A vendor in memory; each channel's emulator is a subclass.

    Attributes:
        requests: What was asked: method, path, query, body (text), ``at_s`` on our clock, and ``refused`` with
            the reason where it was.
        made: Calls made to webhooks with what came back.
        webhook_url: Where calls go until an order names another address.
        reach_at: Origin to call in place of the one in addresses, which is still what is signed; empty means none.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.made: list[dict[str, Any]] = []
        self.webhook_url = ""
        self.reach_at = ""
        self._planned: list[dict[str, Any]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()
        self._random = random.Random(7)  # noqa: S311  an order of tests, no secret
        self._endpoints = [(re.compile(one.path), one) for one in self.endpoints()]

    # ── what a channel says ─────────────────────────────────────────────────────────────────────────────────────

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the vendor's endpoints, the first match wins."""
        raise NotImplementedError

    def fault(self, fault: Fault) -> Answer:
        """Return a refusal in the vendor's own shape."""
        raise NotImplementedError

    def throttled(self, order: Mapping[str, Any]) -> Answer:
        """Return the vendor's "too fast"; the default is 429 with ``Retry-After``."""
        return as_json(429, {"error": "too many requests"}, {"Retry-After": str(order.get("retry_after", 1))})

    def check(self, asked: Request) -> None:
        """Refuse bad credentials by raising ``Refused``."""
        raise NotImplementedError

    def call_of(self, items: Sequence[Any], sign: str) -> Call:
        """Return the signed webhook call that carries items; ``url`` empty means the known address."""
        raise NotImplementedError

    def steer(self, op: str, order: dict[str, Any]) -> object:  # noqa: ARG002  subclasses read it
        """
        Do a control operation of this channel's own; what is known to all is done before.

        Known to all: ``next {answers: [{kind, path?, …}]}`` plans what coming requests get (those whose path contains
        ``path``): ``status {status, body, headers}``, ``html {status}``, ``throttle {retry_after}``, ``hold`` (done,
        never answered), ``reset`` (done, then RST), ``late {delay_s}`` (done, answered late); ``accept: false`` makes
        hold and reset leave it undone. ``deliver {items, times, sign, batch, shuffle, delay_s, url}``. ``webhook
        {url}``. ``clear`` forgets requests, calls and plans.
        """
        raise KeyError(op)

    def facts(self) -> Mapping[str, Any]:
        """Return what ``GET /_control`` tells besides requests and calls."""
        return {}

    def forget(self) -> None:
        """Forget what ``clear`` must forget besides requests and calls."""

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────

    async def handle(self, request: Request) -> Answer | Cut:
        """Answer one request: the control endpoint, or the vendor's API."""
        if request.path == "/_control":
            return await self._control(request)
        kept: dict[str, Any] = {
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "body": request.body.decode("utf-8", "replace"),
            "content_type": request.headers.get("content-type", ""),
            "at_s": time.monotonic(),
        }
        self.requests.append(kept)
        self._note()
        planned = self._plan_for(request.path)
        if planned is not None and planned["kind"] in ("status", "html", "throttle"):
            return self._planned_answer(planned)
        if planned is not None and planned.get("accept") is False:
            return Cut(planned["kind"])
        try:
            answer = await self._answer(request)
        except Refused as refused:
            kept["refused"] = refused.answer.body.decode("utf-8", "replace")[:500]
            return refused.answer
        finally:
            self._note()
        if planned is not None and planned["kind"] == "late":
            await asyncio.sleep(float(planned.get("delay_s", 30.0)))
        elif planned is not None:
            return Cut(planned["kind"])
        return answer

    async def _answer(self, request: Request) -> Answer | Cut:
        for pattern, endpoint in self._endpoints:
            match = pattern.fullmatch(request.path)
            if match is None or endpoint.method != request.method:
                continue
            if not endpoint.public:
                self.check(request)
            asked = Asked(request, match.groups(), self._body(endpoint, request), self._query(endpoint, request))
            answer = endpoint.answer(asked)
            return answer if isinstance(answer, (Answer, Cut)) else await answer
        raise Refused(self.fault(Fault("missing_endpoint", f"{request.method} {request.path}")))

    def _body(self, endpoint: Endpoint, request: Request) -> object:
        if endpoint.raw or endpoint.body is None:
            return None
        mime = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if endpoint.form:
            if mime != _FORM:
                raise Refused(self.fault(Fault("body", f"content-type is {mime or 'missing'}, not a form")))
            pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
            return self._convert(dict(pairs), endpoint.body, strict=False)
        if mime != "application/json":
            raise Refused(self.fault(Fault("body", f"content-type is {mime or 'missing'}, not JSON")))
        try:
            value = json.loads(request.body)
        except ValueError as error:
            raise Refused(self.fault(Fault("body", f"no JSON: {error}"))) from error
        return self._convert(value, endpoint.body, strict=True)

    def _query(self, endpoint: Endpoint, request: Request) -> object:
        return None if endpoint.query is None else self._convert(dict(request.query), endpoint.query, strict=False)

    def _convert(self, value: object, kind: object, *, strict: bool) -> object:
        try:
            return msgspec.convert(value, kind, strict=strict)  # type: ignore[call-overload,no-any-return]  # any kind
        except msgspec.ValidationError as error:
            reason, _, place = str(error).partition(" - at `")
            raise Refused(self.fault(Fault("field", reason, place.rstrip("`") or "$"))) from error

    def _plan_for(self, path: str) -> dict[str, Any] | None:
        for number, planned in enumerate(self._planned):
            if planned.get("path", "") in path:
                return self._planned.pop(number)
        return None

    def _planned_answer(self, planned: dict[str, Any]) -> Answer:
        if planned["kind"] == "throttle":
            return self.throttled(planned)
        status, headers = int(planned.get("status", 500)), planned.get("headers") or {}
        if planned["kind"] == "html":
            return Answer(status, b"<html><body>Bad gateway</body></html>", "text/html", headers)
        return as_json(status, planned.get("body", {}), headers)

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def deliver(self, items: Sequence[Any], how: Delivery, url: str = "") -> list[dict[str, Any]]:
        """
        Call the webhook with items, as ordered.

        Returns:
            What came back of each call, in order: ``status`` (0 without an answer), ``content_type``, ``body``.
        """
        groups = [list(items)] if how.batch else [[item] for item in items]
        calls = [self.call_of(group, how.sign) for group in groups for _ in range(how.times)]
        if how.shuffle:
            self._random.shuffle(calls)
        outcomes: list[dict[str, Any]] = []
        for call in calls:
            await asyncio.sleep(how.delay_s)
            outcomes.append(await self.post(call, url))
        return outcomes

    async def post(self, call: Call, url: str = "") -> dict[str, Any]:
        """Make one call and keep what came back."""
        target = url or call.url or self.webhook_url
        outcome: dict[str, Any] = {"url": target, "request": call.body.decode("utf-8", "replace")}
        try:
            async with httpx.AsyncClient(timeout=CALL_TIMEOUT_S, trust_env=False) as http:
                answer = await http.request(call.method, self._place(target), content=call.body, headers=call.headers)
        except httpx.HTTPError as reason:
            outcome |= {"status": 0, "content_type": "", "body": type(reason).__name__}
        else:
            content_type = answer.headers.get("content-type", "")
            outcome |= {"status": answer.status_code, "content_type": content_type, "body": answer.text[:2000]}
        self.made.append(outcome)
        self._note()
        return outcome

    def later(self, items: Sequence[Any], how: Delivery | None = None, url: str = "") -> None:
        """Call the webhook beside answering: receipts, echoes."""
        task = asyncio.create_task(self.deliver(items, how or Delivery(), url))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _place(self, url: str) -> str:
        return self.reach_at + urlsplit(url)._replace(scheme="", netloc="").geturl() if self.reach_at else url

    # ── control ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _control(self, request: Request) -> Answer:
        if request.method == "GET":
            query = dict(request.query)
            if "requests_after" in query:
                await self._wait_for(int(query["requests_after"]), float(query.get("wait_s", 0)))
            return as_json(200, {"requests": self.requests, "made": self.made, **self.facts()})
        try:
            order = json.loads(request.body)
            return as_json(200, await self._steer(order.pop("op"), order))
        except (ValueError, KeyError, TypeError, AttributeError) as reason:
            return as_json(400, {"error": f"{type(reason).__name__}: {reason}"})

    async def _steer(self, op: str, order: dict[str, Any]) -> object:
        match op:
            case "next":
                self._planned.extend(order["answers"])
            case "deliver":
                url, items = order.pop("url", ""), order.pop("items")
                return await self.deliver(items, Delivery(**order), url)
            case "webhook":
                self.webhook_url = order["url"]
            case "clear":
                self.requests.clear()
                self.made.clear()
                self._planned.clear()
                self.forget()
            case _:
                done = self.steer(op, order)
                return await done if isinstance(done, Awaitable) else done
        return {}

    async def _wait_for(self, amount: int, wait_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait_s, 30.0)):
                while len(self.requests) <= amount:
                    self._changed.clear()
                    await self._changed.wait()

    def _note(self) -> None:
        self._changed.set()


def serve(make: Callable[[argparse.Namespace], Vendor], parser: argparse.ArgumentParser) -> None:
    """
    Read the command line and serve on loopback until killed; the first line printed is the port.

    Args:
        make: Makes the vendor of the options.
        parser: With the channel's own options; ``--port``, ``--reach-at`` and ``--webhook-url`` are added here.
    """
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--reach-at", default="", help="origin to call in place of the one in webhook addresses")
    parser.add_argument("--webhook-url", default="", help="where calls go until an order says otherwise")
    arguments = parser.parse_args()

    async def run() -> None:
        vendor = make(arguments)
        vendor.reach_at, vendor.webhook_url = arguments.reach_at, arguments.webhook_url
        async with listen(vendor.handle, arguments.port) as listener:
            print(listener.port, flush=True)
            await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())
