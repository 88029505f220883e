"""The application over a real Postgres and Valkey, called in-process as a browser or a script would call it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import httpx
import pytest
from argon2 import PasswordHasher
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from api.app import create_app
from api.call import Resources
from hub.accounts import actions
from hub.accounts.model import NewMember, Role, SetUp
from hub.accounts.passwords import Passwords
from hub.config import read_settings
from hub.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from api.call import TicketFacts
    from hub.db import Database

BASE_URL = "http://localhost:8000"
SETUP_TOKEN = "the-printed-token"
PASSWORD = "correct-otter-94"
OWNER_EMAIL = "ann@example.com"


@dataclass
class RecordedTickets:
    """A ticket store that remembers whom it let in."""

    lifetime_s: int = 30
    issued: list[TicketFacts] = field(default_factory=list)

    async def issue(self, facts: TicketFacts) -> str:
        self.issued.append(facts)
        return f"ticket-{len(self.issued)}"


@pytest.fixture
def tickets() -> RecordedTickets:
    return RecordedTickets()


@pytest.fixture
def passwords() -> Passwords:
    """Cheap verifiers: what they cost is tested where it matters."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
async def parts(
    database: Database, redis_durable: str, redis_ephemeral: str, passwords: Passwords, tmp_path: Path, tickets
) -> AsyncIterator[Resources]:
    """The parts of a serve process, without sockets and channels."""
    durable, ephemeral = Redis.from_url(redis_durable), Redis.from_url(redis_ephemeral)
    yield Resources(
        settings=read_settings({"HOME": str(tmp_path)}),
        database=database,
        passwords=passwords,
        throttle=Throttle(ephemeral),
        frontend_dir=tmp_path / "dist",
        setup_token=SETUP_TOKEN,
        redis_durable=durable,
        redis_ephemeral=ephemeral,
        tickets=tickets,
    )
    await durable.aclose()
    await ephemeral.aclose()


def browser(parts: Resources, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """A browser on one of our own pages, with its own cookies."""
    app = create_app(replace(parts, metrics=CollectorRegistry()))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(address, 1)),
        base_url=BASE_URL,
        headers={"origin": BASE_URL, "x-hub-request": "1", "user-agent": "Mozilla/5.0"},
    )


@pytest.fixture
async def client(parts: Resources) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is not signed in."""
    async with browser(parts) as opened:
        yield opened


@dataclass(frozen=True)
class Tenant:
    """A workspace with an owner who can sign in."""

    workspace_id: int
    member_id: UUID
    login_id: UUID
    email: str


@pytest.fixture
async def tenant(parts: Resources) -> Tenant:
    """The workspace made by set-up."""
    wanted = SetUp(workspace="Northwind", name="Ann", email=OWNER_EMAIL, password=PASSWORD)
    owner = await actions.set_up(parts.database, parts.passwords, wanted)
    return Tenant(owner.workspace_id, owner.member_id, owner.login_id, OWNER_EMAIL)


@pytest.fixture
async def foreign(parts: Resources, tenant: Tenant) -> Tenant:
    """Another workspace of the same installation, whose owner is a stranger to the first."""
    async with parts.database.across() as conn:
        workspace_id = await conn.fetchval("SELECT hub_create_workspace('Contoso', now())")
    assert isinstance(workspace_id, int)
    email = "bob@contoso.example"
    async with parts.database.transaction([workspace_id]) as conn:
        member, token = await actions.add_member(conn, workspace_id, NewMember(email=email, role=Role.OWNER))
    password_hash = await parts.passwords.make_hash(PASSWORD)
    async with parts.database.across() as conn:
        used = await actions.consume_link(conn, token, password_hash)
    return Tenant(workspace_id, member.id, used.login_id, email)


async def sign_in(client: httpx.AsyncClient, email: str = OWNER_EMAIL, password: str = PASSWORD) -> httpx.Response:
    """Sign a browser in; its cookies are kept."""
    return await client.post("/api/v1/session", json={"email": email, "password": password})
