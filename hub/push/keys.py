"""The key pair push services know this installation by, and payloads only one browser can open. No IO."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from hub.errors import ConfigurationError
from hub.secret_keys import writing_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.push.model import Target

# What ``Sealer.derive_keys`` is asked for.
PURPOSE: Final = "push key"
# Source: RFC 8291 section 4 (November 2017): a push service takes 4,096 bytes, of which 103 are not the text.
PAYLOAD_LIMIT_BYTES: Final = 3_900
_RECORD_BYTES: Final = 4096
_BOUND: Final = b"hub/1/push_key"


class SealedKey(msgspec.Struct, frozen=True):
    """A row of ``push_key``."""

    public_key: bytes
    sealed: bytes
    key_version: int


class PushKey:
    """The pair, opened; its private half never shows in text."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        self.public_key = _point(private.public_key())

    def __repr__(self) -> str:
        return "PushKey()"

    @classmethod
    def make(cls) -> PushKey:
        """Make a fresh pair."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def open(cls, sealed: SealedKey, keys: Mapping[int, bytes]) -> PushKey:
        """
        Open what ``seal`` made.

        Raises:
            ConfigurationError: It was sealed under a secret key that is not named any more.
        """
        key = keys.get(sealed.key_version)
        try:
            if key is not None:
                opened = AESGCM(key).decrypt(sealed.sealed[:12], sealed.sealed[12:], _BOUND)
                private = load_der_private_key(opened, None)
                if isinstance(private, ec.EllipticCurvePrivateKey):
                    return cls(private)
        except (InvalidTag, ValueError):
            pass
        raise ConfigurationError("The push key was sealed under another HUB_SECRET_KEY.", field="HUB_SECRET_KEY")

    def seal(self, keys: Mapping[int, bytes]) -> SealedKey:
        """Seal the pair under the newest of the installation's keys."""
        version, nonce = writing_version(keys), os.urandom(12)
        plain = self._private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return SealedKey(self.public_key, nonce + AESGCM(keys[version]).encrypt(nonce, plain, _BOUND), version)

    def authorization(self, audience: str, expires_at_s: int, contact: str) -> str:
        """
        Write the header by which a push service knows who sends.

        Args:
            audience: Origin of the push service.
            expires_at_s: Seconds since 1970, at most a day ahead.
            contact: ``mailto:`` or https address of whoever runs this installation.

        Source:
            RFC 8292 sections 2 and 3 (VAPID, November 2017); RFC 7518 section 3.4 (ES256, May 2015).
        """
        head = _b64(b'{"typ":"JWT","alg":"ES256"}')
        claims = _b64(msgspec.json.encode({"aud": audience, "exp": expires_at_s, "sub": contact}))
        signed = f"{head}.{claims}"
        r, s = decode_dss_signature(self._private.sign(signed.encode(), ec.ECDSA(SHA256())))
        signature = _b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        return f"vapid t={signed}.{signature}, k={_b64(self.public_key)}"


def encrypt(payload: bytes, target: Target) -> bytes:
    """
    Encrypt a payload for one browser, as one ``aes128gcm`` record.

    Args:
        payload: At most ``PAYLOAD_LIMIT_BYTES``.
        target: Its point and secret.

    Raises:
        ValueError: The browser's point is none of the curve.

    Source:
        RFC 8291 section 3.4 (November 2017), RFC 8188 section 2 (June 2017).
    """
    ours = ec.generate_private_key(ec.SECP256R1())
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), target.public_key)
    point, salt = _point(ours.public_key()), os.urandom(16)
    info = b"WebPush: info\x00" + target.public_key + point
    secret = _hkdf(ours.exchange(ec.ECDH(), theirs), target.auth, info, 32)
    key = _hkdf(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _hkdf(secret, salt, b"Content-Encoding: nonce\x00", 12)
    # 0x02 ends the last record; the padding before it would be zeros.
    sealed = AESGCM(key).encrypt(nonce, payload + b"\x02", None)
    return salt + _RECORD_BYTES.to_bytes(4, "big") + bytes([len(point)]) + point + sealed


def _hkdf(secret: bytes, salt: bytes, info: bytes, size_bytes: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=size_bytes, salt=salt, info=info).derive(secret)


def _point(public: ec.EllipticCurvePublicKey) -> bytes:
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
