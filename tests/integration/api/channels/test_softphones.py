"""Telephones in the browser over HTTP: who gets a token, whom it calls, and what pages may call because of it."""

from __future__ import annotations

import pytest

from hub import clock
from scripts.emulators.twilio_softphone import read_token
from scripts.emulators.twilio_voice import API_KEY_SECRET, API_KEY_SID, APP_SID
from tests.integration.api.channels.test_calls import NUMBER, SID, email_of, line

pytestmark = pytest.mark.postgres

__all__ = ["line"]
TWILIO = "wss://voice-js.roaming.twilio.com"


@pytest.fixture
async def browser(line):
    """The same number, with telephones in the browser: the owner's."""
    address = await email_of(line.member)
    answer = await line.member.http.patch(
        f"channel-accounts/{line.account_id}",
        json={
            "credentials": {
                "account_sid": SID,
                "auth_token": "token",
                "api_key_sid": API_KEY_SID,
                "api_key_secret": API_KEY_SECRET,
            },
            "settings": {"phone_number": NUMBER, "twiml_app_sid": APP_SID, "ring_numbers": f"browser Ann <{address}>"},
        },
    )
    assert answer.status_code == 200, answer.text
    await line.member.routes.refresh()
    line.exchange.requests.clear()
    return line


def path(browser) -> str:
    return f"channel-accounts/{browser.account_id}/softphone"


async def test_member_gets_a_token_the_vendor_lets_in(browser):
    """For an hour, of the kind of library the page needs; never kept for a repeated call."""
    answer = await browser.member.http.post(path(browser))
    body = answer.json()

    assert (answer.status_code, body["library"]) == (201, "twilio")
    assert read_token(browser.exchange.keys, body["token"]) == body["identity"]
    assert answer.headers["cache-control"] == "no-store"


async def test_member_without_a_line_and_an_account_without_telephones_are_told(browser, line):
    """In words, with nothing given."""
    settings = {"ring_numbers": "browser Carla <carla@example.com>"}
    await browser.member.http.patch(f"channel-accounts/{browser.account_id}", json={"settings": settings})
    answer = await browser.member.http.post(path(browser))
    assert (answer.status_code, answer.json()["field"]) == (422, "member")
    sms = await line.member.http.post(f"channel-accounts/{line.member.facts.sms_id}/softphone")
    assert sms.status_code in (404, 409)


async def test_another_tenant_gets_no_token(browser, stranger):
    """The owner of another workspace, with the real id of the account."""
    answer = await stranger.http.post(path(browser))
    assert answer.status_code == 404
    assert "token" not in answer.json()


async def test_call_from_the_browser_is_the_same_row_and_asks_the_vendor_nothing(browser):
    """The browser gets what it gives the vendor; asked twice it is the same row."""
    key = str(clock.new_id())
    first, again = [await browser.ask(key=key, device="browser") for _ in range(2)]
    (row,) = await browser.rows()

    assert (first.status_code, first.json()["problem"], row["call"]["outcome"]) == (201, "", "asked")
    assert again.json()["message_id"] == first.json()["message_id"] == row["id"]
    assert first.json()["connect"]
    assert browser.exchange.requests == []


async def test_pages_of_an_installation_without_telephones_call_nobody(line, tmp_path):
    """A number alone changes neither the policy nor the microphone of our pages."""
    (tmp_path / "app").mkdir(exist_ok=True)
    (tmp_path / "app" / "index.html").write_text("<script src='/assets/x.js'></script>")
    page = await line.member.http.get("http://localhost:8000/")
    assert TWILIO not in page.headers["content-security-policy"]
    assert "microphone=()" in page.headers["permissions-policy"]


async def test_pages_of_an_installation_with_telephones(browser, tmp_path):
    """The vendor's hosts and the microphone, for our own pages; the API's answers stay as they are."""
    (tmp_path / "app").mkdir(exist_ok=True)
    (tmp_path / "app" / "index.html").write_text("<script src='/assets/x.js'></script>")
    page = await browser.member.http.get("http://localhost:8000/")
    api = await browser.member.http.get("members")

    assert TWILIO in page.headers["content-security-policy"]
    assert "media-src 'self' blob: mediastream: https://media.twiliocdn.com" in page.headers["content-security-policy"]
    assert "microphone=(self)" in page.headers["permissions-policy"]
    assert TWILIO not in api.headers["content-security-policy"]
    assert "microphone=()" in api.headers["permissions-policy"]
