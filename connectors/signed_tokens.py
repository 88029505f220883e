"""
Checks tokens that a vendor's identity service signed (JWT, RS256) against key sets that were fetched before.

Pure: no network and no clock. For ``verify`` of channels whose vendor signs calls so (Bot Framework, Pub/Sub push,
Graph). Which issuer is believed, and what other claims must say, is the channel's to check.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from hub.errors import SignatureRejected, SigningKeyUnknown

_ALGORITHM: Final = "RS256"
_SKEW_S: Final = 300.0
_LONGEST_TOKEN_CHARS: Final = 16_384


class SigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """
    One public key of a key set.

    Attributes:
        n: Modulus, base64url.
        e: Exponent, base64url.
        endorsements: Channels the key may speak for; Bot Framework's addition to RFC 7517, empty elsewhere.
    """

    kid: str
    kty: str
    n: str = ""
    e: str = ""
    endorsements: tuple[str, ...] = ()


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What a token must say: who made it, any of ``issuers``, and for whom, ``audience``; ``now`` is aware."""

    issuers: Sequence[str]
    audience: str
    now: datetime


class Checked(msgspec.Struct, frozen=True):
    """A token that holds: its claims as JSON (``msgspec.json.decode`` into the channel's struct) and its key."""

    claims: bytes
    key: SigningKey


class _KeySet(msgspec.Struct):
    keys: list[msgspec.Raw]


class _Header(msgspec.Struct):
    alg: str
    kid: str


class _Claims(msgspec.Struct):
    iss: str
    aud: str | list[str]
    exp: float
    nbf: float | None = None


def read_key_set(document: bytes) -> Mapping[str, SigningKey]:
    """
    Read a key set.

    Args:
        document: As the issuer publishes it (RFC 7517 section 5); empty where there is none.

    Returns:
        Its RSA keys by ``kid``; keys of other kinds, which are allowed to be there, are left out.

    Raises:
        SignatureRejected: It is no key set: nobody can be believed.
    """
    if not document:
        return {}
    try:
        found = [_read_key(one) for one in msgspec.json.decode(document, type=_KeySet).keys]
    except msgspec.MsgspecError as error:
        raise SignatureRejected("The issuer's keys cannot be read.") from error
    return {one.kid: one for one in found if one is not None and one.kty == "RSA"}


def _read_key(raw: msgspec.Raw) -> SigningKey | None:
    try:
        return msgspec.json.decode(raw, type=SigningKey)
    except msgspec.ValidationError:
        return None


def key_id_of(token: str) -> str:
    """
    Read which key a token says it was signed with, believing nothing: to know whether keys must be fetched anew.

    Raises:
        SignatureRejected: It is no token of the one algorithm we take.
    """
    if not token.isascii() or not 0 < len(token) <= _LONGEST_TOKEN_CHARS:
        raise SignatureRejected("The token cannot be read.")
    text = token.partition(".")[0]
    try:
        header = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Header)
    except (ValueError, msgspec.MsgspecError) as error:
        raise SignatureRejected("The token cannot be read.") from error
    if header.alg != _ALGORITHM:
        raise SignatureRejected("The token is signed in a way that is not taken.")
    return header.kid


def check_token(token: str, keys: Mapping[str, SigningKey], expected: Expected) -> Checked:
    """
    Check signature, issuer, audience and time of a token.

    Args:
        token: Compact form, without ``Bearer``.
        keys: The issuer's keys by ``kid``.
        expected: What it must say; an empty audience is refused, so that an account without keys accepts nobody.

    Returns:
        Its claims, and the key for whoever must look at its endorsements.

    Raises:
        SignatureRejected: Any of it does not hold; ``SigningKeyUnknown`` where the key is not among ``keys``.

    Source:
        RFC 7519 section 4.1, RFC 7515; five minutes of skew as Bot Connector authentication asks, read 2026-11-22.
    """
    key = keys.get(key_id_of(token))
    if key is None:
        raise SigningKeyUnknown("The token is signed with a key that is not known.")
    try:
        public = RSAKey.import_key({"kty": key.kty, "n": key.n, "e": key.e})
        payload = jws.deserialize_compact(token, public, algorithms=[_ALGORITHM]).payload
        claims = msgspec.json.decode(payload, type=_Claims)
    except (JoseError, ValueError, msgspec.MsgspecError) as error:
        raise SignatureRejected("The token is not signed with its key.") from error
    _check_claims(claims, expected)
    return Checked(payload, key)


def _check_claims(claims: _Claims, expected: Expected) -> None:
    audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if claims.iss not in expected.issuers:
        raise SignatureRejected("The token was made by somebody else.")
    if not expected.audience or expected.audience not in audiences:
        raise SignatureRejected("The token is for somebody else.")
    now_s = expected.now.timestamp()
    if claims.exp < now_s - _SKEW_S:
        raise SignatureRejected("The token has ended.")
    if claims.nbf is not None and claims.nbf > now_s + _SKEW_S:
        raise SignatureRejected("The token is not good yet.")
