"""Passkey ceremonies against a software authenticator with real ES256 signatures."""

from __future__ import annotations

import os
from uuid import UUID

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import InvalidInput
from hub.signin.factors import passkeys
from hub.signin.factors.model import Person, StoredPasskey
from hub.signin.factors.passkeys import Site
from hub.signin.factors.wire import Assertion, Attestation, Descriptor
from tests.authenticator import ORIGIN, Authenticator, b64, tampered, unb64

SITE = Site("localhost", (ORIGIN,))
ANN = Person(UUID(int=7), "ann@example.com", "Ann")
CHALLENGE = bytes(range(32))


def as_struct(value: dict, type_: type):
    return msgspec.json.decode(msgspec.json.encode(value), type=type_)


def creation(challenge: bytes = CHALLENGE, known: tuple[Descriptor, ...] = ()) -> dict:
    return msgspec.to_builtins(passkeys.creation_options(SITE, ANN, challenge, known))


def request(challenge: bytes = CHALLENGE, allowed: tuple[Descriptor, ...] = ()) -> dict:
    return msgspec.to_builtins(passkeys.request_options(SITE, challenge, allowed))


def registered(device: Authenticator) -> StoredPasskey:
    made = passkeys.verify_registration(SITE, as_struct(device.create(creation()), Attestation), CHALLENGE)
    return StoredPasskey(UUID(int=9), ANN.login_id, made.credential_id, made.public_key, made.sign_count)


def check(answer: dict, passkey: StoredPasskey, challenge: bytes = CHALLENGE) -> int:
    return passkeys.verify_assertion(SITE, as_struct(answer, Assertion), challenge, passkey)


def test_new_passkey_is_taken():
    """A registration gives the credential, its key and how to reach it."""
    device = Authenticator()
    answer = as_struct(device.create(creation()), Attestation)
    assert passkeys.challenge_of(answer.response.client_data_json) == CHALLENGE
    made = passkeys.verify_registration(SITE, answer, CHALLENGE)
    assert made.credential_id == device.credentials[0].id
    assert made.transports == ("hybrid", "internal")
    assert not made.backed_up


def test_signature_is_taken_and_counts():
    """A passkey's signature holds, and its counter is told."""
    device = Authenticator()
    passkey = registered(device)
    assert [check(device.get(request()), passkey) for _ in range(2)] == [1, 2]


def test_options_ask_for_what_we_rely_on():
    """Discoverable, user verified, no attestation, no second one on a device that has one."""
    options = creation(known=(Descriptor(b64(b"known"), ("usb",)),))
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert options["attestation"] == "none"
    assert [unb64(one["id"]) for one in options["excludeCredentials"]] == [b"known"]
    assert unb64(options["user"]["id"]) == ANN.login_id.bytes
    assert request()["userVerification"] == "required"


WRONG_DEVICES = {
    "other origin": {"origin": "https://evil.example"},
    "other port": {"origin": "http://localhost:8001"},
    "scheme": {"origin": "https://localhost:8000"},
    "other rp id": {"rp_id": "evil.example"},
    "user not verified": {"verifies": False},
}


@pytest.mark.parametrize("how", WRONG_DEVICES.values(), ids=WRONG_DEVICES)
def test_registration_elsewhere_or_unverified_is_refused(how):
    """Another origin or host, or nobody's finger: no passkey."""
    answer = as_struct(Authenticator(**how).create(creation()), Attestation)
    with pytest.raises(InvalidInput):
        passkeys.verify_registration(SITE, answer, CHALLENGE)


@pytest.mark.parametrize("how", WRONG_DEVICES.values(), ids=WRONG_DEVICES)
def test_signature_elsewhere_or_unverified_is_refused(how):
    """Another origin or host, or nobody's finger: no sign-in, though key and challenge are right."""
    device = Authenticator()
    passkey = registered(device)
    for name, value in how.items():
        setattr(device, name, value)
    with pytest.raises(InvalidInput):
        check(device.get(request()), passkey)


@pytest.mark.parametrize("part", ["authenticatorData", "clientDataJSON", "signature"])
@pytest.mark.parametrize("at", [-1, 32, 36])
def test_tampered_answer_is_refused(part, at):
    """One bit of what was signed, or of the signature, and it is worth nothing; so with the flag "user verified"."""
    device = Authenticator()
    passkey = registered(device)
    with pytest.raises(InvalidInput):
        check(tampered(device.get(request()), part=part, at=at), passkey)


def test_user_verified_flag_cannot_be_added():
    """Setting the flag after signing breaks the signature."""
    device = Authenticator()
    passkey = registered(device)
    device.verifies = False
    answer = device.get(request())
    data = bytearray(unb64(answer["response"]["authenticatorData"]))
    data[32] |= 0x04
    answer["response"]["authenticatorData"] = b64(bytes(data))
    with pytest.raises(InvalidInput):
        check(answer, passkey)


def test_other_challenge_is_refused():
    """An answer to another challenge is a replay."""
    device = Authenticator()
    passkey = registered(device)
    with pytest.raises(InvalidInput):
        check(device.get(request(os.urandom(32))), passkey)


def test_registration_is_no_sign_in():
    """What answers "create" does not answer "get", and the other way about."""
    device = Authenticator()
    passkey = registered(device)
    attestation, assertion = device.create(creation()), device.get(request())
    swapped = {**assertion, "response": {**assertion["response"]}}
    swapped["response"]["clientDataJSON"] = attestation["response"]["clientDataJSON"]
    with pytest.raises(InvalidInput):
        check(swapped, passkey)


def test_key_of_another_passkey_is_refused():
    """A signature by another key under this credential's id does not pass."""
    device, other = Authenticator(), Authenticator()
    passkey, _ = registered(device), registered(other)
    answer = other.get(request())
    answer["id"] = answer["rawId"] = b64(passkey.credential_id)
    with pytest.raises(InvalidInput):
        check(answer, passkey)


def test_user_handle_of_another_login_is_refused():
    """The handle the authenticator keeps must be the owner's."""
    device = Authenticator()
    passkey = registered(device)
    device.credentials[0].user_handle = UUID(int=8).bytes
    with pytest.raises(InvalidInput):
        check(device.get(request()), passkey)


def test_frame_of_another_site_is_refused():
    """An answer given inside somebody else's page is not looked at further."""
    device = Authenticator(cross_origin=True)
    answer = as_struct(device.create(creation()), Attestation)
    with pytest.raises(InvalidInput):
        passkeys.challenge_of(answer.response.client_data_json)


def test_key_of_a_kind_not_asked_for_is_refused():
    """Only algorithms of the options are taken: ES384 here is not."""
    device = Authenticator()
    answer = device.create(creation())
    attested = cbor2.loads(unb64(answer["response"]["attestationObject"]))
    key = device.credentials[0].cose_key()
    weak = {**cbor2.loads(key), 3: -35}
    attested["authData"] = attested["authData"].removesuffix(key) + cbor2.dumps(weak)
    answer["response"]["attestationObject"] = b64(cbor2.dumps(attested))
    with pytest.raises(InvalidInput):
        passkeys.verify_registration(SITE, as_struct(answer, Attestation), CHALLENGE)


@given(client=st.binary(max_size=80), data=st.binary(max_size=120), signature=st.binary(max_size=80))
def test_rubbish_is_refused_and_never_an_error(client, data, signature):
    """Whatever bytes come, the answer is "refused"."""
    passkey = StoredPasskey(UUID(int=9), ANN.login_id, b"id", data, 0)
    response = {"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}
    with pytest.raises(InvalidInput):
        check({"id": b64(b"id"), "rawId": b64(b"id"), "type": "public-key", "response": response}, passkey)
    made = {"clientDataJSON": b64(client), "attestationObject": b64(data)}
    attestation = as_struct({"id": b64(b"id"), "rawId": b64(b"id"), "response": made}, Attestation)
    with pytest.raises(InvalidInput):
        passkeys.verify_registration(SITE, attestation, CHALLENGE)


@given(data=st.binary(max_size=200))
def test_rubbish_after_a_good_head_is_refused(data):
    """Attestation objects whose inside is made up are refused, not an error."""
    device = Authenticator()
    answer = device.create(creation())
    attested = cbor2.loads(unb64(answer["response"]["attestationObject"]))
    attested["authData"] = attested["authData"][:37] + data
    answer["response"]["attestationObject"] = b64(cbor2.dumps(attested))
    with pytest.raises(InvalidInput):
        passkeys.verify_registration(SITE, as_struct(answer, Attestation), CHALLENGE)


@pytest.mark.parametrize(
    ("base_url", "origins", "expected"),
    [
        ("https://hub.example.com", ["https://hub.example.com"], Site("hub.example.com", ("https://hub.example.com",))),
        (
            "http://localhost:8000",
            ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"],
            Site("localhost", ("http://localhost:8000",)),
        ),
    ],
)
def test_site_is_the_public_host(base_url, origins, expected):
    """Passkeys are the public URL's, never the Host header's, and only its own pages may ask for one."""
    assert passkeys.site_of(base_url, origins) == expected
