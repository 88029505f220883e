"""Turns errors into HTTP answers: the only module that knows status codes. Called by the edge's wrapper."""

from __future__ import annotations

import math
import traceback
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response

from hub import clock
from hub.errors import HubError, InvalidInput, NotFound, ProofNeeded, SecondFactorRequired
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.exceptions import HTTPException

log = get_logger("api")

STATUSES: Final[Mapping[str, int]] = {
    "invalid_input": 422,
    "not_signed_in": 401,
    "second_factor_required": 401,
    "forbidden": 403,
    "second_factor_needed": 403,
    "proof_needed": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "too_many_requests": 429,
    "unavailable": 503,
    "signature_rejected": 401,
    "malformed_payload": 400,
    "unsupported_payload": 422,
    "connector": 502,
}

# Fields of an error that say the request itself could not be read, not that one of its values is wrong.
_UNREADABLE_FIELDS: Final = frozenset({"body"})


class ErrorBody(msgspec.Struct, frozen=True):
    """
    What every refused call answers.

    Attributes:
        code: For programs; never changes its meaning.
        message: For people.
        field: The input that is wrong, as a path, e.g. ``settings.phone_number``.
        retry_after_s: When it makes sense to call again.
        methods: The ways to prove who one is, where that is what is missing.
        challenge: A sign-in half done: goes back with the second factor.
    """

    code: str
    message: str
    field: str | None = None
    retry_after_s: float | None = None
    methods: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    challenge: str | msgspec.UnsetType = msgspec.UNSET


def error_answer(error: HubError) -> Response:
    """Answer an error we raised on purpose."""
    status = STATUSES.get(error.code, 500)
    if status == 500:
        return unexpected_answer(error)
    if isinstance(error, InvalidInput) and error.field in _UNREADABLE_FIELDS:
        status = 400
    body = ErrorBody(error.code, error.message, error.field, error.retry_after_s)
    if isinstance(error, ProofNeeded | SecondFactorRequired):
        body = msgspec.structs.replace(body, methods=error.methods)
    if isinstance(error, SecondFactorRequired):
        body = msgspec.structs.replace(body, challenge=error.challenge)
    return _answer(status, body)


def unexpected_answer(error: BaseException) -> Response:
    """
    Answer an error nobody expected, and log where it happened.

    Args:
        error: Anything; its own text stays here, it may quote a customer's data or a statement.

    Returns:
        500 with an id that is also on the log's line.
    """
    error_id = str(clock.new_id())
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("unexpected_error", error_id=error_id, error=type(error).__name__, places=places[-12:])
    return _answer(500, ErrorBody("internal", f"Something went wrong on our side. Tell us this number: {error_id}"))


def http_error_answer(error: HTTPException) -> Response:
    """Answer what the router itself refuses: no such address, or another method."""
    if error.status_code == 405:
        answer = _answer(405, ErrorBody("method_not_allowed", "This address does not take this method."))
    elif error.status_code == 404:
        answer = error_answer(NotFound("address"))
    else:
        answer = _answer(error.status_code, ErrorBody("invalid_input", "This request cannot be used."))
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


def _answer(status: int, body: ErrorBody) -> Response:
    headers = {}
    if body.retry_after_s is not None:
        headers["retry-after"] = str(max(1, math.ceil(body.retry_after_s)))
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")
