"""
Who a live-chat visitor is: the token that makes a browser the same visitor again, and the proof that a visitor is a
user of the customer's own site. Pure.

An unverified visitor and a verified user never share a thread or an identity, so the one cannot read the other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from uuid import UUID

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from hub.envelope import Identity, clean_text
from hub.errors import InvalidInput, NotSignedIn
from hub.secret_keys import writing_version

TOKEN_PURPOSE = "visitor token"  # noqa: S105  a label of key derivation, not a secret
TOKEN_DAYS = 400
TOKEN_LIMIT_CHARS = 4096
USER_ID_LIMIT_CHARS = 256
# ASVS 5.0, 9.2: a proof of identity is made for one page load, so a stolen one is soon worthless.
PROOF_LIFE_S = 600
CLOCK_SKEW_S = 30
SCHEME_ANONYMOUS = "visitor"
SCHEME_VERIFIED = "external"


class VisitorClaims(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a visitor token says.

    Attributes:
        visitor_id: This browser; a uuid7 made by us.
        expires_at_s: Seconds since 1970.
        external_user_id: The customer's own id of a user whose identity was proved; None for anybody else.
        name: What the visitor called themselves in the pre-chat form; unverified, may be empty.
        email: The address they gave; unverified, never used to find a contact.
    """

    workspace_id: int
    channel_account_id: UUID
    visitor_id: UUID
    expires_at_s: int
    external_user_id: str | None = None
    name: str = ""
    email: str = ""

    def identity(self) -> Identity:
        """Return the identity whose contact this visitor is."""
        scope = str(self.channel_account_id)
        if self.external_user_id is not None:
            return Identity(SCHEME_VERIFIED, self.external_user_id, scope, self.name or None, verified=True)
        return Identity(SCHEME_ANONYMOUS, str(self.visitor_id), scope, self.name or None)

    def sender(self) -> Identity:
        """
        Return the identity with what the visitor wrote into the pre-chat form.

        The address is scoped to this visitor: mail from that address never finds this contact, and this visitor never
        finds the contact of that address.
        """
        if not self.email:
            return self.identity()
        note = Identity("email", self.email, f"visitor:{self.visitor_id}")
        return msgspec.structs.replace(self.identity(), aliases=(note,))

    def thread_key(self) -> str:
        """Return the thread of this visitor; the scheme in front keeps a user named like a visitor id apart."""
        identity = self.identity()
        return f"{identity.scheme}:{identity.value}"

    def subject(self) -> UUID:
        """Return who they are to the store and the socket: the same for every device of one verified user."""
        return uuid.uuid5(self.channel_account_id, self.thread_key())


class HmacProof(msgspec.Struct, frozen=True):
    """The customer's server says who it is: hex HMAC-SHA-256 of the user id under the account's identity secret."""

    user_id: str
    hmac: str


class JwtProof(msgspec.Struct, frozen=True):
    """The same as a signed token that expires: HS256, ``sub`` the user id, ``aud`` the channel account."""

    jwt: str


class _JwtClaims(msgspec.Struct, frozen=True):
    sub: str
    aud: str | list[str]
    exp: float
    nbf: float = 0


class _Payload(msgspec.Struct, frozen=True):
    """What is signed since version 1, as JSON: 370 characters a token."""

    key_version: int
    claims: VisitorClaims


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """The same since version 2, as MessagePack: 95 characters, and each open socket of a visitor remembers them."""

    key_version: int
    workspace_id: int
    channel_account_id: UUID
    visitor_id: UUID
    expires_at_s: int
    external_user_id: str | None
    name: str
    email: str


_ENCODER = msgspec.msgpack.Encoder(uuid_format="bytes")
# RFC 2104 section 5 (February 1997): half of the hash at least, and 80 bits.
_MAC_BYTES = 16
_PAYLOAD = msgspec.json.Decoder(_Payload)
_PACKED = msgspec.msgpack.Decoder(_Packed)


class VisitorTokens:
    """
    Signs and reads visitor tokens: ``v2.<payload>.<mac>``, base64url without padding.

    Those of version 1, which browsers keep for ``TOKEN_DAYS``, are read as well.
    """

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Keep the keys of ``Sealer.derive_keys(TOKEN_PURPOSE)``: the newest signs, all of them verify."""
        self._keys = dict(keys)
        self._newest = writing_version(keys)

    def sign(self, claims: VisitorClaims) -> str:
        """Make the token of some claims."""
        packed = _Packed(self._newest, *(getattr(claims, field) for field in _Packed.__struct_fields__[1:]))
        payload = _encode(_ENCODER.encode(packed))
        return f"v2.{payload}.{_encode(self._mac(self._newest, f'v2.{payload}')[:_MAC_BYTES])}"

    def read(self, token: str, channel_account_id: UUID, now_s: float) -> VisitorClaims:
        """
        Check a token.

        Args:
            token: As the visitor brought it.
            channel_account_id: The live chat it is used at.
            now_s: Seconds since 1970.

        Returns:
            Its claims.

        Raises:
            NotSignedIn: It is not ours, was changed, has expired, or is another live chat's.
        """
        claims = self.read_any(token, now_s)
        if claims.channel_account_id != channel_account_id:
            raise NotSignedIn("This visitor token is not valid here.")
        return claims

    def read_any(self, token: str, now_s: float) -> VisitorClaims:
        """Check a token where its live chat is not known from an address: at the socket. Raises ``NotSignedIn``."""
        claims = self._open(token)
        if claims.expires_at_s <= now_s:
            raise NotSignedIn("This visitor token is not valid here.")
        return claims

    def _open(self, token: str) -> VisitorClaims:
        version, _, rest = token.partition(".")
        payload, _, mac = rest.partition(".")
        if version not in ("v1", "v2") or len(token) > TOKEN_LIMIT_CHARS:
            raise NotSignedIn("This is not a visitor token.")
        try:
            read = _read_payload(version, _decode(payload))
        except (ValueError, msgspec.DecodeError) as error:
            raise NotSignedIn("This is not a visitor token.") from error
        if read.key_version not in self._keys:
            raise NotSignedIn("This visitor token is not valid.")
        expected = self._mac(read.key_version, f"{version}.{payload}")
        # The text itself is signed and compared, so that no second spelling of a token is good.
        text = _encode(expected if version == "v1" else expected[:_MAC_BYTES])
        if not hmac.compare_digest(mac.encode("utf-8", "replace"), text.encode()):
            raise NotSignedIn("This visitor token is not valid.")
        return read.claims

    def _mac(self, key_version: int, signed: str) -> bytes:
        return hmac.digest(self._keys[key_version], signed.encode(), "sha256")


def _read_payload(version: str, raw: bytes) -> _Payload:
    if version == "v1":
        return _PAYLOAD.decode(raw)
    packed = _PACKED.decode(raw)
    claims = VisitorClaims(
        workspace_id=packed.workspace_id,
        channel_account_id=packed.channel_account_id,
        visitor_id=packed.visitor_id,
        expires_at_s=packed.expires_at_s,
        external_user_id=packed.external_user_id,
        name=packed.name,
        email=packed.email,
    )
    return _Payload(packed.key_version, claims)


def prove_identity(proof: HmacProof | JwtProof, identity_secret: str, channel_account_id: UUID, now_s: float) -> str:
    """
    Check that the customer's own server vouches for a visitor.

    Args:
        proof: What the page handed us.
        identity_secret: The channel account's secret, known to that server.
        channel_account_id: The audience a JWT must name.
        now_s: Seconds since 1970.

    Returns:
        The customer's id of the user, 1-256 characters.

    Raises:
        InvalidInput: ``identity``: the proof is wrong or too old; ``identity.user_id``: the id is empty, too long or
            not printable.

    Source:
        RFC 7519 (May 2015), RFC 8725 section 3.1 (February 2020): the algorithm is ours to fix, not the token's.
    """
    if not identity_secret:
        raise _not_proved()
    if isinstance(proof, HmacProof):
        _check_user_id(proof.user_id)
        expected = hmac.new(identity_secret.encode(), proof.user_id.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), proof.hmac.lower().encode("utf-8", "replace")):
            raise _not_proved()
        return proof.user_id
    return _check_user_id(_read_jwt(proof.jwt, identity_secret, str(channel_account_id), now_s))


def _read_jwt(token: str, identity_secret: str, audience: str, now_s: float) -> str:
    if len(token) > TOKEN_LIMIT_CHARS:
        raise _not_proved()
    try:
        decoded = jwt.decode(token, OctKey.import_key(identity_secret), algorithms=["HS256"])
        claims = msgspec.convert(decoded.claims, _JwtClaims)
    except (JoseError, ValueError, msgspec.ValidationError) as error:
        raise _not_proved() from error
    audiences = claims.aud if isinstance(claims.aud, list) else [claims.aud]
    is_fresh = now_s < claims.exp <= now_s + PROOF_LIFE_S + CLOCK_SKEW_S and claims.nbf <= now_s + CLOCK_SKEW_S
    if audience not in audiences or not is_fresh:
        raise _not_proved()
    return claims.sub


def _not_proved() -> InvalidInput:
    """The same words for every reason: a forger learns nothing."""
    return InvalidInput("identity", "The identity could not be verified.")


def _check_user_id(user_id: str) -> str:
    if not 1 <= len(user_id) <= USER_ID_LIMIT_CHARS or clean_text(user_id) != user_id or not user_id.isprintable():
        raise InvalidInput("identity.user_id", f"A user id has 1 to {USER_ID_LIMIT_CHARS} printable characters.")
    return user_id


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
