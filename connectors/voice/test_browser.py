"""Telephones in the browser: who has one, whom it may be put through to, and what rings there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from msgspec.structs import replace

from connectors.base import Account, CallOrder
from connectors.voice.hours import Member, read_members, wrong_line
from connectors.voice.sealed import open_caller
from connectors.voice.softphone import connect_softphone, identity_of, pass_softphone, read_order
from connectors.voice.test_voice import KEY, NOON, URL, ask, make_account, make_request, read
from hub.envelope import Identity
from hub.errors import InvalidInput

MESSAGE_ID = "0190b0a0-1111-7000-8000-000000000001"
LINES = "browser Anna <Anna@example.com>\n+15551230078 Ben\nBrowser: <carla@example.com>"
NORA = Identity("phone", "+15551230001")
NOW = datetime.now(UTC).replace(microsecond=0)


def phones(**settings: str) -> Account:
    account = make_account(ring_numbers=LINES, twiml_app_sid="AP" + "0" * 32, **settings)
    keys = {"api_key_sid": "SK" + "0" * 32, "api_key_secret": "s" * 32}
    return replace(account, credentials={**account.credentials, **keys})


def order(email: str = "anna@example.com", to: Identity = NORA) -> CallOrder:
    return CallOrder(message_id=MESSAGE_ID, to=to, member_name="Anna", member_email=email)


def client_of(email: str = "anna@example.com") -> str:
    return f"client:{identity_of(KEY, email)}"


def test_lines_that_ring_in_a_browser():
    """They need the address a member signs in with; without one the line is found wrong."""
    assert read_members({"ring_numbers": LINES}) == (
        Member("", "Anna", "anna@example.com"), Member("+15551230078", "Ben"),
        Member("", "carla@example.com", "carla@example.com"),
    )  # fmt: skip
    assert wrong_line({"ring_numbers": "browser Anna"}) == 1
    assert wrong_line({"ring_numbers": LINES}) == 0


def test_pass_is_for_listed_members_for_an_hour():
    """The identity says nothing of the member, and is the same each time; nobody else gets one."""
    given = pass_softphone(phones(), "ANNA@example.com", NOW)

    assert (given.expires_at, given.identity) == (NOW + timedelta(hours=1), identity_of(KEY, "anna@example.com"))
    assert "anna" not in given.identity
    assert given.token not in repr(given)
    for account, email in ((phones(), "ben@example.com"), (make_account(ring_numbers=LINES), "anna@example.com")):
        with pytest.raises(InvalidInput):
            pass_softphone(account, email, NOW)


def test_order_opens_for_its_member_within_two_minutes():
    """Another member's browser, another account, a changed text, and a page left open get nothing."""
    account = phones(record_calls="yes")
    sealed = connect_softphone(order(), account, NOW)
    found = read_order(account, sealed, client_of(), NOW + timedelta(seconds=120))

    assert found is not None
    assert (found.customer, found.place, found.is_recorded) == ("+15551230001", "0", True)
    assert "5551230001" not in sealed
    other = replace(account, signing_key=b"o" * 32)
    for one, text, caller, at in (
        (account, sealed, client_of("carla@example.com"), NOW),
        (account, sealed, "+15551230077", NOW),
        (account, sealed, client_of(), NOW + timedelta(seconds=121)),
        (account, sealed[:-2] + "AA", client_of(), NOW),
        (account, "", client_of(), NOW),
        (other, sealed, client_of(), NOW),
    ):
        assert read_order(one, text, caller, at) is None


def test_order_needs_a_number_and_a_listed_member():
    """Refused before anything is written."""
    with pytest.raises(InvalidInput, match="number is not known"):
        connect_softphone(order(to=Identity("external", "withheld:CA1")), phones(), NOW)
    with pytest.raises(InvalidInput, match="No telephone in the browser"):
        connect_softphone(order("ben@example.com"), phones(), NOW)


def test_browser_is_put_through_to_whom_we_sealed_and_nobody_else():
    """What the browser names itself is not looked at: To and a sealed caller of its own dial nobody."""
    account = phones()
    sealed = connect_softphone(order(), account, NOON)
    called = {"From": client_of(), "Direction": "inbound", "CallStatus": "ringing"}
    (dial,) = ask(account, f"{URL}?step=client", Order=sealed, To="+19005550000", **called)
    number = dial[0]

    assert (dial.get("callerId"), number.tag, number.text) == ("+15559870002", "Number", "+15551230001")
    carried = dict(parse_qsl(urlsplit(number.get("statusCallback", "")).query))
    assert (carried["step"], carried["n"], carried["m"]) == ("far", "0", MESSAGE_ID.replace("-", ""))
    say, end = ask(account, f"{URL}?step=client", To="+19005550000", **called)
    assert (say.text, end.tag) == ("This call cannot be made. Please call again from the conversation.", "Hangup")
    another = ask(account, f"{URL}?step=client", Order=sealed, From="client:m1", Direction="inbound")
    assert [one.tag for one in another] == ["Say", "Hangup"]


def test_both_sides_are_told_of_the_recording():
    """The browser hears it, and the customer before being put through; the recording names the customer, sealed."""
    account = phones(record_calls="yes")
    sealed = connect_softphone(order(), account, NOON)
    say, dial = ask(account, f"{URL}?step=client", Order=sealed, From=client_of())
    caller = dict(parse_qsl(urlsplit(dial.get("recordingStatusCallback", "")).query))["caller"]

    assert say.text == "This call is recorded."
    assert "step=consent" in dial[0].get("url", "")
    assert open_caller(KEY, caller) == NORA


def test_caller_rings_in_the_browser_without_pressing_one():
    """A browser has no mailbox; the next telephone is asked as ever."""
    (dial,) = ask(phones())
    (second,) = ask(phones(), dial.get("action", ""), CallStatus="in-progress", DialCallStatus="no-answer")

    assert (dial[0].tag, dial[0].text, dial[0].get("url")) == ("Client", identity_of(KEY, "anna@example.com"), None)
    assert "screened" not in dial[0].get("statusCallback", "")
    assert (second[0].tag, second[0].text) == ("Number", "+15551230078")


def test_question_of_a_browser_is_no_call_of_a_customer():
    """The row was there before; the question itself tells nothing."""
    assert read(make_request(f"{URL}?step=client", From=client_of())) == []
