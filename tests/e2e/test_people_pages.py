"""The pages about people, keys and the audit log, over a real hub: what an owner does there, and that every page holds up."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.running import EMAIL, PASSWORD, RunningHub
from tests.e2e.pages import PHONE, WIDE, Chat, Inbox, Person
from tests.e2e.test_screens import look

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(90)]

PAGES: Final = (
    ("members", "Members"),
    ("roles", "Roles"),
    ("teams", "Teams"),
    ("access", "Inboxes"),
    ("workspace", "Workspace"),
    ("privacy", "Privacy"),
    ("keys", "Keys and tokens"),
    ("audit", "Audit log"),
)


def join(hub: RunningHub, email: str, name: str) -> str:
    """Make somebody a member by the link that the command prints; their id."""
    token = hub.add_member(email).rsplit("#", 1)[1]
    headers = {"origin": hub.base_url, "x-hub-request": "1"}
    body = {"token": token, "name": name, "password": "a long enough phrase 7"}
    answer = httpx.post(f"{hub.base_url}/api/v1/password-links", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    with hub.api() as client:
        found = client.get("members", params={"q": email}).json()["members"]
    return found[0]["id"]


@pytest.fixture(scope="module")
def staffed_hub(hub: RunningHub) -> RunningHub:
    """A hub with two more members, one of whom has a conversation that is open."""
    hub.hugo = join(hub, "hugo@northwind.example", "Hugo Laurent")  # type: ignore[attr-defined]  # for the tests here
    join(hub, "mira@northwind.example", "Mira Sand")
    hub.chat_id = hub.connect_chat()  # type: ignore[attr-defined]  # likewise
    return hub


def choose(page: Page, member: str, what: str) -> None:
    """Choose from a member's menu."""
    page.get_by_role("button", name=f"What to do about {member}").click()
    page.get_by_role("menuitem", name=re.compile(what)).click()


def toast(page: Page, text: str) -> None:
    """Wait for the words of success."""
    expect(page.locator(".toasts").get_by_text(text)).to_be_visible()


def test_member_invited_raised_put_in_a_team_and_let_go(
    staffed_hub: RunningHub, owner: Inbox, arrive: Callable[..., Person]
):
    """An owner invites, changes a role, makes a team, and lets a member go whose open conversation another takes."""
    page, hub = owner.page, staffed_hub
    visitor = arrive()
    visitor.page.goto(f"/sample/{hub.chat_id}")  # type: ignore[attr-defined]  # set by the fixture
    chat = Chat(visitor)
    chat.open()
    chat.say("Is the teapot back?")
    expect(owner.row("Is the teapot back?")).to_be_visible()
    with hub.api() as client:
        (conversation,) = client.get("conversations").json()["conversations"]
        assigned = client.patch(f"conversations/{conversation['id']}", json={"assignee_id": hub.hugo})  # type: ignore[attr-defined]
        assert assigned.status_code == 200, assigned.text

    page.goto("/settings/members")
    page.get_by_role("button", name="Invite people").click()
    page.get_by_label("E-mail addresses").fill("ana@northwind.example, hugo@northwind.example")
    page.get_by_role("button", name="Invite 2 people").click()
    expect(page.get_by_role("alert")).to_contain_text("hugo@northwind.example works here already")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Send again to ana@northwind.example")).to_be_visible()

    choose(page, "Mira Sand", "Change role")
    page.get_by_role("dialog").get_by_label("Role").select_option("admin")
    page.get_by_role("button", name="Save role").click()
    expect(page.get_by_role("listitem").filter(has_text="mira@northwind.example")).to_contain_text("Admin")

    page.goto("/settings/teams")
    page.get_by_role("button", name="Make a team").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Night shift")
    page.get_by_role("dialog").get_by_label("Mira Sand").check()
    page.get_by_role("button", name="Save team").click()
    expect(page.get_by_role("listitem").filter(has_text="Night shift")).to_contain_text("Mira Sand")

    page.goto("/settings/members")
    choose(page, "Hugo Laurent", "Deactivate")
    expect(page.get_by_role("dialog")).to_contain_text("1 conversation of theirs: 1 open")
    page.get_by_label("Who takes their conversations?").select_option(label="Mira Sand")
    page.get_by_role("button", name="Deactivate", exact=True).click()
    toast(page, "Hugo Laurent is deactivated.")
    expect(page.get_by_text("hugo@northwind.example")).to_have_count(0)
    with hub.api() as client:
        mira = client.get("members", params={"q": "mira"}).json()["members"][0]["id"]
        until = time.monotonic() + 20
        while (row := client.get("conversations").json()["conversations"][0])["assignee_id"] != mira:
            assert time.monotonic() < until, row
            time.sleep(0.2)


def test_key_is_made_shown_once_and_revoked_and_the_log_tells(staffed_hub: RunningHub, owner: Inbox):
    """The token that the page shows opens the API until it is revoked; the audit log has both, narrowed by its address."""
    page, hub = owner.page, staffed_hub
    page.goto("/settings/keys")
    page.get_by_role("button", name="Make a key").click()
    page.get_by_role("dialog").get_by_role("textbox", name="Name").fill("Nightly export")
    page.get_by_role("dialog").get_by_role("button", name="Make a key").click()
    token = page.get_by_role("dialog").locator("code").inner_text()
    assert token.startswith("mh_live_")
    address = f"{hub.base_url}/api/v1/workspaces/{hub.workspace_id}/conversations"
    assert httpx.get(address, headers={"authorization": f"Bearer {token}"}).status_code == 200
    page.get_by_role("button", name="I have kept it").click()
    assert token not in page.content()
    page.get_by_role("button", name="Revoke Nightly export").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    toast(page, "Nightly export is revoked.")
    assert httpx.get(address, headers={"authorization": f"Bearer {token}"}).status_code == 401

    page.goto("/settings/audit")
    page.get_by_label("Action").select_option("api_key.")
    page.wait_for_url("**/settings/audit?action=api_key.")
    entries = page.get_by_role("list", name="Entries, newest first").get_by_role("listitem")
    expect(entries).to_have_count(2)
    expect(entries.first).to_contain_text("Ola")
    page.reload()
    expect(entries).to_have_count(2)
    entries.first.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text("api_key.revoked")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Export").click()
    page.get_by_role("menuitem", name=re.compile("CSV")).click()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("^Save audit-")).click()
    assert "api_key.revoked" in download.value.path().read_text("utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "phone"])
def test_pages_hold_up(staffed_hub: RunningHub, arrive: Callable[..., Person], size: str, scheme: str):
    """Nothing axe objects to and nothing wider than the window, on every page and in its form."""
    person = arrive(viewport=PHONE if size == "phone" else WIDE, color_scheme=scheme)
    person.expect_on_console(r"status of 401 .*/api/v1/session\)")
    Inbox(person).sign_in(EMAIL, PASSWORD)
    page = person.page
    for address, heading in PAGES:
        page.goto(f"/settings/{address}")
        expect(page.get_by_role("heading", name=heading, exact=True, level=1)).to_be_visible()
        expect(page.get_by_label("Loading")).to_have_count(0)
        if size == "phone":
            tabs = page.get_by_role("navigation", name="Sections of settings")
            box = tabs.bounding_box()
            assert box is not None
            assert box["height"] >= 36, address
        look(person, f"{address}-{size}-{scheme}")
    for address, button in (("members", "Invite people"), ("roles", "Make a role"), ("keys", "Make a token")):
        page.goto(f"/settings/{address}")
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        look(person, f"{address}-form-{size}-{scheme}")
