"""
The HTTP API as its OpenAPI document describes it, called with what schemathesis makes of that, with two tenants' tokens.

Nothing may fail on our side, and every answer must be one the document names, in the shape it gives.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from prometheus_client import CollectorRegistry
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import response_schema_conformance

from api import openapi
from api.app import create_app
from api.routes import ROUTES
from hub.accounts import sessions
from tests.everybody import with_channels
from tests.factories import make_workspace
from tests.integration.api.conftest import BASE_URL

if TYPE_CHECKING:
    from schemathesis import Case

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow, pytest.mark.timeout(300)]

SEED = 20261123
EXAMPLES = 4
SCHEMA = openapi.document(ROUTES)
# A process that was not given a part says so: 503 with a code, not an error of ours.
SAID = {"unavailable"}


class Callers:
    """Two owners of two workspaces; whoever calls is signed in anew, for some calls end sessions."""

    def __init__(self, parts, workspaces) -> None:
        self.parts, self.workspaces = parts, workspaces
        self.app = create_app(replace(parts, metrics=CollectorRegistry()))
        self.calls = 0
        self.wrong: list[str] = []

    async def call(self, case: Case, number: int) -> httpx.Response:
        caller, other = self.workspaces[number % 2], self.workspaces[number // 2 % 2]
        async with self.parts.database.across() as conn:
            token = (await sessions.start(conn, caller.login_id)).token
        if "workspace_id" in case.path_parameters:
            case.path_parameters["workspace_id"] = other.id
        transport = httpx.ASGITransport(self.app, client=(f"127.1.{number // 250 % 250}.{number % 250}", 1))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
            sent = case.as_transport_kwargs(base_url=BASE_URL)
            sent.pop("cookies", None)
            headers = {name: value for name, value in sent.pop("headers").items() if name.lower() != "cookie"}
            headers |= {"authorization": f"Bearer {token}"}
            return await client.request(**sent, headers=headers)


def judge(case: Case, answer: httpx.Response) -> str:
    """Say what is wrong with an answer; empty where nothing is."""
    if answer.status_code >= 500 and (answer.status_code != 503 or answer.json()["code"] not in SAID):
        return f"{answer.status_code}: {answer.text[:300]}"
    try:
        case.validate_response(answer, checks=[response_schema_conformance])
    except FailureGroup as group:
        return " · ".join(f"{one.title}: {one.message[:300]}" for one in group.exceptions)
    return ""


def operations():
    for found in schemathesis.openapi.from_dict(SCHEMA).get_all_operations():
        operation = found.ok()
        if operation.path not in ("/metrics", "/webhooks/{channel}/{channel_account_id}"):
            yield operation


async def test_no_call_of_the_document_fails_on_our_side(parts, database, workspace):
    """Every operation, with made-up values, as two tenants at their own and the other's workspace: no 5xx, right shapes."""
    other = await make_workspace(database, name="Contoso")
    callers = Callers(with_channels(parts), [workspace, other])
    await parts.routes.refresh()
    loop = asyncio.get_running_loop()

    def try_operation(operation) -> None:
        @seed(SEED)
        @settings(
            max_examples=EXAMPLES, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def attempt(case) -> None:
            callers.calls += 1
            answer = asyncio.run_coroutine_threadsafe(callers.call(case, callers.calls), loop).result(30)
            if wrong := judge(case, answer):
                callers.wrong.append(
                    f"{operation.method} {operation.path}: {wrong}: {case.body!r} {case.query!r}"[:900]
                )

        attempt()

    tried = 0
    for operation in operations():
        await asyncio.to_thread(try_operation, operation)
        tried += 1
    assert callers.wrong == []
    assert tried > 100
    assert callers.calls > 2 * tried


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, {"code": "internal"}, "500"),
        (503, {"code": "something_else"}, "503"),
        (200, {"status": 7}, "schema"),
        (200, [], "schema"),
        (200, {"ok": True}, ""),
    ],
    ids=["failed", "another 503", "another type", "another shape", "right"],
)
async def test_the_fuzz_would_notice(status, body, words):
    """An answer of a failure, or of another shape than the document gives, is wrong; one as described is not."""
    operation = next(one for one in operations() if one.path == "/healthz")
    request = httpx.Request("GET", f"{BASE_URL}/healthz")
    answer = httpx.Response(status, json=body, request=request)
    answer.elapsed = timedelta()
    wrong = judge(operation.Case(), answer)
    assert words in wrong.lower()
    assert bool(wrong) is bool(words)
