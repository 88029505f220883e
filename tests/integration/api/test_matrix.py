"""
Who may call what: every route and every socket message times everybody, held to the catalogue of permissions.

What comes out is written in docs/permissions.md; ``HUB_WRITE_GOLDEN=1`` writes it anew.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import uuid
from dataclasses import replace
from pathlib import Path
from typing import get_args

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry
from websockets.exceptions import ConnectionClosed

from api.app import create_app
from api.route import Access, Route
from api.routes import ROUTES
from api.ws_ports import SocketPorts
from hub.accounts.model import Permission
from hub.inbox import actions
from hub.realtime.protocol import ClientFrame
from tests.everybody import CUSTOM, PEOPLE, SCOPE, Everybody, gather, with_channels
from tests.factories import make_item, make_workspace, received
from tests.integration.api.conftest import BASE_URL
from tests.integration.test_ws import Server
from tests.realtime_fakes import Rig
from tests.waiting import wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

PAGE = Path(__file__).parents[3] / "docs/permissions.md"
SOCKET_PEOPLE = tuple(person for person in PEOPLE if person != "owner without proof")
# What each message needs beyond the right to open a socket; None: only that. Written by hand, from docs/protocol.md.
MESSAGES = {
    "hello": Permission.INBOX_READ,
    "send message": Permission.INBOX_REPLY,
    "send note": Permission.INBOX_REPLY,
    "read": Permission.INBOX_READ,
    "typing": Permission.INBOX_REPLY,
    "viewing": Permission.INBOX_READ,
    "ping": Permission.INBOX_READ,
}


@pytest.fixture
async def everybody(parts, workspace, database, database_urls) -> Everybody:
    other = await make_workspace(database, name="Contoso")
    return await gather(with_channels(parts), workspace, other.login_id, database_urls.owner_url)


def expected(route: Route, person: str, everybody: Everybody) -> str:
    """What the table and the catalogue say; the handler may ask for more, and does for visitors and vendors."""
    if not isinstance(route.access, Permission) and route.access not in (Access.SESSION, Access.OPERATOR):
        return "yes"
    if person in ("nobody", "visitor"):
        return "401"
    if person == "API key" and (route.people_only or route.step_up or not isinstance(route.access, Permission)):
        return "403"
    if route.access is Access.OPERATOR and person != "operator":
        return "403"
    if isinstance(route.access, Permission) and route.access not in everybody.allowed[person]:
        return "403"
    return "proof" if route.step_up and person == "owner without proof" else "yes"


async def outcomes(parts, workspace, everybody: Everybody) -> list[tuple[Route, dict[str, str]]]:
    """Ask every route as everybody; whoever is let in finds a handler that does nothing."""
    reached: list[object] = []

    async def reach(call) -> None:
        reached.append(call)

    table = [replace(route, handler=reach, versioned="") for route in ROUTES]
    app = create_app(replace(parts, metrics=CollectorRegistry()), table)
    found: list[tuple[Route, dict[str, str]]] = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL) as client:
        for route, original in zip(table, ROUTES, strict=True):
            path = re.sub(
                r"{[a-z_]+(:[a-z]+)?}", str(uuid.UUID(int=7)), route.path.replace("{workspace_id}", str(workspace.id))
            )
            row: dict[str, str] = {}
            found.append((original, row))
            for person, token in everybody.tokens.items():
                headers = {"authorization": f"Bearer {token}"} if token else {}
                before = len(reached)
                answer = await client.request(route.method, path, headers=headers)
                if len(reached) > before:
                    row[person] = "yes"
                else:
                    code = answer.json()["code"]
                    row[person] = "proof" if code == "proof_needed" else str(answer.status_code)
    return found


async def test_every_route_lets_in_whom_the_catalogue_names(parts, workspace, everybody):
    """Each route, for each of twelve people: in, 401, 403 or a proof asked for, exactly as the table says."""
    found = await outcomes(parts, workspace, everybody)
    wrong = {
        f"{route.method} {route.path} as {person}": (got, expected(route, person, everybody))
        for route, row in found
        for person, got in row.items()
        if got != expected(route, person, everybody)
    }
    assert wrong == {}
    assert {len(row) for _, row in found} == {len(PEOPLE)}
    page = written(found)
    if os.environ.get("HUB_WRITE_GOLDEN"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "docs/permissions.md is not what the routes say: run with HUB_WRITE_GOLDEN=1"


async def test_a_route_without_its_permission_is_noticed(parts, workspace, everybody):
    """The matrix sees a route that lost its permission, and one whose permission became a lower one."""
    found = await outcomes(parts, workspace, everybody)
    route, row = next(one for one in found if one[0].access is Permission.AUDIT_READ)
    assert row["agent"] == "403"
    for access in (Access.OPEN, Permission.INBOX_READ):
        assert row != {person: expected(replace(route, access=access), person, everybody) for person in PEOPLE}


def written(found: list[tuple[Route, dict[str, str]]]) -> str:
    """Write the page."""
    lines = [
        "# Who may call what",
        "",
        "Made by `tests/integration/api/test_matrix.py` from the table of routes and from what happened when everybody",
        "called every one of them; not written by hand (`HUB_WRITE_GOLDEN=1` writes it anew).",
        "",
        "✓ let in · 401 not signed in · 403 may not · proof: only after a fresh proof of who they are. A handler may ask for",
        "more than its route (a conversation's inbox must be visible; some fields need a further permission); routes of",
        "visitors and vendors check a token or a signature themselves. *Custom* is a custom role with `"
        f"{CUSTOM}`, *key*",
        f"an API key with the scope `{SCOPE}`, *let go* a deactivated owner, *stranger* the owner of another workspace, *operator* a viewer who runs the installation.",
        "",
        "## Routes",
        "",
    ]
    people = [person for person in PEOPLE if person != "owner without proof"]
    lines += ["| route | access | " + " | ".join(people) + " |", "|---|---|" + "---|" * len(people)]
    for route, row in found:
        more = " · proof" if route.step_up else " · people" if route.people_only else ""
        cells = " | ".join("✓" if row[person] == "yes" else row[person] for person in people)
        lines.append(f"| `{route.method} {route.plain_path}` | {route.access}{more} | {cells} |")
    lines += ["", "## Socket messages", "", "| message | needs | " + " | ".join(SOCKET_PEOPLE) + " |"]
    lines.append("|---|---|" + "---|" * len(SOCKET_PEOPLE))
    for message, row in SOCKET.items():
        cells = " | ".join("✓" if row[person] else "–" for person in SOCKET_PEOPLE)
        lines.append(f"| `{message}` | {MESSAGES[message]} | {cells} |")
    return "\n".join(lines) + "\n"


# What the socket lets everybody do: of the catalogue for members; a visitor writes and reads their own thread only.
_IN = ("visitor", "viewer", "agent", "admin", "owner", "custom role", "API key", "operator")
_WRITE = ("visitor", "agent", "admin", "owner")
SOCKET = {
    message: {
        person: person in (_WRITE if needs is Permission.INBOX_REPLY else _IN)
        and not (message in ("send note", "viewing") and person == "visitor")
        # The key of these tests only reads.
        and not (message in ("read", "viewing") and person == "API key")
        for person in SOCKET_PEOPLE
    }
    for message, needs in MESSAGES.items()
}


def test_socket_table_follows_the_catalogue_and_names_every_message():
    """Each message of the protocol has a row; a role's ticks are those of its permissions."""
    tags = {msgspec.inspect.type_info(one).tag for one in get_args(ClientFrame)}
    assert {message.partition(" ")[0] for message in MESSAGES} == tags
    from tests.unit.hub.accounts.test_policy import MATRIX

    for role, permissions in MATRIX.items():
        assert {name for name, needs in MESSAGES.items() if SOCKET[name][role.value]} == {
            name for name, needs in MESSAGES.items() if needs in permissions
        }


class Caller:
    """Somebody at a real socket."""

    def __init__(self, socket) -> None:
        self.socket = socket

    async def say(self, type_: str, **fields) -> None:
        await self.socket.send(json.dumps({"type": type_, **fields}))

    async def hear(self, *types: str) -> dict:
        async with asyncio.timeout(10):
            while True:
                for line in (await self.socket.recv()).splitlines():
                    frame = json.loads(line)
                    if frame["type"] in types:
                        return frame

    async def is_let(self, type_: str, **fields) -> bool:
        """Say something and find out whether it was refused: the pings around it are answered in order."""
        await self.say(type_, **fields)
        if type_ == "send":
            return (await self.hear("ack", "error"))["type"] == "ack"
        # A send into a conversation that is none comes after it in the same queue: its answer is the end of the wait.
        mark = str(uuid.uuid4())
        await self.say("send", client_message_id=mark, conversation_id=str(uuid.uuid4()), text="Over.")
        refused = False
        while (await self.hear("ack", "error")).get("client_message_id") != mark:
            refused = True
        return not refused


async def attempt(server: Server, workspace, token: str, person: str, conversation_id) -> dict[str, bool]:
    """Send every message of the protocol over one socket."""
    done = dict.fromkeys(MESSAGES, False)
    async with server.connect() as socket:
        caller = Caller(socket)
        hello = {"visitor_token": token} if person == "visitor" else {"bearer": token, "workspace_id": workspace.id}
        try:
            await caller.say("hello", protocol=1, **(hello if token else {"workspace_id": workspace.id}))
            await caller.hear("welcome")
        except ConnectionClosed:
            return done
        done["hello"] = True
        where = {} if person == "visitor" else {"conversation_id": str(conversation_id)}
        await caller.say("ping")
        done["ping"] = (await caller.hear("head"))["type"] == "head"
        for kind in ("message", "note"):
            fields = {"client_message_id": str(uuid.uuid4()), "text": "Hello", "kind": kind}
            done[f"send {kind}"] = await caller.is_let("send", **fields, **where)
        done["read"] = await caller.is_let("read", seq=1, **where)
        done["typing"] = await caller.is_let("typing", on=True, **where)
        done["viewing"] = await caller.is_let("viewing", conversation_id=str(conversation_id))
    return done


async def test_every_socket_message_is_authorised(parts, workspace, everybody):
    """Each message of the protocol, sent over a real socket by everybody, is taken or refused as the table says."""
    async with parts.database.transaction([workspace.id]) as conn:
        item = received(workspace, make_item(text="Where is my parcel?"), channel="livechat")
        (outcome,) = await actions.receive(conn, [item])
    await parts.routes.refresh()
    async with Rig(ports=SocketPorts(parts)) as rig:
        server = Server(rig, detaches=True)
        running = asyncio.create_task(server.server.serve(sockets=server.sockets))
        await wait_until(lambda: server.server.started)
        found = {
            person: await attempt(server, workspace, everybody.tokens[person], person, outcome.conversation_id)
            for person in SOCKET_PEOPLE
        }
        server.server.should_exit = True
        await running
    got = {message: {person: found[person][message] for person in SOCKET_PEOPLE} for message in MESSAGES}
    assert got == SOCKET
