"""A customer's SMS, answered in the browser: the channel's form, signed webhooks, the vendor's answers, ticks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import expect

from tests.acceptance.running import RunningHub
from tests.e2e.pages import Inbox
from tests.emulators import ACCOUNT_SID, AUTH_TOKEN, NUMBER, EmulatedTwilio

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(120)]

OTHER_NUMBER = "+15559870003"
UNREACHABLE = "Twilio cannot reach this computer. Set HUB_PUBLIC_URL to an https address that forwards here."

TextIn = Callable[[str, str], None]


@pytest.fixture(scope="module")
def webhook_url(hub: RunningHub, twilio_process: EmulatedTwilio) -> str:
    """Where the connected number's messages go."""
    return str(hub.connect_sms(twilio_process, NUMBER)["webhook_url"])


@pytest.fixture
def text_in(twilio: EmulatedTwilio, webhook_url: str) -> Iterator[TextIn]:
    """Let a customer's message arrive, signed by the vendor; later sends of the vendor are as always again."""

    def deliver(sender: str, text: str) -> None:
        answer = twilio.control("inbound", url=webhook_url, **{"from": sender, "to": NUMBER, "body": text})
        assert [one["status"] for one in answer["answers"]] == [200]

    yield deliver
    twilio.control("release")


def test_sms_is_connected_and_answered_in_the_browser(owner: Inbox, twilio: EmulatedTwilio, hub: RunningHub):
    """Wrong key told at its field; connected; webhook → row → typed reply → request at the vendor → delivered."""
    twilio.control("number", phone_number=OTHER_NUMBER)
    owner.person.expect_on_console(r"status of 422 .*/channel-accounts\)")
    page = owner.page
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("button", name="Connect SMS (Twilio)").click()
    assert owner.person.axe() == []
    page.get_by_label("Name", exact=True).fill("Second line")
    page.get_by_label("Account SID").fill(ACCOUNT_SID)
    token = page.get_by_role("textbox", name="Auth Token", exact=True)
    token.fill("not-the-token")
    page.get_by_label("Phone number").fill(OTHER_NUMBER)
    page.get_by_role("button", name="Check and connect").click()
    expect(token).to_have_accessible_description("Twilio did not accept the Account SID and Auth Token.")
    expect(token).to_be_focused()
    assert owner.person.axe() == []
    token.fill(AUTH_TOKEN)
    page.get_by_role("button", name="Check and connect").click()

    card = page.get_by_role("article", name="Second line")
    expect(card).to_contain_text("Connected")
    expect(card.get_by_text(UNREACHABLE, exact=True)).to_have_count(1)
    url = card.locator("code").inner_text()
    assert re.fullmatch(re.escape(hub.base_url) + r"/webhooks/twilio_sms/[0-9a-f-]{36}", url)
    assert AUTH_TOKEN not in page.content()
    card.get_by_role("button", name="Test").click()
    # The page about how the account does has a status of its own, sooner or later than this answer.
    expect(card.get_by_text("SMS (Twilio) is connected.")).to_be_visible()
    assert owner.person.axe() == []

    page.get_by_role("link", name="Inbox", exact=True).click()
    twilio.control("inbound", url=url, **{"from": "+15550100001", "to": OTHER_NUMBER, "body": "Where is my parcel?"})
    owner.open("Where is my parcel?")
    twilio.control("callbacks", hold=True)
    owner.field.press_sequentially("It is on its way. 👍")
    expect(owner.thread.locator(".composer")).to_contain_text("segment")
    owner.field.press("Control+Enter")
    bubble = owner.bubble("It is on its way. 👍")
    expect(bubble.get_by_title("Sent")).to_be_visible()
    (sent,) = [parse_qs(one["body"]) for one in twilio.sends()]
    assert (sent["To"], sent["From"], sent["Body"]) == (["+15550100001"], [OTHER_NUMBER], ["It is on its way. 👍"])
    twilio.control("release")
    expect(bubble.get_by_title("Delivered")).to_be_visible()
    assert owner.person.axe() == []


def test_an_answer_that_never_came_is_not_confirmed(owner: Inbox, twilio: EmulatedTwilio, text_in: TextIn):
    """The vendor took it but its answer got lost: said so, sent once, and settled by the receipt."""
    text_in("+15550100002", "Are you open on Sunday?")
    owner.open("Are you open on Sunday?")
    twilio.control("callbacks", hold=True)
    twilio.control("next", answers=[{"kind": "reset"}])
    owner.reply("From ten to four.")
    bubble = owner.bubble("From ten to four.")
    expect(bubble).to_contain_text("Not confirmed. The customer may have it.")
    assert owner.person.axe() == []
    twilio.control("release")
    expect(bubble.get_by_title("Delivered")).to_be_visible()
    assert len(twilio.sends()) == 1


def test_a_refused_message_says_why(owner: Inbox, twilio: EmulatedTwilio, text_in: TextIn):
    """Twilio's 21610 becomes words at the message; once the customer is back, it goes out again."""
    text_in("+15550100003", "Do you sell tea?")
    owner.open("Do you sell tea?")
    twilio.control("opt_out", number="+15550100003")
    owner.reply("Only pots.")
    bubble = owner.bubble("Only pots.")
    expect(bubble).to_contain_text("Not sent. The recipient opted out with STOP.")
    assert owner.person.axe() == []


def test_after_stop_nothing_is_sent(owner: Inbox, twilio: EmulatedTwilio, text_in: TextIn):
    """A reply after STOP is refused in words and never reaches the vendor; after START it can be sent again."""
    text_in("+15550100004", "Send me offers")
    owner.open("Send me offers")
    text_in("+15550100004", "STOP")
    expect(owner.bubble("STOP")).to_be_visible()
    owner.reply("New pots are in.")
    bubble = owner.bubble("New pots are in.")
    expect(bubble).to_contain_text("Not sent. The contact asked us to stop (STOP).")
    assert twilio.sends() == []
    text_in("+15550100004", "START")
    expect(owner.bubble("START")).to_be_visible()
    bubble.get_by_role("button", name="Send again").click()
    expect(bubble.get_by_title("Delivered")).to_be_visible()
    assert len(twilio.sends()) == 1
