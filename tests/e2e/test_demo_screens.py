"""
The demo as people see it: alive at the first look, answered, and gone with one click.

With HUB_SCREENSHOTS set to a folder the pages are also saved there, as docs/screenshots/ has them; the demo's seed makes
them the same people and texts each time.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.running import RunningHub
from tests.e2e.pages import PHONE, WIDE, Inbox, Person

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(200)]

SHOTS = os.environ.get("HUB_SCREENSHOTS", "")
ANSWER = "Hello! Thank you for writing, I am looking into it right now."


def start_demo(speed: int) -> RunningHub:
    started = RunningHub("--demo", "--demo-seed", "13", "--demo-speed", str(speed))
    found = re.search(r"sign in as (\S+), password (\S+)", started.said)
    assert found is not None, started.said
    started.email, started.password = found.groups()  # type: ignore[attr-defined]  # for the tests of this module
    return started


@pytest.fixture(scope="module")
def demo_hub(app_build: Path) -> Iterator[RunningHub]:
    """A hub with the demo, its customers three times as quick as people."""
    started = start_demo(3)
    yield started
    started.stop()


@pytest.fixture
def short_lived_hub(app_build: Path) -> Iterator[RunningHub]:
    """Another, ten times as quick, for the test that removes the demo."""
    started = start_demo(10)
    yield started
    started.stop()


@pytest.fixture
def arrive(browser: Browser) -> Iterator[Callable[..., Inbox]]:
    """Give somebody a browser of their own, signed in; at the end its console may hold no complaint."""
    people: list[Person] = []

    def sign_in(hub: RunningHub, **options: object) -> Inbox:
        people.append(Person(browser, hub, **options))
        people[-1].expect_on_console(r"status of 401 .*/api/v1/session\)")
        inbox = Inbox(people[-1])
        inbox.sign_in(hub.email, hub.password)  # type: ignore[attr-defined]  # set above
        return inbox

    yield sign_in
    for person in people:
        person.context.close()
    assert [complaint for person in people for complaint in person.complaints] == []


def conversation_of(hub: RunningHub, name: str) -> str:
    """Find a customer's conversation, wherever new ones have pushed it in the list; waits for it."""
    hub.sign_in(hub.email, hub.password)  # type: ignore[attr-defined]  # set above
    deadline_s = time.monotonic() + 30
    with hub.api() as api:
        while True:
            snapshot = api.get("snapshot", params={"limit": 200}).json()
            contacts = {one["id"] for one in snapshot["contacts"] if one["name"] == name}
            found = [one["id"] for one in snapshot["conversations"] if one["contact_id"] in contacts]
            if found:
                return str(found[0])
            assert time.monotonic() < deadline_s, f"{name} did not write"
            time.sleep(0.3)


def look(inbox: Inbox, name: str) -> None:
    """Check the page on screen, and keep a picture of it where one is wanted."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        inbox.page.screenshot(path=Path(SHOTS) / f"{name}.png", animations="disabled")
    assert inbox.person.axe() == [], name
    assert inbox.person.overflow_px() == 0, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "phone"])
def test_demo_is_alive_and_holds_up(demo_hub: RunningHub, arrive: Callable[..., Inbox], size: str, scheme: str):
    """Rows of every kind at once, a thread with a picture, new customers without a reload, accounts with a badge."""
    touch = {"has_touch": True, "is_mobile": True} if size == "phone" else {}
    inbox = arrive(demo_hub, viewport=PHONE if size == "phone" else WIDE, color_scheme=scheme, **touch)
    rows = inbox.list.get_by_role("listitem")
    expect(rows.nth(7)).to_be_visible()
    look(inbox, f"demo-inbox-{size}-{scheme}")

    inbox.page.goto(f"/c/{conversation_of(demo_hub, 'Grace Mensah')}")
    picture = inbox.thread.get_by_role("img", name=re.compile("broken-lamp"))
    expect(picture).to_be_visible(timeout=30_000)
    expect(picture).to_have_js_property("complete", True)
    look(inbox, f"demo-thread-{size}-{scheme}")
    inbox.page.goto("/settings/channels")
    expect(inbox.page.get_by_text("Demo", exact=True).first).to_be_visible()
    look(inbox, f"demo-channels-{size}-{scheme}")


def test_customer_answers_and_one_click_removes_the_demo(short_lived_hub: RunningHub, arrive: Callable[..., Inbox]):
    """A reply is read by a customer who is still there, and answered; Remove empties an open inbox without a reload."""
    inbox = arrive(short_lived_hub)
    expect(inbox.row("Nadia Mensah")).to_be_visible(timeout=30_000)
    inbox.open("Nadia Mensah")
    expect(inbox.bubble("WELCOME10")).to_be_visible(timeout=20_000)
    inbox.reply(ANSWER)
    expect(inbox.bubble(ANSWER)).to_be_visible()
    expect(inbox.bubble("It works now")).to_be_visible(timeout=30_000)

    other = inbox.person.context.new_page()
    other.goto("/settings/channels")
    other.get_by_role("button", name="Remove the demo").click()
    other.get_by_role("dialog").get_by_role("button", name="Remove the demo").click()
    expect(other.get_by_text("The demo was removed.")).to_be_visible(timeout=30_000)

    expect(other.get_by_role("article", name="Shop number")).to_have_count(0)
    expect(inbox.list.get_by_role("listitem")).to_have_count(0, timeout=15_000)
