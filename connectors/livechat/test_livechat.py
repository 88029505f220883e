"""Live chat as a channel: nothing is sent to a vendor, and websites are read strictly."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.base import Account, ParseContext
from connectors.livechat import ANY_SITE, CONNECTOR
from connectors.livechat.site import ORIGINS_LIMIT, read_origins, read_site
from hub.envelope import DeliveryStatus, Identity, OutboundMessage
from hub.errors import InvalidInput, UnsupportedPayload

MESSAGE = OutboundMessage(message_id="m", to=Identity("visitor", "v"), thread_key="visitor:v", text="Hello")


def make_account(**settings: str) -> Account:
    return Account(id="a", workspace_id=1, credentials={}, settings=settings, webhook_url="")


async def test_send_reports_sent_without_a_call():
    """A member's message needs no vendor: no call is rendered, and it counts as sent."""
    account = make_account()
    calls = CONNECTOR.render(MESSAGE, account)
    result = await CONNECTOR.send(account, MESSAGE, calls)
    assert (list(calls), result.external_ids, result.status) == ([], (), DeliveryStatus.SENT)
    assert list(CONNECTOR.charges(account, MESSAGE)) == []


def test_there_are_no_webhooks():
    """The channel has neither verify nor split, and parse takes nothing."""
    assert (CONNECTOR.verify, CONNECTOR.split) == (None, None)
    with pytest.raises(UnsupportedPayload):
        CONNECTOR.parse(b"{}", ParseContext(received_at=datetime.now(UTC), key="k", settings={}))


async def test_check_warns_where_any_site_may_show_the_chat():
    """An empty list of websites is saved with a warning, a right one without, a wrong one not at all."""
    assert (await CONNECTOR.check(make_account())).warnings == (ANY_SITE,)
    assert (await CONNECTOR.check(make_account(allowed_origins="https://a.example"))).warnings == ()
    with pytest.raises(InvalidInput) as refused:
        await CONNECTOR.check(make_account(allowed_origins="a.example"))
    assert refused.value.field == "settings.allowed_origins"


def test_manifest_generates_the_identity_secret():
    """Nobody enters the identity secret."""
    (secret,) = CONNECTOR.manifest.credentials
    assert (secret.name, secret.generated) == ("identity_secret", True)
    assert CONNECTOR.manifest.capabilities.visitors


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        ("https://a.example\n\n https://B.example/ ,https://a.example", ("https://a.example", "https://b.example")),
        (
            "https://a.example:443 http://b.example:80 http://c.example:443",
            ("https://a.example", "http://b.example", "http://c.example:443"),
        ),
        (
            "https://*.a.example http://localhost:3000 http://[::1]:3000",
            ("https://*.a.example", "http://localhost:3000", "http://[::1]:3000"),
        ),
    ],
)
def test_read_origins_reads_a_list(text: str, origins: tuple[str, ...]):
    """Websites are read one by one, in one spelling."""
    assert read_origins(text) == origins


@pytest.mark.parametrize(
    "text",
    ["a.example", "*", "https://", "https://a.example/path", "https://a.example?x", "https://u@a.example", "https://*",
     "https://a.*.example", "ftp://a.example", "https://a.example;script-src", "https://a_b.example", "https://ä.example",
     "'self'", "null", " ".join(f"https://a{n}.example" for n in range(ORIGINS_LIMIT + 1))],
)  # fmt: skip
def test_read_origins_refuses_what_is_no_website(text: str):
    """Anything that is not an origin is refused: the list becomes part of a header."""
    with pytest.raises(InvalidInput):
        read_origins(text)


def test_site_allows_only_its_websites():
    """A website is allowed by its exact origin or below a starred one; without a list every one is."""
    site = read_site({"allowed_origins": "https://a.example https://*.b.example"})
    assert all(
        map(site.allows, ["https://a.example", "https://A.example:443", "https://x.b.example", "https://x.y.b.example"])
    )
    refused = [
        "http://a.example",
        "https://a.example.evil",
        "https://a.example:8443",
        "https://b.example",
        "https://evil-b.example",
        "http://x.b.example",
        "https://evil.com#.b.example",
        "https://evil.com/.b.example",
        "null",
    ]
    assert not any(map(site.allows, refused))
    assert read_site({}).allows("https://anything.example")


def test_site_has_plain_meanings_for_missing_settings():
    """An account without settings asks nothing and verifies nobody."""
    site = read_site({})
    assert (site.ask_name, site.ask_email, site.identity) == ("off", "off", "off")
