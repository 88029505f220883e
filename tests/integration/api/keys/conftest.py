"""Keys over HTTP: a process with a secret key and channels, two tenants, and scripts without cookies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from prometheus_client import CollectorRegistry

from api.app import create_app
from connectors.registry import ConnectorRegistry
from hub.accounts import sessions
from hub.channels.sealing import Sealer
from hub.inbox import actions
from tests.factories import make_item, make_workspace, received
from tests.integration.api.conftest import BASE_URL

Script = Callable[..., httpx.AsyncClient]


@pytest.fixture
def parts(parts):
    """The parts of a process that can check keys and send."""
    parts.sealer = Sealer({1: "k" * 40})
    parts.registry = ConnectorRegistry.load()
    return parts


@pytest.fixture
async def other(database):
    """Another tenant of the same installation."""
    return await make_workspace(database, name="Contoso")


@pytest.fixture
async def script(parts, workspace):
    """Open a script's client: its bearer token, in a workspace."""
    app = create_app(replace(parts, metrics=CollectorRegistry()))
    opened: list[httpx.AsyncClient] = []

    def open_client(token: str, workspace_id: int = workspace.id) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url=f"{BASE_URL}/api/v1/workspaces/{workspace_id}/",
            headers={"authorization": f"Bearer {token}"},
        )
        opened.append(client)
        return client

    yield open_client
    for one in opened:
        await one.aclose()


async def session_of(database, login_id) -> str:
    async with database.across() as conn:
        return (await sessions.start(conn, login_id)).token


async def login_of(database, workspace_id, member_id):
    async with database.transaction([workspace_id]) as conn:
        return await conn.fetchval("SELECT login_id FROM member WHERE id = $1", member_id)


@pytest.fixture
async def owner(script, database, workspace):
    """The owner's own session."""
    return script(await session_of(database, workspace.login_id))


@pytest.fixture
async def agent(script, database, workspace):
    """An agent's own session."""
    return script(await session_of(database, await login_of(database, workspace.id, workspace.agent_id)))


@pytest.fixture
async def conversation_id(database, workspace):
    async with database.transaction([workspace.id]) as conn:
        (outcome,) = await actions.receive(
            conn, [received(workspace, make_item(text="Where is my parcel?"), channel="livechat")]
        )
    return outcome.conversation_id


async def make(client: httpx.AsyncClient, *scopes: str, where: str = "api-keys", **fields) -> dict:
    """Make a key and return the answer."""
    body = {"name": "Export", **({"scopes": scopes} if scopes else {}), **fields}
    answer = await client.post(where, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()
