"""Home, notifications, push in the browser and the workspace switcher: a real hub, Chromium, nothing axe objects to."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.running import EMAIL, PASSWORD, RunningHub
from tests.e2e.pages import PHONE, WIDE, Inbox, Person
from tests.emulators import NUMBER, EmulatedTwilio

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(150)]

SHOTS = os.environ.get("HUB_SCREENSHOTS", "")


@pytest.fixture(scope="module")
def sms_url(hub: RunningHub, twilio_process: EmulatedTwilio) -> str:
    """Where customers' texts arrive."""
    return str(hub.connect_sms(twilio_process, NUMBER)["webhook_url"])


@pytest.fixture
def text(sms_url: str, twilio_process: EmulatedTwilio) -> Callable[[str, str], None]:
    """Have a customer write."""

    def write(sender: str, body: str) -> None:
        twilio_process.control("inbound", url=sms_url, **{"from": sender, "to": NUMBER, "body": body})

    return write


def arrived(arrive: Callable[..., Person], **options: object) -> Person:
    """Sign the owner in."""
    person = arrive(**options)
    person.expect_on_console(r"status of 401 .*/api/v1/session\)")
    Inbox(person).sign_in(EMAIL, PASSWORD)
    return person


def take_all(hub: RunningHub) -> None:
    """Give every open conversation to the owner, as a colleague would: whoever takes one is not told of it."""
    with hub.api() as client:
        me = client.get("snapshot").json()["me"]["id"]
        for one in client.get("conversations", params={"status": "open"}).json()["conversations"]:
            client.patch(f"conversations/{one['id']}", json={"assignee_id": me}).raise_for_status()


def close_all(hub: RunningHub) -> None:
    """Leave nothing open and nothing unread of what another test's customers wrote."""
    with hub.api() as client:
        for one in client.get("conversations", params={"status": "open"}).json()["conversations"]:
            client.patch(f"conversations/{one['id']}", json={"status": "closed"}).raise_for_status()
    read_notices(hub)


def read_notices(hub: RunningHub) -> None:
    """Mark all as read: signing in from a browser not seen before is a notice too."""
    with hub.api() as client:
        client.post("notices/read", json={}).raise_for_status()


def look(person: Person, name: str) -> None:
    """Check the page on screen, and keep a picture where one is wanted."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        person.page.screenshot(path=Path(SHOTS) / f"{name}.png", animations="disabled")
    assert person.axe() == [], name
    assert person.overflow_px() == 0, name


def bell(page: Page, unread: int) -> None:
    """Wait until the bell counts so many."""
    name = "Notifications" if unread == 0 else f"Notifications, {unread} unread"
    expect(page.get_by_role("link", name=name, exact=True)).to_be_visible(timeout=15_000)


def test_home_follows_what_happens(hub: RunningHub, arrive, text):
    """From "all answered" to who waits, without a reload; a number leads to its conversations; an answer ends it."""
    close_all(hub)
    person = arrived(arrive)
    page, inbox = person.page, Inbox(person)
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_text("All answered")).to_be_visible()
    expect(page.get_by_role("region", name=re.compile("Getting started"))).to_be_visible()
    text("+15550142701", "Where is my parcel?")
    waiting = page.get_by_role("region", name="Waiting longest")
    expect(waiting.get_by_text("Where is my parcel?")).to_be_visible(timeout=15_000)
    page.get_by_role("link", name="Unassigned: 1").click()
    expect(page).to_have_url(re.compile(r"filter=unassigned"))
    inbox.open("Where is my parcel?")
    inbox.reply("It comes tomorrow.")
    expect(inbox.bubble("It comes tomorrow.")).to_be_visible()
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_text("All answered")).to_be_visible(timeout=15_000)


def test_bell_counts_live_and_the_list_marks(hub: RunningHub, arrive, text):
    """A message in a conversation of mine is told at once; all are marked and taken back; opening one reads it."""
    close_all(hub)
    text("+15550142702", "Can I change my order?")
    person = arrived(arrive)
    page = person.page
    expect(Inbox(person).row("Can I change my order?")).to_be_visible(timeout=15_000)
    take_all(hub)
    read_notices(hub)
    bell(page, 0)
    page.get_by_role("link", name="Settings", exact=True).click()
    text("+15550142702", "To two pots, please.")
    expect(page.locator(".toasts").get_by_text(re.compile("wrote"))).to_be_visible(timeout=15_000)
    bell(page, 1)
    page.get_by_role("link", name="Notifications, 1 unread").click()
    row = page.get_by_role("main").get_by_role("link", name=re.compile("wrote ?, unread"))
    expect(row).to_be_visible()
    page.get_by_role("button", name="Mark all as read").click()
    bell(page, 0)
    page.get_by_role("button", name="Undo").click()
    bell(page, 1)
    row.click()
    expect(page).to_have_url(re.compile(r"/c/"))
    bell(page, 0)


def test_settings_are_kept(hub: RunningHub, arrive):
    """A way of a kind, quiet hours, the digest: there after a reload."""
    person = arrived(arrive)
    page = person.page
    page.goto("/settings/notifications")
    box = page.get_by_role("checkbox", name="New conversations: Push")
    expect(box).not_to_be_checked()
    box.check()
    page.get_by_label("Keep quiet hours").check()
    page.get_by_label("How often").select_option("daily")
    with page.expect_response(lambda answer: "digest_hour" in (answer.request.post_data or "")) as kept:
        page.get_by_label("At", exact=True).select_option("17")
    assert kept.value.ok
    expect(page.locator(".toasts").get_by_text("Saved").first).to_be_visible()
    page.reload()
    expect(box).to_be_checked()
    expect(page.get_by_label("From", exact=True)).to_have_value("20:00")
    expect(page.get_by_label("At", exact=True)).to_have_value("17")
    box.uncheck()


def test_service_worker_starts_and_push_is_asked_for_by_a_click(hub: RunningHub, arrive):
    """
    The worker registers from /sw.js for the whole site; permission is asked by the click alone.

    Chromium without its push service refuses to subscribe: that the page then says so is what is seen here. The worker's
    own work is tested beside it, the server's against a push service of our own.
    """
    person = arrived(arrive)
    person.expect_on_console("does not support the Push API in incognito mode")
    page = person.page
    answer = httpx.get(f"{hub.base_url}/sw.js")
    assert answer.headers["cache-control"] == "no-cache"
    page.goto("/settings/notifications")
    button = page.get_by_role("button", name="Notify me in this browser")
    expect(button).to_be_enabled()
    assert page.evaluate("async () => (await navigator.serviceWorker.getRegistrations()).length") == 0
    person.context.grant_permissions(["notifications"], origin=hub.base_url)
    button.click()
    expect(page.locator(".toasts").get_by_role("button", name="Dismiss").first).to_be_visible(timeout=15_000)
    state = page.evaluate(
        "async () => { const one = await navigator.serviceWorker.ready; return [one.scope, one.active.scriptURL]; }"
    )
    assert state == [f"{hub.base_url}/", f"{hub.base_url}/sw.js"]
    # What a click on a notification does to an open tab.
    page.evaluate(
        "() => navigator.serviceWorker.dispatchEvent("
        "new MessageEvent('message', { data: { type: 'hub:open', path: '/notices', workspace_id: 0 } }))"
    )
    expect(page).to_have_url(re.compile("/notices$"))


def test_another_workspace_is_made_switched_to_and_left(hub: RunningHub, arrive):
    """By the menu, by the keys; a workspace whose last owner one is cannot be left, and says so."""
    person = arrived(arrive)
    page = person.page
    person.expect_on_console(r"status of 4(09|22) ")
    switcher = page.get_by_role("button", name=re.compile("^Workspace "))
    switcher.click()
    page.get_by_role("menuitem", name="New workspace…").click()
    page.get_by_role("textbox", name="Name").fill("Second shop")
    look(person, "workspace-new")
    page.get_by_role("button", name="Make workspace").click()
    expect(page.get_by_role("button", name=re.compile("^Workspace Second shop"))).to_be_visible(timeout=15_000)
    page.keyboard.press("Alt+Shift+Digit1")
    expect(page.get_by_role("button", name=re.compile("^Workspace Northwind"))).to_be_visible(timeout=15_000)
    switcher.click()
    look(person, "workspace-menu")
    page.get_by_role("menuitem", name=re.compile("^Leave Northwind")).click()
    page.get_by_role("button", name="Leave workspace").click()
    expect(page.get_by_role("alert")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "phone"])
def test_pages_hold_up(hub: RunningHub, arrive, text, size: str, scheme: str):
    """Home, list and settings, wide and on a phone, light and dark."""
    text("+15550142703", f"Is the {size} {scheme} lamp back in stock? I have been waiting for it since the spring.")
    touch = {"has_touch": True, "is_mobile": True} if size == "phone" else {}
    person = arrived(arrive, viewport=PHONE if size == "phone" else WIDE, color_scheme=scheme, **touch)
    page = person.page
    take_all(hub)
    name = f"{size}-{scheme}"
    page.goto("/home")
    expect(page.get_by_role("region", name="Waiting longest")).to_be_visible()
    look(person, f"home-{name}")
    page.goto("/notices")
    expect(page.get_by_role("heading", name="Notifications")).to_be_visible()
    expect(page.locator(".skeleton")).to_have_count(0)
    look(person, f"notices-{name}")
    page.goto("/settings/notifications")
    expect(page.get_by_role("button", name="Notify me in this browser")).to_be_visible()
    look(person, f"notification-settings-{name}")
