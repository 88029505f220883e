"""
Passkey ceremonies: what a browser is asked, and whether its answer holds. Pure; knows no database.

Every passkey of ours is discoverable and verifies its user (finger, face or PIN), so one is two factors by itself.
"""

from __future__ import annotations

import binascii
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from hub.errors import ConfigurationError, InvalidInput
from hub.signin.factors.model import NewPasskey
from hub.signin.factors.wire import CreationOptions, Descriptor, KeyParameters, RelyingParty, RequestOptions, User

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hub.signin.factors.model import Person, StoredPasskey
    from hub.signin.factors.wire import Assertion, Attestation

CHALLENGE_BYTES: Final = 32
CEREMONY_S: Final = 300
# COSE: ES256, EdDSA, RS256. W3C Web Authentication Level 3 section 5.4 (2025) names these as what reaches everybody.
_ALGORITHMS: Final = (-7, -8, -257)
_TRANSPORTS: Final = frozenset({"usb", "nfc", "ble", "smart-card", "internal", "cable", "hybrid"})
_MOST_CREDENTIAL_ID_BYTES: Final = 1023

_REFUSED: Final = "This passkey was not accepted. Try again."


class Site(msgspec.Struct, frozen=True):
    """
    Whose passkeys these are.

    Attributes:
        id: The host, without scheme and port; a passkey of one host opens no other.
        origins: Pages that may ask for one, exactly.
    """

    id: str
    origins: tuple[str, ...]


class _ClientData(msgspec.Struct, frozen=True):
    """Of ``clientDataJSON``, what finds the ceremony; the rest is looked at by the verifier."""

    challenge: str
    cross_origin: bool = msgspec.field(name="crossOrigin", default=False)
    top_origin: str | None = msgspec.field(name="topOrigin", default=None)


def site_of(base_url: str, origins: Iterable[str]) -> Site:
    """
    Say for which host passkeys are made.

    Args:
        base_url: The address people open.
        origins: What a browser's Origin may be.

    Raises:
        ConfigurationError: The address has no host.

    Source:
        W3C Web Authentication Level 3 section 5.1.3 (2025): a relying party's id is a domain, never an IP address.
    """
    host = urlsplit(base_url).hostname
    if not host:
        raise ConfigurationError("The public URL has no host.", field="HUB_PUBLIC_URL")
    return Site(host, tuple(sorted(one for one in origins if urlsplit(one).hostname == host)))


def creation_options(site: Site, person: Person, challenge: bytes, known: Sequence[Descriptor]) -> CreationOptions:
    """Ask for a new passkey; ``known`` are those the person has, so that no device makes a second one."""
    return CreationOptions(
        rp=RelyingParty(site.id, site.id),
        user=User(encode(person.login_id.bytes), person.email, person.name or person.email),
        challenge=encode(challenge),
        pub_key_cred_params=tuple(KeyParameters(one) for one in _ALGORITHMS),
        timeout=CEREMONY_S * 1000,
        exclude_credentials=tuple(known),
    )


def request_options(site: Site, challenge: bytes, allowed: Sequence[Descriptor] = ()) -> RequestOptions:
    """Ask for a signature by one of these passkeys; by any the person has for us where none are named."""
    return RequestOptions(
        challenge=encode(challenge), rp_id=site.id, timeout=CEREMONY_S * 1000, allow_credentials=tuple(allowed)
    )


def challenge_of(client_data_json: str) -> bytes:
    """
    Read which challenge an answer claims to answer.

    Raises:
        InvalidInput: It cannot be read, or was given inside a frame of somebody else's page.
    """
    try:
        client_data = msgspec.json.decode(decode(client_data_json), type=_ClientData)
        challenge = decode(client_data.challenge)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput("assertion", _REFUSED) from error
    if client_data.cross_origin or client_data.top_origin is not None or len(challenge) != CHALLENGE_BYTES:
        raise InvalidInput("assertion", _REFUSED)
    return challenge


def verify_registration(site: Site, attestation: Attestation, challenge: bytes) -> NewPasskey:
    """
    Check a new passkey.

    Args:
        site: Ours.
        attestation: As the browser gave it.
        challenge: Ours, which it must have answered.

    Raises:
        InvalidInput: Another challenge, origin or host; user not verified; a key of a kind we did not ask for.
    """
    # Here, not above: its packages take a quarter of a second, and most starts of the hub need none of it.
    from webauthn import verify_registration_response
    from webauthn.helpers.cose import COSEAlgorithmIdentifier
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        made = verify_registration_response(
            credential=msgspec.to_builtins(attestation),
            expected_challenge=challenge,
            expected_rp_id=site.id,
            expected_origin=list(site.origins),
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(one) for one in _ALGORITHMS],
        )
    except (WebAuthnException, *_MALFORMED) as error:
        raise InvalidInput("attestation", _REFUSED) from error
    if len(made.credential_id) > _MOST_CREDENTIAL_ID_BYTES:
        raise InvalidInput("attestation", _REFUSED)
    return NewPasskey(
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        backed_up=made.credential_backed_up,
        transports=tuple(sorted(_TRANSPORTS.intersection(attestation.response.transports))),
    )


def verify_assertion(site: Site, assertion: Assertion, challenge: bytes, passkey: StoredPasskey) -> int:
    """
    Check a signature.

    Args:
        site: Ours.
        assertion: As the browser gave it.
        challenge: Ours, which it must have answered.
        passkey: The one it names.

    Returns:
        The authenticator's counter. The caller compares it with the stored one in the statement that stores it: two
        copies of one authenticator must not pass side by side.

    Raises:
        InvalidInput: Another challenge, origin, host or key; data changed after signing; user not verified; or the
            passkey is another login's.
    """
    from webauthn import verify_authentication_response
    from webauthn.helpers.exceptions import WebAuthnException

    handle = assertion.response.user_handle
    if handle is not None and decode(handle) != passkey.login_id.bytes:
        raise InvalidInput("assertion", _REFUSED)
    try:
        checked = verify_authentication_response(
            credential=msgspec.to_builtins(assertion),
            expected_challenge=challenge,
            expected_rp_id=site.id,
            expected_origin=list(site.origins),
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except (WebAuthnException, *_MALFORMED) as error:
        raise InvalidInput("assertion", _REFUSED) from error
    return checked.new_sign_count


def encode(value: bytes) -> str:
    """Write bytes as WebAuthn's JSON has them: base64url without padding."""
    return urlsafe_b64encode(value).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Read what ``encode`` wrote; ``InvalidInput`` where it is something else."""
    try:
        return urlsafe_b64decode(f"{text}===")
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("assertion", _REFUSED) from error


# What the verifier's parsers raise beside its own errors over bytes a stranger made up.
_MALFORMED: Final = (ValueError, TypeError, LookupError, AttributeError, OverflowError, struct.error)
