"""Every refusal of every route is a problem document (RFC 9457), whatever is sent; nothing makes a 500."""

from __future__ import annotations

import re
import uuid

import pytest

from api.route import UNSAFE_METHODS, Access
from api.routes import ROUTES
from hub.accounts.model import Permission

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

SIGNED_IN = [one for one in ROUTES if isinstance(one.access, Permission) or one.access is Access.SESSION]
GARBAGE = {
    "not json": (b"\xff\xfe{", "application/json"),
    "list": (b"[1, 2]", "application/json"),
    "null": (b"null", "application/json"),
    "wrong kinds": (
        b'{"name": {}, "text": 1, "status": [], "seq": "x", "ids": {"a": 1}, "scopes": "x"}',
        "application/json",
    ),
    "half characters": (b'{"name": "\\ud800", "text": "\\udfff"}', "application/json"),
    "nul": (b'{"name": "a\\u0000b", "text": "\\u0000"}', "application/json"),
    "huge number": (b'{"seq": 1e999, "size_bytes": 99999999999999999999999}', "application/json"),
    "form": (b"name=x", "multipart/form-data; boundary=x"),
    "xml": (b"<name/>", "application/xml"),
}
BAD_QUERY = {
    "limit": "-1",
    "before": "!!",
    "status": "x",
    "assignee": "x",
    "contact": "x",
    "state": "x",
    "variant": "x",
}


def address(route, workspace_id):
    path = route.path.replace("{workspace_id}", str(workspace_id))
    return "http://localhost:8000" + re.sub(r"{[a-z_]+(:[a-z]+)?}", lambda _: str(uuid.uuid4()), path)


def is_problem(answer) -> bool:
    """Of the right type and with every member, and naming a field where a value is wrong."""
    if answer.headers["content-type"] != "application/problem+json":
        return False
    problem = answer.json()
    whole = problem["status"] == answer.status_code and all(
        problem[name] for name in ("type", "title", "detail", "code")
    )
    return whole and (answer.status_code not in (400, 422) or bool(problem["field"]))


@pytest.mark.parametrize("kind", GARBAGE)
async def test_garbage_is_answered_by_a_problem(owner, workspace, kind):
    """Rubbish for a body, on every route of the table that changes something."""
    content, media_type = GARBAGE[kind]
    wrong = {}
    for route in SIGNED_IN:
        if route.method not in UNSAFE_METHODS:
            continue
        answer = await owner.request(
            route.method, address(route, workspace.id), content=content, headers={"content-type": media_type}
        )
        # 404: a body that says nothing of what may be said, about a row that is not there.
        expected = {415} if media_type != "application/json" else {400, 422, 404}
        is_right = (
            answer.status_code in expected if route.body is not None and route.path.count("attachments") == 0 else True
        )
        if (
            not is_right
            or (answer.status_code >= 500 and answer.status_code != 503)
            or (answer.is_error and not is_problem(answer))
        ):
            wrong[f"{route.method} {route.path}"] = f"{answer.status_code} {answer.text[:200]}"
    assert wrong == {}


async def test_bad_parameters_are_answered_by_a_problem(owner, workspace):
    """Every parameter of every list, each wrong by itself."""
    wrong, asked = {}, 0
    for route in SIGNED_IN:
        for name in route.query.keys() & BAD_QUERY.keys():
            asked += 1
            answer = await owner.request(route.method, address(route, workspace.id), params={name: BAD_QUERY[name]})
            if answer.status_code >= 500 or (answer.is_error and not is_problem(answer)):
                wrong[f"{route.method} {route.path} {name}"] = f"{answer.status_code} {answer.text[:200]}"
            if answer.status_code == 422 and answer.json()["field"] != name:
                wrong[f"{route.method} {route.path} {name} field"] = answer.json()["field"]
    assert asked >= 12
    assert wrong == {}


async def test_unknown_ids_and_addresses_are_problems(owner, workspace):
    """404 for what is not there, 405 with the methods for what takes others, on every path."""
    for path in {one.path for one in ROUTES if one.path.startswith("/api/v1/")}:
        methods = {one.method for one in ROUTES if one.path == path}
        (route, *_) = [one for one in ROUTES if one.path == path]
        answer = await owner.request("TRACE", address(route, workspace.id))
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed"), path
        assert methods <= set(answer.headers["allow"].split(", "))
        assert is_problem(answer)
    missing = await owner.get("http://localhost:8000/api/v1/nothing")
    assert missing.status_code == 404
    assert is_problem(missing)


async def test_too_large_a_body_is_a_problem(owner, workspace):
    """413, before anything is kept."""
    answer = await owner.post("api-keys", content=b" " * (1024 * 1024 + 1))
    assert answer.status_code == 413
    assert is_problem(answer)


async def test_unexpected_error_is_a_problem(parts):
    """A fault of ours is told as one, with a number and nothing else."""
    from dataclasses import replace

    import httpx
    from prometheus_client import CollectorRegistry

    from api.app import create_app
    from api.route import Route

    async def fail(call: object) -> None:
        raise RuntimeError("a secret of ours")

    app = create_app(replace(parts, metrics=CollectorRegistry()), [Route("GET", "/api/v1/fault", fail, Access.OPEN)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost:8000") as client:
        answer = await client.get("/api/v1/fault")
    assert answer.status_code == 500
    assert is_problem(answer)
    assert "secret" not in answer.text
