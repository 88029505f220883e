"""What must hold for every line of the table: tenancy, sessions, Origins, headers, bodies. One test a claim."""

from __future__ import annotations

import re
import uuid

import httpx
import msgspec
import pytest
import structlog

from api.route import UNSAFE_METHODS, Access, Route
from api.routes import ROUTES
from hub.accounts.model import Permission, Role
from tests.integration.api.conftest import browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

WORKSPACE_ROUTES = [route for route in ROUTES if isinstance(route.access, Permission)]
SESSION_ROUTES = [route for route in ROUTES if isinstance(route.access, Permission) or route.access is Access.SESSION]
COOKIE_WRITES = [
    route for route in ROUTES if route.method in UNSAFE_METHODS and route.access not in (Access.VISITOR, Access.VENDOR)
]
BODY_ROUTES = [route for route in COOKIE_WRITES if route.body is not None]
OWN_PAGES = ("/widget", "/sample")
REQUIRED_HEADERS = {
    "x-content-type-options",
    "referrer-policy",
    "content-security-policy",
    "cross-origin-opener-policy",
    "cache-control",
}


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def address(route: Route, workspace_id: object = 1) -> str:
    path = route.path.replace("{workspace_id}", str(workspace_id))
    return re.sub(r"{[a-z_]+(:[a-z]+)?}", lambda _: str(uuid.uuid4()), path)


async def call(client: httpx.AsyncClient, route: Route, workspace_id: object = 1, **more: object) -> httpx.Response:
    """Call a route with an empty object where it takes a body, or with what is given."""
    if route.body is not None and "content" not in more:
        more["json"] = {}
    return await client.request(route.method, address(route, workspace_id), **more)


async def unlike(expected, client: httpx.AsyncClient, routes: list[Route], *arguments, **more) -> dict[str, str]:
    """Call every route and return the answers that are not as expected."""
    wrong = {}
    for route in routes:
        answer = await call(client, route, *arguments, **more)
        if not expected(route, answer):
            wrong[name_of(route)] = f"{answer.status_code} {answer.text[:200]}"
    return wrong


async def test_foreign_workspace_is_closed(client, tenant, foreign):
    """The owner of one workspace is nobody in another, on every route; a missing workspace answers the same."""
    await sign_in(client)
    assert len(WORKSPACE_ROUTES) > 0
    for route in WORKSPACE_ROUTES:
        theirs = await call(client, route, foreign.workspace_id)
        missing = await call(client, route, 10**15)
        assert theirs.status_code in (403, 404), name_of(route)
        assert (missing.status_code, missing.json()) == (theirs.status_code, theirs.json()), name_of(route)
        assert "Contoso" not in theirs.text
        assert "bob@" not in theirs.text


async def test_own_workspace_with_foreign_ids_finds_nothing(client, tenant, foreign, database):
    """An id of another workspace, asked for under one's own, does not exist: on every route that takes one."""
    ids = {"member_id": str(foreign.member_id)}
    async with database.snapshot([foreign.workspace_id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM member") == 1
    await sign_in(client)
    wrong = {}
    for route in WORKSPACE_ROUTES:
        if len(route.path_names) < 2 or route.body is not None:
            continue
        path = route.path.replace("{workspace_id}", str(tenant.workspace_id))
        path = re.sub(r"{([a-z_]+)(:[a-z]+)?}", lambda m: ids.get(m.group(1), str(foreign.member_id)), path)
        answer = await client.request(route.method, path)
        if answer.status_code not in (404, 503):
            wrong[name_of(route)] = answer.status_code
    assert wrong == {}


@pytest.mark.parametrize("workspace", ["0", "-1", "x", "1.0", "9" * 19, "9" * 40, "٣", "1%00", "1;2"])
async def test_workspace_that_is_no_number_is_not_found(client, tenant, workspace):
    """Whatever stands for the id, the answer is 403 or 404 and never an error of the database."""
    await sign_in(client)
    wrong = await unlike(lambda _, answer: answer.status_code in (403, 404), client, WORKSPACE_ROUTES, workspace)
    assert wrong == {}


async def test_without_a_session_is_closed(client, tenant):
    """401 without cookie, before anything else is looked at."""

    def closed(_: Route, answer: httpx.Response) -> bool:
        return answer.status_code == 401 and answer.json()["code"] == "not_signed_in"

    assert await unlike(closed, client, SESSION_ROUTES, tenant.workspace_id) == {}


async def test_member_who_left_is_closed_out(client, tenant, database):
    """Deactivation works at the next call, whatever the session says."""
    await sign_in(client)
    async with database.transaction([tenant.workspace_id]) as conn:
        await conn.execute("UPDATE member SET active = false WHERE id = $1", tenant.member_id)
    wrong = await unlike(lambda _, answer: answer.status_code == 403, client, WORKSPACE_ROUTES, tenant.workspace_id)
    assert wrong == {}


@pytest.mark.parametrize("role", Role)
async def test_role_passes_where_its_permission_reaches(client, tenant, database, role):
    """Each role is refused by exactly the routes whose permission it does not have."""
    from tests.unit.hub.accounts.test_policy import MATRIX

    await sign_in(client)
    async with database.transaction([tenant.workspace_id]) as conn:
        await conn.execute("UPDATE member SET role = $1 WHERE id = $2", role.value, tenant.member_id)

    def as_the_matrix_says(route: Route, answer: httpx.Response) -> bool:
        refused = answer.status_code == 403 and answer.json()["code"] == "forbidden"
        return refused is (route.access not in MATRIX[role])

    assert await unlike(as_the_matrix_says, client, WORKSPACE_ROUTES, tenant.workspace_id) == {}


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"x-hub-request": ""}],
    ids=["foreign", "null", "no mark"],
)
async def test_other_sites_change_nothing(client, tenant, headers):
    """A page elsewhere cannot use a member's cookie, nor sign them in as somebody else."""

    def refused(_: Route, answer: httpx.Response) -> bool:
        return answer.status_code == 403 and "hub" in answer.json()["message"].lower()

    await sign_in(client)
    assert await unlike(refused, client, COOKIE_WRITES, tenant.workspace_id, headers=headers) == {}
    assert (await client.get("/api/v1/session")).status_code == 200


async def test_headers_are_on_every_answer(client):
    """Every route carries the security headers; none but the widget's may be framed or read by other sites."""

    def protected(route: Route, answer: httpx.Response) -> bool:
        headers = answer.headers
        own = route.path.startswith(OWN_PAGES) or route.access is Access.VISITOR
        framing = own or "frame-ancestors 'none'" in headers["content-security-policy"]
        reading = own or "access-control-allow-origin" not in headers
        return headers.keys() >= REQUIRED_HEADERS and framing and reading and "server" not in headers

    assert await unlike(protected, client, list(ROUTES)) == {}


async def test_headers_are_on_pages_and_misses(client):
    """Pages, assets and addresses that are none carry them as well."""
    for path in ("/", "/inbox/1", "/assets/none.js", "/api/v1/none", "/none.png", "/webhooks/x/y"):
        assert (await client.get(path)).headers.keys() >= REQUIRED_HEADERS, path


async def test_https_is_held_to(parts):
    """With an https public URL browsers are told to stay there."""
    parts.settings = msgspec.structs.replace(parts.settings, public_url="https://hub.example")
    async with browser(parts) as client:
        assert (await client.get("/healthz")).headers[
            "strict-transport-security"
        ] == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize(
    ("content", "statuses"),
    [
        (b"", (400,)),
        (b"{", (400,)),
        (b"[" * 100_000, (400,)),
        (b"[]", (400,)),
        (b'"text"', (400,)),
        (b'{"surprise": "\\ud800"}', (400, 422)),
        (b" " * (1024 * 1024 + 1), (413,)),
    ],
    ids=["empty", "cut", "deep", "list", "text", "surrogate", "too large"],
)
async def test_bad_body_is_answered_clearly(client, tenant, content, statuses):
    """Rubbish gets 400, 413 or 422 with a code and a field, on every route with a body, and breaks nothing."""

    def clear(_: Route, answer: httpx.Response) -> bool:
        problem = answer.json()
        named = answer.status_code == 413 or (problem["field"] and problem["code"] == "invalid_input")
        return answer.status_code in statuses and bool(problem["message"]) and bool(named)

    await sign_in(client)
    assert await unlike(clear, client, BODY_ROUTES, tenant.workspace_id, content=content) == {}


async def test_endless_body_is_cut(client, tenant):
    """A body that does not say how long it is ends at the limit, not at the end of the memory."""
    sent_bytes = 0

    async def endless():
        nonlocal sent_bytes
        for _ in range(1024):
            sent_bytes += 65536
            yield b" " * 65536

    await sign_in(client)
    for route in BODY_ROUTES:
        answer = await client.request(route.method, address(route, tenant.workspace_id), content=endless())
        assert answer.status_code == 413, name_of(route)


async def test_refused_calls_leave_a_line(client, tenant, foreign):
    """Who knocks at somebody else's workspace is named on the log by the ids of their login, and no more."""
    await sign_in(client)
    with structlog.testing.capture_logs() as lines:
        await client.get(f"/api/v1/workspaces/{foreign.workspace_id}/contacts?q=secret")
    (line,) = [one for one in lines if one["event"] == "call_refused"]
    assert line["login_id"] == str(tenant.login_id)
    assert (line["route"], line["status"]) == ("/api/v1/workspaces/{workspace_id}/contacts", 403)
    assert "secret" not in str(line)
    assert tenant.email not in str(line)


async def test_every_answer_says_what_it_is(client, tenant):
    """Whatever has a body names its type, JSON is JSON, and text names its charset."""
    await sign_in(client)

    def honest(_: Route, answer: httpx.Response) -> bool:
        kind = answer.headers.get("content-type", "")
        if not answer.content:
            return True
        if kind.partition(";")[0] in ("application/json", "application/problem+json"):
            return bool(msgspec.json.decode(answer.content)) or True
        return not kind.startswith("text/") or "charset=utf-8" in kind.lower() if kind else False

    assert await unlike(honest, client, list(ROUTES), tenant.workspace_id) == {}
