"""Connecting by signing in at the vendor, over HTTP against a strict authorisation server; every way to abuse it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl
from uuid import UUID

import httpx
import pytest

from connectors.renewal import Renewals
from hub import clock
from hub.accounts import sessions
from hub.channels import actions as channels
from hub.channels import store
from hub.throttle import Throttle
from tests import oauth_channel
from tests.integration.api.channels.conftest import BASE_URL, Member, make_member
from tests.oauth_channel import Vendor, query_of

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from api.call import Resources
    from hub.channels.sealing import Sealer

pytestmark = pytest.mark.postgres


@pytest.fixture
async def letters(channel_parts: Resources, application: Starlette) -> AsyncIterator[Vendor]:
    """The vendor, and an installation that has an app there."""
    async with oauth_channel.serving() as vendor:
        channel_parts.registry = oauth_channel.as_registry()
        channel_parts.settings = oauth_channel.with_letters(channel_parts.settings, vendor)
        channel_parts.throttle = Throttle(None)
        yield vendor


async def begin(member: Member, **fields: object) -> str:
    answer = await member.http.post("channel-accounts/oauth", json={"channel": "letters"} | fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["authorize_url"])


async def come_back(member: Member, returned: dict[str, str], channel: str = "letters") -> dict[str, str]:
    """Follow the vendor's redirect; returns what the app is told behind the #."""
    answer = await member.http.get(f"{BASE_URL}/connect/{channel}/callback", params=returned)
    assert answer.status_code == 303, answer.text
    page, _, told = answer.headers["location"].partition("#")
    assert page == "/settings/channels"
    return dict(parse_qsl(told))


async def outcome(member: Member, told: dict[str, str]) -> dict[str, str]:
    """Ask what came of it, as the app does."""
    answer = await member.http.get(f"channel-accounts/oauth/{told['connect']}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def connect(member: Member, letters: Vendor, **fields: object) -> dict[str, str]:
    """Go there, agree, and come back."""
    told = await come_back(member, await letters.agree(await begin(member, **fields)))
    await member.routes.refresh()
    return await outcome(member, told)


async def accounts(member: Member) -> list[dict[str, object]]:
    rows = (await member.http.get("channel-accounts")).json()["channel_accounts"]
    return [row["channel_account"] for row in rows if row["channel_account"]["channel"] == "letters"]


async def credentials(parts: Resources, sealer: Sealer, member: Member, account_id: str) -> dict[str, str]:
    async with parts.database.snapshot([member.facts.id]) as conn:
        return await store.open_credentials(conn, sealer, member.facts.id, UUID(account_id))


async def test_account_is_connected_once_it_works(
    owner: Member, letters: Vendor, channel_parts: Resources, sealer: Sealer
):
    """Code and PKCE S256 for tokens, the vendor is asked, then it is saved; no secret comes out and none is stored."""
    url = await begin(owner, name="Desk", settings={"folder": "Post"})
    query = query_of(url)
    assert (query["redirect_uri"], query["code_challenge_method"]) == (oauth_channel.CALLBACK, "S256")
    assert len(query["state"]) >= 43
    assert await accounts(owner) == []
    told = await come_back(owner, await letters.agree(url))
    assert set(told) == {"connect", "workspace"}
    done = await outcome(owner, told)
    assert (done["outcome"], done["message"]) == ("connected", "Letters is connected.")
    [account] = await accounts(owner)
    assert (account["id"], account["name"], account["status"]) == (done["channel_account_id"], "Desk", "connected")
    assert account["settings"] == {"folder": "Post"}
    kept = await credentials(channel_parts, sealer, owner, str(account["id"]))
    assert set(kept) == {"access_token", "refresh_token"}
    assert letters.oauth.user_of(kept["access_token"]) == "user-1"
    await owner.routes.refresh()
    route = await owner.routes.find(UUID(str(account["id"])))
    assert route.external_ref == "user-1"
    assert route.token_expires_at is not None
    async with channel_parts.database.snapshot([owner.facts.id]) as conn:
        row = await conn.fetchrow("SELECT form_sealed, state_hash FROM connect_attempt")
    assert row is not None
    assert row["form_sealed"] is None
    assert query["state"].encode() not in bytes(row["state_hash"])


async def test_name_is_the_vendors_where_none_was_given(owner: Member, letters: Vendor):
    """Nobody has to invent one."""
    await connect(owner, letters)
    assert [one["name"] for one in await accounts(owner)] == ["Letters of user-1"]


async def test_no_is_told_in_words_and_saves_nothing(owner: Member, letters: Vendor):
    """Who does not agree at the vendor reads that nothing was changed; the state is used up."""
    letters.oauth.user = ""
    returned = await letters.agree(await begin(owner))
    assert returned["error"] == "access_denied"
    done = await outcome(owner, await come_back(owner, returned))
    assert (done["outcome"], done["message"]) == (
        "refused",
        "You did not agree at Letters, so nothing was changed.",
    )
    assert await accounts(owner) == []
    assert await come_back(owner, returned) == {"connect": "expired"}


@pytest.mark.parametrize("error", ["invalid_scope", "server_error", "<script>alert(1)</script>", "made_up"])
async def test_vendors_errors_become_sentences(owner: Member, letters: Vendor, error: str):
    """Every error is told in words; what is not a word of the standard is not repeated as it came."""
    state = query_of(await begin(owner))["state"]
    done = await outcome(owner, await come_back(owner, {"state": state, "error": error}))
    assert done["outcome"] == "refused"
    assert "Letters" in done["message"]
    assert "<" not in done["message"]


async def test_code_that_is_not_good_connects_nothing(owner: Member, letters: Vendor):
    """A made-up code, and a code of somebody else's attempt (injection): PKCE stops both."""
    state = query_of(await begin(owner))["state"]
    done = await outcome(owner, await come_back(owner, {"state": state, "code": "made-up"}))
    assert (done["outcome"], done["message"]) == ("refused", "Letters wants you to sign in again.")
    stolen = (await letters.agree(await begin(owner)))["code"]
    state = query_of(await begin(owner))["state"]
    assert (await outcome(owner, await come_back(owner, {"state": state, "code": stolen})))["outcome"] == "refused"
    assert any("code_verifier" in why for why in letters.oauth.refused)
    assert await accounts(owner) == []


async def test_state_is_good_once_for_its_session_its_channel_and_ten_minutes(
    owner: Member, stranger: Member, application: Starlette, letters: Vendor, channel_parts: Resources
):
    """Replayed, in another session, of another member, at another channel's address, or late: told to begin again."""
    returned = await letters.agree(await begin(owner))
    same_person = await make_member(application, owner.facts)
    for other in (stranger, same_person):
        assert await come_back(other, returned) == {"connect": "expired"}
    assert await come_back(owner, returned, "twilio_sms") == {"connect": "expired"}
    assert await come_back(owner, returned, "no_such") == {"connect": "expired"}
    async with channel_parts.database.transaction([owner.facts.id]) as conn:
        await conn.execute("UPDATE connect_attempt SET expires_at = now(), created_at = now() - interval '10 minutes'")
    assert await come_back(owner, returned) == {"connect": "expired"}
    assert await accounts(owner) == []
    returned = await letters.agree(await begin(owner))
    assert "workspace" in await come_back(owner, returned)
    assert await come_back(owner, returned) == {"connect": "expired"}
    assert len(await accounts(owner)) == 1
    await same_person.http.aclose()


async def test_parameter_that_comes_twice_is_refused(owner: Member, letters: Vendor):
    """Readers would differ about which one counts; the attempt is not used up by it."""
    returned = await letters.agree(await begin(owner))
    twice = [*returned.items(), ("code", "another")]
    answer = await owner.http.get(f"{BASE_URL}/connect/letters/callback", params=twice)
    assert answer.headers["location"].endswith("#connect=expired")
    assert "workspace" in await come_back(owner, returned)


async def test_who_lost_the_right_meanwhile_connects_nothing(owner: Member, letters: Vendor, channel_parts: Resources):
    """Rights are looked at again when the browser is back."""
    returned = await letters.agree(await begin(owner))
    async with channel_parts.database.transaction([owner.facts.id]) as conn:
        await conn.execute("UPDATE member SET role = 'agent' WHERE id = $1", owner.facts.owner_id)
    assert await come_back(owner, returned) == {"connect": "expired"}


async def test_outcome_is_for_whom_it_belongs_to(owner: Member, stranger: Member, letters: Vendor):
    """Another tenant does not learn that there was an attempt."""
    told = await come_back(owner, await letters.agree(await begin(owner)))
    assert (await stranger.http.get(f"channel-accounts/oauth/{told['connect']}")).status_code == 404
    foreign = f"{BASE_URL}/api/v1/workspaces/{owner.facts.id}/channel-accounts/oauth/{told['connect']}"
    assert (await stranger.http.get(foreign)).status_code == 403


async def test_installation_without_an_app_says_what_is_missing(
    owner: Member, letters: Vendor, channel_parts: Resources
):
    """The names of the variables, the address to register, and that own keys do; with own keys it works."""
    channel_parts.settings = oauth_channel.with_letters(channel_parts.settings, letters, has_app=False)
    listed = (await owner.http.get(f"{BASE_URL}/api/v1/channels")).json()["channels"]
    facts = next(one["sign_in"] for one in listed if one["id"] == "letters")
    assert (facts["redirect_uri"], facts["takes_own_app"]) == (oauth_channel.CALLBACK, True)
    answer = await owner.http.post("channel-accounts/oauth", json={"channel": "letters"})
    assert answer.status_code == 422
    for text in (facts["missing"], answer.text):
        assert "HUB_OAUTH_LETTERS_CLIENT_ID and HUB_OAUTH_LETTERS_CLIENT_SECRET" in text
    own = {"client_id": "our-app", "client_secret": "our-secret"}
    assert (await connect(owner, letters, credentials=own))["outcome"] == "connected"
    answer = await owner.http.post("channel-accounts/oauth", json={"channel": "twilio_sms"})
    assert answer.status_code == 422


async def test_key_and_viewer_cannot_begin(owner: Member, letters: Vendor, channel_parts: Resources):
    """Only who manages channels may, and a browser must come back."""
    async with channel_parts.database.transaction([owner.facts.id]) as conn:
        await conn.execute("UPDATE member SET role = 'viewer' WHERE id = $1", owner.facts.owner_id)
    answer = await owner.http.post("channel-accounts/oauth", json={"channel": "letters"})
    assert answer.status_code == 403


# ── signing in again ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_signing_in_again_keeps_the_account(
    owner: Member, letters: Vendor, channel_parts: Resources, sealer: Sealer
):
    """Same account, new tokens; one that needed a sign-in is connected again, its name and settings as they were."""
    done = await connect(owner, letters, name="Desk", settings={"folder": "Post"})
    account_id = done["channel_account_id"]
    before = await credentials(channel_parts, sealer, owner, account_id)
    letters.oauth.end_grants()
    async with channel_parts.database.transaction([owner.facts.id]) as conn:
        await channels.mark_needs_sign_in(conn, owner.facts.id, UUID(account_id), "Signed out there.")
    done = await connect(owner, letters, account_id=account_id)
    assert (done["outcome"], done["channel_account_id"]) == ("connected", account_id)
    [account] = await accounts(owner)
    assert (account["status"], account["status_reason"], account["name"]) == ("connected", "", "Desk")
    assert account["settings"] == {"folder": "Post"}
    after = await credentials(channel_parts, sealer, owner, account_id)
    assert set(before.values()).isdisjoint(after.values())


async def test_signing_in_again_as_somebody_else_is_refused(
    owner: Member, letters: Vendor, channel_parts: Resources, sealer: Sealer
):
    """Else conversations of one mailbox would go on from another; the old tokens stay."""
    account_id = (await connect(owner, letters))["channel_account_id"]
    before = await credentials(channel_parts, sealer, owner, account_id)
    letters.oauth.user = "user-2"
    done = await connect(owner, letters, account_id=account_id)
    assert done["outcome"] == "refused"
    assert done["message"].startswith("You signed in to another account at Letters than the one connected here.")
    assert await credentials(channel_parts, sealer, owner, account_id) == before


async def test_same_account_is_not_connected_twice_in_a_workspace(owner: Member, stranger: Member, letters: Vendor):
    """Messages would come twice; another workspace may connect it."""
    await connect(owner, letters, name="Desk")
    done = await connect(owner, letters)
    assert (done["outcome"], done["message"]) == (
        "refused",
        "This account is connected already, as “Desk”. Sign in again there.",
    )
    assert (await connect(stranger, letters))["outcome"] == "connected"


async def test_account_of_another_tenant_is_not_signed_in_again(owner: Member, stranger: Member, letters: Vendor):
    """Nor one of another channel."""
    account_id = (await connect(owner, letters))["channel_account_id"]
    body = {"channel": "letters", "account_id": account_id}
    assert (await stranger.http.post("channel-accounts/oauth", json=body)).status_code == 404
    body = {"channel": "letters", "account_id": str(owner.facts.sms_id)}
    assert (await owner.http.post("channel-accounts/oauth", json=body)).status_code in (404, 422)


async def test_browser_comes_back_with_its_cookie(
    owner: Member, letters: Vendor, application: Starlette, channel_parts: Resources
):
    """The session's cookie is Lax, so that the vendor's redirect carries it; signed out, nothing is connected."""
    async with channel_parts.database.across() as conn:
        session = await sessions.start(conn, owner.facts.login_id)
    headers = {"origin": BASE_URL, "x-hub-request": "1"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application), base_url=BASE_URL, headers=headers
    ) as browser:
        browser.cookies.set("hub_session", session.token)
        path = f"/api/v1/workspaces/{owner.facts.id}/channel-accounts/oauth"
        url = (await browser.post(path, json={"channel": "letters"})).json()["authorize_url"]
        returned = await letters.agree(url)
        browser.cookies.clear()
        answer = await browser.get("/connect/letters/callback", params=returned)
        assert answer.headers["location"].endswith("#connect=expired")
        browser.cookies.set("hub_session", session.token)
        answer = await browser.get("/connect/letters/callback", params=returned)
        assert "workspace=" in answer.headers["location"]
        assert answer.headers["referrer-policy"] == "no-referrer"


async def test_changing_a_setting_keeps_what_was_granted(
    owner: Member, letters: Vendor, channel_parts: Resources, sealer: Sealer
):
    """The form knows nothing of tokens; those of a renewal meanwhile are not overwritten with older ones."""
    account_id = (await connect(owner, letters))["channel_account_id"]
    before = await credentials(channel_parts, sealer, owner, account_id)
    async with channel_parts.database.transaction([owner.facts.id]) as conn:
        await conn.execute("UPDATE channel_account SET token_expires_at = $1", clock.now() + timedelta(seconds=30))
    await owner.routes.refresh()
    assert channel_parts.routes is not None
    channel_parts.renewals = Renewals(channel_parts.database, sealer, channel_parts.routes, channel_parts.settings)
    answer = await owner.http.patch(f"channel-accounts/{account_id}", json={"settings": {"folder": "New"}})
    assert answer.status_code == 200, answer.text
    after = await credentials(channel_parts, sealer, owner, account_id)
    assert letters.oauth.renewals == 1
    assert after["refresh_token"] != before["refresh_token"]
    assert (await owner.http.post(f"channel-accounts/{account_id}/test")).json()["ok"]
