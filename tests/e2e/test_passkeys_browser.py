"""Passkeys in Chromium, with its own virtual authenticator: what the standard's own code makes of our options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.acceptance.running import EMAIL, PASSWORD, RunningHub

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.slow]

CALL = """async ([method, path, body]) => {
    const answer = await fetch('/api/v1/' + path, {
        method, headers: {'x-hub-request': '1', 'content-type': 'application/json'},
        body: body === null ? undefined : JSON.stringify(body)});
    const text = await answer.text();
    return {status: answer.status, body: text ? JSON.parse(text) : null};
}"""
CREATE = """async (options) => (await navigator.credentials.create(
    {publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options)})).toJSON()"""
GET = """async (options) => (await navigator.credentials.get(
    {publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options)})).toJSON()"""
REFUSED = """async (options) => { try {
    await navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options)});
    return 'given';
} catch (error) { return error.name; } }"""


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    started = RunningHub()
    started.set_up()
    yield started
    started.stop()


@pytest.fixture
def page(browser: Browser, hub: RunningHub) -> Iterator[Page]:
    """One of the hub's own pages, in a browser whose device has finger or face."""
    context = browser.new_context(base_url=hub.base_url)
    opened = context.new_page()
    opened.goto("/sign-in")
    yield opened
    context.close()


def call(page: Page, method: str, path: str, body: Any = None) -> dict[str, Any]:
    return page.evaluate(CALL, [method, path, body])


def authenticator(page: Page, *, verifies: bool = True) -> None:
    """Put a platform authenticator into the browser."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verifies,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def test_passkey_is_made_and_signs_in_alone(page: Page) -> None:
    """Sign in by password, add a passkey, sign out, sign in by the passkey without typing anything, prove oneself."""
    authenticator(page)
    assert call(page, "POST", "session", {"email": EMAIL, "password": PASSWORD})["status"] == 200
    asked = call(page, "POST", "passkeys/options")["body"]["options"]
    made = page.evaluate(CREATE, asked)
    added = call(page, "POST", "passkeys", {"name": "Chromium", "attestation": made})
    assert (added["status"], added["body"]["passkey"]["name"]) == (201, "Chromium")

    assert call(page, "DELETE", "session")["status"] == 204
    assert call(page, "GET", "session")["status"] == 401
    begun = call(page, "POST", "session/passkey/options")["body"]
    signed = page.evaluate(GET, begun["options"])
    entered = call(page, "POST", "session/passkey", {"ceremony": begun["ceremony"], "assertion": signed})
    assert (entered["status"], entered["body"]["login"]["email"]) == (200, EMAIL)

    proof = page.evaluate(GET, call(page, "POST", "session/proof/options")["body"]["options"])
    assert call(page, "POST", "session/proof", {"assertion": proof})["status"] == 200
    assert call(page, "GET", "factors")["body"]["methods"] == ["passkey", "recovery_code"]


def test_browser_gives_no_passkey_of_another_host(page: Page, hub: RunningHub) -> None:
    """The same hub by another name is another site: Chromium itself keeps the passkey from it."""
    authenticator(page)
    options = call(page, "POST", "session/passkey/options")["body"]["options"]
    page.goto(f"http://127.0.0.1:{hub.port}/sign-in")
    assert page.evaluate(REFUSED, options) == "SecurityError"


def test_device_that_cannot_verify_gives_nothing(page: Page) -> None:
    """Without finger, face or PIN the browser answers nothing: we ask for verification always."""
    authenticator(page, verifies=False)
    options = call(page, "POST", "session/passkey/options")["body"]["options"]
    assert page.evaluate(REFUSED, options) == "NotAllowedError"
