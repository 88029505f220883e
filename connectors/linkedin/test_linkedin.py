"""LinkedIn: what each product allows, people only, the API and nothing else, refusals, and limits."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.base import Account, OAuthApp
from connectors.http import Answer
from connectors.linkedin import CONNECTOR
from connectors.linkedin.api import API, Asking, read_refusal, url_of
from connectors.linkedin.products import PRODUCTS
from connectors.linkedin.render import render
from connectors.linkedin.signin import SITE, authorize_url
from connectors.rules import rules_of, why_closed
from hub.envelope import Identity, OutboundMessage
from hub.errors import ConnectorError, ErrorClass
from hub.inbox.windows import why_refused

ANN = Identity("linkedin", "urn:li:person:ann-7")
THREAD = "urn:li:messagingThread:2-abc"


def make_account(product: str = "messages_api", **settings: str) -> Account:
    return Account(
        id="1",
        workspace_id=1,
        credentials={"access_token": "t", "client_id": "app-1"},
        settings={"product": product, "member": "urn:li:person:ours-1"} | settings,
        webhook_url="",
    )


def make_message(text: str = "Hello", **more: object) -> OutboundMessage:
    facts = {"message_id": "0190b0a0-1111-7000-8000-000000000001", "to": ANN, "thread_key": THREAD, "text": text}
    return OutboundMessage(**facts | more)


def refusal_of(message: OutboundMessage, account: Account) -> ErrorClass:
    with pytest.raises(ConnectorError) as caught:
        render(message, account)
    assert caught.value.info.message.endswith(".")
    return caught.value.info.klass


def test_only_people_write_whoever_asks():
    """Automations are refused in words: by the hub when they are queued, and by the channel itself."""
    rules = rules_of(CONNECTOR.manifest.capabilities)
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    why = why_refused(rules, None, is_human=False, template=None, now=now)
    assert why is not None
    assert "Only people" in why.message
    assert why_refused(rules, None, is_human=True, template=None, now=now) is None
    assert refusal_of(make_message(author_is_human=False), make_account()) is ErrorClass.PERMISSION


@pytest.mark.parametrize("product", ["none", "member_portability", "", "something_else"])
def test_nothing_is_sent_without_the_product_that_sends(product):
    """A message queued before the setting changed is refused too."""
    assert refusal_of(make_message(), make_account(product)) is ErrorClass.PERMISSION


def test_closed_accounts_are_those_whose_product_does_not_send():
    """What members read beforehand and what the channel refuses are one decision."""
    for name, product in PRODUCTS.items():
        assert bool(why_closed(CONNECTOR.manifest, {"product": name})) is bool(product.why_silent), name
    assert why_closed(CONNECTOR.manifest, {})
    (setting,) = [one for one in CONNECTOR.manifest.settings if one.name == "product"]
    assert set(setting.options) == PRODUCTS.keys()


def test_answers_go_into_their_thread_and_first_messages_to_the_person():
    """LinkedIn wants one of the two, never both."""
    (answer,) = render(make_message(), make_account())
    assert answer.fields["body"] == f'{{"body":"Hello","thread":"{THREAD}"}}'
    (first,) = render(make_message(thread_key=ANN.value), make_account())
    assert first.fields["body"] == f'{{"body":"Hello","recipients":["{ANN.value}"]}}'
    assert refusal_of(make_message("x" * 8001), make_account()) is ErrorClass.CONTENT
    assert refusal_of(make_message(to=Identity("x", "1")), make_account()) is ErrorClass.RECIPIENT


@pytest.mark.parametrize(
    "path",
    [
        "/in/ann-brandt",
        "//www.linkedin.com/in/ann",
        "/rest/../in/ann",
        "@evil.example/rest/x",
        "/rest",
        "/v2/a?b=c",
        "",
    ],
)
def test_pages_of_linkedin_are_never_fetched(path):
    """No request can leave for anything that is not below the API's root."""
    with pytest.raises(ConnectorError):
        url_of(make_account(), Asking(path=path))


def test_every_address_we_can_write_is_below_the_api():
    """Products' paths and those of settings; of the site itself only the token is asked for."""
    paths = [one.events_path for one in PRODUCTS.values() if one.events_path]
    for path in [*paths, "/rest/messages", "/v2/userinfo", "/rest/memberAuthorizations"]:
        assert url_of(make_account(), Asking(path=path, query={"q": "x"})).startswith(f"{API}/")
    written = [one.read_text() for one in Path(__file__).parent.glob("*.py") if not one.name.startswith("test_")]
    assert sum(text.count(SITE + '"') for text in written) == 1
    assert sum(text.count("Request(\n") for text in written) == 2


def test_each_product_asks_for_its_own_scopes_and_settings_go_first():
    """No product asks for more than it needs; LinkedIn documents no PKCE for the web, so none is sent."""
    app = OAuthApp(client_id="c", redirect_uri="https://hub.example.com/connect/linkedin/callback")

    def asked(settings: dict[str, str]) -> dict[str, list[str]]:
        return parse_qs(urlsplit(authorize_url(app, "state", "challenge", settings)).query)

    assert asked({"product": "none"})["scope"] == ["openid profile"]
    assert "w_member_messages" not in asked({"product": "member_portability"})["scope"][0]
    assert asked({"product": "messages_api", "scopes": "a b"})["scope"] == ["a b"]
    assert "code_challenge" not in asked({})


def test_limits_are_data_and_settings_go_first():
    """A fifth saved up and the rest over time stay under the day's number."""
    member, app = CONNECTOR.charges(make_account(), make_message())
    assert (member.key, app.key) == ("li:member:urn:li:person:ours-1", "li:app:app-1")
    assert member.limits[0].rate + member.limits[0].burst == 100
    own, _ = CONNECTOR.charges(make_account(sends_per_day="20"), make_message())
    assert (own.limits[0].rate, own.limits[0].burst) == (16.0, 4)


@pytest.mark.parametrize(
    ("status", "klass"),
    [
        (401, ErrorClass.AUTH),
        (403, ErrorClass.PERMISSION),
        (426, ErrorClass.ACCOUNT),
        (422, ErrorClass.CONTENT),
        (503, ErrorClass.AMBIGUOUS),
    ],
)
def test_refusals_are_classified_by_status(status, klass):
    """LinkedIn's own words, which may name people, are not passed on."""
    info = read_refusal(Answer(status, {}, b'{"message":"member ann-7"}'), "LinkedIn")
    assert info.klass is klass
    assert "ann-7" not in info.message


def test_too_much_waits_as_long_as_said_or_until_the_day_ends():
    """Without a time: until midnight UTC, an hour at most at once."""
    said = read_refusal(Answer(429, {"retry-after": "7"}, b""), "LinkedIn")
    assert (said.klass, said.retry_after_s) == (ErrorClass.RATE_LIMITED, 7)
    unsaid = read_refusal(Answer(429, {}, b""), "LinkedIn")
    assert unsaid.klass is ErrorClass.RATE_LIMITED
    assert unsaid.retry_after_s is not None
    assert 1 <= unsaid.retry_after_s <= 3600
