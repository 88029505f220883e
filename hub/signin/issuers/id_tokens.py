"""Checks ID tokens: signature by a key of the issuer, an algorithm of our list, and every claim. No IO."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

import msgspec
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from hub.signin.issuers.model import IssuerRefused, Refusal

# Public-key signatures only: with HS256 whoever knows the public key could sign, ``none`` is no signature.
# Source: RFC 8725 sections 3.1 and 3.2 (February 2020).
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
LEEWAY_S: Final = 60
# A token is made when its code is exchanged, and we asked for it this moment.
MOST_AGE_S: Final = 600
MOST_KEYS: Final = 50
_KEY_TYPES: Final[dict[str, type[RSAKey | ECKey | OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_TYPE_OF: Final = {"R": "RSA", "P": "RSA", "E": "EC"}
_LEAST_RSA_BITS: Final = 2048


class Header(msgspec.Struct, frozen=True):
    """Of a signed token."""

    alg: str
    kid: str = ""


class SigningKey(msgspec.Struct, frozen=True):
    """A public key of an issuer."""

    kid: str
    kind: str
    key: Key


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a token must say.

    Attributes:
        nonce: Empty for an issuer that is known to send none.
        access_token: What came with it; a hash of it may be in the token.
        algorithms: Those the issuer says it uses.
    """

    issuer: str
    client_id: str
    nonce: str
    access_token: str
    algorithms: Sequence[str]
    now_s: int


class Claims(msgspec.Struct, frozen=True):
    """
    What an ID token, or the userinfo endpoint, says of somebody.

    Attributes:
        email_verified: Some issuers write it as text.
    """

    sub: str
    email: str | None = None
    email_verified: bool | str | None = None
    name: str | None = None

    @property
    def is_verified(self) -> bool:
        """Whether the issuer says the address is theirs."""
        return bool(self.email) and (self.email_verified is True or self.email_verified == "true")


class _KeySet(msgspec.Struct, frozen=True):
    keys: list[dict[str, object]]


def read_keys(document: bytes) -> tuple[SigningKey, ...]:
    """
    Read a JWK set; keys for something else than signatures, secret ones and ones we cannot read are left out.

    Raises:
        IssuerRefused: It is none.

    Source:
        RFC 7517 section 5 (May 2015).
    """
    try:
        listed = msgspec.json.decode(document, type=_KeySet).keys[:MOST_KEYS]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise IssuerRefused(Refusal.ISSUER, "keys cannot be read") from error
    found = []
    for one in listed:
        kind = _KEY_TYPES.get(str(one.get("kty")))
        if kind is None or one.get("use", "sig") != "sig" or "d" in one:
            continue
        try:
            key = kind.import_key({name: value for name, value in one.items() if isinstance(value, str)})
        except (JoseError, ValueError, KeyError, TypeError):
            continue
        if isinstance(key, RSAKey) and key.raw_value.key_size < _LEAST_RSA_BITS:
            continue
        found.append(SigningKey(str(one.get("kid", "")), str(one["kty"]), key))
    return tuple(found)


def header_of(token: str) -> Header:
    """
    Read which algorithm and key a token names, unchecked.

    Raises:
        IssuerRefused: It is no signed token, or its algorithm is not of our list.
    """
    first = token.partition(".")[0]
    try:
        header = msgspec.json.decode(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)), type=Header)
    except (msgspec.MsgspecError, ValueError) as error:
        raise IssuerRefused(Refusal.ISSUER, "token cannot be read") from error
    if header.alg not in ALGORITHMS:
        raise IssuerRefused(Refusal.ISSUER, "algorithm")
    return header


def candidates(header: Header, keys: Sequence[SigningKey]) -> list[Key]:
    """Return the keys a token may be signed with; empty where the issuer has changed its keys meanwhile."""
    kind = _TYPE_OF[header.alg[0]] if not header.alg.startswith("Ed") else "OKP"
    return [one.key for one in keys if one.kind == kind and (not header.kid or one.kid == header.kid)]


def check(token: str, keys: Sequence[SigningKey], expected: Expected) -> Claims:
    """
    Check an ID token whole.

    Args:
        token: As the token endpoint gave it.
        keys: The issuer's.
        expected: What it must say.

    Raises:
        IssuerRefused: Signature, algorithm or a claim does not hold; ``detail`` names it.

    Source:
        OpenID Connect Core 1.0 section 3.1.3.7 (errata set 2, December 2023).
    """
    header = header_of(token)
    if header.alg not in expected.algorithms:
        raise IssuerRefused(Refusal.ISSUER, "algorithm")
    claims = _signed_claims(token, header, keys)
    checked = CodeIDToken(
        claims,
        {"alg": header.alg},
        options={
            "iss": {"essential": True, "value": expected.issuer},
            "aud": {"essential": True, "value": expected.client_id},
        },
        params={
            "nonce": expected.nonce or None,
            "client_id": expected.client_id,
            "access_token": expected.access_token,
        },
    )
    try:
        checked.validate(now=expected.now_s, leeway=LEEWAY_S)
    except JoseError as error:
        raise IssuerRefused(Refusal.ISSUER, f"claims: {error.error} {getattr(error, 'claim', '')}") from error
    _check_more(claims, expected)
    try:
        return msgspec.convert(claims, Claims)
    except msgspec.ValidationError as error:
        raise IssuerRefused(Refusal.ISSUER, "claims: shape") from error


def _signed_claims(token: str, header: Header, keys: Sequence[SigningKey]) -> dict[str, object]:
    for key in candidates(header, keys):
        try:
            return dict(jwt.decode(token, key, algorithms=[header.alg]).claims)
        except (JoseError, ValueError):
            continue
    raise IssuerRefused(Refusal.ISSUER, "signature")


def _check_more(claims: dict[str, object], expected: Expected) -> None:
    """What the library leaves open: several audiences, and how old a token may be."""
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if expected.client_id not in audiences or (len(audiences) > 1 and claims.get("azp") != expected.client_id):
        raise IssuerRefused(Refusal.ISSUER, "claims: aud")
    issued_at = claims.get("iat")
    if not isinstance(issued_at, int | float) or expected.now_s - issued_at > MOST_AGE_S + LEEWAY_S:
        raise IssuerRefused(Refusal.ISSUER, "claims: iat")
    if not 1 <= len(str(claims["sub"])) <= 255:
        raise IssuerRefused(Refusal.ISSUER, "claims: sub")
