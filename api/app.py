"""Makes the ASGI application from the route table: who may call, errors, headers, pages. Called by ``serve``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.routing import Route as StarletteRoute

from api import auth, frontend, openapi
from api.call import Call, MemberCall, SessionCall
from api.errors import error_answer, http_error_answer, unexpected_answer
from api.headers import SecurityHeaders
from api.health import HttpMetrics
from api.route import UNSAFE_METHODS, Access, Route
from api.routes import ROUTES
from hub.accounts import policy
from hub.accounts.model import Permission
from hub.errors import ConfigurationError, HubError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.types import Receive, Scope, Send

    from api.auth import Edge
    from api.call import Resources
    from api.route import Answer


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
    metrics = HttpMetrics(resources.metrics)
    by_path: dict[str, dict[str, Endpoint]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = Endpoint(route, resources, edge, metrics)
    app = Starlette(
        routes=[
            *(StarletteRoute(path, ByMethod(endpoints), methods=[]) for path, endpoints in by_path.items()),
            Mount("/assets", frontend.Assets(resources.frontend_dir / "app" / "assets")),
            StarletteRoute(
                "/{path:path}", frontend.Pages(resources.frontend_dir / "app", resources.settings, edge), methods=[]
            ),
        ],
        middleware=[Middleware(SecurityHeaders, settings=resources.settings, edge=edge)],
        exception_handlers={HTTPException: _answer_http_error},
    )
    app.router.redirect_slashes = False
    app.state.resources = resources
    app.state.edge = edge
    app.state.openapi = openapi.encoded(routes)
    return app


def check_table(routes: Sequence[Route]) -> None:
    """Refuse a table in which a permission has no workspace, or one address and method stands twice."""
    seen: set[tuple[str, str]] = set()
    for route in routes:
        if isinstance(route.access, Permission) and "workspace_id" not in route.path_names:
            raise ConfigurationError(f"{route.method} {route.path} needs a permission but names no workspace.")
        if (route.method, route.path) in seen:
            raise ConfigurationError(f"{route.method} {route.path} stands twice in the table.")
        seen.add((route.method, route.path))


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
    """One line of the table at work: checks the caller, calls the handler, encodes its answer."""

    def __init__(self, route: Route, resources: Resources, edge: Edge, metrics: HttpMetrics) -> None:
        self._route = route
        self._resources = resources
        self._edge = edge
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_s = time.perf_counter()
        if self._route.method in UNSAFE_METHODS:
            with self._resources.tracer.span(f"{self._route.method} {self._route.path}", kind="server") as span:
                response = await self._respond(Request(scope, receive))
                span.set("http.response.status_code", response.status_code)
        else:
            response = await self._respond(Request(scope, receive))
        self._metrics.note(self._route, response.status_code, time.perf_counter() - began_s)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        try:
            answer = await self._answer(request)
        except HubError as error:
            return error_answer(error)
        except Exception as error:  # edge: the caller gets an id, the log the rest
            return unexpected_answer(error)
        if isinstance(answer, Response):
            return answer
        if answer is None:
            return Response(status_code=204)
        return Response(msgspec.json.encode(answer), self._route.status, media_type="application/json")

    async def _answer(self, request: Request) -> Answer:
        route = self._route
        if route.method in UNSAFE_METHODS and route.access not in (Access.VISITOR, Access.VENDOR):
            auth.check_origin(self._edge, request)
        # The table pairs each handler with the call its access makes; check_table and the types of handlers keep it so.
        handler = cast("Callable[[Call], Awaitable[Answer]]", route.handler)
        return await handler(await self._call(request))

    async def _call(self, request: Request) -> Call:
        database = self._resources.database
        call = Call(
            request=request,
            resources=self._resources,
            path=request.path_params,
            query=request.query_params,
            address=auth.address_of(self._edge, request),
        )
        if isinstance(self._route.access, Permission):
            token = auth.token_of(self._edge, request)
            signed_in, actor = await auth.actor_of(database, token, call.path["workspace_id"])
            policy.require(actor, self._route.access)
            return MemberCall.of_member(call, signed_in, token, actor)
        if self._route.access is Access.SESSION:
            token = auth.token_of(self._edge, request)
            return SessionCall.of_session(call, await auth.sign_in_of(database, token), token)
        return call


async def _answer_http_error(request: Request, error: Exception) -> Response:  # noqa: ARG001  Starlette's signature
    return http_error_answer(cast("HTTPException", error))
