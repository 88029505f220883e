"""Makes a demo ready: workspace and owner where there are none, accounts, and a first history. Called by ``cli``."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec

from hub import clock
from hub.accounts import actions as accounts
from hub.accounts import store as members
from hub.accounts.model import Role, SetUp
from hub.accounts.passwords import Passwords
from hub.demo import store
from hub.demo.history import fill_history
from hub.demo.kit import read_past
from hub.demo_process.place import Connected, DemoPlace, DemoWanted, ask_kit, connect, opened, run_kit
from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub.db import Database
    from hub.demo.model import PastMessage

SIGN_IN_FILE = "demo.json"
FEW, MANY = 30, 5_000
FEW_DAYS, MANY_DAYS = 3, 30
TOLD_EVERY = 1_000


class SignIn(msgspec.Struct, frozen=True):
    """How the demo's owner signs in, kept in the data folder so that every start can say it."""

    email: str
    password: str

    def __repr__(self) -> str:
        return "SignIn()"


async def begin(place: DemoPlace, wanted: DemoWanted, announce: Callable[[str], None]) -> tuple[str, ...]:
    """
    Make a demo ready: workspace and owner where there are none, accounts, and a first history.

    Args:
        place: Where.
        wanted: What kind.
        announce: Shows the progress of a long history.

    Returns:
        Lines for the person who starts it: how to sign in, and how to get rid of it.

    Raises:
        ConfigurationError: This installation has no kit, or somebody's workspace and no word that it may be used.
    """
    async with opened(place.database_url, place.redis_ephemeral_url) as database:
        workspace_id = await _choose_workspace(database, wanted)
        kit = await ask_kit(place, wanted)
        sign_in = _read_sign_in(place)
        if workspace_id is None:
            sign_in = SignIn(kit.owner.email, secrets.token_urlsafe(9))
            set_up = SetUp(workspace=kit.workspace, name=kit.owner.name, email=sign_in.email, password=sign_in.password)
            workspace_id = (await accounts.set_up(database, Passwords(), set_up)).workspace_id
            write_sign_in(place.data_dir, sign_in)
        is_new = workspace_id not in await store.demo_workspaces(database)
        connected = await connect(database, place, workspace_id, kit)
        if is_new or wanted.is_big:
            await _fill(database, connected, await _read_history(place, wanted), announce)
    who = f"sign in as {sign_in.email}, password {sign_in.password}" if sign_in else f"in workspace {workspace_id}"
    return (f"  Demo   {who}", "  End    remove it in Settings → Channels, or with: hub demo remove")


async def _choose_workspace(database: Database, wanted: DemoWanted) -> int | None:
    """Return the workspace that is to have the demo, None where one must be made."""
    present = await store.demo_workspaces(database)
    if wanted.workspace_id is not None:
        async with database.snapshot([wanted.workspace_id]) as conn:
            await members.get_workspace(conn, wanted.workspace_id)
        return wanted.workspace_id
    if present:
        return present[0]
    async with database.across() as conn:
        is_in_use = await conn.fetchval("SELECT hub_has_owner()")
    if is_in_use:
        raise ConfigurationError(
            "This hub is in use. To have the demo in one of its workspaces (it can be removed again), name it with "
            "--demo-workspace NUMBER; or start it in another folder: HUB_DATA_DIR=/tmp/hub-demo ./scripts/run --demo"
        )
    return None


async def _read_history(place: DemoPlace, wanted: DemoWanted) -> list[PastMessage]:
    amount, days = (MANY, MANY_DAYS) if wanted.is_big else (FEW, FEW_DAYS)
    options = {"seed": wanted.seed, "amount": amount, "days": days, "until": clock.now().isoformat()}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    printed = await run_kit(place, "scripts.emulators.history", *arguments)
    return [read_past(line) for line in printed.splitlines()]


async def _fill(
    database: Database, connected: Connected, messages: list[PastMessage], announce: Callable[[str], None]
) -> None:
    messages = [one for one in messages if one.channel in connected.accounts]
    async with database.snapshot([connected.workspace_id]) as conn:
        people = await members.list_members(conn, connected.workspace_id)
    owner = next(one for one in people if one.role is Role.OWNER and one.active)
    begun_s, told = clock.monotonic_s(), 0

    def tell(stored: int) -> None:
        nonlocal told
        if stored - told >= TOLD_EVERY:
            told = stored
            announce(f"  Demo   {stored:,} of {len(messages):,} messages")

    await fill_history(database, connected.workspace_id, owner.id, connected.accounts, messages, told=tell)
    if told:
        amount = len({(one.channel, one.thread) for one in messages})
        announce(f"  Demo   {amount:,} conversations in {clock.monotonic_s() - begun_s:.0f} s")


def _read_sign_in(place: DemoPlace) -> SignIn | None:
    try:
        return msgspec.json.decode((place.data_dir / SIGN_IN_FILE).read_bytes(), type=SignIn)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write_sign_in(data_dir: Path, sign_in: SignIn) -> None:
    """Keep the sign-in of a demo's owner, readable by the owner of the folder alone."""
    path = data_dir / SIGN_IN_FILE
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(msgspec.json.encode(sign_in))
