"""Ways in, in browsers: a forgotten password, an invitation, another address, a second factor, a passkey alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pyotp
import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.running import EMAIL, PASSWORD, RunningHub
from tests.e2e.pages import Inbox, Person
from tests.e2e.test_account_life import fresh_hub, link_to, sink  # noqa: F401  fixtures: the hub whose mails arrive
from tests.e2e.test_passkeys_browser import CREATE, authenticator, call
from tests.mail_services import SmtpSink

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(180)]

CHOSEN = "seven lanterns over Bergen"
# What somebody who is not signed in yet is refused on the way.
REFUSALS = r"status of (401|403|404|422|429) .*/api/v1/"


@pytest.fixture
def somebody(arrive: Callable[..., Person]) -> Person:
    person = arrive()
    person.expect_on_console(REFUSALS)
    return person


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


def choose_password(page: Page, password: str, button: str) -> None:
    page.get_by_role("textbox", name="Password").fill(password)
    page.get_by_role("button", name=button, exact=True).click()


def test_a_forgotten_password_is_chosen_anew(somebody: Person, hub: RunningHub, sink: SmtpSink) -> None:  # noqa: F811
    """The page answers alike for everybody; the link of the mail signs in with the new password."""
    join(hub, "kim@northwind.example")
    page = somebody.page
    page.goto("/sign-in")
    page.get_by_role("link", name="Forgot your password?").click()
    for address in ("nobody@elsewhere.example", "kim@northwind.example"):
        page.get_by_role("textbox", name="E-mail").fill(address)
        page.get_by_role("button", name="Send the link").click()
        expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
        expect(page.get_by_role("main")).to_contain_text(address)
        assert somebody.axe() == []
        page.get_by_role("button", name="Nothing came? Try again").click()
    page.goto(link_to(sink, "kim@northwind.example", "reset", hub.base_url))
    choose_password(page, CHOSEN, "Save and sign in")
    Inbox(somebody).wait_until_live()


def test_an_invitation_makes_an_account(somebody: Person, hub: RunningHub, sink: SmtpSink) -> None:  # noqa: F811
    """Who invites to what is said first; whoever is new chooses a name and a password and is in; the link is spent."""
    invite(hub, "iris@northwind.example")
    link = link_to(sink, "iris@northwind.example", "invitation", hub.base_url)
    page = somebody.page
    page.goto(link)
    expect(page.get_by_role("heading", name="Join Northwind")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("iris@northwind.example to join as an agent")
    assert somebody.axe() == []
    page.get_by_role("textbox", name="Your name").fill("Iris Moe")
    choose_password(page, CHOSEN, "Join")
    Inbox(somebody).wait_until_live()

    page.goto(link)
    page.reload()
    expect(page.get_by_role("heading", name="This invitation is not open")).to_be_visible()
    assert somebody.axe() == []


def test_an_invitation_of_somebody_else_is_explained(
    somebody: Person,
    hub: RunningHub,
    sink: SmtpSink,  # noqa: F811
) -> None:
    """Signed in as another person they are told so, and are asked to sign out first."""
    invite(hub, "omar@northwind.example")
    Inbox(somebody).sign_in(EMAIL, PASSWORD)
    page = somebody.page
    page.goto(link_to(sink, "omar@northwind.example", "invitation", hub.base_url))
    expect(page.get_by_role("alert")).to_contain_text(f"You are signed in as {EMAIL}")
    assert somebody.axe() == []
    page.get_by_role("button", name="Sign out and go on").click()
    expect(page.get_by_role("textbox", name="Your name")).to_be_visible()


def test_another_address_is_confirmed_by_its_mailbox(
    somebody: Person,
    hub: RunningHub,
    sink: SmtpSink,  # noqa: F811
) -> None:
    """Asked for on the security page, made behind the link to the new address, and taken back behind the old one's."""
    join(hub, "liv@northwind.example")
    Inbox(somebody).sign_in("liv@northwind.example", PASSWORD)
    page = somebody.page
    page.goto("/account/security")
    page.get_by_role("textbox", name="New e-mail address").fill("liv@elsewhere.example")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("A link is on its way to")).to_be_visible()

    page.goto(link_to(sink, "liv@elsewhere.example", "change-address", hub.base_url))
    expect(page.get_by_role("heading", name="Use this address from now on?")).to_be_visible()
    assert somebody.axe() == []
    page.get_by_role("button", name="Use this address").click()
    expect(page.get_by_role("heading", name="This is your address now")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("liv@elsewhere.example")

    page.goto(link_to(sink, "liv@northwind.example", "stop-address-change", hub.base_url))
    page.get_by_role("button", name="Keep my old address").click()
    expect(page.get_by_role("heading", name="Your old address stays")).to_be_visible()
    assert somebody.axe() == []
    page.goto("/sign-in")
    Inbox(somebody).sign_in("liv@northwind.example", PASSWORD)


def test_a_second_factor_is_asked_for(somebody: Person, hub: RunningHub) -> None:
    """The password alone opens nothing: a wrong code is refused in words, the right one goes where one wanted to go."""
    join(hub, "toril@northwind.example")
    page = somebody.page
    Inbox(somebody).sign_in("toril@northwind.example", PASSWORD)
    secret = call(page, "POST", "factors/totp")["body"]["secret"]
    confirmed = call(page, "POST", "factors/totp/confirm", {"code": pyotp.TOTP(secret).now()})
    codes = confirmed["body"]["recovery_codes"]
    call(page, "DELETE", "session")

    page.goto("/settings/members")
    page.get_by_role("textbox", name="E-mail").fill("toril@northwind.example")
    choose_password(page, PASSWORD, "Sign in")
    expect(page.get_by_role("heading", name="Enter the code")).to_be_visible()
    assert somebody.axe() == []
    page.get_by_role("textbox", name="Code").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="Use a recovery code").click()
    page.get_by_role("textbox", name="Recovery code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/settings/members$"))


def test_a_passkey_alone_signs_in(somebody: Person, hub: RunningHub) -> None:
    """One button, no name and no password."""
    join(hub, "ada@northwind.example")
    page = somebody.page
    authenticator(page)
    page.goto("/sign-in")
    Inbox(somebody).sign_in("ada@northwind.example", PASSWORD)
    made = page.evaluate(CREATE, call(page, "POST", "passkeys/options")["body"]["options"])
    assert call(page, "POST", "passkeys", {"name": "Chromium", "attestation": made})["status"] == 201
    call(page, "DELETE", "session")

    page.goto("/")
    page.get_by_role("button", name="Continue with a passkey").click()
    Inbox(somebody).wait_until_live()
