"""Dead letters over HTTP: listed, read, replayed and dropped by whoever manages channels, and by nobody else."""

from __future__ import annotations

import pytest

from connectors import dead_letters
from connectors.dead_letters import Place
from hub import clock
from hub.envelope import StreamItem
from tests.factories import make_workspace

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


class RecordingWriter:
    def __init__(self) -> None:
        self.items = []

    async def append(self, item):
        self.items.append(item)


@pytest.fixture
def writer(channel_parts):
    channel_parts.ingress_writer = RecordingWriter()
    return channel_parts.ingress_writer


async def keep(database, workspace, number: int = 1, body: bytes = b"Body=hello%21"):
    """Keep one dead letter and return its id as text."""
    item = StreamItem(
        workspace_id=workspace.id,
        channel_account_id=str(workspace.sms_id),
        channel="twilio_sms",
        key=f"SM{number}",
        body=body,
        received_at_ms=1_760_000_000_000 + number,
    )
    async with database.transaction([workspace.id]) as conn:
        await dead_letters.store(conn, item, Place("in:{1}", f"{number}-0"), "malformed_payload: no")
        return str(await conn.fetchval("SELECT id FROM dead_letter WHERE key = $1", item.key))


async def test_list_pages_newest_first(owner, database, workspace, writer):
    """Pages follow each other, newest first, without the bodies."""
    ids = [await keep(database, workspace, number) for number in range(3)]

    first = (await owner.http.get("dead-letters", params={"limit": 2})).json()
    second = (await owner.http.get("dead-letters", params={"limit": 2, "before": first["next"]})).json()

    assert {*[one["id"] for one in first["dead_letters"] + second["dead_letters"]]} == set(ids)
    assert second["next"] is None
    assert set(first["dead_letters"][0]) == {
        "id", "channel", "channel_account_id", "error", "received_at", "created_at", "state", "size_bytes",
    }  # fmt: skip
    assert first["dead_letters"][0]["size_bytes"] == 13


@pytest.mark.parametrize(
    ("body", "text", "is_binary"),
    [
        (b"Body=hello%21", "Body=hello%21", False),
        ("Grüße\n".encode(), "Grüße\n", False),
        (b"a\x00b", "a\ufffdb", False),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), None, True),
    ],
)
async def test_read_shows_the_body(owner, database, workspace, writer, body, text, is_binary):
    """Whatever the vendor sent is shown as text, and whether it is one is said."""
    answer = (await owner.http.get(f"dead-letters/{await keep(database, workspace, body=body)}")).json()

    assert answer["is_binary"] is is_binary
    assert text is None or answer["body_text"] == text
    assert answer["dead_letter"]["error"] == "malformed_payload: no"


async def test_read_shows_the_beginning_of_a_large_body(owner, database, workspace, writer):
    """Megabytes are not sent to a browser: the first 64 KiB are."""
    answer = (await owner.http.get(f"dead-letters/{await keep(database, workspace, body=b'x' * 3_000_000)}")).json()

    assert len(answer["body_text"]) == 65_536
    assert answer["dead_letter"]["size_bytes"] == 3_000_000


async def test_replay_takes_it_in_again(owner, database, workspace, writer):
    """The vendor's bytes go in again, once; a second replay is told that it was done."""
    dead_letter_id = await keep(database, workspace)

    answer = await owner.http.post(f"dead-letters/{dead_letter_id}/replay")

    assert (answer.status_code, answer.json()["dead_letter"]["state"]) == (200, "replayed")
    assert [(one.key, one.body) for one in writer.items] == [("SM1", b"Body=hello%21")]
    assert (await owner.http.post(f"dead-letters/{dead_letter_id}/replay")).status_code == 409
    assert (await owner.http.get("dead-letters")).json()["dead_letters"] == []
    assert len((await owner.http.get("dead-letters", params={"state": "replayed"})).json()["dead_letters"]) == 1


async def test_replay_of_several_goes_in_order(owner, database, workspace, writer):
    """Chosen together they go in as they came; what is no longer there is named."""
    ids = [await keep(database, workspace, number) for number in range(3)]
    await owner.http.post(f"dead-letters/{ids[1]}/drop")
    nothing = str(clock.new_id())

    answer = await owner.http.post("dead-letters/replay", json={"ids": [ids[2], nothing, ids[1], ids[0]]})

    assert answer.json()["replayed"] == sorted([ids[0], ids[2]])
    assert set(answer.json()["skipped"]) == {ids[1], nothing}
    assert len(writer.items) == 2


async def test_drop_takes_it_off_the_list(owner, database, workspace, writer):
    """A dropped one is kept for the record and offered no more."""
    dead_letter_id = await keep(database, workspace)

    answer = await owner.http.post(f"dead-letters/{dead_letter_id}/drop")

    assert answer.json()["dead_letter"]["state"] == "dropped"
    assert (await owner.http.post(f"dead-letters/{dead_letter_id}/drop")).status_code == 404
    assert (await owner.http.post(f"dead-letters/{dead_letter_id}/replay")).status_code == 409
    assert writer.items == []


async def test_another_workspaces_dead_letters_do_not_exist(owner, database, workspace, writer):
    """Neither listed, nor read, nor replayed, nor dropped from next door, alone or among others."""
    other = await make_workspace(database, name="Contoso")
    dead_letter_id = await keep(database, other)

    assert (await owner.http.get("dead-letters")).json()["dead_letters"] == []
    assert (await owner.http.get(f"dead-letters/{dead_letter_id}")).status_code == 404
    for action in ("replay", "drop"):
        assert (await owner.http.post(f"dead-letters/{dead_letter_id}/{action}")).status_code == 404
    answer = await owner.http.post("dead-letters/replay", json={"ids": [dead_letter_id]})
    assert answer.json() == {"replayed": [], "skipped": [dead_letter_id]}
    assert writer.items == []


async def test_agents_may_not(owner, database, workspace, writer):
    """What vendors sent is for those who manage channels."""
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE member SET role = 'agent' WHERE id = $1", workspace.owner_id)
    dead_letter_id = await keep(database, workspace)

    assert (await owner.http.get("dead-letters")).status_code == 403
    assert (await owner.http.get(f"dead-letters/{dead_letter_id}")).status_code == 403
    assert (await owner.http.post(f"dead-letters/{dead_letter_id}/replay")).status_code == 403


@pytest.mark.parametrize("query", [{"state": "old"}, {"before": "x"}, {"limit": "0"}])
async def test_list_refuses_nonsense(owner, writer, query):
    """A query that cannot be meant is told so."""
    assert (await owner.http.get("dead-letters", params=query)).status_code == 422
