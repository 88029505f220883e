"""Tokens of a vendor's identity service: one that holds is read, and each single fault is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

from connectors.signed_tokens import Expected, SigningKey, check_token, key_id_of, read_key_set
from hub.errors import SignatureRejected, SigningKeyUnknown

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
AT_S = int(NOW.timestamp())
PRIVATE = RSAKey.generate_key(2048)
OTHER = RSAKey.generate_key(2048)
PUBLIC = PRIVATE.as_dict(private=False)
KEY = SigningKey(kid="k1", kty="RSA", n=str(PUBLIC["n"]), e=str(PUBLIC["e"]), endorsements=("msteams",))
KEYS = {"k1": KEY}
GOOD = {"iss": "https://issuer.example", "aud": "app", "exp": AT_S + 60, "nbf": AT_S - 60, "serviceurl": "https://s"}
EXPECTED = Expected(issuers=["https://issuer.example"], audience="app", now=NOW)


def signed(key: RSAKey = PRIVATE, kid: str = "k1", **claims: object) -> str:
    said = {name: value for name, value in (GOOD | claims).items() if value is not None}
    return jws.serialize_compact({"alg": "RS256", "kid": kid}, json.dumps(said).encode(), key)


def test_good_token_gives_its_claims_and_its_key():
    """The token the others spoil is good; other claims and endorsements are there for the channel to check."""
    found = check_token(signed(), KEYS, EXPECTED)
    assert json.loads(found.claims)["serviceurl"] == "https://s"
    assert found.key.endorsements == ("msteams",)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"aud": ["another"]},
        {"exp": AT_S - 301},
        {"nbf": AT_S + 301},
        {"exp": None},
        {"iss": None},
        {"aud": None},
        {"exp": "tomorrow"},
    ],
    ids=str,
)
def test_one_wrong_claim_is_refused(claims):
    """Issuer, audience and time are each needed."""
    with pytest.raises(SignatureRejected):
        check_token(signed(**claims), KEYS, EXPECTED)


@pytest.mark.parametrize(
    "claims", [{"exp": AT_S - 299}, {"nbf": AT_S + 299}, {"nbf": None}, {"aud": ["x", "app"]}], ids=str
)
def test_five_minutes_of_skew_and_lists_of_audiences_are_taken(claims):
    """Clocks differ a little, and an audience may be one of several."""
    assert check_token(signed(**claims), KEYS, EXPECTED).key == KEY


def test_another_key_and_an_unknown_key_are_refused():
    """The name of a known key is not enough, and a good signature of an unknown one neither."""
    for token in (signed(OTHER), signed(kid="k2")):
        with pytest.raises(SignatureRejected):
            check_token(token, KEYS, EXPECTED)


def test_account_without_an_app_accepts_nobody():
    """An empty audience matches no token, not even one that is for nobody."""
    with pytest.raises(SignatureRejected):
        check_token(signed(aud=""), KEYS, Expected(issuers=["https://issuer.example"], audience="", now=NOW))


def test_other_algorithms_are_refused():
    """A token that is signed with the public key as a secret, or not at all, is no token."""
    secret = OctKey.import_key(KEY.n)
    confused = jws.serialize_compact({"alg": "HS256", "kid": "k1"}, json.dumps(GOOD).encode(), secret)
    head, claims, _ = signed().split(".")
    unsigned = f"eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.{claims}."
    for token in (confused, unsigned, f"{head}.{claims}.", f"{head}.{claims}"):
        with pytest.raises(SignatureRejected):
            check_token(token, KEYS, EXPECTED)


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "ü.b.c", "e30.e30.x", "x" * 20_000, "bnVsbA.e30.e30"], ids=repr)
def test_anything_else_is_refused(token):
    """Whatever stands in the header, only our error leaves."""
    with pytest.raises(SignatureRejected):
        check_token(token, KEYS, EXPECTED)


def test_key_id_is_read_without_believing_it():
    """It tells whether keys must be fetched anew."""
    assert key_id_of(signed(OTHER, kid="new")) == "new"


def test_unknown_key_is_told_apart():
    """Newer keys may help there, and nowhere else."""
    with pytest.raises(SigningKeyUnknown):
        check_token(signed(kid="k2"), KEYS, EXPECTED)
    with pytest.raises(SignatureRejected) as caught:
        check_token(signed(OTHER), KEYS, EXPECTED)
    assert not isinstance(caught.value, SigningKeyUnknown)


def test_key_set_is_read_without_what_is_not_ours():
    """Keys of other kinds and unknown fields are allowed to be there; no document is an empty set."""
    rsa = {"kid": "k1", "kty": "RSA", "n": KEY.n, "e": KEY.e, "endorsements": ["msteams"], "use": "sig"}
    document = {"keys": [rsa, {"kty": "EC", "kid": "k2", "crv": "P-256"}, {"kty": "RSA", "n": 1}, "x"], "more": 1}
    assert read_key_set(json.dumps(document).encode()) == KEYS
    assert read_key_set(b"") == {}


@pytest.mark.parametrize("document", [b"{}", b"[]", b"<html>", b"\xff", b'{"keys": 1}'], ids=repr)
def test_what_is_no_key_set_is_refused(document):
    """Nobody can be believed then."""
    with pytest.raises(SignatureRejected):
        read_key_set(document)
