"""The first ten minutes of a new user, from the printed address to a message in the inbox, over a hub just started."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.running import EMAIL, PASSWORD, RunningHub
from tests.e2e.pages import Chat, Inbox, Person

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow]


def fill_set_up(page: Page, **values: str) -> None:
    wanted = {"Workspace": "Northwind", "Your name": "Ola Berg", "E-mail": EMAIL, "Password": PASSWORD} | values
    for label, value in wanted.items():
        page.get_by_role("textbox", name=label).fill(value)
    page.get_by_role("button", name="Create the workspace").click()


@pytest.mark.timeout(120)
def test_a_new_user_is_answering_a_visitor_within_minutes(fresh_hub: RunningHub, arrive: Callable[..., Person]):
    """Set-up page → two cards → sample page → message in the inbox without reload; reloads keep it; signing in works."""
    person = arrive()
    person.expect_on_console(r"status of (401|403|422|409|400) .*/api/v1/(session|setup)\)")
    page = person.page

    page.goto("/")
    expect(page.get_by_role("heading", name="Almost there")).to_be_visible()
    assert person.axe() == []
    page.goto("/setup#a-token-that-was-never-printed")
    page.reload()
    fill_set_up(page)
    expect(page.get_by_role("alert")).to_have_text(re.compile("not valid any more"))
    assert person.axe() == []

    page.goto(f"/setup#{fresh_hub.setup_token}")
    page.reload()
    fill_set_up(page, Password="short-one")
    expect(page.get_by_role("heading", name="Set up your hub")).to_be_visible()
    fill_set_up(page)
    expect(page.get_by_role("heading", name="Northwind is ready")).to_be_visible()
    expect(page.get_by_role("heading", level=2)).to_have_text(["Connect E-mail", "Try live chat", "Connect SMS"])
    assert person.axe() == []

    with person.context.expect_page() as opened:
        page.get_by_role("button", name="Try live chat").click()
    site = opened.value
    site.wait_for_url(re.compile("/sample/"))
    page.get_by_role("link", name="Go to the inbox").first.click()
    inbox, chat = Inbox(person), Chat(person, site)
    inbox.wait_until_live()
    expect(inbox.list).to_contain_text("All done")
    chat.open()
    chat.say("Do you deliver to Bergen?")
    expect(inbox.row("Do you deliver to Bergen?")).to_be_visible()
    expect(inbox.tab("Open")).to_have_text("Open1")

    page.reload()
    inbox.open("Do you deliver to Bergen?")
    expect(inbox.bubble("Do you deliver to Bergen?")).to_be_visible()
    inbox.reply("We do, in three days.")
    expect(chat.message("We do, in three days.")).to_be_visible()
    site.reload()
    expect(chat.message("Do you deliver to Bergen?")).to_have_count(1)
    expect(chat.message("We do, in three days.")).to_have_count(1)
    page.reload()
    expect(inbox.bubble("We do, in three days.")).to_have_count(1)
    assert person.axe(site) == []

    _set_up_twice_is_refused(fresh_hub, arrive())
    _sign_out_and_in(person)


def _set_up_twice_is_refused(hub: RunningHub, stranger: Person) -> None:
    stranger.expect_on_console(r"status of (401|403|409) .*/api/v1/(session|setup)\)")
    stranger.page.goto(f"/setup#{hub.setup_token}")
    fill_set_up(stranger.page, Workspace="Mine now")
    expect(stranger.page.get_by_role("alert")).to_have_text(re.compile("already|set up", re.IGNORECASE))


def _sign_out_and_in(person: Person) -> None:
    page = person.page
    page.get_by_role("button", name="profile and sign-out").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert person.axe() == []
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_role("textbox", name="Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("password", re.IGNORECASE))
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(Inbox(person).row("We do, in three days.")).to_be_visible()
