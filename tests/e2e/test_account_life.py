"""The life of an account in browsers: signing up by mail, joining by invitation, a forgotten password, factors."""

from __future__ import annotations

import email
import re
import time
from collections.abc import Callable, Iterator
from email import policy
from typing import Any

import httpx
import pyotp
import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.running import EMAIL, PASSWORD, RunningHub
from tests.e2e.pages import Inbox, Person
from tests.e2e.test_passkeys_browser import authenticator, call
from tests.mail_services import PASSWORD as MAIL_PASSWORD
from tests.mail_services import SmtpSink

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(180)]

CHOSEN = "seven lanterns over Bergen"
# What somebody who is not signed in yet is refused on the way.
REFUSALS = r"status of (401|403|404|422|429) .*/api/v1/"


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    started = SmtpSink()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def fresh_hub(app_build: Any, sink: SmtpSink) -> Iterator[RunningHub]:
    """A hub that sends its own mail to a real server, and lets everybody sign up."""
    started = RunningHub(
        HUB_MAIL_URL=f"smtp://hub:{MAIL_PASSWORD}@127.0.0.1:{sink.port}?tls=none",
        HUB_MAIL_FROM="Northwind <hub@northwind.example>",
        HUB_REGISTRATION="open",
    )
    started.set_up()
    yield started
    started.stop()


class Mailbox:
    """Whatever came for one address."""

    def __init__(self, sink: SmtpSink, address: str) -> None:
        self.sink, self.address = sink, address

    def link(self, page: str) -> str:
        """Return the path of the newest link to a page, waiting for its mail."""
        deadline_s = time.monotonic() + 30
        while time.monotonic() < deadline_s:
            for taken in reversed(list(self.sink.taken)):
                found = re.search(rf"https?://[^\s/]+(/{page}#[\w-]+)", text_of(taken.content))
                if self.address in taken.recipients and found:
                    return found.group(1)
            time.sleep(0.1)
        raise AssertionError(f"no mail with a link to /{page} for {self.address}")


def text_of(data: bytes) -> str:
    body = email.message_from_bytes(data, policy=policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@pytest.fixture
def somebody(arrive: Callable[..., Person]) -> Person:
    person = arrive()
    person.expect_on_console(REFUSALS)
    return person


def choose_password(page: Page, password: str, button: str) -> None:
    page.get_by_role("textbox", name="Password").fill(password)
    page.get_by_role("button", name=button).click()


def test_somebody_signs_up_by_mail(somebody: Person, sink: SmtpSink) -> None:
    """From the sign-in page to an account: the mail's link asks for a password, and opening it uses nothing up."""
    page = somebody.page
    page.goto("/")
    page.get_by_role("link", name="Make an account").click()
    page.get_by_role("textbox", name="Your name").fill("Nadia Brandt")
    page.get_by_role("textbox", name="E-mail").fill("nadia@brandt.example")
    assert somebody.axe() == []
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    assert somebody.axe() == []

    link = Mailbox(sink, "nadia@brandt.example").link("verify")
    for _ in range(2):
        page.goto(link)
        page.reload()
        expect(page.get_by_role("heading", name="Choose your password")).to_be_visible()
    assert somebody.axe() == []
    choose_password(page, "password1234", "Make my account")
    expect(page.get_by_role("alert")).to_be_visible()
    choose_password(page, CHOSEN, "Make my account")
    expect(page.get_by_role("heading", name="You are in no workspace yet")).to_be_visible()
    page.goto(link)
    page.reload()
    choose_password(page, CHOSEN, "Make my account")
    expect(page.get_by_role("alert")).to_contain_text("used already")


def test_a_forgotten_password_is_chosen_anew(somebody: Person, fresh_hub: RunningHub, sink: SmtpSink) -> None:
    """The page answers alike for everybody; the link of the mail signs in with the new password."""
    join(fresh_hub, "kim@northwind.example")
    page = somebody.page
    page.goto("/sign-in")
    page.get_by_role("link", name="Forgot your password?").click()
    for address in ("nobody@elsewhere.example", "kim@northwind.example"):
        page.get_by_role("textbox", name="E-mail").fill(address)
        page.get_by_role("button", name="Send the link").click()
        expect(page.get_by_role("main")).to_contain_text(address)
        expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
        page.get_by_role("button", name="Use another address").click()
    assert somebody.axe() == []
    page.goto(Mailbox(sink, "kim@northwind.example").link("reset"))
    page.reload()
    choose_password(page, CHOSEN, "Save and sign in")
    Inbox(somebody).wait_until_live()


def join(hub: RunningHub, address: str) -> None:
    """Make somebody a member who has a password, as the command and its link do."""
    token = hub.add_member(address).rpartition("#")[2]
    with httpx.Client(base_url=hub.base_url, headers={"origin": hub.base_url, "x-hub-request": "1"}) as client:
        body = {"token": token, "name": address.partition("@")[0].title(), "password": PASSWORD}
        assert client.post("/api/v1/password-links", json=body).status_code == 200


def invite(hub: RunningHub, address: str) -> None:
    with hub.api() as api:
        answer = api.post("invitations", json={"emails": [address], "role": "agent"})
        assert answer.json()["results"][0]["outcome"] == "invited", answer.text


def test_an_invitation_makes_an_account_and_opens_the_inbox(
    somebody: Person, fresh_hub: RunningHub, sink: SmtpSink
) -> None:
    """Who invites to what is said first; whoever is new chooses a name and a password and is in."""
    invite(fresh_hub, "iris@northwind.example")
    link = Mailbox(sink, "iris@northwind.example").link("invitation")
    page = somebody.page
    page.goto(link)
    expect(page.get_by_role("heading", name="Join Northwind")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("iris@northwind.example to work there as agent")
    assert somebody.axe() == []
    page.get_by_role("textbox", name="Your name").fill("Iris Moe")
    choose_password(page, CHOSEN, "Accept and join")
    Inbox(somebody).wait_until_live()

    page.goto(link)
    page.reload()
    expect(page.get_by_role("main")).to_contain_text("was used, was taken back or has run out")
    assert somebody.axe() == []


def test_an_invitation_of_somebody_else_is_explained(somebody: Person, fresh_hub: RunningHub, sink: SmtpSink) -> None:
    """Signed in as another person they are told so; then whoever has an account signs in and is asked once more."""
    page = somebody.page
    page.goto("/")
    page.get_by_role("link", name="Make an account").click()
    page.get_by_role("textbox", name="Your name").fill("Omar Said")
    page.get_by_role("textbox", name="E-mail").fill("omar@said.example")
    page.get_by_role("button", name="Send the link").click()
    page.goto(Mailbox(sink, "omar@said.example").link("verify"))
    page.reload()
    choose_password(page, CHOSEN, "Make my account")
    expect(page.get_by_role("heading", name="You are in no workspace yet")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    Inbox(somebody).sign_in(EMAIL, PASSWORD)

    invite(fresh_hub, "omar@said.example")
    page.goto(Mailbox(sink, "omar@said.example").link("invitation"))
    expect(page.get_by_role("main")).to_contain_text(f"signed in as {EMAIL}")
    assert somebody.axe() == []
    page.get_by_role("button", name="Sign out, then accept").click()
    page.get_by_role("button", name="Sign in to accept").click()
    page.get_by_role("textbox", name="E-mail").fill("omar@said.example")
    choose_password(page, CHOSEN, "Sign in")
    Inbox(somebody).wait_until_live()


def test_a_second_factor_is_asked_for(somebody: Person, fresh_hub: RunningHub) -> None:
    """The password alone opens nothing: a wrong code is refused in words, the right one goes where one wanted to go."""
    join(fresh_hub, "toril@northwind.example")
    page = somebody.page
    Inbox(somebody).sign_in("toril@northwind.example", PASSWORD)
    begun = call(page, "POST", "factors/totp")
    if begun["body"].get("code") == "proof_needed":
        assert call(page, "POST", "session/proof", {"password": PASSWORD})["status"] == 200
        begun = call(page, "POST", "factors/totp")
    secret = begun["body"]["secret"]
    confirmed = call(page, "POST", "factors/totp/confirm", {"code": pyotp.TOTP(secret).now()})
    codes = confirmed["body"]["recovery_codes"]
    call(page, "DELETE", "session")

    page.goto("/settings/members")
    page.get_by_role("textbox", name="E-mail").fill("toril@northwind.example")
    choose_password(page, PASSWORD, "Sign in")
    expect(page.get_by_role("heading", name="Enter your code")).to_be_visible()
    assert somebody.axe() == []
    page.get_by_role("textbox", name="Code").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="Use a recovery code").click()
    page.get_by_role("textbox", name="Recovery code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/settings/members$"))


def test_a_passkey_alone_signs_in(somebody: Person, fresh_hub: RunningHub) -> None:
    """One button, no name and no password; where there is no passkey, words say so."""
    join(fresh_hub, "ada@northwind.example")
    page = somebody.page
    authenticator(page)
    page.goto("/sign-in")
    Inbox(somebody).sign_in("ada@northwind.example", PASSWORD)
    asked = call(page, "POST", "passkeys/options")["body"]["options"]
    made = page.evaluate(
        """async (options) => (await navigator.credentials.create(
        {publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options)})).toJSON()""",
        asked,
    )
    assert call(page, "POST", "passkeys", {"name": "Chromium", "attestation": made})["status"] == 201
    call(page, "DELETE", "session")

    page.goto("/")
    page.get_by_role("button", name="Use a passkey").click()
    Inbox(somebody).wait_until_live()
