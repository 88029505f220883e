"""Reports about telephone calls over HTTP: whose days, whose inboxes, which errors."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from hub.envelope import CallState, Identity
from tests.factories import make_item, make_workspace
from tests.integration.api.test_inbox import client, receive, sign_in

__all__ = ["client"]
pytestmark = pytest.mark.postgres

# Late on the 10th in Berlin, the 10th in New York, and already the 11th in Auckland.
AT = datetime(2026, 11, 10, 21, 30, tzinfo=UTC)
DAYS = {"since": "2026-11-09", "until": "2026-11-12"}


async def called(database, workspace, sender, call, at=AT):
    item = make_item(
        sender=Identity("phone", sender),
        thread_key=sender,
        external_id=f"CA{sender}{at:%d%H%M}",
        key=f"{sender}{at:%d%H%M}",
        occurred_at=at,
        call=call,
    )
    (outcome,) = await receive(database, workspace, item)
    return outcome


def answered(member, wait_s=10, talk_s=60, at=AT):
    return CallState(
        outcome="answered", member=member, answered_at=at + timedelta(seconds=wait_s), ended_at=at, talk_s=talk_s
    )


async def execute(database, workspace, statement, *arguments):
    async with database.transaction([workspace.id]) as conn:
        return await conn.fetchval(statement, *arguments)


@pytest.fixture
async def week(database, workspace):
    await called(database, workspace, "+15550000001", answered("Anna", 10, 60))
    await called(database, workspace, "+15550000002", answered("Anna", 30, 20))
    await called(database, workspace, "+15550000003", answered("=Ben", 5, 5))
    await called(database, workspace, "+15550000004", CallState(outcome="missed", ended_at=AT))
    # Nobody told how it ended.
    await called(database, workspace, "+15550000005", CallState(outcome="ringing"))
    # Out of the days.
    await called(database, workspace, "+15550000006", CallState(outcome="missed"), AT - timedelta(days=30))


async def test_calls_are_told_by_member_and_day(client, week):
    """Answered, missed, waited and talked; a call whose end nobody knows is not counted."""
    report = (await client.get("reports/calls", params=DAYS)).json()
    assert report["total"] == {
        "answered": 3, "missed": 1, "made": 0, "reached": 0, "wait_s": 15, "longest_wait_s": 30, "talk_s": 85,
    }  # fmt: skip
    members = {one["member"]: one["figures"] for one in report["by_member"]}
    assert (members["Anna"]["answered"], members["Anna"]["wait_s"], members["Anna"]["talk_s"]) == (2, 20, 80)
    assert (members[""]["missed"], members[""]["wait_s"]) == (1, None)
    assert [one["day"] for one in report["by_day"]] == ["2026-11-10"]


@pytest.mark.parametrize(
    ("zone", "day"), [("", "2026-11-10"), ("Europe/Berlin", "2026-11-10"), ("Pacific/Auckland", "2026-11-11")]
)
async def test_days_are_those_of_the_time_zone(client, week, zone, day):
    """A day begins at midnight there, and the span of days with it."""
    report = (await client.get("reports/calls", params=DAYS | {"time_zone": zone})).json()
    assert [one["day"] for one in report["by_day"]] == [day]
    only = {"since": day, "until": day, "time_zone": zone}
    assert (await client.get("reports/calls", params=only)).json()["total"]["answered"] == 3
    before = (datetime.fromisoformat(day) - timedelta(days=1)).date().isoformat()
    assert (await client.get("reports/calls", params=only | {"since": before, "until": before})).json()["by_day"] == []


async def test_calls_members_made_are_theirs(client, database, workspace, week):
    """Reached or not, by who called."""
    statement = "UPDATE message SET direction = 'outbound', author_name = 'Cleo' WHERE call ->> 'member' = 'Anna'"
    await execute(database, workspace, statement)
    members = {
        one["member"]: one["figures"] for one in (await client.get("reports/calls", params=DAYS)).json()["by_member"]
    }
    assert (members["Cleo"]["made"], members["Cleo"]["reached"], members["Cleo"]["talk_s"]) == (2, 2, 80)
    assert members["Cleo"]["wait_s"] is None
    assert "Anna" not in members


async def test_file_opens_in_a_spreadsheet_and_runs_nothing(client, week):
    """One line a member and day, with a name that could be a formula made harmless."""
    answer = await client.get("reports/calls", params=DAYS | {"format": "csv"})
    assert answer.headers["content-disposition"] == 'attachment; filename="calls-2026-11-09-2026-11-12.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["member"] for row in rows] == ["'=Ben", "Anna", ""]
    assert rows[1] == {
        "day": "2026-11-10", "member": "Anna", "answered": "2", "missed": "0", "made": "0", "reached": "0",
        "average_wait_s": "20", "longest_wait_s": "30", "talk_s": "80",
    }  # fmt: skip
    assert rows[2]["average_wait_s"] == ""


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"since": "yesterday"}, "since"),
        ({"until": "2026-13-01"}, "until"),
        ({"since": "2026-11-12", "until": "2026-11-09"}, "since"),
        ({"since": "2026-01-01", "until": "2026-11-09"}, "since"),
        ({"since": "0001-01-01", "until": "0001-01-02"}, "until"),
        ({"until": "9999-12-31"}, "until"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"format": "xlsx"}, "format"),
    ],
)
async def test_wrong_input_is_named(client, query, field):
    """In words, at the field."""
    answer = await client.get("reports/calls", params=query)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_only_who_leads_teams_reads_it_and_only_of_inboxes_they_see(client, database, workspace, week):
    """An agent may not; with the permission they count what they see, and of a restricted inbox nothing."""
    login_id = await execute(database, workspace, "SELECT login_id FROM member WHERE id = $1", workspace.agent_id)
    headers = await sign_in(database, login_id)
    assert (await client.get("reports/calls", params=DAYS, headers=headers)).status_code == 403

    await execute(database, workspace, "UPDATE member SET role = 'admin' WHERE id = $1", workspace.agent_id)
    before = (await client.get("reports/calls", params=DAYS, headers=headers)).json()
    await execute(
        database,
        workspace,
        "INSERT INTO custom_role (workspace_id, id, name, permissions, created_at) "
        "VALUES ($1, gen_random_uuid(), 'Lead', $2, now())",
        workspace.id,
        ["teams.manage"],
    )
    lead = "UPDATE member SET role = 'viewer', custom_role_id = (SELECT id FROM custom_role WHERE name = 'Lead') WHERE id = $1"
    await execute(database, workspace, lead, workspace.agent_id)
    await execute(database, workspace, "UPDATE inbox SET restricted = true")
    after = (await client.get("reports/calls", params=DAYS, headers=headers)).json()

    assert before["total"]["answered"] == 3
    assert (after["total"]["answered"], after["rows"]) == (0, [])


async def test_another_workspace_counts_nothing_of_it(client, database, workspace, week):
    """Calls of a neighbour are not there."""
    other = await make_workspace(database)
    await called(database, other, "+15550000009", answered("Anna"))
    assert (await client.get("reports/calls", params=DAYS)).json()["total"]["answered"] == 3
