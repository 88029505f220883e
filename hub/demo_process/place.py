"""Where a demo runs and what kind it is; asks the kit for it and connects its accounts. Called by begin and running."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import hub
from hub import clock
from hub.channels import actions as channels
from hub.channels import store as channel_store
from hub.channels.model import AccountChange, AccountStatus, NewAccount
from hub.channels.sealing import Sealer, read_keys
from hub.db import Database, Notice
from hub.demo.kit import Kit, read_kit
from hub.errors import ConfigurationError, Unavailable
from hub.events.model import LoggedEvent
from hub.realtime.broker_redis import RedisBroker
from hub.texts.keyring import Keyring

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

    from hub.demo.kit import KitAccount

ROOT = Path(hub.__file__).resolve().parents[1]
KIT = Path("scripts", "emulators", "kit.py")
KIT_ALLOWANCE_S = 60


class DemoWanted(msgspec.Struct, frozen=True, kw_only=True):
    """
    What kind of demo.

    Attributes:
        seed: Chooses people, texts, order and times.
        speed: How many seconds of the customers pass in one.
        is_big: Whether its history has 5,000 conversations in place of 30.
        workspace_id: An existing workspace that is to have it; None: the one that has it, or a new one.
    """

    seed: int = 1
    speed: float = 1.0
    is_big: bool = False
    workspace_id: int | None = None


class DemoPlace(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where a demo runs.

    Attributes:
        redis_ephemeral_url: Empty while nothing else of the installation runs.
        public_url: What people open, and webhooks are signed for.
        host: Where the hub listens.
        channels: Those this version has.
        root: The copy of the repository whose kit is used.
    """

    database_url: str
    redis_ephemeral_url: str
    secret_key: str
    data_dir: Path
    public_url: str
    host: str
    port: int
    channels: frozenset[str]
    root: Path = ROOT

    @property
    def reach_at(self) -> str:
        """The hub's address on this computer."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "localhost": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104  # nosec B104
        return f"http://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"DemoPlace(port={self.port})"


class Connected(msgspec.Struct, frozen=True):
    """A demo whose accounts are there: its channel accounts by channel."""

    workspace_id: int
    kit: Kit
    accounts: dict[str, UUID]


@asynccontextmanager
async def opened(database_url: str, redis_ephemeral_url: str) -> AsyncIterator[Database]:
    """
    Open the installation's database, waiting for one that is still starting; what is committed is hinted to the others.

    Args:
        database_url: For the application.
        redis_ephemeral_url: Carries the hints; empty where nobody runs who would hear them.
    """
    broker = RedisBroker(redis_ephemeral_url) if redis_ephemeral_url else None
    if broker is not None:
        await broker.start()

    def hint(notices: Sequence[Notice]) -> None:
        if broker is not None:
            broker.publish([one for one in notices if isinstance(one, LoggedEvent)])

    try:
        database = await Database.open_patiently(database_url, hint, max_size=2)
        try:
            yield database
        finally:
            await database.close()
    finally:
        if broker is not None:
            await broker.stop()


async def ask_kit(place: DemoPlace, wanted: DemoWanted, first: int = 0) -> Kit:
    """
    Ask the kit what there is to connect and to start: free ports of this moment, new secrets.

    Args:
        place: Where.
        wanted: What kind.
        first: Number of the customer who comes first.
    """
    options = {"seed": wanted.seed, "speed": wanted.speed, "first": first, "reach-at": place.reach_at}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    return read_kit(await run_kit(place, "scripts.emulators.kit", *arguments))


async def run_kit(place: DemoPlace, module: str, *arguments: str) -> bytes:
    """Run one command of the kit and return what it prints."""
    if not (place.root / KIT).exists():
        raise ConfigurationError("The demo needs a copy of the repository: this installation has no scripts/emulators.")
    command = (sys.executable, "-m", module, *arguments)
    try:
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=place.root, capture_output=True, check=True, timeout=KIT_ALLOWANCE_S
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (error.stderr or b"").decode(errors="replace")[-2000:]
        raise Unavailable(f"{module} failed: {said or error}") from error
    return done.stdout


async def connect(database: Database, place: DemoPlace, workspace_id: int, kit: Kit) -> Connected:
    """Connect the kit's accounts, those that are there already with their new ports and secrets."""
    sealer = Sealer(read_keys(place.secret_key))
    database.keyring = Keyring(sealer)
    found: dict[str, UUID] = {}
    for one in kit.accounts:
        if one.channel in place.channels:
            found[one.channel] = await _connect_one(database, sealer, workspace_id, one)
    return Connected(workspace_id, kit, found)


async def _connect_one(database: Database, sealer: Sealer, workspace_id: int, one: KitAccount) -> UUID:
    async with database.snapshot([workspace_id]) as conn:
        rows = await channel_store.list_channel_accounts(conn, workspace_id, None)
    old = next((row for row in rows if row.demo and row.channel == one.channel), None)
    async with database.transaction([workspace_id]) as conn:
        if old is None or old.status is AccountStatus.REMOVED:
            new = NewAccount(
                workspace_id=workspace_id,
                id=clock.new_id(),
                channel=one.channel,
                name=one.name,
                credentials=one.credentials,
                settings=one.settings,
                external_ref=one.external_ref,
                demo=True,
            )
            return (await channels.connect(conn, sealer, new)).id
        change = AccountChange(
            workspace_id=workspace_id,
            id=old.id,
            credentials=one.credentials,
            settings=one.settings,
            external_ref=one.external_ref,
            status=AccountStatus.CONNECTED,
        )
        return (await channels.change(conn, sealer, change)).id
