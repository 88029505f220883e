"""Sealed messages over HTTP: who may ask for them, what everybody reads afterwards, what search says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub import clock
from hub.channels.sealing import Sealer
from hub.inbox import actions as inbox
from hub.inbox.batch import ReceivedItem
from hub.sealed import MARK
from hub.texts.keyring import Keyring
from hub.texts.rewriting import Rewriting
from tests.factories import make_item
from tests.integration.api.conftest import browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

SEALER = Sealer({1: bytes(32)})


@pytest.fixture
async def owner(parts, tenant):
    parts.database.keyring = Keyring(SEALER)
    async with browser(replace(parts, sealer=SEALER)) as opened:
        await sign_in(opened)
        yield opened


@pytest.fixture
def url(tenant):
    return f"/api/v1/workspaces/{tenant.workspace_id}"


async def receive(database, workspace_id, text):
    """Take in a text at an account of its own."""
    async with database.transaction([workspace_id]) as conn:
        inbox_id = await conn.fetchval("SELECT id FROM inbox WHERE workspace_id = $1 LIMIT 1", workspace_id)
        account_id = clock.new_id()
        if inbox_id is None:
            inbox_id = clock.new_id()
            await conn.execute(
                "INSERT INTO inbox (workspace_id, id, name, created_at) VALUES ($1, $2, 'Inbox', now())",
                *(workspace_id, inbox_id),
            )
        await conn.execute(
            "INSERT INTO channel_account (workspace_id, id, inbox_id, channel, name, status, created_at)"
            " VALUES ($1, $2, $3, 'twilio_sms', 'SMS', 'connected', now())",
            *(workspace_id, account_id, inbox_id),
        )
    item = ReceivedItem(
        workspace_id=workspace_id, channel_account_id=account_id, channel="twilio_sms", item=make_item(text=text)
    )
    async with database.transaction([workspace_id]) as conn:
        return (await inbox.receive(conn, [item]))[0]


async def test_an_owner_seals_messages_and_everybody_reads_as_before(owner, parts, tenant, url):
    """The state and what search loses are said; lists, messages and the snapshot show what was written."""
    before = await receive(parts.database, tenant.workspace_id, "quetzal before")
    assert (await owner.get(f"{url}/message-sealing")).json()["sealing"]["state"] == "open"

    asked = await owner.put(f"{url}/message-sealing", json={"sealed": True})

    assert (asked.status_code, asked.json()["sealing"]["state"]) == (200, "sealing")
    assert (await owner.post(f"{url}/message-sealing/key-changes")).status_code == 409
    await receive(parts.database, tenant.workspace_id, "quetzal after")
    await Rewriting(parts.database).run(tenant.workspace_id)
    sealing = (await owner.get(f"{url}/message-sealing")).json()["sealing"]
    assert (sealing["state"], sealing["search"][:13]) == ("sealed", "Search cannot")
    for path in ("conversations", "snapshot", f"conversations/{before.conversation_id}/messages"):
        answer = await owner.get(f"{url}/{path}")
        assert "quetzal before" in answer.text
        assert MARK[1:] not in answer.text
    assert (await owner.post(f"{url}/message-sealing/key-changes")).status_code == 201


async def test_who_is_entered_in_the_audit_log(owner, parts, tenant, url):
    """The change stands in the log of who did what; asking for what is so already does not."""
    for wanted in (True, True):
        await owner.put(f"{url}/message-sealing", json={"sealed": wanted})
    entries = (await owner.get(f"{url}/audit")).json()
    named = [one["action"] for one in entries["entries"] if one["action"].startswith("workspace.texts")]
    assert named == ["workspace.texts_sealed"]
