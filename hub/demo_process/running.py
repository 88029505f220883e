"""Keeps a demo's emulators and customers running, as processes of their own, and ends when it is removed."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import msgspec

from hub.demo import store
from hub.demo_process.kept import read_kept, write_kept
from hub.demo_process.place import ask_kit, connect, opened
from hub.embedded.process import Launch, process_environment
from hub.embedded.runfile import answers
from hub.embedded.supervisor import ChildProcess, Supervisor
from hub.errors import Unavailable

if TYPE_CHECKING:
    from hub.db import Database
    from hub.demo_process.place import Connected, DemoPlace, DemoWanted
    from hub.embedded.stopping import Stopping
    from hub.log import Logger

WATCH_S = 2.0


async def run_demo(place: DemoPlace, wanted: DemoWanted, stopping: Stopping, log: Logger) -> None:
    """
    Keep the emulators and the customers of a demo running until it is removed, or until told to stop.

    Args:
        place: Where; ``begin`` made the demo ready there.
        wanted: What kind.
        stopping: Set when the process is to end.
        log: Where deaths and restarts are told.

    Raises:
        ConfigurationError: There is no demo here, or no kit.
    """
    async with opened(place.database_url, place.redis_ephemeral_url) as database:
        present = await store.demo_workspaces(database)
        workspace_id = wanted.workspace_id or (present[0] if present else None)
        if workspace_id is None or workspace_id not in present:
            log.info("no_demo_here")
            return
        kept = read_kept(place.data_dir)
        kit = await ask_kit(place, wanted, kept.first_customer)
        while not await asyncio.to_thread(answers, place.host, place.port, "/readyz"):
            if await _is_over(stopping, 0.2):
                return
        connected = await connect(database, place, workspace_id, kit)
        write_kept(place.data_dir, msgspec.structs.replace(kept, runs=kept.runs + 1))
        supervisor = Supervisor(log)
        async with supervisor.keeping((), _children(place, connected)):
            while not await _is_over(stopping, WATCH_S):
                if workspace_id not in await _still_there(database, present):
                    log.info("demo_removed", workspace_id=workspace_id)
                    return


def _children(place: DemoPlace, connected: Connected) -> list[ChildProcess]:
    kit = connected.kit
    known = {channel: str(account_id) for channel, account_id in connected.accounts.items()}
    hooks = {name: f"{place.public_url}/webhooks/{name}/{account_id}" for name, account_id in known.items()}
    given = {**kit.given, "base_url": place.reach_at, "accounts": known, "webhooks": hooks}
    environ = process_environment({"HUB_DEMO": msgspec.json.encode(given).decode(), "PYTHONPATH": str(place.root)})
    # The customers and emulators have no business with the stores.
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "REDIS_EPHEMERAL_URL", "HUB_SECRET_KEY"):
        environ.pop(name, None)
    return [
        ChildProcess(one.name, Launch((sys.executable, *one.arguments), environ=environ | one.environ))
        for one in (*kit.processes, kit.customers)
    ]


async def _still_there(database: Database, present: list[int]) -> list[int]:
    """Return the workspaces with a demo; as before while the database does not answer."""
    try:
        return await store.demo_workspaces(database)
    except Unavailable:
        return present


async def _is_over(stopping: Stopping, seconds: float) -> bool:
    try:
        await asyncio.wait_for(stopping.event.wait(), seconds)
    except TimeoutError:
        return False
    return True
