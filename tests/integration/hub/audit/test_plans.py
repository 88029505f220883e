"""The audit viewer's page walks an index whatever it is filtered by."""

from __future__ import annotations

import json

import asyncpg
import pytest

from hub import clock
from hub.audit import store

pytestmark = pytest.mark.postgres

FILL = """
INSERT INTO audit_entry (workspace_id, id, at, action, actor_kind, actor_id, target_kind, target_id, address)
SELECT $1, lpad(to_hex(n), 32, '0')::uuid, now(), CASE WHEN n % 500 = 0 THEN 'member.renamed' ELSE 'inbox.changed' END,
       'member', CASE WHEN n % 500 = 1 THEN $2::uuid END, 'inbox', CASE WHEN n % 500 = 2 THEN 'rare' ELSE 'x' END,
       CASE WHEN n % 500 = 3 THEN '192.0.2.9' ELSE '192.0.2.1' END
FROM generate_series(1, 20000) n
"""
RARE = 40
EXPLAIN = "EXPLAIN (ANALYZE, TIMING off, FORMAT JSON) "


def steps_of(plan):
    yield plan
    for inner in plan.get("Plans", []):
        yield from steps_of(inner)


async def test_every_filter_goes_by_index(database, workspace, database_urls):
    """Few entries fit, and few are looked at to find them: by actor, beginning of the action, target and address."""
    actor_id = clock.new_id()
    owner = await asyncpg.connect(database_urls.owner_url)
    await owner.execute("SET row_security = off")
    await owner.execute(FILL, workspace.id, actor_id)
    await owner.execute("ANALYZE audit_entry")
    await owner.close()
    # By place of the argument: workspace, before, actor, action, target kind and id, address, times, ids, limit.
    filters = {
        "actor": {3: actor_id},
        "action": {4: "member."},
        "target": {5: "inbox", 6: "rare"},
        "address": {7: "192.0.2.9"},
    }
    for name, chosen in filters.items():
        arguments = [workspace.id, *(chosen.get(place) for place in range(2, 12)), 200]
        async with database.snapshot([workspace.id]) as conn:
            explained = await conn.fetchval(f"{EXPLAIN}{store.QUERIES['page']}", *arguments)
        steps = list(steps_of(json.loads(explained)[0]["Plan"]))
        assert not [one for one in steps if one["Node Type"] == "Seq Scan"], name
        looked_at = sum(
            one["Actual Rows"] + one.get("Rows Removed by Filter", 0) for one in steps if "Relation Name" in one
        )
        assert steps[0]["Actual Rows"] == RARE, name
        assert looked_at <= 2 * RARE, (name, looked_at)
