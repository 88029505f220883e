"""Finding a mail's conversation costs the same among a hundred thousand messages as among few."""

from __future__ import annotations

import json
import time

import asyncpg
import pytest

from hub import clock
from hub.inbox import actions
from hub.inbox.mail_store import QUERIES
from tests.mails import OURS, make_mail, make_mailbox, person

pytestmark = pytest.mark.postgres

MESSAGES, CONVERSATIONS, BATCH = 100_000, 20_000, 200
TABLES = {"message", "conversation", "contact", "contact_identity", "conversation_participant"}


@pytest.fixture
async def mailbox(database, database_urls, workspace):
    """A mailbox with five mails in each of 20,000 conversations, all with the subject of one newsletter."""
    made = await make_mailbox(database, workspace)
    owner = await asyncpg.connect(database_urls.owner_url)
    try:
        await owner.execute("SET session_replication_role = replica")
        contact = clock.new_id()
        await owner.execute(
            "INSERT INTO contact (workspace_id, id, name, created_at) VALUES ($1, $2, 'Ana', now())",
            made.workspace_id,
            contact,
        )
        await owner.execute(
            "INSERT INTO contact_identity (workspace_id, scheme, value, contact_id, created_at)"
            " VALUES ($1, 'email', 'ana@example.com', $2, now())",
            made.workspace_id,
            contact,
        )
        await owner.execute(
            "INSERT INTO conversation (workspace_id, id, inbox_id, channel_account_id, channel, thread_key, contact_id,"
            " identity_scheme, identity_value, status, subject_key, last_activity_at, created_at)"
            " SELECT $1, lpad(to_hex(n), 32, '0')::uuid, $2, $3, 'imap_smtp', 'key-' || n, $4, 'email', 'ana@example.com',"
            " 'open', 'news', now(), now() FROM generate_series(1, $5::int) n",
            made.workspace_id,
            workspace.inbox_id,
            made.id,
            contact,
            CONVERSATIONS,
        )
        await owner.execute(
            "INSERT INTO message (workspace_id, id, conversation_id, channel_account_id, seq, version, kind, direction,"
            " author_kind, text, external_id, occurred_at, created_at)"
            " SELECT $1, lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(n % $3::int + 1), 32, '0')::uuid, $2, n, n, 'message',"
            " 'inbound', 'contact', 'x', n || '@mail', now(), now() FROM generate_series(1, $4::int) n",
            made.workspace_id,
            made.id,
            CONVERSATIONS,
            MESSAGES,
        )
        await owner.execute("UPDATE workspace SET event_seq = $1", MESSAGES)
    finally:
        await owner.close()
    return made


async def test_threads_are_looked_up_by_index(database, mailbox):
    """For 200 answers with ten references each no step reads a table whole or compares items with each other."""
    here, account = [mailbox.workspace_id] * BATCH, [mailbox.id] * BATCH
    many = BATCH * 10
    references = [f"{number * 37}@mail" for number in range(1, many + 1)]
    keys = [f"key-{number}" for number in range(1, BATCH + 1)]

    async with database.transaction([mailbox.workspace_id]) as conn:
        explained = await conn.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {QUERIES['known_threads']}",
            [], [], [mailbox.workspace_id],
            [mailbox.workspace_id] * many, [mailbox.id] * many, references,
            here, account, ["news"] * BATCH, clock.now().replace(year=2000),
            here, account, keys,
        )  # fmt: skip

    plan = json.loads(explained)[0]
    steps = list(every_step(plan["Plan"]))
    assert not [step for step in steps if step["Node Type"] == "Seq Scan" and step["Relation Name"] in TABLES]
    removed = [step.get("Rows Removed by Filter", 0) + step.get("Rows Removed by Join Filter", 0) for step in steps]
    assert max(removed) == 0, "items are compared with each other"
    assert plan["Execution Time"] < 2_000


async def test_receive_of_a_batch_of_answers_stays_quick(database, mailbox):
    """A poll of 200 answers with copies is stored within the time a workspace may be locked (measured: well under 1 s)."""
    batch = [
        mailbox.received(
            make_mail(
                f"new-{number}", "ana@example.com", answers=[number * 37, number], subject="Re: News",
                to=(person(OURS),), cc=tuple(person(f"c{number}-{n}@example.com") for n in range(5)),
            )
        )
        for number in range(1, BATCH + 1)
    ]  # fmt: skip

    started = time.monotonic()
    async with database.transaction([mailbox.workspace_id]) as conn:
        outcomes = await actions.receive(conn, batch)
    took_s = time.monotonic() - started

    assert {outcome.kind.value for outcome in outcomes} == {"stored"}
    async with database.transaction([mailbox.workspace_id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM conversation") == CONVERSATIONS
    print(f"\n{BATCH} answers with {BATCH * 5} new people: {took_s * 1000:.0f} ms")
    assert took_s < 4


def every_step(plan):
    yield plan
    for inner in plan.get("Plans", []):
        yield from every_step(inner)
