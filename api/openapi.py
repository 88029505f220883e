"""The OpenAPI 3.1 document, made from the route table and the structs it names. Nothing in it is written by hand."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

from api.errors import PROBLEM_TYPE, Problem
from api.examples import example_of
from api.openapi_parts import (
    HEADERS,
    IDEMPOTENCY_PARAMETER,
    IF_MATCH_PARAMETER,
    INFO,
    SECURITY_SCHEMES,
    problem_statuses,
    responses_of_problems,
    security_of,
)
from api.route import VERSIONED_METHODS, Access
from hub.accounts.model import MemberAdded, MemberChanged, Permission, WorkspaceChanged
from hub.accounts.people import RoleChanged, RoleRemoved, TeamChanged, TeamRemoved
from hub.channels.model import ChannelAccountChanged, ChannelAccountConnected, InboxChanged, InboxRemoved
from hub.contacts.model import ContactChanged
from hub.inbox.model import InboxEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.call import Call
    from api.route import Route

_WORD: Final = re.compile(r"[a-zA-Z0-9_]+")
_REF: Final = "#/components/schemas/{name}"
# What arrives over the socket; listed so that one document names every row a client holds.
_EVENTS: Final[Any] = (
    InboxEvent
    | MemberAdded
    | MemberChanged
    | InboxChanged
    | ChannelAccountConnected
    | ChannelAccountChanged
    | ContactChanged
    | WorkspaceChanged
    | RoleChanged
    | RoleRemoved
    | TeamChanged
    | TeamRemoved
    | InboxRemoved
)


async def read(call: Call) -> Response:
    """Answer the document."""
    written: Written = call.request.app.state.openapi
    return Response(await written.text(), media_type="application/json")


class Written:
    """
    The document of a process as JSON, made when it is first asked for: it takes a third of a second, which neither the
    start of a process nor its event loop should wait for.

    Args:
        routes: The table.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes
        self._making: asyncio.Task[bytes] | None = None

    async def text(self) -> bytes:
        """Return the document; everybody who asks meanwhile waits for the one making of it."""
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(self._make))
        return await asyncio.shield(self._making)

    def _make(self) -> bytes:
        return json.dumps(document(self._routes), ensure_ascii=False).encode()


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """
    Make the document of a route table.

    Args:
        routes: The table.

    Returns:
        JSON values: paths in the table's order, a schema for each struct it names and for every event.
    """
    named = [type_ for route in routes for type_ in (route.body, route.answer) if type_ is not None]
    types = [*dict.fromkeys(named), Problem, _EVENTS]
    shapes, components = msgspec.json.schema_components(types, ref_template=_REF)
    schemas = _Schemas(dict(zip(types, shapes, strict=True)), components)
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        paths.setdefault(route.plain_path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "paths": paths,
        "components": {
            "schemas": {**components, "Event": schemas.shapes[_EVENTS]},
            "responses": responses_of_problems(),
            "headers": HEADERS,
            "securitySchemes": SECURITY_SCHEMES,
        },
        "tags": [{"name": name} for name in dict.fromkeys(tag_of(route) for route in routes)],
    }


def tag_of(route: Route) -> str:
    """Return the noun a route is about: the first word of its path below the workspace."""
    path = route.plain_path.removeprefix("/api/v1").removeprefix("/workspaces/{workspace_id}")
    words = _WORD.findall(path.replace("-", "_"))
    return words[0] if words else "workspaces"


class _Schemas:
    """The schema of each struct, and the parts they refer to."""

    def __init__(self, shapes: dict[Any, dict[str, Any]], components: dict[str, Any]) -> None:
        self.shapes = shapes
        self.components = components

    def content(self, type_: type) -> dict[str, object]:
        """Describe JSON of a struct, with an example."""
        shape = self.shapes[type_]
        return {"application/json": {"schema": shape, "example": example_of(shape, self.components)}}


def _operation(route: Route, schemas: _Schemas) -> dict[str, object]:
    operation: dict[str, object] = {
        "operationId": _operation_id(route),
        "summary": (inspect.getdoc(route.handler) or "").partition("\n")[0],
        "tags": [tag_of(route)],
        "parameters": _parameters(route),
        "responses": _responses(route, schemas),
        "security": security_of(route),
        "x-permission": str(route.access),
    }
    if route.people_only:
        operation["x-people-only"] = True
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": schemas.content(route.body)}
    return operation


def _operation_id(route: Route) -> str:
    """Method and path, which no two lines share: ``get_workspaces_workspace_id_members``."""
    words = _WORD.findall(route.plain_path.removeprefix("/api/v1"))
    return "_".join((route.method.lower(), *words))


def _parameters(route: Route) -> list[dict[str, object]]:
    parameters: list[dict[str, object]] = [
        {"name": name, "in": "path", "required": True, "schema": _simple(name)} for name in route.path_names
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "description": text, "schema": _simple(name)}
        for name, text in route.query.items()
    ]
    is_signed_in = isinstance(route.access, Permission) or route.access in (Access.SESSION, Access.OPERATOR)
    if route.method == "POST" and is_signed_in:
        parameters.append(IDEMPOTENCY_PARAMETER)
    if route.method in VERSIONED_METHODS and route.versioned:
        parameters.append(IF_MATCH_PARAMETER)
    return parameters


def _simple(name: str) -> dict[str, object]:
    if name == "workspace_id":
        return {"type": "integer", "minimum": 1}
    if name == "limit":
        return {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    if name.endswith("_id"):
        return {"type": "string", "format": "uuid"}
    return {"type": "string"}


def _responses(route: Route, schemas: _Schemas) -> dict[str, object]:
    good: dict[str, object] = {"description": "Done."}
    if route.answer is not None:
        good["content"] = schemas.content(route.answer)
    if headers := _headers(route):
        good["headers"] = headers
    refused = {
        str(status): {"$ref": f"#/components/responses/{name}"} for status, name in problem_statuses(route).items()
    }
    problem = schemas.shapes[Problem]
    rest = {"description": "Refused, or failed.", "content": {PROBLEM_TYPE: {"schema": problem}}}
    return {str(route.status): good, **refused, "default": rest}


def _headers(route: Route) -> dict[str, object]:
    names = ["ETag"] if route.versioned else []
    if isinstance(route.access, Permission) or route.access in (Access.SESSION, Access.OPERATOR):
        names += ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"]
        if route.method == "POST":
            names.append("Idempotent-Replayed")
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
