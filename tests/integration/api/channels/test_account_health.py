"""The page of one account: its state in words, what waits, what went wrong; and its test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from redis.asyncio import Redis

from connectors.account_notes import AccountNotes
from connectors.base import Charge, Limit
from connectors.buckets import RedisBuckets
from connectors.renewal import Renewals
from hub import clock
from hub.channels import actions as channels
from hub.throttle import Throttle
from tests import oauth_channel
from tests.integration.api.channels.conftest import Member
from tests.integration.api.channels.test_connecting import connect
from tests.oauth_channel import Vendor

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from api.call import Resources
    from hub.channels.sealing import Sealer

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
async def letters(
    channel_parts: Resources, application: Starlette, sealer: Sealer, redis_ephemeral: str
) -> AsyncIterator[Vendor]:
    async with oauth_channel.serving() as vendor:
        channel_parts.registry = oauth_channel.as_registry()
        channel_parts.settings = oauth_channel.with_letters(channel_parts.settings, vendor)
        channel_parts.redis_ephemeral = Redis.from_url(redis_ephemeral)
        channel_parts.throttle = Throttle(channel_parts.redis_ephemeral)
        assert channel_parts.routes is not None
        channel_parts.renewals = Renewals(channel_parts.database, sealer, channel_parts.routes, channel_parts.settings)
        yield vendor
        await channel_parts.redis_ephemeral.aclose()


async def health(member: Member, account_id: str) -> dict:
    answer = await member.http.get(f"channel-accounts/{account_id}/health")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_page_tells_how_an_account_does(owner: Member, letters: Vendor, channel_parts: Resources):
    """New: connected, nothing waits, a token with an end. Later: when something came and went, what went wrong."""
    account_id = (await connect(owner, letters))["channel_account_id"]
    new = await health(owner, account_id)
    assert (new["status"], new["headline"], new["queued"], new["troubles"]) == ("connected", "Connected.", 0, [])
    assert (new["last_item_at"], new["last_sent_at"], new["signs_in"], new["can_test"]) == (None, None, True, True)
    assert new["token_expires_at"] > new["token_renewed_at"]
    assert new["webhook_url"].endswith(f"/webhooks/letters/{account_id}")
    assert [(one["name"], one["free"], one["words"]) for one in new["buckets"]] == [
        ("letters", 1.0, "Nothing in the way.")
    ]
    notes = AccountNotes()
    place = owner.facts.id, UUID(account_id)
    notes.item_came(*place)
    notes.message_went(*place)
    for _ in range(3):
        notes.went_wrong(place, "send", "131047", "The window is closed.")
    await notes.write(channel_parts.database)
    notes.went_wrong(place, "send", "131047", "The window is closed.")
    await notes.write(channel_parts.database)
    later = await health(owner, account_id)
    assert None not in (later["last_item_at"], later["last_sent_at"])
    [trouble] = later["troubles"]
    assert (trouble["doing"], trouble["code"], trouble["times"]) == ("send", "131047", 4)
    assert trouble["first_at"] < trouble["last_at"]


async def test_troubles_of_an_account_are_bounded(owner: Member, letters: Vendor, channel_parts: Resources):
    """The newest twenty codes stay, whatever a vendor makes up."""
    account_id = (await connect(owner, letters))["channel_account_id"]
    at = clock.now()
    notes = AccountNotes(lambda: at)
    for number in range(30):
        at += timedelta(seconds=1)
        notes.went_wrong((owner.facts.id, UUID(account_id)), "read", f"code-{number:02}", "x" * 900)
        await notes.write(channel_parts.database)
    troubles = (await health(owner, account_id))["troubles"]
    assert [one["code"] for one in troubles] == [f"code-{number:02}" for number in range(29, 9, -1)]
    assert len(troubles[0]["message"]) == 500


async def test_headline_says_what_to_do(owner: Member, letters: Vendor, channel_parts: Resources):
    """Paused and signed out, each with its reason."""
    account_id = (await connect(owner, letters))["channel_account_id"]
    async with channel_parts.database.transaction([owner.facts.id]) as conn:
        await channels.mark_needs_sign_in(conn, owner.facts.id, UUID(account_id), "The grant was taken back.")
    assert (await health(owner, account_id))["headline"] == "Needs a sign-in: The grant was taken back."
    async with channel_parts.database.transaction([owner.facts.id]) as conn:
        await channels.pause(conn, owner.facts.id, UUID(account_id))
    assert (await health(owner, account_id))["headline"].startswith("Paused: nothing is sent")


async def test_buckets_are_shown_as_they_are(owner: Member, letters: Vendor, channel_parts: Resources):
    """How much is free, and until when the vendor takes nothing; looking takes nothing."""
    account_id = (await connect(owner, letters))["channel_account_id"]
    assert channel_parts.redis_ephemeral is not None
    buckets = RedisBuckets(channel_parts.redis_ephemeral)
    charge = Charge(key=f"letters:{account_id}", limits=(Limit(1.0, 60.0, 10),), cost=4.0)
    assert await buckets.take([charge]) == 0.0
    for _ in range(3):
        [bucket] = (await health(owner, account_id))["buckets"]
        assert bucket["free"] == pytest.approx(0.6, abs=0.05)
        assert bucket["words"] == "60 % free."
    await buckets.penalise(charge.key, 90)
    [bucket] = (await health(owner, account_id))["buckets"]
    assert bucket["blocked_until"] is not None
    assert bucket["words"].startswith("The vendor takes nothing until ")


async def test_test_sends_something_and_renews_a_refused_token(owner: Member, letters: Vendor):
    """It says in words what was done; a token revoked at the vendor is renewed first; ten times, then enough."""
    account_id = (await connect(owner, letters))["channel_account_id"]
    path = f"channel-accounts/{account_id}/test"
    assert (await owner.http.post(path)).json() == {"ok": True, "message": "A letter was sent to user-1."}
    letters.oauth.end_access()
    # Right after a sign-in a refusal is believed: nothing is renewed twice within a minute.
    assert (await owner.http.post(path)).json()["ok"] is False
    assert (await health(owner, account_id))["status"] == "needs_sign_in"
    assert (await connect(owner, letters, account_id=account_id))["outcome"] == "connected"
    for _ in range(8):
        assert (await owner.http.post(path)).json()["ok"]
    assert (await owner.http.post(path)).status_code == 429


async def test_token_refused_long_after_its_grant_is_renewed(owner: Member, letters: Vendor, channel_parts: Resources):
    """Before its end, by the vendor: the test renews it once and goes through."""
    account_id = (await connect(owner, letters))["channel_account_id"]
    async with channel_parts.database.transaction([owner.facts.id]) as conn:
        await conn.execute("UPDATE channel_account SET token_renewed_at = now() - interval '1 hour'")
    letters.oauth.end_access()
    answer = await owner.http.post(f"channel-accounts/{account_id}/test")
    assert answer.json()["ok"], answer.text
    assert letters.oauth.renewals == 1


async def test_page_is_for_members_of_the_workspace_who_manage_channels(
    owner: Member, stranger: Member, letters: Vendor, channel_parts: Resources
):
    """Another tenant's id is unknown; notes under a foreign workspace are not written."""
    account_id = (await connect(owner, letters))["channel_account_id"]
    assert (await stranger.http.get(f"channel-accounts/{account_id}/health")).status_code == 404
    notes = AccountNotes()
    notes.went_wrong((stranger.facts.id, UUID(account_id)), "send", "planted", "Planted.")
    await notes.write(channel_parts.database)
    assert (await health(owner, account_id))["troubles"] == []
    async with channel_parts.database.transaction([owner.facts.id]) as conn:
        await conn.execute("UPDATE member SET role = 'agent' WHERE id = $1", owner.facts.owner_id)
    assert (await owner.http.get(f"channel-accounts/{account_id}/health")).status_code == 403
