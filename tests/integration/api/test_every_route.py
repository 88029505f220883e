"""What must hold for every line of the table: tenancy, sessions, Origins, headers, bodies."""

from __future__ import annotations

import re
import uuid

import httpx
import pytest

from api.route import UNSAFE_METHODS, Access
from api.routes import ROUTES
from hub.accounts.model import Permission, Role
from tests.integration.api.conftest import browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

WORKSPACE_ROUTES = [route for route in ROUTES if isinstance(route.access, Permission)]
SESSION_ROUTES = [route for route in ROUTES if isinstance(route.access, Permission) or route.access is Access.SESSION]
BODY_ROUTES = [route for route in ROUTES if route.body is not None]
COOKIE_WRITES = [
    route for route in ROUTES if route.method in UNSAFE_METHODS and route.access not in (Access.VISITOR, Access.VENDOR)
]
REQUIRED_HEADERS = {
    "x-content-type-options",
    "referrer-policy",
    "content-security-policy",
    "cross-origin-opener-policy",
    "cache-control",
}


def name_of(route) -> str:
    return f"{route.method} {route.path}"


def address(route, workspace_id: int = 1) -> str:
    path = route.path.replace("{workspace_id}", str(workspace_id))
    return re.sub(r"{[a-z_]+(:[a-z]+)?}", lambda _: str(uuid.uuid4()), path)


async def call(client: httpx.AsyncClient, route, workspace_id: int = 1, **more: object) -> httpx.Response:
    body = {} if route.body is None and "content" not in more else {"json": {}}
    return await client.request(
        route.method, address(route, workspace_id), **(body | more if "content" not in more else more)
    )


@pytest.mark.parametrize("route", WORKSPACE_ROUTES, ids=name_of)
async def test_foreign_workspace_is_closed(client, tenant, foreign, route):
    """The owner of one workspace is nobody in another, on every route; a missing workspace answers the same."""
    await sign_in(client)
    theirs = await call(client, route, foreign.workspace_id)
    missing = await call(client, route, 10**15)
    assert theirs.status_code in (403, 404)
    assert (missing.status_code, missing.json()) == (theirs.status_code, theirs.json())
    assert "Contoso" not in theirs.text
    assert "bob@" not in theirs.text


@pytest.mark.parametrize("route", WORKSPACE_ROUTES, ids=name_of)
@pytest.mark.parametrize("workspace", ["0", "-1", "x", "1.0", "9" * 19, "9" * 40, "٣", "1%00", "1;2"])
async def test_workspace_that_is_no_number_is_not_found(client, tenant, route, workspace):
    """Whatever stands for the id, the answer is 404 and never an error of the database."""
    await sign_in(client)
    path = re.sub(r"{[a-z_]+(:[a-z]+)?}", str(uuid.uuid4()), route.path.replace("{workspace_id}", workspace))
    assert (await client.request(route.method, path)).status_code in (403, 404)


@pytest.mark.parametrize("route", SESSION_ROUTES, ids=name_of)
async def test_without_a_session_is_closed(client, tenant, route):
    """401 without cookie, before anything else is looked at."""
    answer = await call(client, route, tenant.workspace_id)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize("route", WORKSPACE_ROUTES, ids=name_of)
async def test_member_who_left_is_closed_out(client, tenant, database, route):
    """Deactivation works at the next call, whatever the session says."""
    await sign_in(client)
    async with database.transaction([tenant.workspace_id]) as conn:
        await conn.execute("UPDATE member SET active = false WHERE id = $1", tenant.member_id)
    assert (await call(client, route, tenant.workspace_id)).status_code == 403


@pytest.mark.parametrize("route", WORKSPACE_ROUTES, ids=name_of)
async def test_viewer_reads_and_does_nothing_else(client, tenant, database, route):
    """A viewer passes where the permission is inbox.read, and is refused by every other route."""
    await sign_in(client)
    async with database.transaction([tenant.workspace_id]) as conn:
        await conn.execute("UPDATE member SET role = $1 WHERE id = $2", Role.VIEWER.value, tenant.member_id)
    answer = await call(client, route, tenant.workspace_id)
    refused = answer.status_code == 403 and "permission" in answer.text
    assert refused is (route.access is not Permission.INBOX_READ)


@pytest.mark.parametrize("route", COOKIE_WRITES, ids=name_of)
@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"x-hub-request": ""}],
    ids=["foreign", "null", "no mark"],
)
async def test_other_sites_change_nothing(client, tenant, route, headers):
    """A page elsewhere cannot use a member's cookie, nor sign them in as somebody else."""
    await sign_in(client)
    answer = await call(client, route, tenant.workspace_id, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await client.get("/api/v1/session")).status_code == 200


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
async def test_headers_are_on_every_answer(client, route):
    """Every route, whatever it answers, carries the security headers, and allows no framing and no other origin."""
    answer = await call(client, route)
    assert answer.headers.keys() >= REQUIRED_HEADERS
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", ["/", "/inbox/1", "/assets/none.js", "/api/v1/none", "/none.png", "/webhooks/x/y"])
async def test_headers_are_on_pages_too(client, path):
    """Pages and misses carry them as well."""
    assert (await client.get(path)).headers.keys() >= REQUIRED_HEADERS


async def test_https_is_held_to(parts):
    """With an https public URL browsers are told to stay there."""
    settings = parts.settings
    parts.settings = type(settings)(
        **{name: getattr(settings, name) for name in settings.__struct_fields__} | {"public_url": "https://hub.example"}
    )
    async with browser(parts) as client:
        assert (await client.get("/healthz")).headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize("route", BODY_ROUTES, ids=name_of)
@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"a": "\xff"}', (400, 422)),
        (b"[" * 100_000, 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b'{"surprise": "\\ud800"}', (400, 422)),
        (b'{"surprise": "\\u0000"}', 422),
        (b'{"surprise": 1}', 422),
        (b" " * (1024 * 1024 + 1), 413),
    ],
    ids=["empty", "cut", "not utf-8", "deep", "list", "text", "surrogate", "nul", "unknown field", "too large"],
)
async def test_bad_body_is_answered_clearly(client, tenant, route, content, status):
    """Rubbish gets 400, 413 or 422 with a code and a field, on every route with a body, and breaks nothing."""
    await sign_in(client)
    answer = await client.request(route.method, address(route, tenant.workspace_id), content=content)
    assert answer.status_code in ((status,) if isinstance(status, int) else status)
    problem = answer.json()
    assert problem["message"]
    if answer.status_code != 413:
        assert problem["field"]
        assert problem["code"] == "invalid_input"


@pytest.mark.parametrize("route", BODY_ROUTES, ids=name_of)
async def test_endless_body_is_cut(client, tenant, route):
    """A body that does not say how long it is ends at the limit, not at the end of the memory."""
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 64 * 1024 * 1024:
            sent += 65536
            yield b" " * 65536

    await sign_in(client)
    answer = await client.request(route.method, address(route, tenant.workspace_id), content=endless())
    assert answer.status_code == 413
