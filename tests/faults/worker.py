"""
An intake worker to be killed: the product's own loop over plain items, with a planted bug on request.

``python -m tests.faults.worker DATABASE_URL REDIS_URL DATA_DIR [BUG]`` runs until it is killed. Bugs, for the auditor to
find: ``ack_first`` acknowledges before COMMIT, ``no_dedupe`` gives every delivery a key of its own.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace

import msgspec

from connectors import batches, intake
from connectors.entries import BatchPorts
from connectors.leases import Leases
from connectors.partition import Pace
from connectors.slots import worker_slot
from hub.clock import new_id
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
        return SimpleNamespace(parse=self.parse)

    def parse(self, body: bytes, context):
        return [factories.make_item(key=context.key, external_id=context.key, text=body.decode())]


async def receive_without_dedupe(conn, batch):
    """Store every delivery as if it were the first."""
    fresh = []
    for one in batch:
        key = str(new_id())
        fresh.append(msgspec.structs.replace(one, item=msgspec.structs.replace(one.item, key=key, external_id=key)))
    return await actions.receive(conn, fresh)


def plant_ack_first() -> None:
    """Acknowledge, then COMMIT: what dies in between is gone."""
    honest = batches.BatchStore._commit_and_ack

    async def hasty(self, group):
        await self._ports.streams.ack(self._partition, [one.entry.id for one in group])
        await honest(self, group)

    batches.BatchStore._commit_and_ack = hasty


async def main(database_url: str, redis_url: str, data_dir: str, bug: str = "") -> None:
    if bug == "ack_first":
        plant_ack_first()
    database = await Database.open(database_url, lambda notices: None, max_size=8)
    async with database.across() as conn:
        routes = StoredRoutes(await conn.fetch("SELECT workspace_id, id, channel FROM hub_channel_routes()"))
    streams = IngressStreams(redis_url)
    ports = BatchPorts(
        database=database,
        streams=streams,
        connectors=PlainConnectors(),
        routes=routes,
        receive=receive_without_dedupe if bug == "no_dedupe" else actions.receive,
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
