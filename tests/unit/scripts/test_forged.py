"""The benchmark's webhook calls are what the product takes for Twilio's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.base import Account, WebhookRequest
from connectors.twilio.callbacks import split
from connectors.twilio.verify import verify
from hub.errors import SignatureRejected
from scripts.benchmarks.forged import AUTH_TOKEN, Forge, Target, make_body, make_call, message_sid

FORGE = Forge(port=8000, run="0123abcd", targets=[Target(1, "a"), Target(2, "b")], senders=10)


def request_of(number: int, *, signature: bytes | None = None) -> tuple[WebhookRequest, Account]:
    body, signed = make_body(FORGE, number)
    url = f"{FORGE.base_url}/webhooks/twilio_sms/{FORGE.target_of(number).account_id}"
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
        "x-twilio-signature": (signature or signed).decode(),
    }
    request = WebhookRequest(method="POST", url=url, headers=headers, body=body, received_at=datetime.now(UTC))
    account = Account(
        id="a", workspace_id=1, credentials={"auth_token": AUTH_TOKEN}, settings={}, webhook_url=url, base_url=""
    )
    return request, account


def test_calls_are_signed_as_the_connector_checks_them():
    """A call passes the connector's own check, another call's signature does not."""
    verify(*request_of(7))

    with pytest.raises(SignatureRejected):
        verify(*request_of(7, signature=make_body(FORGE, 8)[1]))


def test_calls_carry_the_id_that_is_looked_for_afterwards():
    """The audit finds a call by the key its item is stored under."""
    (item,) = split(request_of(7)[0])

    assert item.key == message_sid("0123abcd", 7)


def test_calls_go_to_the_targets_in_turn_and_senders_stay_with_one():
    """Every sender writes to one account only, and the request line names it."""
    seen: dict[bytes, set[bytes]] = {}
    for number in range(40):
        call = make_call(FORGE, number)
        path = call.split(b" ")[1]
        sender = call.rpartition(b"From=")[2].partition(b"&")[0]
        seen.setdefault(sender, set()).add(path)

    assert len(seen) == 10
    assert all(len(paths) == 1 for paths in seen.values())
