"""What the home page costs, on a real Postgres with many conversations: by index, and no more than it says it looks at."""

from __future__ import annotations

import json

import pytest

from hub import clock
from hub.home.store import LOOKED_AT, QUERIES, ROWS

pytestmark = pytest.mark.postgres

CLOSED, OPEN = 6_000, 4_000
FILL = """
INSERT INTO conversation (workspace_id, id, inbox_id, channel_account_id, channel, thread_key, contact_id, identity_scheme,
    identity_value, status, last_activity_at, last_inbound_seq, last_outbound_seq, created_at, closed_at)
SELECT $1, gen_random_uuid(), $2, $3, 'twilio_sms', 'fill ' || n, $4, 'phone', '+1', CASE WHEN n <= $5 THEN 'closed' ELSE 'open' END,
    now() - n * interval '1 second', 1 + n % 2, 1, now(), CASE WHEN n <= $5 THEN now() END
FROM generate_series(1, $6::integer) AS n
"""


def steps_of(plan):
    yield plan
    for inner in plan.get("Plans", []):
        yield from steps_of(inner)


async def test_queries_go_by_index_and_look_at_a_bounded_part(database, workspace):
    """No scan of a whole table, and never more rows of a kind than the bound."""
    contact_id = clock.new_id()
    here, who = workspace.id, workspace.owner_id
    asked = {
        "open_counts": (here, None, who, LOOKED_AT),
        "longest_waiting": (here, None, LOOKED_AT, ROWS),
        "failed_sends": (here, None, LOOKED_AT, ROWS),
        "snoozed_due": (here, None, who, clock.now()),
    }
    async with database.transaction([here]) as conn:
        await conn.execute(
            "INSERT INTO contact (workspace_id, id, name, created_at) VALUES ($1, $2, 'Fill', now())", here, contact_id
        )
        sms = workspace.sms_id
        await conn.execute(FILL, here, workspace.inbox_id, sms, contact_id, CLOSED, CLOSED + OPEN)
        for name, arguments in asked.items():
            explained = await conn.fetchval(f"EXPLAIN (ANALYZE, TIMING off, FORMAT JSON) {QUERIES[name]}", *arguments)
            steps = list(steps_of(json.loads(explained)[0]["Plan"]))
            assert not [one["Relation Name"] for one in steps if one["Node Type"] == "Seq Scan"], name
            conversations = [one for one in steps if one.get("Relation Name") == "conversation"]
            assert conversations, name
            assert max(one["Actual Rows"] for one in conversations) <= LOOKED_AT, name
