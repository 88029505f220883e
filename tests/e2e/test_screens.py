"""
Every page, wide and on a phone, light and dark: nothing axe objects to, nothing wider than the window.

With HUB_SCREENSHOTS set to a folder the pages are also saved there, as docs/screenshots/ has them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.running import EMAIL, PASSWORD, RunningHub
from tests.e2e.pages import PHONE, WIDE, Chat, Inbox, Person
from tests.emulators import NUMBER, EmulatedTwilio

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(150)]

TEXTS = (
    ("+15550142601", "Hi! Is the big monstera back in stock?"),
    ("+15550142602", "The lamp I bought in March flickers. What can I do?"),
    ("+15550142603", "Thanks, it arrived today"),
    ("+15550142604", "Can I pick up my order on Saturday instead of Friday? I am out of town until then."),
    ("+15550142605", "أين طلبي؟"),
)
SHOTS = os.environ.get("HUB_SCREENSHOTS", "")


@pytest.fixture(scope="module")
def busy_hub(hub: RunningHub, twilio_process: EmulatedTwilio) -> RunningHub:
    """A hub with channels and customers."""
    hub.chat_id = hub.connect_chat()  # type: ignore[attr-defined]  # for the tests of this module
    url = hub.connect_sms(twilio_process, NUMBER)["webhook_url"]
    for sender, text in TEXTS:
        twilio_process.control("inbound", url=url, **{"from": sender, "to": NUMBER, "body": text})
    return hub


def look(person: Person, name: str, page: Page | None = None) -> None:
    """Check the page on screen, and keep a picture of it where one is wanted."""
    shown = page or person.page
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        shown.screenshot(path=Path(SHOTS) / f"{name}.png", animations="disabled")
    assert person.axe(shown) == [], name
    assert person.overflow_px() == 0, name
    if shown.viewport_size == PHONE:
        box = shown.get_by_role("main").first.bounding_box()
        assert box is None or box["width"] > 0.95 * PHONE["width"], name


def talk(inbox: Inbox, chat: Chat) -> None:
    """Fill one thread with all there is: both sides, a note, lines."""
    expect(inbox.row("Do you deliver to Bergen?")).to_be_visible()
    inbox.open("Do you deliver to Bergen?")
    inbox.reply("We do. It takes three days, and the pots are packed by hand.")
    expect(chat.message("We do.")).to_be_visible()
    chat.say("Perfect, then I take the terracotta pot")
    expect(inbox.bubble("Perfect")).to_be_visible()
    inbox.note("Second order this month: add a saucer.")
    inbox.choose("Assign", "(you)")
    expect(inbox.thread.get_by_text("You took this")).to_be_visible()
    expect(inbox.toasts.get_by_role("button", name="Dismiss")).to_be_visible()
    inbox.toasts.get_by_role("button", name="Dismiss").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "phone"])
def test_every_page_holds_up(busy_hub: RunningHub, arrive: Callable[..., Person], size: str, scheme: str):
    """Sign-in, list, thread, contact, menus, keys, channels, a form, members, the chat on a website."""
    touch = {"has_touch": True, "is_mobile": True} if size == "phone" else {}
    options = {"viewport": PHONE if size == "phone" else WIDE, "color_scheme": scheme, **touch}
    person, visitor = arrive(**options), arrive(**options)
    person.expect_on_console(r"status of 401 .*/api/v1/session\)")
    page, inbox, chat = person.page, Inbox(person), Chat(visitor)
    name = f"{size}-{scheme}"

    page.goto("/sign-in")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    look(person, f"sign-in-{name}")
    inbox.sign_in(EMAIL, PASSWORD)
    visitor.page.goto(f"/sample/{busy_hub.chat_id}")  # type: ignore[attr-defined]  # set above
    look(visitor, f"website-{name}")
    chat.open()
    chat.say("Do you deliver to Bergen?")
    talk(inbox, chat)
    look(visitor, f"chat-{name}")
    look(person, f"thread-{name}")

    if size == "phone":
        inbox.thread.get_by_role("button", name="Contact", exact=True).click()
        expect(inbox.contact.get_by_text("First seen")).to_be_visible()
        look(person, f"contact-{name}")
        inbox.contact.get_by_role("button", name="Hide the contact").click()
    inbox.thread.get_by_role("button", name=re.compile("^Snooze")).click()
    expect(page.get_by_role("menu")).to_be_visible()
    look(person, f"menu-{name}")
    page.keyboard.press("Escape")
    inbox.thread.get_by_role("button", name="Close", exact=True).click()

    page.goto("/")
    inbox.wait_until_live()
    expect(inbox.row(TEXTS[0][1])).to_be_visible()
    look(person, f"inbox-{name}")
    inbox.tab("Snoozed").click()
    expect(inbox.list).to_contain_text("Nothing is snoozed")
    look(person, f"empty-{name}")

    page.goto("/settings/channels")
    expect(page.get_by_role("article", name="Support line").locator("code")).to_be_visible()
    look(person, f"channels-{name}")
    page.get_by_role("button", name="Connect SMS (Twilio)").click()
    expect(page.get_by_role("heading", name="Connect SMS (Twilio)")).to_be_in_viewport()
    look(person, f"connect-{name}")
    page.goto("/settings/members")
    expect(page.get_by_role("heading", name="Members")).to_be_visible()
    look(person, f"members-{name}")
    page.goto("/welcome")
    expect(page.get_by_role("heading", name="Try live chat")).to_be_visible()
    look(person, f"welcome-{name}")
    page.goto("/nowhere")
    expect(page.get_by_text("There is nothing at this address")).to_be_visible()
    look(person, f"missing-{name}")
