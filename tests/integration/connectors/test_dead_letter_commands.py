"""``hub dead-letters`` as a process over real services: what an operator types, sees and gets."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from connectors import dead_letters
from connectors.dead_letter_commands import read_since
from connectors.dead_letters import Place
from hub import clock
from hub.envelope import StreamItem
from hub.errors import InvalidInput
from hub.streams import IngressStreams, partition_of
from tests import factories
from tests.integration.connectors.conftest import make_raw

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.processes]

ROOT = Path(__file__).parents[3]
BODY = b"Body=call me at +15550001111"


@pytest.fixture
def hub(database_urls, redis_durable, redis_ephemeral, tmp_path):
    """Run one command and return its exit code, output and log."""
    environ = os.environ | {
        "HUB_DATA_DIR": str(tmp_path),
        "DATABASE_URL": database_urls.database_url,
        "REDIS_URL": redis_durable,
        "REDIS_EPHEMERAL_URL": redis_ephemeral,
    }

    async def run(*arguments: str, **changes: str):
        command = [sys.executable, "-m", "hub.cli", "dead-letters", *arguments]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, env=environ | changes, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout, done.stderr

    return run


async def keep(database, workspace, number: int, body: bytes = BODY) -> str:
    async with database.transaction([workspace.id]) as conn:
        place = Place("in:{1}", f"{number}-0")
        await dead_letters.store(conn, make_raw(workspace, number, body), place, "malformed_payload: no")
        return str(await conn.fetchval("SELECT id FROM dead_letter WHERE key = $1", f"SM{number}"))


async def read_stream(url: str, workspace) -> list[StreamItem]:
    streams = IngressStreams(url)
    await streams.create_groups()
    entries = await streams.read_new(partition_of(workspace.id), 100, 0)
    await streams.close()
    return [msgspec.msgpack.decode(one.payload, type=StreamItem) for one in entries]


async def test_list_and_show_hide_what_was_said(hub, database, workspace):
    """Without --body nothing of the vendor's bytes is printed; with it, all of it."""
    dead_letter_id = await keep(database, workspace, 1)

    listed = await hub("list")
    shown = await hub("show", dead_letter_id)
    with_body = await hub("show", dead_letter_id, "--body")

    assert [one[0] for one in (listed, shown, with_body)] == [0, 0, 0]
    assert dead_letter_id in listed[1]
    assert "malformed_payload" in shown[1]
    assert not any("+1555" in text for _, *texts in (listed, shown) for text in texts)
    assert "+15550001111" in with_body[1]


async def test_list_filters(hub, database, workspace):
    """By workspace, channel, time and state; as JSON for scripts."""
    other = await factories.make_workspace(database, name="Contoso")
    mine, theirs = await keep(database, workspace, 1), await keep(database, other, 2)

    async def ids(*arguments: str) -> set[str]:
        _, out, _ = await hub("list", "--json", *arguments)
        return {one["id"] for one in json.loads(out)}

    assert await ids() == {mine, theirs}
    assert await ids("--workspace-id", str(other.id)) == {theirs}
    assert await ids("--channel", "twilio_sms", "--since", "1h") == {mine, theirs}
    assert await ids("--channel", "livechat") == set()
    assert await ids("--since", "2099-01-01") == set()
    assert await ids("--state", "dropped") == set()


async def test_replay_puts_it_on_the_stream(hub, database, workspace, redis_durable):
    """The vendor's bytes are on the stream again, the letter is marked, and only ids are logged."""
    dead_letter_id = await keep(database, workspace, 1)

    code, out, log = await hub("replay", dead_letter_id, "--json")

    assert (code, json.loads(out)) == (0, {"done": [dead_letter_id], "skipped": []})
    assert [one.body for one in await read_stream(redis_durable, workspace)] == [BODY]
    assert "+1555" not in log
    code, out, _ = await hub("replay", dead_letter_id)
    assert (code, out.strip()) == (1, "replay: 0 done, 1 skipped")


async def test_replay_all_takes_every_page_in_order(hub, database, workspace, redis_durable):
    """More than one page, of one workspace only, oldest first."""
    other = await factories.make_workspace(database, name="Contoso")
    await keep(database, other, 999)
    for number in range(120):
        await keep(database, workspace, number)

    code, out, _ = await hub("replay", "--all", "--workspace-id", str(workspace.id))

    assert (code, out.strip()) == (0, "replay: 120 done, 0 skipped")
    found = await read_stream(redis_durable, workspace)
    assert len(found) == 100
    assert found[0].key == "SM0"


async def test_replay_while_redis_is_away_goes_into_the_spool(hub, database, workspace):
    """An operator need not wait for Redis: what is replayed is spooled."""
    dead_letter_id = await keep(database, workspace, 1, b"x" * 100_000)

    code, _, _ = await hub("replay", dead_letter_id, REDIS_URL="redis://127.0.0.1:1/0")

    rows = await database.ask("SELECT hub_spool_count() AS amount")
    assert (code, rows[0]["amount"]) == (0, 1)


async def test_drop_marks_them(hub, database, workspace):
    """Dropped by id, and all of them only where that is said."""
    ids = [await keep(database, workspace, number) for number in range(3)]

    assert (await hub("drop", ids[0]))[:2] == (0, "drop: 1 done, 0 skipped\n")
    assert (await hub("drop"))[0] == 2
    assert (await hub("drop", "--all"))[:2] == (0, "drop: 2 done, 0 skipped\n")
    assert (await hub("list"))[1] == "None.\n"


async def test_show_of_nothing_says_so(hub, database, workspace):
    """An id nobody has is an error in words."""
    code, out, log = await hub("show", str(clock.new_id()))

    assert (code, out) == (1, "")
    assert "There is no such dead letter." in log


def test_read_since_reads_spans_and_days():
    """Hours, days, a day and a time, and nothing else."""
    assert (clock.now() - read_since("36h")).total_seconds() == pytest.approx(36 * 3600, abs=5)
    assert read_since("2026-11-22").isoformat() == "2026-11-22T00:00:00+00:00"
    assert read_since("2026-11-22T10:00:00+02:00").utcoffset().total_seconds() == 7200
    for text in ("yesterday", "0h", "-1d", "99999d"):
        with pytest.raises(InvalidInput):
            read_since(text)
