"""A passkey authenticator in software: real ES256 keys and signatures, and every way to get one wrong."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

ORIGIN = "http://localhost:8000"
UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def b64(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "===")


@dataclass
class Credential:
    """One passkey."""

    rp_id: str
    user_handle: bytes
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: os.urandom(32))
    sign_count: int = 0

    def cose_key(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})


@dataclass
class Authenticator:
    """
    A device with passkeys, and the browser it is in.

    Attributes:
        origin: Of the page that asks.
        verifies: Whether the person shows finger, face or PIN.
        counts: Whether it counts signatures; those that keep keys in a cloud do not.
        rp_id: Signs for this host instead of the one asked for.
        cross_origin: The page is in a frame of somebody else's.
        next_id: Of the next credential, instead of a random one.
    """

    origin: str = ORIGIN
    verifies: bool = True
    counts: bool = True
    rp_id: str | None = None
    cross_origin: bool = False
    next_id: bytes | None = None
    credentials: list[Credential] = field(default_factory=list)

    def create(self, options: dict) -> dict:
        """Answer ``navigator.credentials.create``."""
        held = {one.id for one in self.credentials}
        assert not held & {unb64(one["id"]) for one in options["excludeCredentials"]}, "made here already"
        made = Credential(options["rp"]["id"], unb64(options["user"]["id"]))
        made.id = self.next_id or made.id
        self.credentials.append(made)
        attested = bytes(16) + len(made.id).to_bytes(2, "big") + made.id + made.cose_key()
        data = self._authenticator_data(made, AT) + attested
        return {
            "id": b64(made.id),
            "rawId": b64(made.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": b64(self._client_data("webauthn.create", options["challenge"])),
                "attestationObject": b64(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
                "transports": ["internal", "hybrid"],
            },
        }

    def get(self, options: dict, *, credential: Credential | None = None) -> dict:
        """Answer ``navigator.credentials.get``, with a passkey that the page did not ask for if one is given."""
        allowed = {unb64(one["id"]) for one in options.get("allowCredentials", [])}
        chosen = credential or next(one for one in self.credentials if not allowed or one.id in allowed)
        if self.counts:
            chosen.sign_count += 1
        data = self._authenticator_data(chosen, 0)
        client_data = self._client_data("webauthn.get", options["challenge"])
        signature = chosen.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return {
            "id": b64(chosen.id),
            "rawId": b64(chosen.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": b64(client_data),
                "authenticatorData": b64(data),
                "signature": b64(signature),
                "userHandle": b64(chosen.user_handle),
            },
        }

    def _client_data(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin}
        return json.dumps(said).encode()

    def _authenticator_data(self, credential: Credential, flags: int) -> bytes:
        flags |= UP | (UV if self.verifies else 0)
        rp_id = self.rp_id or credential.rp_id
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + credential.sign_count.to_bytes(4, "big")


def tampered(assertion: dict, *, part: str = "authenticatorData", at: int = -1) -> dict:
    """Change one byte of a part after it was signed; the last one of authenticatorData is of the counter."""
    changed = bytearray(unb64(assertion["response"][part]))
    changed[at] ^= 0x01
    return {**assertion, "response": {**assertion["response"], part: b64(bytes(changed))}}
