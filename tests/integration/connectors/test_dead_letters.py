"""Dead letters on a real Postgres: kept once, per workspace, replayed and dropped."""

from __future__ import annotations

import pytest

from connectors import dead_letters
from connectors.dead_letters import Place, Wanted
from hub.clock import new_id
from hub.envelope import StreamItem
from hub.errors import Conflict, NotFound
from tests import factories

pytestmark = pytest.mark.postgres


def make_raw(workspace, **overrides) -> StreamItem:
    fields = {
        "workspace_id": workspace.id,
        "channel_account_id": str(workspace.sms_id),
        "channel": "twilio_sms",
        "key": "SM1",
        "body": b"Body=\x00\xff",
        "received_at_ms": 1_760_000_000_123,
    }
    return StreamItem(**(fields | overrides))


async def keep(database, item: StreamItem, entry_id: str = "1-0", error: str = "malformed_payload: no"):
    async with database.transaction([item.workspace_id]) as conn:
        await dead_letters.store(conn, item, Place("in:{1}", entry_id), error)


async def listed(database, workspace_id: int, state="new"):
    async with database.transaction([workspace_id]) as conn:
        return await dead_letters.list_dead_letters(conn, [workspace_id], Wanted(state=state))


async def test_store_keeps_an_entry_once(database, workspace):
    """The same stream entry, stored again after a crash before its XACK, is one dead letter."""
    await keep(database, make_raw(workspace))
    await keep(database, make_raw(workspace))
    await keep(database, make_raw(workspace), entry_id="2-0")

    assert len(await listed(database, workspace.id)) == 2


async def test_store_takes_any_text(database, workspace):
    """A key or an error that Postgres refuses as text must not make the dead letter itself poisonous."""
    await keep(database, make_raw(workspace, key="a\x00b\ud800"), error="x\x00" * 1000)

    (letter,) = await listed(database, workspace.id)
    assert letter.key == "a\ufffdb\ufffd"
    assert len(letter.error) == 500


async def test_replay_appends_the_raw_item(database, workspace):
    """A replay puts the vendor's bytes back on the stream as they came, and marks the letter."""
    item = make_raw(workspace)
    await keep(database, item)
    (letter,) = await listed(database, workspace.id)
    appended = []

    async def append(one):
        appended.append(one)

    await dead_letters.replay(database, append, workspace.id, letter.id)

    assert appended == [item]
    assert [one.id for one in await listed(database, workspace.id, "replayed")] == [letter.id]
    with pytest.raises(Conflict):
        await dead_letters.replay(database, append, workspace.id, letter.id)
    assert len(appended) == 1


async def test_drop_takes_a_letter_off_the_list(database, workspace):
    """A dropped letter is no longer new; it cannot be dropped twice."""
    await keep(database, make_raw(workspace))
    (letter,) = await listed(database, workspace.id)

    async with database.transaction([workspace.id]) as conn:
        await dead_letters.drop(conn, workspace.id, letter.id)

    assert await listed(database, workspace.id) == []
    async with database.transaction([workspace.id]) as conn:
        with pytest.raises(NotFound):
            await dead_letters.drop(conn, workspace.id, letter.id)


async def test_another_workspace_sees_nothing(database, workspace):
    """Dead letters are private to their workspace: not listed, not replayed, not dropped by another."""
    other = await factories.make_workspace(database, name="Contoso")
    await keep(database, make_raw(workspace))
    (letter,) = await listed(database, workspace.id)

    async def append(one):
        pytest.fail("appended")

    assert await listed(database, other.id) == []
    with pytest.raises(NotFound):
        await dead_letters.replay(database, append, other.id, letter.id)
    async with database.transaction([other.id]) as conn:
        assert await dead_letters.list_dead_letters(conn, [workspace.id]) == []
        with pytest.raises(NotFound):
            await dead_letters.drop(conn, workspace.id, letter.id)


async def test_replay_of_nothing_is_not_found(database, workspace):
    """An id that was never a dead letter is told so."""

    async def append(one):
        pytest.fail("appended")

    with pytest.raises(NotFound):
        await dead_letters.replay(database, append, workspace.id, new_id())
