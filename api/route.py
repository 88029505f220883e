"""What one line of the route table says. Pure; the lines themselves are in ``api/routes.py``."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec
from starlette.responses import Response

from api.call import Call, MemberCall, SessionCall
from hub.accounts.model import Permission

Answer = msgspec.Struct | Response | None
Handler = (
    Callable[[Call], Awaitable[Answer]]
    | Callable[[SessionCall], Awaitable[Answer]]
    | Callable[[MemberCall], Awaitable[Answer]]
)

UNSAFE_METHODS: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# Methods whose calls name the version they saw, where the answer has one.
VERSIONED_METHODS: Final = ("PATCH", "PUT")
_PATH_NAME: Final = re.compile(r"{([a-z_]+)(?::[a-z]+)?}")


class Access(StrEnum):
    """Who may call a route that needs no permission in a workspace."""

    # Anybody; a browser's call that changes something must still come from our own pages.
    OPEN = "open"
    # Anybody signed in.
    SESSION = "session"
    # An operator of the installation, with a second factor or a fresh proof; never an API key.
    OPERATOR = "operator"
    # A visitor of live chat: the handler checks their token, cookies are not looked at.
    VISITOR = "visitor"
    # A vendor: the handler checks the call's signature, cookies are not looked at.
    VENDOR = "vendor"


@dataclass(frozen=True, slots=True)
class Route:
    """
    One line of the table.

    Attributes:
        path: With names in braces; a route with a permission has ``{workspace_id}``.
        handler: Gets a ``MemberCall`` with a permission, a ``SessionCall`` with SESSION or OPERATOR, else a ``Call``.
        access: The permission it needs, or who else may call.
        status: Of an answer that is a struct; an answer of None is 204.
        body: Struct of the request, for the OpenAPI document.
        answer: Struct of the answer, for the OpenAPI document.
        query: Parameters of the query, each with what it means.
        people_only: Whether API keys and personal access tokens are refused.
        shows_secret: Whether the answer holds what is shown once only, and is therefore never kept for a repeated call.
        versioned: Field of the answer with a row that has a ``version``: the answer's ETag.
        entered: A route for SESSION that an operator in somebody's workspace may call too, with that session.
        step_up: Dangerous: only for a person who proved who they are in the last ten minutes, never for a key.
    """

    method: str
    path: str
    handler: Handler
    access: Permission | Access
    status: int = 200
    body: type[Any] | None = None
    answer: type[Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    people_only: bool = False
    shows_secret: bool = False
    versioned: str = ""
    step_up: bool = False
    entered: bool = False

    @property
    def path_names(self) -> tuple[str, ...]:
        """The names in the path, in order."""
        return tuple(_PATH_NAME.findall(self.path))

    @property
    def plain_path(self) -> str:
        """The path without converters: ``/files/{name:path}`` is ``/files/{name}``."""
        return _PATH_NAME.sub(r"{\1}", self.path)
