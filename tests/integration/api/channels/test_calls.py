"""Calling a contact over HTTP: who may, what is written, what the vendor is asked, and its refusals in words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from hub import clock
from hub.envelope import CallState, Identity
from hub.inbox import actions
from hub.inbox.batch import ReceivedItem
from scripts.emulators.http1 import listen
from scripts.emulators.twilio_voice import Exchange
from tests.factories import make_item
from tests.integration.api.channels.conftest import Member, with_settings

pytestmark = pytest.mark.postgres

SID, NUMBER, NORA = "AC" + "0" * 32, "+15559870042", "+15551230001"


@dataclass
class Line:
    """A connected number with a conversation, and the vendor behind it."""

    exchange: Exchange
    member: Member
    account_id: str
    conversation_id: str

    async def ask(self, member: Member | None = None, key: str = "", **more: Any) -> Any:
        body = {"client_call_id": key or str(clock.new_id())} | more
        return await (member or self.member).http.post(f"conversations/{self.conversation_id}/calls", json=body)

    async def rows(self) -> list[dict[str, Any]]:
        answer = await self.member.http.get(f"conversations/{self.conversation_id}/messages")
        return [one for one in answer.json()["messages"] if one["direction"] == "outbound"]


async def email_of(owner: Member) -> str:
    members = (await owner.http.get("members")).json()["members"]
    return next(one["email"] for one in members if one["id"] == str(owner.facts.owner_id))


@pytest.fixture
async def line(owner, application, database, sealer) -> AsyncIterator[Line]:
    parts, facts = application.state.resources, owner.facts
    exchange = Exchange(SID, "token", NUMBER)
    async with listen(exchange.handle) as listener:
        origin = f"http://127.0.0.1:{listener.port}"
        with_settings(parts, vendor_base_urls={"voice": origin})
        settings = {"phone_number": NUMBER, "ring_numbers": f"+15551230077 Anna <{await email_of(owner)}>"}
        answer = await owner.connect(
            "voice", credentials={"account_sid": SID, "auth_token": "token"}, settings=settings
        )
        assert answer.status_code == 201, answer.text
        account_id = answer.json()["channel_account"]["id"]
        conversation_id = await receive(database, facts.id, account_id, Identity("phone", NORA))
        exchange.requests.clear()
        yield Line(exchange, owner, account_id, conversation_id)


async def receive(database, workspace_id, account_id, sender) -> str:
    item = make_item(
        sender=sender,
        thread_key=sender.value,
        external_id=f"CA-{sender.value}",
        key=sender.value,
        text="Missed call",
        call=CallState(outcome="missed"),
    )
    one = ReceivedItem(workspace_id=workspace_id, channel_account_id=UUID(account_id), channel="voice", item=item)
    async with database.transaction([workspace_id]) as conn:
        (outcome,) = await actions.receive(conn, [one])
    return str(outcome.conversation_id)


async def test_member_calls_and_the_row_is_there_before_the_vendor_answers(line):
    """One request, one row of kind call, in the member's name; the list says so."""
    answer = await line.ask()
    (row,) = await line.rows()

    assert (answer.status_code, answer.json()["problem"]) == (201, "")
    assert (row["id"], row["kind"], row["status"]) == (answer.json()["message_id"], "call", None)
    assert row["call"]["outcome"] == "asked"
    assert [one["path"].rpartition("/")[2] for one in line.exchange.requests] == ["Calls.json"]
    shown = (await line.member.http.get(f"conversations/{line.conversation_id}")).json()["conversation"]
    assert (shown["preview"], shown["last_outbound_seq"]) == ("Outgoing call", answer.json()["seq"])


async def test_asked_twice_rings_once(line):
    """The client's own id names the call: the same row, and no second request."""
    key = str(clock.new_id())
    first, again = await line.ask(key=key), await line.ask(key=key)

    assert (again.status_code, again.json()) == (201, first.json())
    assert len(line.exchange.requests) == len(await line.rows()) == 1


async def test_refusal_of_the_vendor_is_told_and_stays_in_the_row(line):
    """The answer has the words, the row says it could not be made; refused keys ask for a sign-in."""
    line.exchange.auth_token = "another"
    answer = await line.ask()
    (row,) = await line.rows()

    assert (answer.status_code, row["call"]["outcome"]) == (201, "failed")
    assert (
        answer.json()["problem"] == row["error"]["message"] == "Twilio did not accept the Account SID and Auth Token."
    )
    refused = await line.ask()
    assert refused.status_code == 409
    assert "needs a sign-in" in refused.json()["message"]
    assert len(await line.rows()) == 1


async def test_call_the_vendor_did_not_confirm_stays_open(line):
    """A bad gateway: the telephone may ring, so it is not called failed, and not asked for again."""
    line.exchange._planned.append({"kind": "html", "status": 502})
    answer = await line.ask()
    (row,) = await line.rows()

    assert "may ring" in answer.json()["problem"]
    assert (row["call"]["outcome"], row["error"]) == ("asked", None)
    assert len(line.exchange.requests) == 1


async def test_member_without_a_telephone_is_told_what_to_do_and_leaves_no_row(line):
    """Nothing is written and nobody rung."""
    await line.member.http.patch(f"channel-accounts/{line.account_id}", json={"settings": {"ring_numbers": ""}})
    line.exchange.requests.clear()
    answer = await line.ask()

    assert (answer.status_code, answer.json()["field"]) == (422, "member")
    assert "No telephone of yours" in answer.json()["message"]
    assert (await line.rows(), line.exchange.requests) == ([], [])


async def test_withheld_number_cannot_be_called_back(line, database):
    """There is nobody to dial."""
    hidden = Identity("external", "withheld:CA9")
    line.conversation_id = await receive(database, line.member.facts.id, line.account_id, hidden)
    answer = await line.ask()
    assert (answer.status_code, answer.json()["field"]) == (422, "conversation")


async def test_other_channels_have_no_calls(line, database):
    """A conversation of another channel is refused in words."""
    facts = line.member.facts
    item = ReceivedItem(workspace_id=facts.id, channel_account_id=facts.sms_id, channel="twilio_sms", item=make_item())
    async with database.transaction([facts.id]) as conn:
        (outcome,) = await actions.receive(conn, [item])
    line.conversation_id = str(outcome.conversation_id)
    answer = await line.ask()
    assert (answer.status_code, answer.json()["message"]) == (409, "On this channel nobody can be called.")


async def test_another_tenant_finds_no_conversation_and_rings_nobody(line, stranger):
    """The owner of another workspace, with the real id."""
    answer = await line.ask(stranger)
    assert (answer.status_code, line.exchange.requests) == (404, [])


async def test_unknown_fields_are_refused(line):
    """Nobody says whom to call but the conversation."""
    answer = await line.ask(to="+19005550000")
    assert (answer.status_code, line.exchange.requests) == (422, [])
