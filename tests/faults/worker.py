"""
An intake worker to be killed: the product's own loop over plain items, any number of them side by side.

``python -m tests.faults.worker DATABASE_URL REDIS_URL DATA_DIR`` runs until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace

from connectors import intake
from connectors.entries import BatchPorts
from connectors.leases import Leases
from connectors.partition import Pace
from connectors.slots import worker_slot
from hub.db import Database
from hub.errors import NotFound
from hub.inbox import actions
from hub.streams import PARTITIONS, IngressStreams
from tests import factories


class StoredRoutes:
    """The SMS accounts of the database, read once."""

    def __init__(self, rows) -> None:
        self._routes = {row["id"]: row for row in rows}

    async def find(self, account_id):
        if account_id not in self._routes:
            raise NotFound("channel account")
        row = self._routes[account_id]
        return SimpleNamespace(workspace_id=row["workspace_id"], channel=row["channel"], settings={})


class PlainConnectors:
    """The body of an item is its text."""

    def get(self, channel):
        manifest = SimpleNamespace(capabilities=SimpleNamespace(window_s=0))
        return SimpleNamespace(parse=self.parse, keeps_raw=False, manifest=manifest, expand=None, profile_of=None)

    def parse(self, body: bytes, context):
        return [factories.make_item(key=context.key, external_id=context.key, text=body.decode())]


async def main(database_url: str, redis_url: str, data_dir: str) -> None:
    database = await Database.open(database_url, lambda notices: None, max_size=8)
    async with database.across() as conn:
        routes = StoredRoutes(await conn.fetch("SELECT workspace_id, id, channel FROM hub_channel_routes()"))
    streams = IngressStreams(redis_url)
    ports = BatchPorts(
        database=database,
        streams=streams,
        connectors=PlainConnectors(),
        routes=routes,
        receive=actions.receive,
    )
    with worker_slot(Path(data_dir), "faults") as holder:
        leases = Leases(database, holder, PARTITIONS)
        await intake.run(
            intake.IntakeDeps(
                streams=streams, leases=leases, ports=ports, pace=Pace(claim_every_s=2.0, claim_idle_s=5.0)
            )
        )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
