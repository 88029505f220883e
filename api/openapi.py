"""The OpenAPI 3.1 document, made from the route table and the structs it names. Nothing in it is written by hand."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.responses import Response

from api.errors import ErrorBody
from api.route import Access
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
_INTEGER_NAMES: Final = frozenset({"workspace_id", "limit"})


async def read(call: Call) -> Response:
    """Answer the document."""
    return Response(call.request.app.state.openapi, media_type="application/json")


def encoded(routes: Sequence[Route]) -> bytes:
    """Return the document of a route table as JSON."""
    return json.dumps(document(routes), ensure_ascii=False).encode()


def document(routes: Sequence[Route]) -> dict[str, object]:
    """
    Make the document of a route table.

    Args:
        routes: The table.

    Returns:
        JSON values: paths in the table's order, a schema for each struct it names and for every event.
    """
    named = [type_ for route in routes for type_ in (route.body, route.answer) if type_ is not None]
    types = [*dict.fromkeys(named), ErrorBody, _EVENTS]
    shapes, components = msgspec.json.schema_components(types, ref_template=_REF)
    shape_of = dict(zip(types, shapes, strict=True))
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        paths.setdefault(route.plain_path, {})[route.method.lower()] = _operation(route, shape_of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "clientcontact hub", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": {**components, "Event": shape_of[_EVENTS]},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-hub_session"},
            },
        },
    }


def _operation(route: Route, shape_of: dict[Any, dict[str, Any]]) -> dict[str, object]:
    operation: dict[str, object] = {
        "operationId": _operation_id(route),
        "summary": (inspect.getdoc(route.handler) or "").partition("\n")[0],
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": _responses(route, shape_of),
        "security": _security(route),
        "x-permission": str(route.access),
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": shape_of[route.body]}},
        }
    return operation


def _operation_id(route: Route) -> str:
    """Method and path, which no two lines share: ``get_workspaces_workspace_id_members``."""
    words = _WORD.findall(route.plain_path.removeprefix("/api/v1"))
    return "_".join((route.method.lower(), *words))


def _path_parameters(route: Route) -> list[dict[str, object]]:
    return [{"name": name, "in": "path", "required": True, "schema": _simple(name)} for name in route.path_names]


def _query_parameters(route: Route) -> list[dict[str, object]]:
    return [
        {"name": name, "in": "query", "required": False, "description": text, "schema": _simple(name)}
        for name, text in route.query.items()
    ]


def _simple(name: str) -> dict[str, object]:
    if name in _INTEGER_NAMES:
        return {"type": "integer"}
    if name.endswith("_id"):
        return {"type": "string", "format": "uuid"}
    return {"type": "string"}


def _responses(route: Route, shape_of: dict[Any, dict[str, Any]]) -> dict[str, object]:
    good: dict[str, object] = {"description": "Done."}
    if route.answer is not None:
        good["content"] = {"application/json": {"schema": shape_of[route.answer]}}
    refused = {
        "description": "Refused, or failed.",
        "content": {"application/json": {"schema": shape_of[ErrorBody]}},
    }
    return {str(route.status): good, "default": refused}


def _security(route: Route) -> list[dict[str, list[str]]]:
    if isinstance(route.access, Permission) or route.access is Access.SESSION:
        return [{"cookie": []}, {"bearer": []}]
    return [{"bearer": []}] if route.access is Access.VISITOR else []
