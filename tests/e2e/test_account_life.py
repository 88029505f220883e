"""The whole life of an account in the browser: a real hub, its mails through a real SMTP server."""

from __future__ import annotations

import base64
import hmac
import re
import time
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.running import EMAIL, PASSWORD, RunningHub
from tests.e2e.pages import Inbox, Person
from tests.mail_services import PASSWORD as MAIL_PASSWORD
from tests.mail_services import SmtpSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow]

THEIRS = "seven quiet green lanterns"
SIGNED_OUT_WITHIN_MS = 60_000


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    started = SmtpSink()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def fresh_hub(app_build: Path, sink: SmtpSink) -> Iterator[RunningHub]:
    """A hub where anybody may sign up, and whose mails arrive."""
    started = RunningHub(
        HUB_REGISTRATION="open",
        HUB_MAIL_URL=f"smtp://hub:{MAIL_PASSWORD}@127.0.0.1:{sink.port}?tls=none",
        HUB_MAIL_FROM="Hub <hub@hub.example>",
    )
    yield started
    started.stop()


def link_to(sink: SmtpSink, recipient: str, page: str, base_url: str) -> str:
    """Wait for the mail to somebody that has a link to a page, and return the link."""
    for count in range(1, 20):
        mails = sink.wait_for(count, timeout_s=30)
        for mail in mails:
            text = message_from_bytes(mail.content, policy=default).get_body(("plain",))
            found = re.search(rf"{re.escape(base_url)}/{page}#\S+", text.get_content() if text else "")
            if recipient in mail.recipients and found:
                return found.group(0)
    raise AssertionError(f"no link to {page}")


def sign_up(page: Page, sink: SmtpSink, base_url: str, email: str) -> None:
    page.goto("/sign-up")
    page.get_by_label("Your name").fill("Mia")
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    # A scanner that only reads uses nothing up.
    link = link_to(sink, email, "verify", base_url)
    page.request.get(link)
    page.goto(link)
    page.get_by_label("Password", exact=True).fill("password")
    page.get_by_role("button", name="Make my account").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Password", exact=True).fill(THEIRS)
    page.get_by_role("button", name="Make my account").click()
    expect(page.get_by_role("heading", name="You are in no workspace yet")).to_be_visible()


def code_of(secret: str) -> str:
    """What an authenticator app shows now (RFC 6238, 6 digits, 30 s)."""
    step = int(time.time() // 30).to_bytes(8, "big")
    digest = hmac.digest(base64.b32decode(secret + "=" * (-len(secret) % 8)), step, "sha1")
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"


def set_up_app(page: Page) -> str:
    """Add an authenticator app; return a recovery code."""
    page.goto("/account/security")
    page.get_by_role("button", name="Set up an app").click()
    dialog = page.get_by_role("dialog")
    secret = dialog.locator("code").inner_text()
    dialog.get_by_label("Code of the app").fill(code_of(secret))
    dialog.get_by_role("button", name="Confirm").click()
    kept = page.get_by_role("dialog", name="Keep your recovery codes")
    recovery_code = kept.locator("code").first.inner_text()
    kept.get_by_label("I have kept them").check()
    kept.get_by_role("button", name="Done").click()
    expect(page.get_by_text("In use since")).to_be_visible()
    return recovery_code


def test_account_from_registration_to_revocation(
    arrive: Callable[..., Person], hub: RunningHub, sink: SmtpSink
) -> None:
    """From registration to a session ended from elsewhere, each step is seen by whom it is about."""
    mia = arrive()
    mia.expect_on_console(r"status of (401|403|422) ")
    sign_up(mia.page, sink, hub.base_url, "mia@example.com")
    recovery_code = set_up_app(mia.page)
    assert mia.axe() == []

    with hub.api() as owner:
        invited = owner.post("invitations", json={"emails": ["mia@example.com"], "role": "agent"})
        assert invited.status_code == 200, invited.text
    elsewhere = arrive()
    elsewhere.expect_on_console(r"status of (401|403|422) ")
    page = elsewhere.page
    page.goto(link_to(sink, "mia@example.com", "invitation", hub.base_url))
    expect(page.get_by_text("Ola invites")).to_be_visible()
    page.get_by_role("button", name="Sign in to accept").click()
    page.get_by_label("E-mail").fill("mia@example.com")
    page.get_by_label("Password", exact=True).fill(THEIRS)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Use a recovery code").click()
    page.get_by_label("Recovery code").fill(recovery_code)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Accept").click()
    Inbox(elsewhere).wait_until_live()

    page.goto("/settings/members")
    row = page.get_by_role("listitem").filter(has_text="mia@example.com")
    expect(row).to_contain_text("Agent")
    with hub.api() as owner:
        (member,) = [one for one in owner.get("members").json()["members"] if one["email"] == "mia@example.com"]
        assert owner.patch(f"members/{member['id']}", json={"role": "admin"}).status_code == 200
    expect(row).to_contain_text("Admin", timeout=10_000)

    mia.page.goto("/account/sessions")
    mia.page.get_by_role("button", name=re.compile("^End Chrome")).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=SIGNED_OUT_WITHIN_MS)


def test_owner_is_signed_in_by_password_alone(arrive: Callable[..., Person], hub: RunningHub) -> None:
    """Without a factor nothing more is asked; the account opens from one's own menu."""
    person = arrive()
    person.expect_on_console(r"status of 401 ")
    Inbox(person).sign_in(EMAIL, PASSWORD)
    person.page.get_by_role("button", name=re.compile("profile and sign-out")).click()
    person.page.get_by_role("menuitem", name="Your account").click()
    expect(person.page.get_by_label("Your name")).to_have_value("Ola")
    assert person.axe() == []
