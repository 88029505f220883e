"""Payloads one browser opens, and the header push services check."""

from __future__ import annotations

import base64
import os
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey

from hub.errors import ConfigurationError, InvalidInput
from hub.push.keys import PushKey, encrypt
from hub.push.model import Target, check_endpoint
from tests.push_service import open_payload


def browser():
    """A browser's private key, its secret, and where it is reached."""
    private, auth = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return private, Target("https://push.example/x", point, auth)


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_only_the_browser_opens_its_payload():
    """Encrypted anew each time; another browser's key opens nothing."""
    private, target = browser()
    sealed, again = encrypt(b"Hello", target), encrypt(b"Hello", target)
    assert sealed != again
    assert open_payload(sealed, private, target.auth) == b"Hello"
    other, _ = browser()
    with pytest.raises(InvalidTag):
        open_payload(sealed, other, target.auth)


def test_the_reader_used_here_reads_the_standards_example():
    """RFC 8291 section 5 and appendix A: what stands there is opened by the reader these tests trust."""
    private_value = int.from_bytes(unb64("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), "big")
    private = ec.derive_private_key(private_value, ec.SECP256R1())
    sealed = unb64(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
        "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    assert (
        open_payload(sealed, private, unb64("BTBZMqHH6r4Tts7J_aSIgg")) == b"When I grow up, I want to be a watermelon"
    )


def test_the_header_is_signed_for_one_service():
    """An ES256 token with audience, end and contact, checked by a library of others."""
    key = PushKey.make()
    header = key.authorization("https://push.example", 1_800_000_000, "mailto:ops@hub.example")
    scheme, _, rest = header.partition(" ")
    parts = dict(one.split("=", 1) for one in rest.split(", "))
    assert scheme == "vapid"
    assert unb64(parts["k"]) == key.public_key
    x, y = key.public_key[1:33], key.public_key[33:]
    encoded = {name: base64.urlsafe_b64encode(value).decode().rstrip("=") for name, value in (("x", x), ("y", y))}
    public = ECKey.import_key({"kty": "EC", "crv": "P-256", **encoded})
    token = jwt.decode(parts["t"], public, algorithms=["ES256"])
    assert token.claims == {"aud": "https://push.example", "exp": 1_800_000_000, "sub": "mailto:ops@hub.example"}


def test_the_pair_is_sealed():
    """It opens with the installation's key, old or new, and with no other."""
    keys = {1: sha256(b"1").digest(), 2: sha256(b"2").digest()}
    key = PushKey.make()
    sealed = key.seal({1: keys[1]})
    assert PushKey.open(sealed, keys).public_key == key.public_key
    for wrong in ({2: keys[2]}, {1: keys[2]}):
        with pytest.raises(ConfigurationError):
            PushKey.open(sealed, wrong)


@pytest.mark.parametrize(
    "url",
    [
        "http://push.example/x",
        "https://push.example:8443/x",
        "https://user@push.example/x",
        "https:///x",
        "https://push.example/x#y",
        "https://push.example/x\r\nhost: evil",
        "https://push.exämple/x",
        "file:///etc/passwd",
        "https://[::1",
        "https://push.example\\@evil.example/",
        "",
    ],
)
def test_endpoints_are_https_addresses(url):
    """And nothing that another reader of the URL might read differently."""
    with pytest.raises(InvalidInput):
        check_endpoint(url)
    assert (
        check_endpoint("https://fcm.googleapis.com/fcm/send/abc:def") == "https://fcm.googleapis.com/fcm/send/abc:def"
    )
