"""The application with its channels over a real Postgres, and a vendor that records who asks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import httpx
import msgspec
import pytest

from api.app import create_app
from api.call import Resources
from connectors.base import Account, Capabilities, Checked, Connector, Field, Manifest
from connectors.registry import ConnectorRegistry
from hub import clock
from hub.accounts import sessions
from hub.accounts.passwords import Passwords
from hub.channels.routes import ChannelRoutes
from hub.channels.sealing import Sealer
from hub.config import read_settings
from hub.errors import NotFound
from hub.realtime.presence import MemoryPresence
from hub.throttle import Throttle
from tests.factories import WorkspaceFacts, make_workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.applications import Starlette

    from hub.db import Database

BASE_URL = "http://localhost:8000"
CREDENTIALS = {"account_sid": "AC0123", "auth_token": "the-auth-token"}
SETTINGS = {"phone_number": "+15551230001"}

PAGING = Manifest(
    id="paging",
    name="Pages (Pagers Inc)",
    summary="A vendor of tests.",
    transport="webhook",
    docs_url="https://pagers.example",
    read_on="2026-11-22",
    capabilities=Capabilities(text_limit=100),
    unknown_policy="at_most_once",
    needs_public_url=True,
    credentials=(
        Field(name="account_sid", label="Account SID", pattern="AC[0-9]{4}"),
        Field(name="auth_token", label="Auth Token", kind="secret"),
    ),
    settings=(Field(name="phone_number", label="Phone number", kind="phone"),),
)


@dataclass
class RecordedVendor:
    """Accepts every key unless told otherwise; remembers the accounts it was asked about."""

    asked: list[Account] = field(default_factory=list)
    refuses: Exception | None = None

    async def check(self, account: Account) -> Checked:
        self.asked.append(account)
        if self.refuses is not None:
            raise self.refuses
        return Checked(external_ref="vendor-1", warnings=("No webhook is set there yet.",))


class WithVendor:
    """The real channels and the one of the tests."""

    def __init__(self, connector: Connector) -> None:
        self._real = ConnectorRegistry.load()
        self._connector = connector

    def get(self, channel: str) -> Connector:
        return self._connector if channel == PAGING.id else self._real.get(channel)

    def manifests(self) -> list[Manifest]:
        return [*self._real.manifests(), PAGING]

    def icon(self, channel: str) -> bytes:
        return b"<svg/>" if channel == PAGING.id else self._real.icon(channel)


def _unused(*_: object) -> None:
    raise NotFound("call in this test")


@pytest.fixture
def vendor() -> RecordedVendor:
    return RecordedVendor()


@pytest.fixture
def sealer() -> Sealer:
    return Sealer({1: "k" * 32})


@pytest.fixture
def channel_parts(database: Database, vendor: RecordedVendor, sealer: Sealer, tmp_path: Path) -> Resources:
    """The parts of a serve process that has channels."""
    connector = Connector(
        manifest=PAGING,
        parse=_unused,  # type: ignore[arg-type]
        render=_unused,  # type: ignore[arg-type]
        send=_unused,  # type: ignore[arg-type]
        classify=_unused,  # type: ignore[arg-type]
        check=vendor.check,
    )
    routes = ChannelRoutes(database, sealer)
    return Resources(
        settings=read_settings({"HOME": str(tmp_path)}),
        database=database,
        passwords=Passwords(),
        throttle=Throttle(None),
        frontend_dir=tmp_path,
        registry=cast("ConnectorRegistry", WithVendor(connector)),
        routes=routes,
        sealer=sealer,
        presence=MemoryPresence(clock.monotonic_s),
    )


@dataclass(frozen=True)
class Member:
    """A signed-in member's client, rooted at their workspace."""

    facts: WorkspaceFacts
    http: httpx.AsyncClient
    routes: ChannelRoutes

    async def connect(self, channel: str = "paging", **fields: object) -> httpx.Response:
        body: dict[str, object] = {"channel": channel, "name": "Desk"}
        if channel == "paging":
            body |= {"credentials": CREDENTIALS, "settings": SETTINGS}
        answer = await self.http.post("channel-accounts", json=body | fields)
        # In a process of its own the event does this.
        await self.routes.refresh()
        return answer


@pytest.fixture
def application(channel_parts: Resources) -> Starlette:
    return create_app(channel_parts)


async def make_member(app: Starlette, facts: WorkspaceFacts, login_id: object = None) -> Member:
    parts = app.state.resources
    async with parts.database.across() as conn:
        session = await sessions.start(conn, login_id or facts.login_id)  # type: ignore[arg-type]
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url=f"{BASE_URL}/api/v1/workspaces/{facts.id}/",
        headers={"authorization": f"Bearer {session.token}"},
    )
    return Member(facts, client, parts.routes)


@pytest.fixture
async def owner(application: Starlette, workspace: WorkspaceFacts) -> AsyncIterator[Member]:
    """The owner of the workspace."""
    member = await make_member(application, workspace)
    yield member
    await member.http.aclose()


@pytest.fixture
async def stranger(application: Starlette, database: Database) -> AsyncIterator[Member]:
    """The owner of another workspace."""
    member = await make_member(application, await make_workspace(database, name="Contoso"))
    yield member
    await member.http.aclose()


@pytest.fixture
async def visitor(application: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody on the internet, without cookies."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application, client=("203.0.113.7", 1)), base_url=BASE_URL
    ) as opened:
        yield opened


def with_settings(parts: Resources, **changes: object) -> None:
    """Change the settings of an application that was made already."""
    parts.settings = msgspec.structs.replace(parts.settings, **changes)


def new_uuid() -> str:
    return str(clock.new_id())
