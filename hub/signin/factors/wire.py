"""
What a browser and the hub exchange about passkeys, in the JSON of the WebAuthn standard. Pure.

Source:
    W3C Web Authentication Level 3, sections 5.1 and 5.4-5.10 (2025): ``toJSON``, ``parseCreationOptionsFromJSON`` and
    ``parseRequestOptionsFromJSON``; all bytes are base64url without padding.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

# The longest parts are attestation objects with certificates, a few KB.
Encoded = Annotated[str, msgspec.Meta(max_length=65_536)]
ShortText = Annotated[str, msgspec.Meta(max_length=64)]


class RelyingParty(msgspec.Struct, frozen=True):
    id: str
    name: str


class User(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    name: str
    display_name: str


class KeyParameters(msgspec.Struct, frozen=True):
    alg: int
    type: Literal["public-key"] = "public-key"


class Descriptor(msgspec.Struct, frozen=True):
    id: str
    transports: tuple[str, ...] = ()
    type: Literal["public-key"] = "public-key"


class AuthenticatorSelection(msgspec.Struct, frozen=True, rename="camel"):
    resident_key: str = "required"
    require_resident_key: bool = True
    user_verification: str = "required"


class CreationOptions(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What ``navigator.credentials.create`` is asked with."""

    rp: RelyingParty
    user: User
    challenge: str
    pub_key_cred_params: tuple[KeyParameters, ...]
    timeout: int
    exclude_credentials: tuple[Descriptor, ...]
    authenticator_selection: AuthenticatorSelection = AuthenticatorSelection()
    attestation: Literal["none"] = "none"


class RequestOptions(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What ``navigator.credentials.get`` is asked with; no credentials means any that the person has for us."""

    challenge: str
    rp_id: str
    timeout: int
    allow_credentials: tuple[Descriptor, ...] = ()
    user_verification: Literal["required"] = "required"


class AttestationResponse(msgspec.Struct, frozen=True, kw_only=True):
    client_data_json: Encoded = msgspec.field(name="clientDataJSON")
    attestation_object: Encoded = msgspec.field(name="attestationObject")
    transports: Annotated[tuple[ShortText, ...], msgspec.Meta(max_length=10)] = ()


class Attestation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What ``navigator.credentials.create`` gave; what else it may hold is not looked at."""

    id: Encoded
    raw_id: Encoded
    response: AttestationResponse
    type: Literal["public-key"] = "public-key"


class AssertionResponse(msgspec.Struct, frozen=True, kw_only=True):
    client_data_json: Encoded = msgspec.field(name="clientDataJSON")
    authenticator_data: Encoded = msgspec.field(name="authenticatorData")
    signature: Encoded
    user_handle: Encoded | None = msgspec.field(name="userHandle", default=None)


class Assertion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What ``navigator.credentials.get`` gave; what else it may hold is not looked at."""

    id: Encoded
    raw_id: Encoded
    response: AssertionResponse
    type: Literal["public-key"] = "public-key"
