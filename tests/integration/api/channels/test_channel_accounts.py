"""Channel accounts over HTTP: keys are checked before they are saved, never shown again, and tenants stay apart."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from connectors import cursors
from connectors.base import Progress
from hub.channels import store
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, InvalidInput
from tests.integration.api.channels.conftest import (
    BASE_URL,
    CREDENTIALS,
    SETTINGS,
    Member,
    RecordedVendor,
    make_member,
    new_uuid,
    with_settings,
)

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from api.call import Resources
    from hub.channels.sealing import Sealer
    from hub.db import Database

pytestmark = pytest.mark.postgres


def refusal(klass: ErrorClass, message: str = "Authenticate: the token is wrong.") -> ConnectorError:
    return ConnectorError(ConnectorErrorInfo(klass, "20003", message, retry_after_s=7))


async def stored_credentials(parts: Resources, sealer: Sealer, member: Member, account_id: str) -> dict[str, str]:
    async with parts.database.snapshot([member.facts.id]) as conn:
        return await store.open_credentials(conn, sealer, member.facts.id, UUID(account_id))


async def count_accounts(parts: Resources, member: Member) -> int:
    async with parts.database.snapshot([member.facts.id]) as conn:
        return len(await store.list_channel_accounts(conn, member.facts.id, None))


async def test_channels_are_listed_with_forms_and_icons(owner: Member):
    """Every channel has its form and icon; what the hub generates is not asked for."""
    answer = await owner.http.get(f"{BASE_URL}/api/v1/channels")
    listed = {one["id"]: one for one in answer.json()["channels"]}
    assert answer.status_code == 200
    assert {"livechat", "paging"} <= set(listed)
    chat = listed["livechat"]
    assert chat["icon"].lstrip().startswith("<svg")
    assert (chat["credentials"], chat["generated"][0]["name"]) == ([], "identity_secret")
    assert {"title", "allowed_origins", "identity"} <= {one["name"] for one in chat["settings"]}
    assert [one["name"] for one in listed["paging"]["credentials"]] == ["account_sid", "auth_token"]


async def test_connect_checks_the_keys_and_saves(
    owner: Member, vendor: RecordedVendor, channel_parts: Resources, sealer: Sealer
):
    """The vendor sees the keys and the final webhook address before anything is saved; no secret comes back."""
    answer = await owner.connect()
    body = answer.json()
    (asked,) = vendor.asked
    assert answer.status_code == 201
    assert body["webhook_url"] == f"http://localhost:8000/webhooks/paging/{body['id']}" == asked.webhook_url
    assert (asked.id, asked.credentials) == (body["id"], CREDENTIALS)
    assert body["channel_account"]["settings"] == SETTINGS
    assert "the-auth-token" not in answer.text
    assert await stored_credentials(channel_parts, sealer, owner, body["id"]) == CREDENTIALS
    route = await channel_parts.routes.find(UUID(body["id"]))
    assert (route.workspace_id, route.external_ref) == (owner.facts.id, "vendor-1")


async def test_connect_warns_when_the_vendor_cannot_reach_us(owner: Member, channel_parts: Resources):
    """With a loopback address the member is told what to set; with a public one only the vendor's own warnings."""
    private = (await owner.connect()).json()["warnings"]
    assert private == [
        "Pagers Inc cannot reach this computer. Set HUB_PUBLIC_URL to an https address that forwards here.",
        "No webhook is set there yet.",
    ]
    with_settings(channel_parts, public_url="https://hub.example.com")
    body = (await owner.connect()).json()
    assert body["warnings"] == ["No webhook is set there yet."]
    assert body["webhook_url"].startswith("https://hub.example.com/webhooks/paging/")


async def test_demo_account_is_not_said_to_need_a_public_address(owner: Member, channel_parts: Resources):
    """Its vendor is on this computer; the same account outside a demo gets the warning."""
    account_id = (await owner.connect()).json()["id"]

    async def warnings() -> list[str]:
        rows = (await owner.http.get("channel-accounts")).json()["channel_accounts"]
        return next(row["warnings"] for row in rows if row["id"] == account_id)

    assert len(await warnings()) == 1
    async with channel_parts.database.transaction([owner.facts.id]) as conn:
        await conn.execute("UPDATE channel_account SET demo = true WHERE id = $1", UUID(account_id))
    assert await warnings() == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"credentials": {"account_sid": "AC0123"}}, "credentials.auth_token"),
        ({"credentials": {**CREDENTIALS, "extra": "1"}}, "credentials.extra"),
        ({"credentials": {**CREDENTIALS, "account_sid": "x"}}, "credentials.account_sid"),
        ({"credentials": {**CREDENTIALS, "auth_token": 7}}, "credentials"),
        ({"settings": {}}, "settings.phone_number"),
        ({"channel": "carrier_pigeon"}, "channel"),
        ({"name": "  "}, "name"),
        ({"inbox_id": "nonsense"}, "inbox_id"),
        ({"inbox_id": new_uuid()}, "inbox_id"),
        ({"nonsense": True}, "nonsense"),
    ],
)
async def test_connect_names_the_wrong_input(
    owner: Member, vendor: RecordedVendor, channel_parts: Resources, fields: dict[str, object], field: str
):
    """A wrong form is refused by its input, before the vendor is asked and with nothing saved."""
    before = await count_accounts(channel_parts, owner)
    answer = await owner.connect(**fields)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert answer.json()["field"].startswith(field)
    assert "the-auth-token" not in answer.text
    assert vendor.asked == []
    assert await count_accounts(channel_parts, owner) == before


@pytest.mark.parametrize(
    ("error", "status", "field"),
    [
        (refusal(ErrorClass.AUTH), 422, "credentials.auth_token"),
        (refusal(ErrorClass.ACCOUNT), 422, "credentials"),
        (InvalidInput("settings.phone_number", "This number is not yours."), 422, "settings.phone_number"),
        (refusal(ErrorClass.RETRYABLE), 503, None),
        (refusal(ErrorClass.RATE_LIMITED), 503, None),
    ],
)
async def test_connect_passes_on_the_vendors_words(
    owner: Member,
    vendor: RecordedVendor,
    channel_parts: Resources,
    error: Exception,
    status: int,
    field: str | None,
):
    """Refused keys are refused in the vendor's words and not saved; a vendor that is away says nothing about keys."""
    before = await count_accounts(channel_parts, owner)
    vendor.refuses = error
    answer = await owner.connect()
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert error.message in answer.json()["message"]  # type: ignore[attr-defined]
    assert await count_accounts(channel_parts, owner) == before


async def test_change_keeps_what_is_not_named(
    owner: Member, vendor: RecordedVendor, channel_parts: Resources, sealer: Sealer
):
    """New keys are checked together with the old ones; a name alone asks nobody."""
    account_id = (await owner.connect()).json()["id"]
    vendor.asked.clear()
    renamed = await owner.http.patch(f"channel-accounts/{account_id}", json={"name": "Night desk"})
    assert renamed.json()["channel_account"]["name"] == "Night desk"
    assert vendor.asked == []
    answer = await owner.http.patch(f"channel-accounts/{account_id}", json={"credentials": {"auth_token": "second"}})
    expected = {**CREDENTIALS, "auth_token": "second"}
    assert answer.status_code == 200
    assert [asked.credentials for asked in vendor.asked] == [expected]
    assert await stored_credentials(channel_parts, sealer, owner, account_id) == expected
    vendor.refuses = refusal(ErrorClass.AUTH)
    refused = await owner.http.patch(f"channel-accounts/{account_id}", json={"credentials": {"auth_token": "third"}})
    assert (refused.status_code, refused.json()["field"]) == (422, "credentials.auth_token")
    assert await stored_credentials(channel_parts, sealer, owner, account_id) == expected


async def test_changes_of_two_people_are_merged_by_field(owner: Member, vendor: RecordedVendor):
    """From one version: a name and a pause both hold; a second name, and a second number, clash with both values."""
    account_id = (await owner.connect()).json()["id"]
    path = f"channel-accounts/{account_id}"
    paused = await owner.http.patch(path, json={"status": "paused"})
    seen = {"if-match": paused.headers["etag"]}
    assert (await owner.http.patch(path, json={"name": "Night desk"}, headers=seen)).status_code == 200
    resumed = await owner.http.patch(path, json={"status": "connected"}, headers=seen)
    named = await owner.http.patch(path, json={"name": "Day desk"}, headers=seen)
    await owner.http.patch(path, json={"settings": {"phone_number": "+15551230002"}})
    numbered = await owner.http.patch(path, json={"settings": {"phone_number": "+15551230003"}}, headers=seen)
    account = resumed.json()["channel_account"]
    assert (account["name"], account["status"]) == ("Night desk", "connected")
    problems = [
        (one.status_code, *(one.json()[name] for name in ("field", "yours", "theirs"))) for one in (named, numbered)
    ]
    assert problems == [
        (409, "name", "Day desk", "Night desk"),
        (409, "settings.phone_number", "+15551230003", "+15551230002"),
    ]


async def test_pause_and_resume(owner: Member, vendor: RecordedVendor):
    """Pausing and resuming change the status and ask nobody."""
    account_id = (await owner.connect()).json()["id"]
    vendor.asked.clear()
    for status in ("paused", "connected"):
        answer = await owner.http.patch(f"channel-accounts/{account_id}", json={"status": status})
        assert answer.json()["channel_account"]["status"] == status
    assert vendor.asked == []
    answer = await owner.http.patch(f"channel-accounts/{account_id}", json={"status": "removed"})
    assert answer.status_code == 422


async def test_test_notes_what_the_vendor_says(owner: Member, vendor: RecordedVendor):
    """Refused keys ask for a sign-in; accepted ones end it; a vendor that is away changes nothing."""
    account_id = (await owner.connect()).json()["id"]

    async def run() -> tuple[bool, str]:
        tested = (await owner.http.post(f"channel-accounts/{account_id}/test", json={})).json()
        (account,) = (await owner.http.get("channel-accounts")).json()["channel_accounts"][-1:]
        return tested["ok"], account["channel_account"]["status"]

    assert await run() == (True, "connected")
    vendor.refuses = refusal(ErrorClass.RETRYABLE)
    assert await run() == (False, "connected")
    vendor.refuses = refusal(ErrorClass.AUTH)
    assert await run() == (False, "needs_sign_in")
    vendor.refuses = None
    assert await run() == (True, "connected")


async def test_remove_forgets_and_hides(owner: Member, channel_parts: Resources):
    """A removed account answers 404 to everything and is not listed."""
    account_id = (await owner.connect()).json()["id"]
    assert (await owner.http.delete(f"channel-accounts/{account_id}")).status_code == 204
    listed = (await owner.http.get("channel-accounts")).json()["channel_accounts"]
    assert account_id not in {one["id"] for one in listed}
    for answer in (
        await owner.http.patch(f"channel-accounts/{account_id}", json={"name": "x"}),
        await owner.http.post(f"channel-accounts/{account_id}/test", json={}),
        await owner.http.delete(f"channel-accounts/{account_id}"),
    ):
        assert answer.status_code == 404


async def test_generated_secret_is_shown_once(owner: Member, channel_parts: Resources, sealer: Sealer):
    """A live chat comes with a secret nobody saw; renewing shows the new one, and only that answer ever does."""
    connected = await owner.connect("livechat")
    account_id = connected.json()["id"]
    first = await stored_credentials(channel_parts, sealer, owner, account_id)
    assert len(first["identity_secret"]) >= 40
    assert first["identity_secret"] not in connected.text
    renewed = (await owner.http.post(f"channel-accounts/{account_id}/secrets/identity_secret", json={})).json()
    stored = await stored_credentials(channel_parts, sealer, owner, account_id)
    assert renewed == {"name": "identity_secret", "value": stored["identity_secret"]}
    assert stored != first
    assert stored["identity_secret"] not in (await owner.http.get("channel-accounts")).text
    assert (await owner.http.post(f"channel-accounts/{account_id}/secrets/title", json={})).status_code == 404


async def test_entered_secret_is_never_shown(owner: Member):
    """A secret that a member entered has no route to be read or renewed."""
    account_id = (await owner.connect()).json()["id"]
    answer = await owner.http.post(f"channel-accounts/{account_id}/secrets/auth_token", json={})
    assert answer.status_code == 404


async def test_live_chat_has_no_webhook_and_warns_of_open_doors(owner: Member):
    """Live chat needs no webhook address; an empty list of websites is a warning, a wrong one an error."""
    body = (await owner.connect("livechat")).json()
    assert body["webhook_url"] == ""
    assert len(body["warnings"]) == 1
    answer = await owner.connect("livechat", settings={"allowed_origins": "example.com"})
    assert (answer.status_code, answer.json()["field"]) == (422, "settings.allowed_origins")


async def test_another_workspace_sees_nothing(
    owner: Member, stranger: Member, channel_parts: Resources, sealer: Sealer
):
    """Another tenant's owner gets 404 for an account and its inbox, and changes nothing."""
    account_id = (await owner.connect()).json()["id"]
    for answer in (
        await stranger.http.patch(f"channel-accounts/{account_id}", json={"name": "Mine"}),
        await stranger.http.delete(f"channel-accounts/{account_id}"),
        await stranger.http.post(f"channel-accounts/{account_id}/test", json={}),
        await stranger.http.post(f"channel-accounts/{account_id}/secrets/auth_token", json={}),
    ):
        assert answer.status_code == 404
    assert (await stranger.connect(inbox_id=str(owner.facts.inbox_id))).status_code == 422
    assert account_id not in (await stranger.http.get("channel-accounts")).text
    same = (await stranger.connect(credentials={**CREDENTIALS, "auth_token": "theirs"})).json()
    assert await stored_credentials(channel_parts, sealer, owner, account_id) == CREDENTIALS
    assert (await stored_credentials(channel_parts, sealer, stranger, same["id"]))["auth_token"] == "theirs"


async def test_only_who_manages_channels_may(owner: Member, application: Starlette, database: Database):
    """An agent is refused every route, reading included."""
    async with database.snapshot([owner.facts.id]) as conn:
        login_id = await conn.fetchval("SELECT login_id FROM member WHERE id = $1", owner.facts.agent_id)
    agent = await make_member(application, owner.facts, login_id)
    account_id = (await owner.connect()).json()["id"]
    async with agent.http:
        for answer in (
            await agent.connect(),
            await agent.http.get("channel-accounts"),
            await agent.http.patch(f"channel-accounts/{account_id}", json={"name": "x"}),
            await agent.http.delete(f"channel-accounts/{account_id}"),
            await agent.http.post(f"channel-accounts/{account_id}/test", json={}),
            await agent.http.post(f"channel-accounts/{account_id}/secrets/auth_token", json={}),
        ):
            assert answer.status_code == 403


async def test_health_of_a_polled_account_is_listed(channel_parts: Resources, owner: Member):
    """What the worker notes about reading an account is shown to whoever looks after it; others have none."""
    posted = await owner.connect()
    account_id = UUID(posted.json()["id"])
    listed = await owner.http.get("channel-accounts")
    before = next(one["health"] for one in listed.json()["channel_accounts"] if one["id"] == str(account_id))
    workspace_id = owner.facts.id
    poll = cursors.Poll(workspace_id, account_id, "w/0")
    async with channel_parts.database.transaction([workspace_id]) as conn:
        assert await cursors.take(conn, "w/0", [(workspace_id, account_id)], 10.0) == {account_id: None}
        progress = Progress(done=50, total=200, what="Reading mail since 2 Nov")
        assert await cursors.save(conn, poll, "c", progress, has_items=True)
        await cursors.save_error(conn, poll, "The mail server does not answer.")
    listed = await owner.http.get("channel-accounts")
    after = next(one["health"] for one in listed.json()["channel_accounts"] if one["id"] == str(account_id))

    empty = {"last_item_at": None, "progress": None, "lag_s": None, "error": None, "unreachable_since": None}
    assert before == empty
    assert after["progress"] == {"done": 50, "total": 200, "what": "Reading mail since 2 Nov"}
    assert after["error"] == "The mail server does not answer."
    assert after["last_item_at"]
    assert 0 <= after["lag_s"] < 60
