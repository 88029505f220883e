"""Signatures of the SMS channel, held against the vendor's own example and its SDK."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from connectors.base import Account, WebhookRequest
from connectors.twilio.verify import verify
from hub.errors import SignatureRejected

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded"
URL = "https://hub.example.com/webhooks/twilio_sms/1"


def make_account(**credentials: str) -> Account:
    return Account(
        id="1",
        workspace_id=1,
        credentials={"account_sid": "AC" + "0" * 32, "auth_token": "12345"} | credentials,
        settings={"phone_number": "+15559870002"},
        webhook_url=URL,
    )


def make_request(body: bytes, signature: str, url: str = URL, **headers: str) -> WebhookRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return WebhookRequest(
        method="POST",
        url=url,
        headers={"content-type": FORM, "x-twilio-signature": signature} | named,
        body=body,
        received_at=NOW,
    )


def test_verify_accepts_the_vendors_published_example():
    """Twilio's own documented request and signature pass."""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    request = make_request(urlencode(form).encode(), "RSOYDt4T1cUTdK1PDd93/VVr8B8=", url)
    assert verify(request, make_account()) is None


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        max_size=8,
    ),
    st.sampled_from([URL, URL + "?mid=1", "https://h.example:443/x", "https://h.example:8443/x?a=%20b", "http://h/y"]),
)
@settings(max_examples=300, deadline=None)
def test_verify_agrees_with_the_sdk(form, url):
    """Whatever the SDK's validator signs, blank values and any Unicode included, passes; one more field does not."""
    signature = RequestValidator("12345").compute_signature(url, form)
    body = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in form.items())
    verify(make_request(body.encode(), signature, url), make_account())
    with pytest.raises(SignatureRejected):
        verify(make_request(body.encode() + b"&Zz9=1", signature, url), make_account())


class Repeated(dict):
    """What web frameworks hand the SDK for repeated fields."""

    def getall(self, name):
        return self[name]


def test_verify_covers_the_address():
    """A call signed for another address, or with something added to it, is refused."""
    signature = RequestValidator("12345").compute_signature(URL, {"MessageSid": "SM1"})
    body = urlencode({"MessageSid": "SM1"}).encode()
    verify(make_request(body, signature), make_account())
    for url in (f"{URL}?x=1", URL.replace("/1", "/2"), URL.replace("hub.", "other.")):
        with pytest.raises(SignatureRejected):
            verify(make_request(body, signature, url), make_account())


def test_verify_takes_repeated_fields_as_the_sdk_does():
    """Values of a repeated field are signed once each, sorted."""
    signature = RequestValidator("12345").compute_signature(URL, Repeated(A=["z", "a", "z"], B=[""]))
    verify(make_request(b"A=z&B=&A=a&A=z", signature), make_account())


def test_verify_takes_the_address_with_or_without_its_port():
    """Twilio signs now one, now the other spelling of a default port."""
    for signed, ours in (
        ("https://h.example:443/x", "https://h.example/x"),
        ("https://h.example/x", "https://h.example:443/x"),
    ):
        signature = RequestValidator("12345").compute_signature(signed, {"A": "1"})
        verify(make_request(b"A=1", signature, ours), make_account())
    wrong_scheme = RequestValidator("12345").compute_signature("http://h.example/x", {"A": "1"})
    with pytest.raises(SignatureRejected):
        verify(make_request(b"A=1", wrong_scheme, "https://h.example/x"), make_account())


def test_verify_signs_bytes_of_any_charset():
    """Bytes that are not UTF-8 are checked as they are."""
    text = URL.encode() + b"Bodycaf\xe9"
    signature = base64.b64encode(hmac.new(b"12345", text, "sha1").digest()).decode()
    verify(make_request(b"Body=caf%E9", signature), make_account())


def test_verify_accepts_both_tokens_during_a_rotation():
    """While a secondary token is set, either signs; afterwards only the primary."""
    signature = RequestValidator("second").compute_signature(URL, {"A": "1"})
    verify(make_request(b"A=1", signature), make_account(auth_token_secondary="second"))
    with pytest.raises(SignatureRejected):
        verify(make_request(b"A=1", signature), make_account())


def test_verify_covers_a_json_body_by_its_hash():
    """A JSON body counts only with its hash in the signed address."""
    body = b'{"a": 1}'
    url = f"{URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = RequestValidator("12345").compute_signature(url, {})
    verify(make_request(body, signature, url, content_type="application/json"), make_account())
    with pytest.raises(SignatureRejected):
        verify(make_request(body + b" ", signature, url, content_type="application/json"), make_account())
    plain = RequestValidator("12345").compute_signature(URL, {})
    with pytest.raises(SignatureRejected):
        verify(make_request(body, plain, URL, content_type="application/json"), make_account())


def test_verify_accepts_a_shared_key_only_where_it_is_configured():
    """SHA-256 with the configured key passes; an unknown key, another algorithm, or a mere token does not."""
    settings_header = "key=wk_1,algorithm=HMAC_SHA256"
    signature = RequestValidator("s3cret").compute_signature(URL, {"A": "1"}, "HMAC_SHA256")
    request = make_request(b"A=1", signature, x_twilio_webhooks_signature_settings=settings_header)
    configured = make_account(shared_key_id="wk_1", shared_key_secret="s3cret")
    verify(request, configured)
    for account in (make_account(), make_account(shared_key_id="wk_2", shared_key_secret="s3cret")):
        with pytest.raises(SignatureRejected):
            verify(request, account)
    with_token = RequestValidator("12345").compute_signature(URL, {"A": "1"}, "HMAC_SHA256")
    with pytest.raises(SignatureRejected):
        verify(make_request(b"A=1", with_token, x_twilio_webhooks_signature_settings=settings_header), configured)


def test_verify_of_an_account_without_keys_rejects_what_an_empty_key_signed():
    """An empty secret is no secret."""
    signature = RequestValidator("").compute_signature(URL, {"A": "1"})
    with pytest.raises(SignatureRejected):
        verify(make_request(b"A=1", signature), make_account(auth_token=""))


@pytest.mark.parametrize("signature", ["", "é", "\x00", "=" * 5000])
def test_verify_rejects_any_nonsense_signature(signature):
    """No header value makes it fail otherwise than by rejecting."""
    with pytest.raises(SignatureRejected):
        verify(make_request(b"A=1", signature), make_account())


def test_verify_rejects_a_body_of_a_hundred_thousand_fields():
    """Sorting is bounded: a flood of fields is refused before it is sorted."""
    with pytest.raises(SignatureRejected):
        verify(make_request(b"a=1&" * 100_000, "x"), make_account())
