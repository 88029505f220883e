"""Errors as HTTP answers."""

from __future__ import annotations

import asyncpg
import msgspec
import pytest
import structlog

from api.errors import STATUSES, error_answer, unexpected_answer
from hub import errors
from hub.errors import (
    Conflict,
    ConnectorError,
    ConnectorErrorInfo,
    EditClash,
    ErrorClass,
    Forbidden,
    InvalidInput,
    MalformedPayload,
    NotFound,
    NotSignedIn,
    PreconditionFailed,
    SignatureRejected,
    TooLarge,
    TooManyRequests,
    Unavailable,
    UnsupportedMediaType,
    UnsupportedPayload,
)


def body_of(response) -> dict:
    return msgspec.json.decode(response.body)


@pytest.mark.parametrize("code", ["stale", "window_closed", "human_only", "no_templates"])
def test_finer_code_answers_as_its_kind(code):
    """A refusal that names its reason more finely is still a refusal: its own code, the status and page of its kind."""
    error = Conflict("The window has closed.")
    error.code = code

    response = error_answer(error)

    assert response.status_code == 409
    problem = body_of(response)
    assert (problem["code"], problem["type"]) == (code, "/api/docs#problem-conflict")
    assert problem["detail"] == "The window has closed."


@pytest.mark.parametrize(
    ("error", "status", "code", "field"),
    [
        (InvalidInput("email", "No."), 422, "invalid_input", "email"),
        (InvalidInput("body", "No JSON."), 400, "invalid_input", "body"),
        (NotSignedIn(), 401, "not_signed_in", None),
        (Forbidden(), 403, "forbidden", None),
        (NotFound("contact"), 404, "not_found", None),
        (Conflict("It moved on."), 409, "conflict", None),
        (EditClash("name", "Ann", "Anna"), 409, "conflict", "name"),
        (PreconditionFailed("Read it again."), 412, "precondition_failed", None),
        (UnsupportedMediaType(), 415, "unsupported_media_type", None),
        (TooLarge(10), 413, "too_large", None),
        (TooManyRequests(7), 429, "too_many_requests", None),
        (Unavailable("Away."), 503, "unavailable", None),
        (SignatureRejected("No."), 401, "signature_rejected", None),
        (MalformedPayload("No."), 400, "malformed_payload", None),
        (UnsupportedPayload("No."), 422, "unsupported_payload", None),
        (ConnectorError(ConnectorErrorInfo(ErrorClass.AUTH, "20003", "Keys refused.")), 502, "connector", None),
    ],
)
def test_error_has_its_status(error, status, code, field):
    """Programs get the status and the code, people the sentence."""
    response = error_answer(error)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = body_of(response)
    assert problem.pop("title")
    assert problem == {
        "type": f"/api/docs#problem-{code}",
        "status": status,
        "detail": error.message,
        "code": code,
        "message": error.message,
        "field": field,
        "retry_after_s": error.retry_after_s,
        **({"yours": "Ann", "theirs": "Anna"} if isinstance(error, EditClash) else {}),
    }


def test_every_error_of_the_tree_is_placed():
    """A new error is given a status, or is meant for operators only."""
    operators = {"configuration", "schema_mismatch", "internal"}
    tree = {one.code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.HubError)}
    # One more is of the room of idempotency keys.
    assert tree - operators == set(STATUSES) - {"idempotency_key_reused"}


@pytest.mark.parametrize(("seconds", "header"), [(7, "7"), (0.2, "1"), (1.1, "2")])
def test_retry_after_is_whole_seconds(seconds, header):
    """The header never says less than what is meant."""
    assert error_answer(TooManyRequests(seconds)).headers["retry-after"] == header


def test_unexpected_error_tells_nothing_but_a_number():
    """Statements, values and texts of drivers stay inside; the number is on the log's line, the values are not."""
    error = asyncpg.UniqueViolationError('duplicate key "login_email_key" DETAIL: Key (email)=(ann@x.test)')
    with structlog.testing.capture_logs() as lines:
        response = unexpected_answer(error)
    assert response.status_code == 500
    answer = body_of(response)
    assert answer["code"] == "internal"
    assert "ann@x.test" not in response.body.decode()
    assert "login" not in response.body.decode()
    (line,) = lines
    assert line["error_id"] in answer["message"]
    assert line["error"] == "UniqueViolationError"
    assert "ann@x.test" not in str(line)


def test_operators_error_is_unexpected_for_callers():
    """What only an operator can mend is not told to whoever calls."""
    with structlog.testing.capture_logs():
        response = error_answer(errors.ConfigurationError("HUB_SECRET_KEY is wrong"))
    assert response.status_code == 500
    assert "SECRET" not in response.body.decode()
