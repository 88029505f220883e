"""Reading what a batch mentions costs about the same whatever the planner knows about the tables."""

from __future__ import annotations

import json

import asyncpg
import pytest

from hub.inbox import actions
from hub.inbox.store import QUERIES
from tests import factories

pytestmark = pytest.mark.postgres

STORED = 1_000
BATCH = 100


async def test_known_looks_each_item_up_without_statistics(database, database_urls, workspace):
    """On tables never analysed (a new installation, or one that keeps crashing) no step compares items with each other."""
    owner = await asyncpg.connect(database_urls.owner_url)
    try:
        # Before the first message: the planner must do without, whenever autovacuum comes by.
        for table in ("event", "message", "conversation", "contact", "contact_identity"):
            await owner.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    finally:
        await owner.close()
    ids = [f"SM{number:032x}" for number in range(STORED)]
    senders = [f"+1555{number % 50:07d}" for number in range(STORED)]
    for start in range(0, STORED, 200):
        batch = [
            factories.received(workspace, make_sms(external_id, sender))
            for external_id, sender in zip(ids[start : start + 200], senders[start : start + 200], strict=True)
        ]
        async with database.transaction([workspace.id]) as conn:
            await actions.receive(conn, batch)
    keys = [f"{workspace.sms_id.hex}:message:{one}" for one in ids[:BATCH]]
    here, account = [workspace.id] * BATCH, [workspace.sms_id] * BATCH
    phone, everywhere, who = ["phone"] * BATCH, [""] * BATCH, senders[:BATCH]

    async with database.transaction([workspace.id]) as conn:
        explained = await conn.fetchval(
            f"EXPLAIN (ANALYZE, TIMING off, FORMAT JSON) {QUERIES['known']}",
            *(here, keys), *(here[:1], account[:1]), *(here, phone, everywhere, who), *(here, account, who),
            *(here, account, ids[:BATCH]), *([], [], []),
        )  # fmt: skip

    steps = list(every_step(json.loads(explained)[0]["Plan"]))
    looked_up = [step for step in steps if step["Actual Rows"] and "Index Name" in step]
    assert looked_up
    assert max(step["Actual Loops"] for step in steps) <= BATCH * 2, "items are compared with each other"


def make_sms(external_id: str, sender: str):
    identity = factories.Identity(scheme="phone", value=sender)
    return factories.make_item(key=external_id, external_id=external_id, thread_key=sender, sender=identity)


def every_step(plan):
    yield plan
    for inner in plan.get("Plans", []):
        yield from every_step(inner)
