"""What actions leave in the audit log: who, what, which row and from where, and nothing private."""

from __future__ import annotations

import json

import pytest

from connectors import dead_letters
from connectors.dead_letters import Place
from hub import clock
from hub.audit import store
from hub.audit.model import ActorKind, Caller
from hub.channels import actions as channels
from hub.channels.model import AccountChange, AccountStatus, NewAccount
from hub.channels.sealing import Sealer
from hub.demo import actions as demo
from hub.envelope import StreamItem
from hub.errors import Conflict, NotFound

pytestmark = pytest.mark.postgres

SEALER = Sealer({1: "k" * 40})
ADDRESS = "192.0.2.7"


async def told(database, workspace_id):
    async with database.snapshot([workspace_id]) as conn:
        entries = await store.page(conn, workspace_id)
    return [(one.action, one.actor_id, one.target_id, one.address, json.loads(one.details)) for one in entries][::-1]


async def connect(database, workspace, **more):
    new = NewAccount(
        workspace_id=workspace.id,
        id=clock.new_id(),
        channel="twilio_sms",
        name="Desk of ann@example.com",
        credentials={"auth_token": "secret-7"},
        settings={"number": "+4930901820"},
        actor_id=workspace.owner_id,
        address=ADDRESS,
        **more,
    )
    async with database.transaction([workspace.id]) as conn:
        return await channels.connect(conn, SEALER, new)


async def test_life_of_a_channel_account_is_told(database, workspace):
    """Connected, changed, paused, resumed, removed; what fields hold is not told, and nothing done twice is told twice."""
    account = await connect(database, workspace)

    async def change(**more):
        wanted = AccountChange(
            workspace_id=workspace.id, id=account.id, actor_id=workspace.owner_id, address=ADDRESS, **more
        )
        async with database.transaction([workspace.id]) as conn:
            await channels.change(conn, SEALER, wanted)

    await change(name="Desk", credentials={"auth_token": "secret-8"})
    await change(status=AccountStatus.PAUSED)
    await change(status=AccountStatus.PAUSED)
    await change(status=AccountStatus.CONNECTED, settings={"number": "+4930901821"})
    async with database.transaction([workspace.id]) as conn:
        await channels.mark_needs_sign_in(conn, workspace.id, account.id, "refused ann@example.com")
    for _ in range(2):
        async with database.transaction([workspace.id]) as conn:
            await channels.remove(conn, workspace.id, account.id, workspace.owner_id, address=ADDRESS)

    entries = await told(database, workspace.id)
    expected = [
        ("connected", {"channel": "twilio_sms", "inbox_id": str(workspace.inbox_id)}),
        ("changed", {"fields": ["name", "credentials"]}),
        ("paused", {"status": ["connected", "paused"]}),
        ("changed", {"fields": ["settings"]}),
        ("resumed", {"status": ["paused", "connected"]}),
        ("refused", {"status": ["connected", "needs_sign_in"]}),
        ("removed", {"status": ["needs_sign_in", "removed"]}),
    ]
    by, from_ = workspace.owner_id, ADDRESS
    assert entries == [
        (
            f"channel_account.{verb}",
            None if verb == "refused" else by,
            str(account.id),
            "" if verb == "refused" else from_,
            details,
        )
        for verb, details in expected
    ]
    assert not any(word in str(entries) for word in ("secret", "ann@", "+4930"))


async def test_change_that_fails_is_not_told(database, workspace):
    """The entry goes with its transaction."""
    account = await connect(database, workspace)
    async with database.transaction([workspace.id]) as conn:
        await channels.remove(conn, workspace.id, account.id, workspace.owner_id)
    before = await told(database, workspace.id)
    with pytest.raises(Conflict):
        async with database.transaction([workspace.id]) as conn:
            await channels.resume(conn, workspace.id, account.id, workspace.owner_id)
    assert await told(database, workspace.id) == before


async def test_dead_letters_replayed_and_dropped_are_told(database, workspace):
    """By a member with their address, by an operator without; one dropped before is not told again."""
    caller = Caller(ActorKind.MEMBER, workspace.owner_id, ADDRESS)
    item = StreamItem(
        workspace_id=workspace.id,
        channel_account_id=str(workspace.sms_id),
        channel="twilio_sms",
        key="k",
        body=b"From=%2B4930901820",
        received_at_ms=0,
    )
    appended = []

    async def append(one):
        appended.append(one)

    async with database.transaction([workspace.id]) as conn:
        for entry_id in ("1-0", "2-0"):
            await dead_letters.store(conn, item, Place("in:1", entry_id), "not understood")
        first, second = [one.id for one in await dead_letters.list_dead_letters(conn, [workspace.id])]
    await dead_letters.replay(database, append, workspace.id, first, caller)
    for error in (None, NotFound):
        async with database.transaction([workspace.id]) as conn:
            if error is None:
                await dead_letters.drop(conn, workspace.id, second)
            else:
                with pytest.raises(error):
                    await dead_letters.drop(conn, workspace.id, second)

    assert len(appended) == 1
    assert await told(database, workspace.id) == [
        ("dead_letter.replayed", workspace.owner_id, str(first), ADDRESS, {}),
        ("dead_letter.dropped", None, str(second), "", {}),
    ]


async def test_removal_of_a_demo_is_told_once(database, workspace):
    """However many transactions it takes; a removal of nothing is not."""
    await connect(database, workspace, demo=True)
    caller = Caller(ActorKind.MEMBER, workspace.owner_id, ADDRESS)
    await demo.remove_demo(database, workspace.id, caller)
    with pytest.raises(NotFound):
        await demo.remove_demo(database, workspace.id, caller)

    assert [one for one in await told(database, workspace.id) if one[0] == "demo.removed"] == [
        ("demo.removed", workspace.owner_id, "", ADDRESS, {"conversations": 0})
    ]
