"""What a member is told, over HTTP: the list, marks, settings, browsers for push, and the way out of digests."""

from __future__ import annotations

import base64
import os
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub import clock
from hub.notices import actions, store
from hub.notices.digest import DigestLinks
from hub.notices.model import Digest, Kind, Settings, Telling
from hub.push.sending import ensure_key
from hub.realtime.broker import NoticeSignal, Signalled
from tests.integration.api.conftest import browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

LINKS = DigestLinks({1: sha256(b"k").digest()}, "http://localhost:8000")


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def subscription(endpoint="https://push.example/abc", **keys):
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    encoded = b64(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    return {
        "endpoint": endpoint,
        "expirationTime": None,
        "keys": {"p256dh": encoded, "auth": b64(os.urandom(16)), **keys},
    }


async def tell(database, tenant, amount=1):
    tellings = [
        Telling(
            kind=Kind.SECURITY, subject=str(clock.new_id()), at=clock.now(), member_ids=frozenset({tenant.member_id})
        )
        for _ in range(amount)
    ]
    async with database.transaction([tenant.workspace_id]) as conn:
        return await actions.tell(conn, tenant.workspace_id, tellings)


@pytest.fixture
async def member(client, tenant):
    """Signed in; returns the address of the workspace."""
    await sign_in(client)
    return f"/api/v1/workspaces/{tenant.workspace_id}"


async def test_list_pages_and_counts(client, tenant, member, database):
    """Newest first, with counts of all; the cursor leads on; a bad one is named."""
    await tell(database, tenant, 5)
    first = (await client.get(f"{member}/notices?limit=3")).json()
    assert (len(first["notices"]), first["unread"], first["unseen"]) == (3, 5, 5)
    second = (await client.get(f"{member}/notices?limit=3&before={first['next']}")).json()
    assert (len(second["notices"]), second["next"]) == (2, None)
    assert not {one["id"] for one in first["notices"]} & {one["id"] for one in second["notices"]}
    assert first["notices"][0]["kind"] == "security"
    for bad in (
        "x",
        b64(b'["2026-01-01T00:00:00","x"]'),
        b64(b'["2026-01-01T00:00:00","%s"]' % str(tenant.member_id).encode()),
    ):
        answer = await client.get(f"{member}/notices?before={bad}")
        assert (answer.status_code, answer.json()["field"]) == (422, "before")


async def test_empty_list(client, tenant, member):
    """Nothing yet is an answer."""
    assert (await client.get(f"{member}/notices")).json() == {"notices": [], "unread": 0, "unseen": 0, "next": None}


async def test_marks(client, tenant, member, database, notices):
    """Some, all, all up to what was shown; the member's other tabs hear of it, nobody else does."""
    ids = await tell(database, tenant, 3)
    newest = (await client.get(f"{member}/notices")).json()["notices"][0]
    await tell(database, tenant, 4)
    notices.clear()
    seen = (await client.post(f"{member}/notices/seen", json={"until": newest["at"]})).json()
    assert (seen["changed"], seen["unread"], seen["unseen"]) == (3, 7, 4)
    assert [one for one in notices if isinstance(one, Signalled)] == [
        Signalled(tenant.workspace_id, NoticeSignal(tenant.member_id))
    ]
    one = (await client.post(f"{member}/notices/read", json={"ids": [str(ids[0])]})).json()
    assert (one["changed"], one["unread"]) == (1, 6)
    assert (await client.post(f"{member}/notices/read", json={})).json()["unread"] == 0
    assert (await client.get(f"{member}/notices?unread=1")).json()["notices"] == []
    assert (await client.post(f"{member}/notices/read", json={"until": "2026-11-22T12:00:00"})).status_code == 422


async def test_undo_of_marking_all(client, tenant, member, database):
    """Exactly what one call marked is unread again; what was read before stays read; one or the other is named."""
    ids = await tell(database, tenant, 3)
    await client.post(f"{member}/notices/read", json={"ids": [str(ids[0])]})
    marked = (await client.post(f"{member}/notices/read", json={})).json()
    assert (marked["changed"], marked["unread"]) == (2, 0)
    undone = (await client.post(f"{member}/notices/unread", json={"read_at": marked["at"]})).json()
    assert (undone["changed"], undone["unread"]) == (2, 2)
    one = (await client.post(f"{member}/notices/unread", json={"ids": [str(ids[0])]})).json()
    assert (one["changed"], one["unread"]) == (1, 3)
    for wrong in ({}, {"ids": [], "read_at": marked["at"]}):
        assert (await client.post(f"{member}/notices/unread", json=wrong)).json()["field"] == "ids"


async def test_what_was_told_anew_is_not_taken_back(client, tenant, member, database):
    """A read notice with a newer one about the same thing stays read: there is one unread notice of a thing."""
    telling = Telling(
        kind=Kind.SECURITY, subject="same", at=clock.now(), member_ids=frozenset({tenant.member_id}), detail="x"
    )
    async with database.transaction([tenant.workspace_id]) as conn:
        (old,) = await actions.tell(conn, tenant.workspace_id, [telling])
    await client.post(f"{member}/notices/read", json={})
    async with database.transaction([tenant.workspace_id]) as conn:
        await actions.tell(conn, tenant.workspace_id, [telling])
    answer = (await client.post(f"{member}/notices/unread", json={"ids": [str(old)]})).json()
    assert (answer["changed"], answer["unread"]) == (0, 1)


async def test_settings(client, tenant, member):
    """Defaults, a change of a part, quiet hours ended again; what cannot be is named."""
    settings = (await client.get(f"{member}/notice-settings")).json()
    assert settings["kinds"]["assigned"] == ["email", "in_app", "push"]
    assert settings["kinds"]["conversation"] == []
    wanted = {
        "kinds": {"conversation": ["in_app"]},
        "time_zone": "Europe/Berlin",
        "quiet_from": 1320,
        "quiet_until": 420,
    }
    changed = (await client.patch(f"{member}/notice-settings", json=wanted)).json()
    assert changed["kinds"] == settings["kinds"] | {"conversation": ["in_app"]}
    assert changed["quiet_from"] == 1320
    ended = await client.patch(f"{member}/notice-settings", json={"quiet_from": None, "quiet_until": None})
    assert (ended.json()["quiet_from"], ended.json()["time_zone"]) == (None, "Europe/Berlin")
    for wrong, field in (
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"quiet_from": 10}, "quiet_until"),
        ({"quiet_from": 1440}, "quiet_from"),
        ({"digest_hour": 24}, "digest_hour"),
        ({"digest": "weekly"}, "digest"),
        ({"language": "de\r\nX: y"}, "language"),
    ):
        answer = await client.patch(f"{member}/notice-settings", json=wrong)
        assert answer.status_code == 422, wrong
        assert answer.json()["field"].startswith(field), wrong


async def test_unknown_kinds_are_refused(client, tenant, member):
    """A kind that is none is not kept."""
    answer = await client.patch(f"{member}/notice-settings", json={"kinds": {"gossip": ["in_app"]}})
    assert answer.status_code in (400, 422)
    assert "gossip" not in (await client.get(f"{member}/notice-settings")).text


async def test_browsers_are_subscribed_and_taken_out(client, tenant, database):
    """With the key push services know us by; what is no browser's description is named."""
    await sign_in(client)
    assert (await client.get("/api/v1/push-key")).status_code == 404
    async with database.across() as conn:
        key = await ensure_key(conn, {1: sha256(b"1").digest()})
    assert (await client.get("/api/v1/push-key")).json() == {"public_key": b64(key.public_key)}
    first = await client.post("/api/v1/push-subscriptions", json=subscription())
    again = await client.post("/api/v1/push-subscriptions", json=subscription())
    assert (first.status_code, first.json()) == (201, again.json())
    for wrong, field in (
        (subscription(endpoint="http://push.example/x"), "endpoint"),
        (subscription(endpoint="https://10.0.0.1:9200/x"), "endpoint"),
        (subscription(auth="AAAA"), "keys.auth"),
        (subscription(p256dh="!!"), "keys.p256dh"),
    ):
        answer = await client.post("/api/v1/push-subscriptions", json=wrong)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    body = {"endpoint": "https://push.example/abc"}
    for _ in range(2):
        assert (await client.request("DELETE", "/api/v1/push-subscriptions", json=body)).status_code == 204
    async with database.across() as conn:
        assert await conn.fetch("SELECT id FROM hub_push_subscriptions($1)", [tenant.login_id]) == []


async def test_nobody_takes_out_anothers_browser(parts, tenant, foreign, database):
    """A stranger who knows the endpoint changes nothing."""
    async with browser(parts) as ann, browser(parts) as bob:
        await sign_in(ann)
        await sign_in(bob, foreign.email)
        await ann.post("/api/v1/push-subscriptions", json=subscription())
        await bob.request("DELETE", "/api/v1/push-subscriptions", json={"endpoint": "https://push.example/abc"})
    async with database.across() as conn:
        assert len(await conn.fetch("SELECT id FROM hub_push_subscriptions($1)", [tenant.login_id])) == 1


async def test_one_click_ends_digests(parts, tenant, database):
    """A mail program's POST without cookie and Origin; looking at the link changes nothing; a forged one is not found."""
    parts.digest_links = LINKS
    address = LINKS.unsubscribe_url(tenant.workspace_id, tenant.member_id)

    async def digest() -> Digest:
        async with database.snapshot([tenant.workspace_id]) as conn:
            return (await store.get_settings(conn, tenant.workspace_id, tenant.member_id)).digest

    async with browser(parts) as program:
        program.headers.clear()
        page = await program.get(address)
        assert (page.status_code, page.headers["referrer-policy"]) == (200, "no-referrer")
        assert 'method="post"' in page.text
        assert await digest() is Settings().digest
        form = {"content-type": "application/x-www-form-urlencoded"}
        ended = await program.post(address, content=b"List-Unsubscribe=One-Click", headers=form)
        assert (ended.status_code, ended.json()) == (200, {"digest": "off"})
        assert await digest() is Digest.OFF
        for forged in (address[:-1] + ("0" if address[-1] != "0" else "1"), address.partition("?")[0]):
            assert (await program.post(forged)).status_code == 404
            assert (await program.get(forged)).status_code == 404


async def test_pressing_the_button_ends_digests(parts, tenant, database):
    """A person's browser, from the page itself, with the Origin it sends; it gets a page back."""
    parts.digest_links = LINKS
    async with browser(parts) as person:
        person.headers.pop("x-hub-request")
        address = LINKS.unsubscribe_url(tenant.workspace_id, tenant.member_id)
        done = await person.post(address, headers={"accept": "text/html"})
    assert done.status_code == 200
    assert "no more of these mails" in done.text


async def test_readyz_says_that_mails_are_kept(client):
    """A warning, not a reason to stop serving."""
    answer = (await client.get("/readyz")).json()
    assert "HUB_MAIL_URL" in answer["warnings"][0]
