"""What a visitor has a right to, over a real hub: noted, fetched as a file and erased by a member in the browser."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.acceptance.running import EMAIL, PASSWORD, RunningHub
from tests.e2e.pages import PHONE, Chat, Inbox, Person
from tests.e2e.test_screens import look

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(120)]


def test_consent_is_noted_a_file_fetched_and_the_person_erased(
    hub: RunningHub, owner: Inbox, arrive: Callable[..., Person]
):
    """The file has what the visitor wrote; then the conversation is gone and its counts stand in the settings."""
    visitor = arrive()
    visitor.page.goto(f"/sample/{hub.connect_chat()}")
    chat = Chat(visitor)
    chat.open()
    chat.say("Forget me afterwards, please.")
    owner.open("Forget me afterwards, please.")
    page = owner.page
    page.get_by_role("button", name="Privacy", exact=True).click()
    dialog = page.get_by_role("dialog", name=re.compile("Privacy of"))
    dialog.get_by_role("button", name="Note a consent").click()
    dialog.get_by_label("What for").fill("newsletter")
    dialog.get_by_label("Where it was said").fill("In the chat")
    dialog.get_by_role("button", name="Note it").click()
    expect(dialog.get_by_text("Holds", exact=True)).to_be_visible()

    dialog.get_by_role("button", name="Make a file").click()
    fetch = dialog.get_by_role("button", name="Fetch")
    expect(fetch).to_be_visible(timeout=30_000)
    look(owner.person, "contact-privacy-wide-light")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    look(owner.person, "contact-privacy-phone-dark")
    page.set_viewport_size({"width": 1440, "height": 860})
    with page.expect_download() as download:
        fetch.click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert any(b"Forget me afterwards" in archive.read(one) for one in archive.namelist())

    dialog.get_by_role("button", name="Erase this person…").click()
    expect(dialog.get_by_text("1 conversation with 1 message and 0 files.")).to_be_visible()
    name = (dialog.get_by_role("heading", level=2).text_content() or "").removeprefix("Privacy of ")
    dialog.get_by_label(re.compile("^Type ")).fill(name)
    dialog.get_by_role("button", name="Erase for good").click()
    expect(dialog).to_have_count(0)
    expect(owner.row("Forget me afterwards, please.")).to_have_count(0, timeout=30_000)
    page.goto("/settings/privacy")
    expect(page.get_by_text("1 conversation, 1 message, 0 files")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Done", exact=True)).to_be_visible(timeout=30_000)
    look(owner.person, "privacy-wide-dark")


def test_app_is_added_by_its_qr_code(hub: RunningHub, arrive: Callable[..., Person]):
    """The dialog shows the code beside the key."""
    person = arrive()
    person.expect_on_console(r"status of 401 .*/api/v1/session\)")
    Inbox(person).sign_in(EMAIL, PASSWORD)
    page = person.page
    page.goto("/account/security")
    page.get_by_role("button", name="Set up an app").click()
    question = page.get_by_role("dialog", name="Is it you?")
    expect(page.get_by_role("dialog")).to_be_visible()
    if question.is_visible():
        question.get_by_label("Your password").fill(PASSWORD)
        question.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("img", name="QR code for an authenticator app")).to_be_visible()
    look(person, "totp-wide-light")
