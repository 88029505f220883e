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
from hub.audit import actions as audit
from hub.audit.model import OPERATOR
from hub.channels import actions as channels
from hub.channels import store as channel_store
from hub.channels.model import AccountStatus
from hub.demo import store
from hub.demo.history import fill_history
from hub.demo.kit import read_past
from hub.demo_process.kept import Kept, read_kept, write_kept
from hub.demo_process.place import Connected, DemoPlace, DemoWanted, ask_kit, connect, opened, run_kit
from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.db import Database
    from hub.demo.model import PastMessage

FEW, MANY = 30, 5_000
FEW_DAYS, MANY_DAYS = 3, 30
TOLD_EVERY = 1_000


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
    kept = read_kept(place.data_dir)
    async with opened(place.database_url, place.redis_ephemeral_url) as database:
        workspace_id = await _choose_workspace(database, wanted, kept)
        kit = await ask_kit(place, wanted)
        if workspace_id is None:
            kept = Kept(email=kit.owner.email, password=secrets.token_urlsafe(9))
            set_up = SetUp(workspace=kit.workspace, name=kit.owner.name, email=kept.email, password=kept.password)
            workspace_id = (await accounts.set_up(database, Passwords(), set_up)).workspace_id
            kept = msgspec.structs.replace(kept, workspace_id=workspace_id)
        is_new = workspace_id not in await store.demo_workspaces(database)
        connected = await connect(database, place, workspace_id, kit)
        if is_new:
            async with database.transaction([workspace_id]) as conn:
                await audit.record(conn, audit.made_by(OPERATOR, workspace_id, "demo.added", ("demo", "")))
        if is_new or wanted.is_big:
            await _fill(database, connected, await _read_history(place, wanted), announce)
        write_kept(place.data_dir, msgspec.structs.replace(kept, runs=0 if is_new else kept.runs))
    is_made = kept.workspace_id == workspace_id
    who = f"sign in as {kept.email}, password {kept.password}" if is_made else f"in workspace {workspace_id}"
    return (f"  Demo   {who}", "  End    remove it in Settings → Channels, or with: hub demo remove")


async def park(database_url: str) -> tuple[str, ...]:
    """
    Pause the demo's accounts for a hub that starts without it: nobody listens where their emulators were.

    Returns:
        Lines for the person who starts the hub; none without a demo.
    """
    async with opened(database_url, "") as database:
        present = await store.demo_workspaces(database)
        for workspace_id in present:
            async with database.transaction([workspace_id]) as conn:
                rows = await channel_store.list_channel_accounts(conn, workspace_id, None)
                for one in rows:
                    if one.demo and one.status is AccountStatus.CONNECTED:
                        await channels.pause(conn, workspace_id, one.id)
    return ("  Demo   paused; go on with --demo, or remove it: hub demo remove",) if present else ()


async def _choose_workspace(database: Database, wanted: DemoWanted, kept: Kept) -> int | None:
    """Return the workspace that is to have the demo, None where one must be made."""
    present = await store.demo_workspaces(database)
    if wanted.workspace_id is not None:
        async with database.snapshot([wanted.workspace_id]) as conn:
            await members.get_workspace(conn, wanted.workspace_id)
        return wanted.workspace_id
    if present or kept.workspace_id:
        return present[0] if present else kept.workspace_id
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
