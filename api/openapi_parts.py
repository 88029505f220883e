"""What many operations of the OpenAPI document share: problems, headers, ways to say who calls. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.errors import PROBLEM_TYPE
from api.route import VERSIONED_METHODS, Access
from hub.accounts.model import Permission

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.route import Route

INFO: Final = {
    "title": "clientcontact hub",
    "version": "1",
    "summary": "Everything the inbox does, over HTTP.",
    "description": (
        "JSON in, JSON out. Errors are problem documents (RFC 9457) that name the field. Lists are paged: pass "
        "`next` of a page as `before` of the following one. Scripts send `Authorization: Bearer mh_live_…`."
    ),
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}

SECURITY_SCHEMES: Final = {
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-hub_session",
        "description": "A browser's session; `hub_session` on a loopback address. Calls that change something also "
        "carry our Origin and `X-Hub-Request: 1`.",
    },
    "session": {
        "type": "http",
        "scheme": "bearer",
        "description": "A session's token, of `POST /api/v1/session` with `bearer: true`.",
    },
    "api_key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "mh_live_<id>_<secret><crc>",
        "description": "An API key of the workspace, or a personal access token.",
    },
    "visitor": {"type": "http", "scheme": "bearer", "description": "A live-chat visitor's token."},
}

HEADERS: Final = {
    "ETag": {
        "description": "The row's version; send it back as `If-Match` of a change.",
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
        "example": '"1042"',
    },
    "RateLimit-Limit": {
        "description": "Calls a minute in the window with the least left.",
        "schema": {"type": "integer"},
        "example": 600,
    },
    "RateLimit-Remaining": {
        "description": "Calls left in it.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 598,
    },
    "RateLimit-Reset": {
        "description": "Seconds until it has room for one more than now.",
        "schema": {"type": "integer"},
        "example": 42,
    },
    "Retry-After": {
        "description": "Seconds after which it makes sense to call again.",
        "schema": {"type": "integer"},
        "example": 5,
    },
    "Idempotent-Replayed": {
        "description": "`true`: this is the answer of the first call with this key; nothing was done again.",
        "schema": {"type": "string", "const": "true"},
    },
}

IDEMPOTENCY_PARAMETER: Final[dict[str, object]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Your own id of this call, 1-255 printable characters. Sent again within 24 hours, the same call is "
    "not done again: it gets the first one's answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
}
IF_MATCH_PARAMETER: Final[dict[str, object]] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag you saw. Changes of other fields since then are kept; where the same field was changed, "
    "the answer is 409 with both values. Without it the last write wins.",
    "schema": {"type": "string", "pattern": '^(\\*|(W/)?"[0-9]{1,18}")$'},
}

_PROBLEMS: Final[Mapping[int, tuple[str, str, str]]] = {
    400: ("unreadable", "The body is not JSON of this shape.", "invalid_input"),
    401: ("not_signed_in", "No session, or the key is unknown, revoked or expired.", "not_signed_in"),
    403: ("forbidden", "Signed in, but not allowed to do this.", "forbidden"),
    404: ("not_found", "There is nothing by that id that you can see.", "not_found"),
    409: ("conflict", "The row moved on; where one field was changed twice, `yours` and `theirs` say how.", "conflict"),
    412: ("precondition_failed", "The version named is not known any more. Read the row again.", "precondition_failed"),
    413: ("too_large", "The body is too long.", "too_large"),
    415: ("unsupported_media_type", "The body is said to be something else than JSON.", "unsupported_media_type"),
    422: ("invalid_input", "A value is wrong; `field` names it.", "invalid_input"),
    429: ("too_many_requests", "Too many calls; come again after Retry-After.", "too_many_requests"),
    503: ("unavailable", "A store is away; come again after Retry-After.", "unavailable"),
}


def problem_statuses(route: Route) -> dict[int, str]:
    """Return how a call of a route may be refused: status, and the name of its shared description."""
    statuses = {503}
    if isinstance(route.access, Permission):
        statuses |= {401, 403, 404, 429}
    elif route.access in (Access.SESSION, Access.OPERATOR):
        statuses |= {401, 403, 429}
    if route.body is not None:
        statuses |= {400, 413, 415, 422}
    if route.query or route.method == "POST":
        statuses |= {422}
    if route.method in ("POST", "PATCH", "PUT"):
        statuses |= {409}
    if route.method in VERSIONED_METHODS and route.versioned:
        statuses |= {412, 422}
    return {status: _PROBLEMS[status][0] for status in sorted(statuses)}


def responses_of_problems() -> dict[str, object]:
    """Describe every shared problem, each with an example."""
    return {name: _response(status, code, text) for status, (name, text, code) in _PROBLEMS.items()}


def security_of(route: Route) -> list[dict[str, list[str]]]:
    """Say how a caller of a route may show who they are."""
    if isinstance(route.access, Permission) and not route.people_only:
        return [{"cookie": []}, {"session": []}, {"api_key": []}]
    if isinstance(route.access, Permission) or route.access in (Access.SESSION, Access.OPERATOR):
        return [{"cookie": []}, {"session": []}]
    return [{"visitor": []}] if route.access is Access.VISITOR else []


def _response(status: int, code: str, text: str) -> dict[str, object]:
    example: dict[str, object] = {
        "type": f"/api/docs#problem-{code}",
        "title": text,
        "status": status,
        "detail": text,
        "code": code,
        "message": text,
        "field": "name" if status in (400, 409, 422) else None,
        "retry_after_s": 5.0 if status in (429, 503) else None,
    }
    if status == 409:
        example |= {"yours": "Ann", "theirs": "Anna"}
    response: dict[str, object] = {
        "description": text,
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    return response
