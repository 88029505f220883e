"""Makes the ASGI application from the route table: who may call, errors, headers, pages. Called by ``serve``."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, cast

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.routing import Route as StarletteRoute

from api import auth, frontend, idempotency, openapi, operators, rates, step_up
from api.call import Call, MemberCall, SessionCall, required
from api.errors import error_answer, http_error_answer, unexpected_answer
from api.etag import etag_of
from api.headers import SecurityHeaders
from api.health import HttpMetrics
from api.metrics import CallRateMetrics
from api.refusals import Refusals
from api.route import UNSAFE_METHODS, Access, Route
from api.routes import ROUTES
from api.softphones import page_sources
from hub.accounts import policy
from hub.accounts import store as accounts
from hub.accounts.model import Permission
from hub.audit.behind import OPERATOR_BEHIND
from hub.errors import ConfigurationError, Forbidden, HubError
from hub.keys.answers import Place
from hub.keys.rates import CallRates
from hub.keys.token import PEPPER_PURPOSE, Pepper, is_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.types import Receive, Scope, Send

    from api.auth import Edge
    from api.call import Resources
    from api.route import Answer
    from hub.accounts.model import Actor, SignedIn


_SIGNED_IN = (Access.SESSION, Access.OPERATOR)


def create_app(resources: Resources, routes: Sequence[Route] = ROUTES) -> Starlette:
    """
    Make the application.

    Args:
        resources: The parts of this process.
        routes: The table; tests may give their own lines.

    Returns:
        An application that answers every route of the table, the pages and the assets.

    Raises:
        ConfigurationError: The public URL cannot be served, or the table names a permission without a workspace.
    """
    check_table(routes)
    edge = auth.edge_of(resources.settings)
    door = Door(resources)
    by_path: dict[str, dict[str, Endpoint]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = Endpoint(route, resources, edge, door)
    folder, sources = resources.frontend_dir / "app", partial(page_sources, resources)
    pages = frontend.Pages(folder, resources.settings, edge, sources)
    app = Starlette(
        routes=[
            *(StarletteRoute(path, ByMethod(endpoints), methods=[]) for path, endpoints in by_path.items()),
            Mount("/assets", frontend.Assets(resources.frontend_dir / "app" / "assets")),
            StarletteRoute("/{path:path}", pages, methods=[]),
        ],
        middleware=[Middleware(SecurityHeaders, settings=resources.settings, edge=edge)],
        exception_handlers={HTTPException: _answer_http_error},
    )
    app.router.redirect_slashes = False
    app.state.resources = resources
    app.state.edge = edge
    app.state.openapi = openapi.Written(routes)
    return app


def check_table(routes: Sequence[Route]) -> None:
    """Refuse a table in which a permission has no workspace, or one address and method stands twice."""
    seen: set[tuple[str, str]] = set()
    for route in routes:
        if route.step_up and not isinstance(route.access, Permission) and route.access not in _SIGNED_IN:
            raise ConfigurationError(f"{route.method} {route.path} asks for a proof but not for a session.")
        if isinstance(route.access, Permission) and "workspace_id" not in route.path_names:
            raise ConfigurationError(f"{route.method} {route.path} needs a permission but names no workspace.")
        if (route.method, route.path) in seen:
            raise ConfigurationError(f"{route.method} {route.path} stands twice in the table.")
        seen.add((route.method, route.path))


class Door:
    """What every endpoint of a process shares: counts of calls, and what keys are checked with."""

    def __init__(self, resources: Resources) -> None:
        self.metrics = HttpMetrics(resources.metrics)
        self.rates = CallRates(resources.redis_ephemeral, resources.database)
        self.refusals = Refusals()
        resources.metrics.register(CallRateMetrics(self.rates))
        self._sealer = resources.sealer
        self._pepper: Pepper | None = None

    def pepper(self) -> Pepper:
        """Return the keys of the verifiers; ``Unavailable`` in a process without a secret key."""
        if self._pepper is None:
            self._pepper = Pepper(required(self._sealer, "secret key").derive_keys(PEPPER_PURPOSE))
        return self._pepper


class ByMethod:
    """One path of the table; 405 names the methods it takes."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = dict(endpoints)
        if "GET" in self._endpoints:
            self._endpoints.setdefault("HEAD", self._endpoints["GET"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["method"])
        if endpoint is None:
            raise HTTPException(405, headers={"allow": ", ".join(sorted(self._endpoints))})
        await endpoint(scope, receive, send)


class Endpoint:
    """One line of the table at work: checks the caller, counts the call, calls the handler, encodes its answer."""

    def __init__(self, route: Route, resources: Resources, edge: Edge, door: Door) -> None:
        self._route = route
        self._resources = resources
        self._edge = edge
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_s = time.perf_counter()
        if self._route.method in UNSAFE_METHODS:
            with self._resources.tracer.span(f"{self._route.method} {self._route.path}", kind="server") as span:
                response = await self._respond(Request(scope, receive))
                span.set("http.response.status_code", response.status_code)
        else:
            response = await self._respond(Request(scope, receive))
        self._door.metrics.note(self._route, response.status_code, time.perf_counter() - began_s)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        counted: dict[str, str] = {}
        response = await _answering(lambda: self._admit(request, counted))
        if self._door.refusals.is_worth_a_line(response):
            self._door.refusals.note(self._route, response, await self._who(request))
        if self._resources.access is not None:
            # Whoever ended something and is told so finds it ended in every process.
            await self._resources.access.endings.settle()
        response.headers.update(counted)
        return response

    async def _admit(self, request: Request, counted: dict[str, str]) -> Response:
        route = self._route
        if route.method in UNSAFE_METHODS and route.access not in (Access.VISITOR, Access.VENDOR):
            auth.check_origin(self._edge, request)
        call = await self._call(request)
        verdict = await rates.count_call(self._door.rates, call)
        if verdict is not None:
            counted.update(rates.headers_of(verdict))
            rates.require_room(verdict)
        key = idempotency.idempotency_key(route, call) if isinstance(call, SessionCall) else None
        if key is None or not isinstance(call, SessionCall):
            return await self._handle(call)
        workspace_id, caller_id = 0, call.signed_in.login_id
        if isinstance(call, MemberCall):
            workspace_id, caller_id = call.actor.workspace_id, call.actor.key_id or call.actor.member_id
        place = Place(workspace_id, caller_id, f"{route.method} {route.path}", key)
        # An error is an answer to be kept, too.
        return await idempotency.answer_once(call, route, place, lambda: _answering(lambda: self._handle(call)))

    async def _handle(self, call: Call) -> Response:
        # The table pairs each handler with the call its access makes; check_table and the types of handlers keep it so.
        handler = cast("Callable[[Call], Awaitable[Answer]]", self._route.handler)
        answer = await handler(call)
        if isinstance(answer, Response):
            return answer
        if answer is None:
            return Response(status_code=204)
        response = Response(msgspec.json.encode(answer), self._route.status, media_type="application/json")
        if self._route.versioned:
            response.headers["etag"] = etag_of(getattr(answer, self._route.versioned).version)
        return response

    async def _call(self, request: Request) -> Call:
        database, access_cache = self._resources.database, self._resources.access
        call = Call(
            request=request,
            resources=self._resources,
            path=request.path_params,
            query=request.query_params,
            address=auth.address_of(self._edge, request),
        )
        access = self._route.access
        OPERATOR_BEHIND.set(None)
        if not isinstance(access, Permission) and access not in _SIGNED_IN:
            return call
        token = auth.token_of(self._edge, request)
        if is_key(token):
            if self._route.people_only or self._route.step_up or not isinstance(access, Permission):
                raise Forbidden("This is for people who are signed in: API keys cannot be used here.")
            keys = auth.KeyDoor(database, self._door.pepper(), access_cache)
            signed_in, actor = await auth.key_actor_of(keys, token, call.path["workspace_id"])
        elif isinstance(access, Permission):
            signed_in, actor = await auth.actor_of(database, token, call.path["workspace_id"], access_cache)
        else:
            return await self._session_call(call, token)
        caller_id = actor.key_id or actor.member_id
        request.state.who = {"workspace_id": str(actor.workspace_id), "caller_id": str(caller_id)}
        self._note_member(actor)
        policy.require(actor, access)
        await self._require_proof(signed_in)
        return MemberCall.of_member(call, signed_in, token, actor)

    async def _session_call(self, call: Call, token: str) -> SessionCall:
        database = self._resources.database
        signed_in = await auth.sign_in_of(database, token, self._resources.access)
        call.request.state.who = {"login_id": str(signed_in.login_id)}
        entered = await accounts.find_entered(database, signed_in.session_id)
        if entered is not None and not self._route.entered:
            raise Forbidden(operators.NOT_ENTERED)
        OPERATOR_BEHIND.set(None if entered is None else entered.operator_id)
        if self._route.access is Access.OPERATOR:
            await operators.require_operator(database, signed_in)
        await self._require_proof(signed_in)
        return SessionCall.of_session(call, signed_in, token, entered)

    async def _who(self, request: Request) -> dict[str, str]:
        """Name whoever was refused: as a member or key, or by their session where they are nobody here."""
        known: dict[str, str] = getattr(request.state, "who", {})
        if known or not isinstance(self._route.access, Permission):
            return known
        try:
            token = auth.token_of(self._edge, request)
            signed_in = await auth.sign_in_of(self._resources.database, token, self._resources.access)
        except HubError:
            return {}
        return {"login_id": str(signed_in.login_id), "wanted_workspace": request.path_params["workspace_id"][:19]}

    def _note_member(self, actor: Actor) -> None:
        """Whose call it is, for counts and for the audit log; stops what an operator as a member may not do."""
        OPERATOR_BEHIND.set(actor.operator_id)
        if actor.operator_id is not None and (self._route.people_only or self._route.step_up):
            raise Forbidden(operators.NOT_ENTERED)
        if self._resources.usage is not None:
            self._resources.usage.note_call(actor.workspace_id)

    async def _require_proof(self, signed_in: SignedIn) -> None:
        if self._route.step_up:
            await step_up.require_proof(self._resources.database, signed_in)


async def _answering(work: Callable[[], Awaitable[Response]]) -> Response:
    try:
        return await work()
    except HubError as error:
        return error_answer(error)
    except Exception as error:  # edge: the caller gets an id, the log the rest
        return unexpected_answer(error)


async def _answer_http_error(request: Request, error: Exception) -> Response:  # noqa: ARG001  Starlette's signature
    return http_error_answer(cast("HTTPException", error))
