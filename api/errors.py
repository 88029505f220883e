"""
Turns errors into HTTP answers: the only module that knows status codes. Called by the edge's wrapper.

Each is a problem document: RFC 9457 (July 2023). ``code`` and ``message`` are what our own clients read.
"""

from __future__ import annotations

import math
import traceback
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response

from hub import clock
from hub.errors import EditClash, HubError, InvalidInput, NotFound, ProofNeeded, SecondFactorRequired
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
    "workspace_suspended": 403,
    "limit_reached": 409,
    "not_found": 404,
    "conflict": 409,
    "precondition_failed": 412,
    "idempotency_key_reused": 422,
    "too_large": 413,
    "unsupported_media_type": 415,
    "too_many_requests": 429,
    "unavailable": 503,
    "signature_rejected": 401,
    "malformed_payload": 400,
    "unsupported_payload": 422,
    "connector": 502,
}

# Fields of an error that say the request itself could not be read, not that one of its values is wrong.
_UNREADABLE_FIELDS: Final = frozenset({"body"})


PROBLEM_TYPE: Final = "application/problem+json"
_TITLES: Final[Mapping[str, str]] = {
    "invalid_input": "A value is wrong",
    "not_signed_in": "Not signed in",
    "second_factor_required": "A second factor is still to come",
    "forbidden": "Not allowed",
    "second_factor_needed": "This workspace asks for a second factor",
    "proof_needed": "Prove that it is you",
    "workspace_suspended": "This workspace is suspended",
    "limit_reached": "The workspace has reached a limit",
    "not_found": "Not found",
    "method_not_allowed": "This address takes other methods",
    "conflict": "The row moved on",
    "precondition_failed": "Read it again first",
    "idempotency_key_reused": "This Idempotency-Key belongs to another call",
    "too_large": "Too large",
    "unsupported_media_type": "Not a body that is read here",
    "unsupported_payload": "Not of a kind that is taken here",
    "too_many_requests": "Too many calls",
    "unavailable": "Come again in a moment",
    "internal": "Something went wrong on our side",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """
    What every refused call answers, as ``application/problem+json``.

    Attributes:
        type: Where this kind of problem is explained.
        title: The kind, for people; the same for every problem of that type.
        status: As the answer's own.
        detail: What is wrong with this call, for people.
        code: For programs; never changes its meaning.
        message: As ``detail``.
        field: The input that is wrong, as a path, e.g. ``settings.phone_number``.
        retry_after_s: When it makes sense to call again.
        yours: Where two people changed one field: the value that was sent.
        theirs: And the value that is there.
        methods: The ways to prove who one is, where that is what is missing.
        challenge: A sign-in half done: goes back with the second factor.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    message: str
    field: str | None = None
    retry_after_s: float | None = None
    yours: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    theirs: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    methods: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    challenge: str | msgspec.UnsetType = msgspec.UNSET


def error_answer(error: HubError) -> Response:
    """Answer an error we raised on purpose."""
    # A reason named more finely ("window_closed") is answered as its kind is ("conflict").
    kind = error.code if error.code in STATUSES else type(error).code
    status = STATUSES.get(kind, 500)
    if status == 500:
        return unexpected_answer(error)
    if isinstance(error, InvalidInput) and error.field in _UNREADABLE_FIELDS:
        status = 400
    problem = problem_of(status, kind, error.message)
    problem = msgspec.structs.replace(problem, code=error.code, field=error.field, retry_after_s=error.retry_after_s)
    if isinstance(error, EditClash):
        yours, theirs = (msgspec.Raw(msgspec.json.encode(one)) for one in (error.yours, error.theirs))
        problem = msgspec.structs.replace(problem, yours=yours, theirs=theirs)
    if isinstance(error, ProofNeeded | SecondFactorRequired):
        problem = msgspec.structs.replace(problem, methods=error.methods)
    if isinstance(error, SecondFactorRequired):
        problem = msgspec.structs.replace(problem, challenge=error.challenge)
    return _answer(problem)


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
    message = f"Something went wrong on our side. Tell us this number: {error_id}"
    return _answer(problem_of(500, "internal", message))


def http_error_answer(error: HTTPException) -> Response:
    """Answer what the router itself refuses: no such address, or another method."""
    if error.status_code == 405:
        answer = _answer(problem_of(405, "method_not_allowed", "This address does not take this method."))
    elif error.status_code == 404:
        answer = error_answer(NotFound("address"))
    else:
        answer = _answer(problem_of(error.status_code, "invalid_input", "This request cannot be used."))
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


def problem_of(status: int, code: str, message: str) -> Problem:
    """Make the problem document of a refusal."""
    return Problem(
        type=f"/api/docs#problem-{code}",
        title=_TITLES.get(code) or HTTPStatus(status).phrase,
        status=status,
        detail=message,
        code=code,
        message=message,
    )


def _answer(problem: Problem) -> Response:
    headers = {}
    if problem.retry_after_s is not None:
        headers["retry-after"] = str(max(1, math.ceil(problem.retry_after_s)))
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(msgspec.json.encode(problem), problem.status, headers, media_type=PROBLEM_TYPE)
