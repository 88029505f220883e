"""hub tail as a process over a real log: every event once, no contents, over a restart of Postgres."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from hub import clock, tail
from hub.db import Database
from hub.errors import InvalidInput, Unavailable
from hub.events.model import PassingEvent
from hub.inbox import actions
from hub.realtime.broker_redis import RedisBroker
from hub.tail import Remark, Wanted, as_json, line_writer, read_since
from tests.factories import make_item, make_workspace, received
from tests.processes import ROOT
from tests.tailing import Tail

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.processes]

TEXT = "The secret is under the mat"
AT = datetime(2026, 11, 22, 18, 5, 31, tzinfo=UTC)


@pytest.fixture
def environ(database_urls, redis_ephemeral, tmp_path) -> dict[str, str]:
    return {
        "DATABASE_URL": database_urls.database_url,
        "REDIS_EPHEMERAL_URL": redis_ephemeral,
        "HUB_DATA_DIR": str(tmp_path / "data"),
    }


@pytest.fixture
async def broker(redis_ephemeral):
    started = RedisBroker(redis_ephemeral)
    await started.start()
    yield started
    await started.stop()


async def store_message(database: Database, workspace, number: int, broker=None) -> None:
    item = make_item(key=f"k{number}", external_id=f"SM{number}", text=TEXT)
    async with database.transaction([workspace.id]) as conn:
        await actions.receive(conn, [received(workspace, item)])
    if broker is not None:
        broker.publish([one for one in conn.notices if hasattr(one, "seq")])


async def test_tail_shows_what_was_and_what_comes_without_contents(database, workspace, environ, broker):
    """--since begins with the log, then events follow at once; neither text nor address is in any line."""
    await store_message(database, workspace, 1)
    shown = Tail(environ, "--since", "10m")
    try:
        await shown.wait_for(lambda lines: any("message_received" in one for one in lines))
        before = len(shown.lines)
        began_s = time.monotonic()
        await store_message(database, workspace, 2, broker)
        await shown.wait_for(lambda lines: len(lines) > before)
        taken_s = time.monotonic() - began_s
    finally:
        told = shown.stop()

    line = next(one for one in shown.lines if "message_received" in one)
    form = (
        rf"\d\d:\d\d:\d\d  workspace {workspace.id} +message_received {{8,}}"
        r"  conversation [0-9a-f]{8}  contact [0-9a-f]{8} +twilio_sms +open"
    )
    assert re.fullmatch(form, line), line
    assert (told, shown.process.returncode) == ("", 0)
    everything = "\n".join(shown.lines)
    assert TEXT not in everything
    assert "+1555" not in everything
    assert "\x1b" not in everything
    assert taken_s < 5


class FlickeringDatabase:
    """A database that is away when told so."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.is_away = False

    def across(self):
        if self.is_away:
            raise Unavailable("gone")
        return self.database.across()

    def snapshot(self, workspace_ids):
        return self.database.snapshot(workspace_ids)


async def test_outage_is_told_once_and_nothing_is_skipped(database, workspace):
    """Looked at in vain many times: said once, said when it is back, and every event is shown once, in order."""
    flickering, shown = FlickeringDatabase(database), []
    bell = tail._Bell()
    reader = asyncio.create_task(tail._Reader(flickering, Wanted(), shown.append).run(bell))
    await store_message(database, workspace, 1)
    bell.on_gap()
    await until(lambda: len(shown) >= 1)
    flickering.is_away = True
    for number in range(2, 6):
        await store_message(database, workspace, number)
        bell.on_gap()
        await asyncio.sleep(0.1)
    flickering.is_away = False
    bell.on_gap()
    await until(lambda: len(shown) >= 7)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)

    numbers = [one.seq for one in shown if isinstance(one, PassingEvent)]
    assert numbers == list(range(numbers[0], numbers[0] + 5))
    remarks = [one.text for one in shown if isinstance(one, Remark)]
    assert remarks == ["Postgres does not answer; waiting", "Postgres is back; nothing was skipped"]


async def until(is_so, within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_tail_filters_and_ends_without_following(database, workspace, environ):
    """By workspace, type and the end of a conversation's id; --no-follow ends by itself."""
    other = await make_workspace(database, name="Contoso")
    await store_message(database, workspace, 1)
    await store_message(database, other, 2)

    def ended(*arguments: str) -> list[dict]:
        done = subprocess.run(
            (sys.executable, "-m", "hub.cli", "tail", "--json", "--since", "1h", "--no-follow", *arguments),
            cwd=ROOT,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return [json.loads(one) for one in done.stdout.splitlines()]

    everything = await asyncio.to_thread(ended)
    mine = await asyncio.to_thread(ended, "--workspace", str(workspace.id), "--type", "message_received,note_added")
    conversation_id = mine[0]["conversation_id"]
    one = await asyncio.to_thread(ended, "--conversation", conversation_id.replace("-", "")[-8:])

    assert {event["workspace_id"] for event in everything} == {workspace.id, other.id}
    assert [(event["workspace_id"], event["type"]) for event in mine] == [(workspace.id, "message_received")]
    assert {event["conversation_id"] for event in one} == {conversation_id}
    assert set(mine[0]) == {
        "workspace_id",
        "seq",
        "type",
        "appended_at",
        "conversation_id",
        "actor_id",
        "channel",
        "author_kind",
        "status",
    }


async def test_tail_into_a_closed_pipe_ends_quietly(database, workspace, environ):
    """`hub tail | head -1` leaves no traceback."""
    for number in range(3):
        await store_message(database, workspace, number)
    command = f"{sys.executable} -m hub.cli tail --since 1h --no-follow | head -1"
    done = await asyncio.to_thread(
        subprocess.run, command, shell=True, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True
    )
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_since_is_read_in_the_forms_people_write():
    """Spans and times; anything else is refused in words."""
    assert read_since("15m", AT) == AT - timedelta(minutes=15)
    assert read_since("2h", AT) == AT - timedelta(hours=2)
    assert read_since("2026-11-22T17:00+00:00", AT) == datetime(2026, 11, 22, 17, tzinfo=UTC)
    with pytest.raises(InvalidInput, match="15m"):
        read_since("yesterday", AT)


def test_lines_are_aligned_and_coloured_only_when_asked():
    """Columns stand under each other; trouble is red on a terminal."""
    conversation_id = clock.new_id()
    received_one = PassingEvent(
        workspace_id=7,
        seq=1,
        type="message_received",
        appended_at=AT,
        conversation_id=conversation_id,
        actor_id=clock.new_id(),
        channel="livechat",
        author_kind="contact",
        status="open",
    )
    failed = PassingEvent(
        workspace_id=1234,
        seq=2,
        type="message_status_changed",
        appended_at=AT,
        conversation_id=conversation_id,
        channel="twilio_sms",
        status="failed",
    )
    plain, coloured = line_writer(in_colour=False), line_writer(in_colour=True)
    lines = [plain(received_one), plain(failed)]
    assert len({line.index("conversation") for line in lines}) == 1
    assert lines[0].index("livechat") == lines[1].index("twilio_sms")
    assert conversation_id.hex[-8:] in lines[0]
    assert "\x1b" not in lines[0]
    assert "\x1b[31mfailed" in coloured(failed)
    assert plain(Remark(AT, "gone")).endswith("-- gone --")
    assert json.loads(as_json(failed))["status"] == "failed"
    assert not Wanted(conversation="ffffffff").takes(failed)
