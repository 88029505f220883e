"""Privacy over HTTP: who may, what is confirmed twice, whose a download is."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest

from api.privacy_routes import PRIVACY_ROUTES
from hub import clock
from hub.accounts import actions as accounts
from hub.accounts.model import NewMember, Permission, Role
from hub.attachments.keeping import Keeper
from hub.blobs import Blobs
from hub.channels.sealing import Sealer
from hub.privacy.exporting import Exporting
from tests.integration.api.conftest import PASSWORD, browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

SEALER = Sealer({1: bytes(32)})


@pytest.fixture
def whole(parts, tmp_path):
    return replace(parts, sealer=SEALER, keeper=Keeper(parts.database, Blobs.in_folder(tmp_path / "files")))


@pytest.fixture
async def owner(whole, tenant):
    async with browser(whole) as opened:
        await sign_in(opened)
        yield opened


@pytest.fixture
async def contact_id(database, tenant):
    contact_id = clock.new_id()
    async with database.transaction([tenant.workspace_id]) as conn:
        await conn.execute(
            "INSERT INTO contact (workspace_id, id, name, created_at) VALUES ($1, $2, 'Zoe', now())",
            *(tenant.workspace_id, contact_id),
        )
    return contact_id


@pytest.fixture
def url(tenant, contact_id):
    return f"/api/v1/workspaces/{tenant.workspace_id}/contacts/{contact_id}"


async def second_member(database, parts, tenant, role=Role.OWNER):
    email = f"{role}@example.com"
    async with database.transaction([tenant.workspace_id]) as conn:
        _, token = await accounts.add_member(conn, tenant.workspace_id, NewMember(email=email, role=role))
    password_hash = await parts.passwords.make_hash(PASSWORD)
    async with database.across() as conn:
        await accounts.consume_link(conn, token, password_hash)
    return email


async def test_only_who_asked_fetches_an_export(whole, owner, database, tenant, url):
    """The address is signed for one member: another owner gets none, and the first one's does not open for them."""
    made = await owner.post(f"{url}/exports")
    assert made.status_code == 201
    export_id = made.json()["export"]["id"]
    before = (await owner.get(f"{url}/exports/{export_id}")).json()
    assert (before["export"]["state"], before["url"]) == ("queued", None)
    await Exporting(database, whole.keeper.blobs, SEALER).run(tenant.workspace_id, export_id)

    address = (await owner.get(f"{url}/exports/{export_id}")).json()["url"]
    fetched = await owner.get(address)

    assert fetched.status_code == 200
    assert fetched.headers["content-disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(fetched.content)) as archive:
        assert b"Zoe" in archive.read("contact.json")
    assert (await owner.get(address[:-1] + ("0" if address[-1] != "0" else "1"))).status_code == 404
    assert (await owner.get(address.partition("?")[0])).status_code == 404
    async with browser(whole) as other:
        await sign_in(other, await second_member(database, whole, tenant))
        assert (await other.get(f"{url}/exports/{export_id}")).json()["url"] is None
        assert (await other.get(address)).status_code == 404
    listed = (await owner.get(f"{url}/exports")).json()
    assert [one["id"] for one in listed["exports"]] == [export_id]


async def test_an_erasure_repeats_what_was_shown(owner, database, tenant, url):
    """Without the preview's digest nothing is erased; with it the erasure can be followed."""
    shown = (await owner.get(f"{url}/erasure-preview")).json()
    refused = await owner.post(f"{url}/erasures", json={"digest": "0" * 16})

    made = await owner.post(f"{url}/erasures", json={"digest": shown["digest"]})

    assert refused.status_code == 409
    assert made.status_code == 201
    erasure = made.json()
    assert (erasure["state"], erasure["progress"], erasure["requested_by"]) == ("queued", 0, str(tenant.member_id))
    place = f"/api/v1/workspaces/{tenant.workspace_id}/erasures"
    assert (await owner.get(f"{place}/{erasure['id']}")).json() == erasure
    assert [one["id"] for one in (await owner.get(place)).json()["erasures"]] == [erasure["id"]]
    async with database.transaction([tenant.workspace_id]) as conn:
        actions = {row["action"] for row in await conn.fetch("SELECT action FROM audit_entry")}
    assert "contact.erasure_requested" in actions


async def test_consents_are_added_never_changed(owner, database, tenant, url):
    """The history has both; the application has no right to change a row."""
    given = {"purpose": "newsletter", "state": "given", "basis": "consent", "source": "Form 7", "channel": "email"}
    first = await owner.post(f"{url}/consents", json=given)
    second = await owner.post(f"{url}/consents", json=given | {"state": "withdrawn", "source": "Call"})

    page = (await owner.get(f"{url}/consents?limit=1")).json()
    rest = (await owner.get(f"{url}/consents?limit=1&before={page['next']}")).json()

    assert (first.status_code, second.status_code) == (201, 201)
    assert [one["state"] for one in (*page["consents"], *rest["consents"])] == ["withdrawn", "given"]
    for wrong in (
        {"purpose": "News Letter"},
        {"source": " "},
        {"basis": "mood"},
        {"occurred_at": "2999-01-01T00:00:00Z"},
    ):
        assert (await owner.post(f"{url}/consents", json=given | wrong)).status_code == 422, wrong
    async with database.transaction([tenant.workspace_id]) as conn:
        for privilege in ("UPDATE", "DELETE"):
            assert not await conn.fetchval("SELECT has_table_privilege('consent_record', $1)", privilege)


async def test_retention_is_shown_set_changed_and_dropped(owner, tenant):
    """A policy of an inbox: preview, one each, other days, gone; what is not there or not one is refused."""
    place = f"/api/v1/workspaces/{tenant.workspace_id}"
    (inbox,) = (await owner.get(f"{place}/inboxes")).json()["inboxes"]
    wanted = {"inbox_id": inbox["inbox"]["id"], "days": 90}

    shown = await owner.post(f"{place}/retention-policies/preview", json=wanted)
    made = await owner.post(f"{place}/retention-policies", json=wanted)
    again = await owner.post(f"{place}/retention-policies", json=wanted)
    policy = made.json()["policy"]
    changed = await owner.patch(f"{place}/retention-policies/{policy['id']}", json={"days": 30})

    assert shown.json()["extent"]["conversations"] == 0
    assert (made.status_code, again.status_code, policy["closed_only"]) == (201, 409, True)
    assert changed.json()["policy"]["days"] == 30
    for wrong in ({"days": 90}, wanted | {"days": 0}, {"days": 9, "inbox_id": str(clock.new_id())}):
        assert (await owner.post(f"{place}/retention-policies", json=wrong)).status_code == 422, wrong
    assert (await owner.delete(f"{place}/retention-policies/{policy['id']}")).status_code == 204
    assert (await owner.get(f"{place}/retention-policies")).json()["policies"] == []


async def test_admins_do_not_manage_privacy(whole, database, tenant, url, contact_id):
    """Exports, erasures and retention are for owners; consents are read and noted by agents."""
    async with browser(whole) as admin:
        await sign_in(admin, await second_member(database, whole, tenant, Role.ADMIN))
        for path in ("exports", "erasure-preview"):
            assert (await admin.get(f"{url}/{path}")).status_code == 403
        assert (await admin.get(f"{url}/consents")).status_code == 200


def test_what_cannot_be_taken_back_needs_a_person_who_proved_who_they_are():
    """Exports, erasures, and making or shortening retention: step-up, and no API key."""
    guarded = {(one.method, one.path.rpartition("/")[2]) for one in PRIVACY_ROUTES if one.step_up and one.people_only}
    assert {
        ("POST", "exports"),
        ("POST", "erasures"),
        ("POST", "retention-policies"),
        ("PATCH", "{policy_id}"),
    } == guarded
    assert all(isinstance(one.access, Permission) for one in PRIVACY_ROUTES)
