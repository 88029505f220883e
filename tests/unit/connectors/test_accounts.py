"""What a connector is told of its account: addresses, and where keys may be sent."""

from __future__ import annotations

import pytest

from connectors.accounts import account_of, is_loopback
from hub import clock
from hub.channels.model import AccountStatus, Route
from hub.config import read_settings
from hub.errors import ConfigurationError


def make_route() -> Route:
    return Route(
        workspace_id=1,
        id=clock.new_id(),
        inbox_id=clock.new_id(),
        channel="twilio_sms",
        status=AccountStatus.CONNECTED,
        settings={"phone_number": "+15550001"},
    )


@pytest.mark.parametrize(
    ("public_url", "base"), [("https://hub.example.com/", "https://hub.example.com"), ("", "http://localhost:8000")]
)
def test_account_of_names_our_address(public_url: str, base: str):
    """The webhook address is ours as the outside reaches it, with channel and id."""
    route = make_route()
    account = account_of(route, {"auth_token": "t"}, read_settings({"HUB_PUBLIC_URL": public_url, "HOME": "/tmp"}))
    assert account.webhook_url == f"{base}/webhooks/twilio_sms/{route.id}"
    assert (account.base_url, account.credentials) == ("", {"auth_token": "t"})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9001", "http://localhost:9001", "http://[::1]:1", "https://eu.example.com"]
)
def test_account_of_takes_safe_vendor_addresses(url: str):
    """An emulator on this computer, or any https address, is passed to the connector."""
    settings = read_settings({"HUB_VENDOR_URL_TWILIO_SMS": url, "HOME": "/tmp"})
    assert account_of(make_route(), {}, settings).base_url == url


@pytest.mark.parametrize(
    "url", ["http://example.com", "http://10.0.0.1", "http://localhost.example.com", "http://127.0.0.1@example.com"]
)
def test_account_of_refuses_plain_http_to_others(url: str):
    """Keys never go over plain http to another machine."""
    settings = read_settings({"HUB_VENDOR_URL_TWILIO_SMS": url, "HOME": "/tmp"})
    with pytest.raises(ConfigurationError) as refused:
        account_of(make_route(), {}, settings)
    assert refused.value.field == "HUB_VENDOR_URL_TWILIO_SMS"


def test_is_loopback_knows_this_computer():
    """Loopback names and addresses are this computer; anything else is not."""
    assert all(map(is_loopback, ["http://localhost:8000", "http://127.1.2.3", "http://[::1]:1", "http://a.localhost"]))
    assert not any(
        map(is_loopback, ["https://hub.example.com", "http://127.0.0.1.example.com", "http://[bad", "", "x"])
    )
