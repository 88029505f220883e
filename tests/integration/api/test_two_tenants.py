"""
Two tenants: the owner of one, with the real ids of the other, at every route and every socket message.

Nothing of the other's may be answered, and nothing of theirs may change. What is tried is drawn with a fixed seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import asyncpg
import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.responses import PlainTextResponse
from websockets.exceptions import ConnectionClosed

from api import openapi
from api.app import create_app
from api.examples import example_of
from api.route import Access, Route
from api.routes import ROUTES
from api.ws_ports import SocketPorts
from hub.accounts import roles, sessions, teams
from hub.accounts.model import Permission, Role
from hub.events.model import LoggedEvent
from hub.inbox import actions
from tests.everybody import visitor_token, with_channels
from tests.factories import WorkspaceFacts, make_item, make_workspace, received
from tests.integration.api.conftest import BASE_URL
from tests.integration.hub.accounts.desk import Desk
from tests.integration.test_ws import Server
from tests.realtime_fakes import Rig
from tests.waiting import wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow]

SEED = 20261123
MARK = "Zarquon"
DRAWS = 4


@dataclass(frozen=True)
class Theirs:
    """What the other tenant has: ids by table and column, and the fingerprint of every row."""

    workspace: WorkspaceFacts
    ids: dict[str, list[str]]
    conversation_id: str

    def all(self) -> list[str]:
        return sorted({one for some in self.ids.values() for one in some})


@pytest.fixture
async def owner_of_all(database_urls) -> AsyncIterator[asyncpg.Connection]:
    """A connection that no row security holds back."""
    opened = await asyncpg.connect(database_urls.owner_url)
    yield opened
    await opened.close()


@pytest.fixture
async def theirs(parts, database, owner_of_all) -> Theirs:
    """The first tenant, with rows of every kind that carry a mark."""
    with_channels(parts)
    workspace = await make_workspace(database, name=MARK)
    desk = Desk(database, workspace)
    owner = await desk.owner()
    async with database.transaction([workspace.id]) as conn:
        items = [make_item(text=f"{MARK} {number}", thread_key=f"+1555000{number:04}") for number in range(3)]
        first, *_ = await actions.receive(conn, [received(workspace, item, channel="livechat") for item in items])
        await conn.execute("UPDATE contact SET name = $1", f"{MARK} contact")
        await conn.execute("UPDATE inbox SET name = $1 || name", MARK)
        await conn.execute("UPDATE channel_account SET name = $1 || name", MARK)
    await desk.add(f"{MARK}agent", Role.AGENT)
    await desk.run(owner, teams.make_team, f"{MARK} team", [workspace.agent_id])
    await desk.run(owner, roles.make_role, f"{MARK} role", [Permission.INBOX_REPLY])
    async with http(parts, await sign_in(database, workspace.login_id)) as client:
        base = f"/api/v1/workspaces/{workspace.id}"
        upload = {"params": {"filename": f"{MARK}.txt", "mime": "text/plain"}, "content": MARK.encode()}
        for path, fields in (
            ("attachments", upload),
            ("api-keys", {"json": {"name": f"{MARK} key", "scopes": ["inbox.read"]}}),
            ("personal-tokens", {"json": {"name": f"{MARK} token"}}),
            ("invitations", {"json": {"emails": [f"{MARK}@northwind.example"], "role": "agent"}}),
            (
                f"conversations/{first.conversation_id}/messages",
                {"json": {"client_message_id": str(uuid.uuid4()), "kind": "note", "text": f"{MARK} note"}},
            ),
        ):
            answer = await client.post(f"{base}/{path}", **fields)
            assert answer.status_code in (200, 201, 202, 503), (path, answer.text)
    return Theirs(workspace, await ids_of(owner_of_all, workspace), str(first.conversation_id))


async def ids_of(conn: asyncpg.Connection, workspace: WorkspaceFacts) -> dict[str, list[str]]:
    """Every value of every uuid column of the tenant's rows."""
    columns = await conn.fetch(
        "SELECT c.table_name, c.column_name FROM information_schema.columns c"
        " JOIN information_schema.columns w USING (table_schema, table_name)"
        " WHERE c.table_schema = 'public' AND c.data_type = 'uuid' AND w.column_name = 'workspace_id'"
        " ORDER BY 1, 2"
    )
    found: dict[str, list[str]] = {}
    for table, column in columns:
        rows = await conn.fetch(
            f'SELECT DISTINCT "{column}" FROM "{table}" WHERE workspace_id = $1 AND "{column}" IS NOT NULL LIMIT 3',
            workspace.id,
        )
        if rows:
            found[f"{table}.{column}"] = sorted(str(row[0]) for row in rows)
    return found


async def fingerprint(conn: asyncpg.Connection, workspace: WorkspaceFacts) -> dict[str, str]:
    """A hash of all rows of a tenant, by table."""
    tables = await conn.fetch(
        "SELECT table_name, column_name FROM information_schema.columns JOIN pg_class ON relname = table_name"
        " WHERE table_schema = 'public' AND relkind IN ('r', 'p') AND (column_name = 'workspace_id'"
        " OR (table_name = 'workspace' AND column_name = 'id')) ORDER BY 1"
    )
    return {
        table: await conn.fetchval(
            f"SELECT count(*) || ':' || md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"
            f' FROM "{table}" t WHERE "{column}" = $1',
            workspace.id,
        )
        for table, column in tables
    }


async def sign_in(database, login_id) -> str:
    async with database.across() as conn:
        return (await sessions.start(conn, login_id)).token


@contextlib.asynccontextmanager
async def http(parts, token: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(replace(parts, metrics=CollectorRegistry()))
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL, headers=headers) as client:
        yield client


class Draws:
    """What is tried at a route: their ids wherever an id fits."""

    def __init__(self, theirs: Theirs, own_id: int) -> None:
        self.theirs, self.own_id = theirs, own_id
        self.random = random.Random(SEED)
        document = openapi.document(ROUTES)
        self.paths, self.components = document["paths"], document["components"]["schemas"]

    def of(self, route: Route):
        """Paths with their ids under our workspace and theirs, each with a query and a body."""
        inside = [name for name in route.path_names if name != "workspace_id"]
        for number in range(DRAWS if inside or route.body else 1):
            fitting = [self._fitting(name) for name in inside]
            both = (self.own_id, self.theirs.workspace.id)
            for workspace_id in both if "workspace_id" in route.path_names else both[:1]:
                names = [str(workspace_id) if name == "workspace_id" else None for name in route.path_names]
                values = iter(some[number % len(some)] for some in fitting)
                path = route.plain_path.format(
                    **{name: fixed or next(values) for name, fixed in zip(route.path_names, names, strict=True)}
                )
                body = self._body(route) if route.body is not None else None
                yield path, self._query(route), body

    def _fitting(self, name: str) -> list[str]:
        """Those of the table the name speaks of first, then any."""
        table = name.removesuffix("_id")
        first = [one for column, some in self.theirs.ids.items() if column == f"{table}.id" for one in some]
        rest = self.theirs.all()
        self.random.shuffle(rest)
        return [*first, *rest]

    def _query(self, route: Route) -> dict[str, str]:
        given = {"assignee", "contact", "member_id", "actor", "inbox_id", "conversation_id"} & route.query.keys()
        return {name: self.random.choice(self.theirs.all()) for name in given} | (
            {"q": MARK[:4]} if "q" in route.query else {}
        )

    def _body(self, route: Route) -> object:
        operation = self.paths[route.plain_path][route.method.lower()]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        return self._with_their_ids(example_of(schema, self.components))

    def _with_their_ids(self, value: object) -> object:
        match value:
            case dict():
                return {
                    key: self.random.choice(self.theirs.ids.get(f"{key.removesuffix('_id')}.id", self.theirs.all()))
                    if key.endswith("_id") and isinstance(one, str)
                    else self.theirs.workspace.id
                    if key == "workspace_id"
                    else self._with_their_ids(one)
                    for key, one in value.items()
                }
            case list():
                return [self._with_their_ids(one) for one in value]
            case str():
                try:
                    uuid.UUID(value)
                except ValueError:
                    return value
                return self.random.choice(self.theirs.all())
            case _:
                return value


async def call_everything(parts, database, theirs: Theirs, own: WorkspaceFacts, routes=ROUTES) -> tuple[int, list[str]]:
    """Call every route as the other tenant's owner and as a visitor; return how often, and what was wrong."""
    draws, calls, wrong = Draws(theirs, own.id), 0, []
    async with http(parts, "") as client:
        for route in routes:
            if route.access is Access.VENDOR or route.path in ("/metrics", "/api/v1/setup"):
                continue  # checked by its signature; counts of all; closed once there is a workspace
            for path, query, body in draws.of(route):
                token = await sign_in(database, own.login_id)
                if route.access is Access.VISITOR:
                    token = visitor_token(parts, own)
                headers = {"authorization": f"Bearer {token}"}
                answer = await client.request(route.method, path, params=query, json=body, headers=headers)
                calls += 1
                told = f"{answer.text} {answer.headers}".replace(MARK[:4] + '"', "")
                if MARK.lower() in told.lower() or (answer.status_code >= 500 and answer.status_code != 503):
                    wrong.append(f"{route.method} {path} {query} {body}: {answer.status_code} {answer.text[:300]}")
    return calls, wrong


async def test_no_route_answers_or_changes_another_tenants_rows(parts, database, theirs, owner_of_all):
    """Their ids in path, query and body, under our workspace and theirs: none of their bytes, all of their rows."""
    own = await make_workspace(database, name="Contoso")
    await parts.routes.refresh()
    before = await fingerprint(owner_of_all, theirs.workspace)
    assert {"contact", "message", "conversation", "member", "team", "api_key", "attachment", "invitation"} <= {
        column.partition(".")[0] for column in theirs.ids
    }
    calls, wrong = await call_everything(parts, database, theirs, own)
    assert wrong == []
    assert calls > 500
    assert await fingerprint(owner_of_all, theirs.workspace) == before


async def test_the_fuzz_would_notice(parts, database, theirs, owner_of_all):
    """A route that forgets whose rows it reads is found, and a row that changes changes the fingerprint."""

    async def leak(call):
        async with database.transaction([theirs.workspace.id]) as conn:
            name = await conn.fetchval("SELECT name FROM contact LIMIT 1")
            await conn.execute("UPDATE contact SET name = name || '!'")
        return PlainTextResponse(name)

    own = await make_workspace(database, name="Contoso")
    route = next(one for one in ROUTES if one.path.endswith("/contacts/{contact_id}") and one.method == "GET")
    before = await fingerprint(owner_of_all, theirs.workspace)
    token = await sign_in(database, own.login_id)
    app = create_app(replace(parts, metrics=CollectorRegistry()), [replace(route, handler=leak, versioned="")])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL) as client:
        path = route.path.replace("{workspace_id}", str(own.id)).replace("{contact_id}", theirs.all()[0])
        answer = await client.get(path, headers={"authorization": f"Bearer {token}"})
    assert MARK in answer.text
    assert await fingerprint(owner_of_all, theirs.workspace) != before


FRAMES = (
    ("send", {"text": "Hello", "kind": "message"}),
    ("send", {"text": "Hello", "kind": "note"}),
    ("send", {"text": "Hello", "attachments": "all"}),
    ("read", {"seq": 1}),
    ("typing", {"on": True}),
    ("typing", {"on": True, "kind": "note"}),
    ("viewing", {}),
    ("ping", {"cursor": 1}),
    ("hello", {"protocol": 1, "cursor": {"epoch": 1, "seq": 0}}),
)


async def listen(socket, heard: list[str]) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for text in socket:
            heard.append(text)


async def test_no_socket_message_reaches_another_tenant(parts, database, theirs, owner_of_all, notices):
    """Every message with their ids over a real socket, and their own life beside it: no frame of theirs comes to us."""
    own = await make_workspace(database, name="Contoso")
    await parts.routes.refresh()
    token = await sign_in(database, own.login_id)
    before = await fingerprint(owner_of_all, theirs.workspace)
    heard: list[str] = []
    async with Rig(ports=SocketPorts(parts)) as rig:
        server = Server(rig, detaches=True)
        running = asyncio.create_task(server.server.serve(sockets=server.sockets))
        await wait_until(lambda: server.server.started)
        async with server.connect() as foreign:
            hello = {"type": "hello", "protocol": 1, "bearer": token, "workspace_id": theirs.workspace.id}
            await foreign.send(json.dumps(hello))
            await listen(foreign, heard)  # until the hub closes it
        assert heard == [] or "welcome" not in "".join(heard)
        for grant in ({"bearer": token, "workspace_id": own.id}, {"visitor_token": visitor_token(parts, own)}):
            async with server.connect() as socket:
                await socket.send(json.dumps({"type": "hello", "protocol": 1} | grant))
                welcome = json.loads(await socket.recv())
                assert welcome["type"] == "welcome"
                listening = asyncio.create_task(listen(socket, heard))
                for type_, fields in FRAMES:
                    for conversation_id in (theirs.conversation_id, theirs.all()[0]):
                        more = {"client_message_id": str(uuid.uuid4())} if type_ == "send" else {}
                        if fields.get("attachments"):
                            more["attachments"] = theirs.ids["attachment.id"]
                        if type_ in ("send", "read", "typing", "viewing"):
                            more["conversation_id"] = conversation_id
                        await socket.send(json.dumps({"type": type_} | fields | more))
                        await asyncio.sleep(0.06)  # under the limit of frames a second: each is looked at
                if "bearer" in grant:
                    assert await fingerprint(owner_of_all, theirs.workspace) == before
                    await live(database, theirs, rig, notices)
                    before = await fingerprint(owner_of_all, theirs.workspace)
                await socket.send(json.dumps({"type": "ping"}))
                count = len(heard)
                await wait_until(lambda seen=count: any('"head"' in one for one in heard[seen:]))
                listening.cancel()
        server.server.should_exit = True
        await running
    assert await fingerprint(owner_of_all, theirs.workspace) == before
    assert any("not_found" in one for one in heard)
    assert [one for one in heard if MARK in one or theirs.conversation_id in one] == []


async def live(database, theirs: Theirs, rig: Rig, notices) -> None:
    """Their customer writes, and the hub is told as in a serve process."""
    notices.clear()
    async with database.transaction([theirs.workspace.id]) as conn:
        item = received(theirs.workspace, make_item(text=f"{MARK} again"), channel="livechat")
        await actions.receive(conn, [item])
    events = [one for one in notices if isinstance(one, LoggedEvent)]
    assert any(MARK in one.data.decode() for one in events)
    rig.broker.publish(events)
