"""Visitor tokens and proofs of identity: what is accepted, and everything that is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from uuid import UUID

import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from hub import clock
from hub.channels.visitors import (
    TOKEN_LIMIT_CHARS,
    HmacProof,
    JwtProof,
    VisitorClaims,
    VisitorTokens,
    prove_identity,
)
from hub.errors import InvalidInput, NotSignedIn

NOW_S = 1_800_000_000.0
ACCOUNT = UUID(int=7)
SECRET = "s" * 43


def make_claims(**changes: object) -> VisitorClaims:
    claims = VisitorClaims(
        workspace_id=1, channel_account_id=ACCOUNT, visitor_id=clock.new_id(), expires_at_s=int(NOW_S) + 60
    )
    return msgspec.structs.replace(claims, **changes)


def make_jwt(*, algorithm: str = "HS256", secret: str = SECRET, **changes: object) -> JwtProof:
    claims: dict[str, object] = {"sub": "user-1", "aud": str(ACCOUNT), "exp": NOW_S + 300, **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    return JwtProof(jwt.encode({"alg": algorithm}, claims, OctKey.import_key(secret), algorithms=[algorithm]))


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(user_id: str, secret: str = SECRET) -> HmacProof:
    return HmacProof(user_id, hmac.new(secret.encode(), user_id.encode(), hashlib.sha256).hexdigest())


def test_token_comes_back_as_signed():
    """A token reads as what was signed, and names are no obstacle."""
    tokens = VisitorTokens({1: b"k" * 32})
    claims = make_claims(external_user_id="ü-1", name="Zoë", email="zoe@example.com")
    token = tokens.sign(claims)
    assert token.startswith("v2.")
    assert tokens.read(token, ACCOUNT, NOW_S) == claims
    assert tokens.read_any(token, NOW_S) == claims


def test_token_of_version_1_stays_good():
    """What browsers were given before is read as it was signed, and cannot be passed off as the other version."""
    claims = make_claims(name="Zoë")
    payload = encode(msgspec.json.encode({"key_version": 1, "claims": claims}))
    mac = encode(hmac.new(b"k" * 32, f"v1.{payload}".encode(), hashlib.sha256).digest())
    tokens = VisitorTokens({1: b"k" * 32})
    assert tokens.read(f"v1.{payload}.{mac}", ACCOUNT, NOW_S) == claims
    for other in (f"v1.{payload}.{mac[:22]}", f"v2.{payload}.{mac}"):
        with pytest.raises(NotSignedIn):
            tokens.read(other, ACCOUNT, NOW_S)


def test_token_is_short():
    """Every open socket of a visitor remembers one: under a hundred characters without a form."""
    assert len(VisitorTokens({1: b"k" * 32}).sign(make_claims(workspace_id=1_000_000))) < 100


def test_token_ends():
    """At the second it expires a token is refused."""
    tokens = VisitorTokens({1: b"k" * 32})
    token = tokens.sign(make_claims(expires_at_s=int(NOW_S)))
    assert tokens.read(token, ACCOUNT, NOW_S - 1)
    for read in (lambda: tokens.read(token, ACCOUNT, NOW_S), lambda: tokens.read_any(token, NOW_S)):
        with pytest.raises(NotSignedIn):
            read()


def test_token_is_of_one_live_chat():
    """A token of another channel account is refused."""
    tokens = VisitorTokens({1: b"k" * 32})
    token = tokens.sign(make_claims(channel_account_id=UUID(int=8)))
    with pytest.raises(NotSignedIn):
        tokens.read(token, ACCOUNT, NOW_S)


def test_token_is_refused_when_changed():
    """Any single changed character makes a token void."""
    tokens = VisitorTokens({1: b"k" * 32})
    token = tokens.sign(make_claims())
    for at in range(len(token)):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(NotSignedIn):
            tokens.read(changed, ACCOUNT, NOW_S)


def test_token_with_other_claims_is_refused():
    """Claims cannot be exchanged under an old signature."""
    tokens = VisitorTokens({1: b"k" * 32})
    mine, theirs = tokens.sign(make_claims()), tokens.sign(make_claims(external_user_id="boss"))
    _, payload, _ = theirs.split(".")
    _, _, mac = mine.split(".")
    with pytest.raises(NotSignedIn):
        tokens.read(f"v2.{payload}.{mac}", ACCOUNT, NOW_S)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "v1",
        "v1..",
        "v1.e30.",
        "v2.e30.e30",
        "v2..",
        "v2.kA.",
        "v3.e30.e30",
        "v1.!!.e30",
        "v1.é.e30",
        "\x00",
        "v2." + "A" * TOKEN_LIMIT_CHARS,
    ],
)
def test_token_of_another_shape_is_refused(token: str):
    """Whatever is not a token is refused in the same words, never with another error."""
    with pytest.raises(NotSignedIn):
        VisitorTokens({1: b"k" * 32}).read(token, ACCOUNT, NOW_S)


def test_tokens_survive_a_new_key_and_not_a_lost_one():
    """After a change of keys old tokens stay good as long as the old key is kept; new ones carry the new key."""
    old, both = VisitorTokens({1: b"k" * 32}), VisitorTokens({1: b"k" * 32, 2: b"l" * 32})
    only_new = VisitorTokens({2: b"l" * 32})
    token = old.sign(make_claims())
    assert both.read(token, ACCOUNT, NOW_S)
    assert only_new.read(both.sign(make_claims()), ACCOUNT, NOW_S)
    with pytest.raises(NotSignedIn):
        only_new.read(token, ACCOUNT, NOW_S)


def test_verified_and_anonymous_visitors_never_share_a_thread():
    """A user whose id looks like a visitor's id has another identity and another thread."""
    anonymous = make_claims()
    verified = make_claims(external_user_id=str(anonymous.visitor_id))
    assert anonymous.identity().scheme == "visitor"
    assert verified.identity().scheme == "external"
    assert anonymous.thread_key() != verified.thread_key()
    assert verified.identity().scope == str(ACCOUNT)


def test_email_of_a_form_is_scoped_to_its_visitor():
    """The address a visitor typed is not the address of anybody's mail."""
    claims = make_claims(email="ceo@example.com")
    (note,) = claims.sender().aliases
    assert note.scheme == "email"
    assert str(claims.visitor_id) in note.scope


def test_longest_thread_key_fits():
    """The longest user id still makes a thread key the store takes."""
    assert len(make_claims(external_user_id="x" * 256).thread_key()) <= 320


def test_hmac_proof_is_accepted_in_either_case():
    """The user id comes back when the signature is right, upper-case hex included."""
    proof = sign("user-1")
    assert prove_identity(proof, SECRET, ACCOUNT, NOW_S) == "user-1"
    assert prove_identity(HmacProof("user-1", proof.hmac.upper()), SECRET, ACCOUNT, NOW_S) == "user-1"


@pytest.mark.parametrize(
    "proof",
    [
        HmacProof("user-2", sign("user-1").hmac),
        sign("user-1", "another secret"),
        HmacProof("user-1", ""),
        HmacProof("user-1", "ÿ" * 64),
        HmacProof("user-1", "\ud800"),
        HmacProof("user-1", hashlib.sha256(b"user-1").hexdigest()),
    ],
    ids=["another user", "another secret", "empty", "not ascii", "surrogate", "unkeyed"],
)
def test_hmac_proof_is_refused_when_wrong(proof: HmacProof):
    """A signature of another user or secret, or none at all, proves nothing."""
    with pytest.raises(InvalidInput) as refused:
        prove_identity(proof, SECRET, ACCOUNT, NOW_S)
    assert refused.value.field == "identity"


@pytest.mark.parametrize("user_id", ["", "x" * 257, "a\x00b", "a\nb", "\ud800"])
def test_hmac_proof_needs_a_storable_user_id(user_id: str):
    """A user id that cannot be stored or shown is refused before anything is compared."""
    with pytest.raises(InvalidInput):
        prove_identity(HmacProof(user_id, "00"), SECRET, ACCOUNT, NOW_S)


def test_no_secret_proves_nothing():
    """Without an identity secret an HMAC under the empty key is refused."""
    with pytest.raises(InvalidInput):
        prove_identity(sign("user-1", ""), "", ACCOUNT, NOW_S)


def test_jwt_proof_is_accepted():
    """A fresh token for this account names the user; several audiences are fine."""
    assert prove_identity(make_jwt(), SECRET, ACCOUNT, NOW_S) == "user-1"
    assert prove_identity(make_jwt(aud=["x", str(ACCOUNT)]), SECRET, ACCOUNT, NOW_S) == "user-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": str(UUID(int=8))},
        {"aud": None},
        {"exp": None},
        {"exp": NOW_S},
        {"exp": NOW_S + 3600},
        {"exp": True},
        {"exp": "9999999999"},
        {"nbf": NOW_S + 120},
        {"sub": None},
        {"sub": 12},
        {"secret": "t" * 43},
        {"algorithm": "HS384"},
    ],
    ids=str,
)
def test_jwt_proof_is_refused_when_wrong(changes: dict[str, object]):
    """Another audience, no or a far expiry, another key or another algorithm prove nothing."""
    with pytest.raises(InvalidInput) as refused:
        prove_identity(make_jwt(**changes), SECRET, ACCOUNT, NOW_S)
    assert refused.value.field == "identity"


@pytest.mark.parametrize("alg", ["none", "None", "HS256"])
def test_jwt_proof_without_a_signature_is_refused(alg: str):
    """An unsigned token is refused whatever algorithm it names."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    token = f"{part({'alg': alg})}.{part({'sub': 'user-1', 'aud': str(ACCOUNT), 'exp': NOW_S + 60})}."
    with pytest.raises(InvalidInput):
        prove_identity(JwtProof(token), SECRET, ACCOUNT, NOW_S)


@pytest.mark.parametrize("token", ["", "a.b.c", "\ud800", "é.é.é", "x" * (TOKEN_LIMIT_CHARS + 1)])
def test_jwt_proof_of_another_shape_is_refused(token: str):
    """Garbage is refused as a wrong proof, never with another error."""
    with pytest.raises(InvalidInput):
        prove_identity(JwtProof(token), SECRET, ACCOUNT, NOW_S)
