"""Somebody's own passkeys: added, named, taken away. Signing in with one is in ``second_factor.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from api.factors import person_of, site_of
from api.issuers import configured_issuers
from hub.notices import security
from hub.notices.model import News
from hub.signin.factors import actions
from hub.signin.factors.model import Passkey
from hub.signin.factors.wire import Attestation, CreationOptions

if TYPE_CHECKING:
    from api.call import SessionCall


class NewPasskeyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A new passkey.

    Attributes:
        name: How its owner tells it from others: 1-100 characters.
        attestation: What ``navigator.credentials.create`` gave, by its ``toJSON``.
    """

    name: str
    attestation: Attestation


class NewPasskeyView(msgspec.Struct, frozen=True):
    """
    A passkey that was added.

    Attributes:
        recovery_codes: Shown this once; empty where the person has some from before.
    """

    passkey: Passkey
    recovery_codes: tuple[str, ...]


class CreationView(msgspec.Struct, frozen=True):
    """For ``PublicKeyCredential.parseCreationOptionsFromJSON``."""

    options: CreationOptions


class RenameRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str


async def begin(call: SessionCall) -> CreationView:
    """Ask the browser for a new passkey; only this session may answer, within five minutes."""
    async with call.resources.database.across() as conn:
        options = await actions.begin_passkey(conn, site_of(call), person_of(call), call.signed_in.session_id)
    return CreationView(options)


async def create(call: SessionCall) -> NewPasskeyView:
    """Take the browser's answer."""
    wanted = await call.decode(NewPasskeyRequest)
    async with call.resources.database.across() as conn:
        passkey, codes = await actions.add_passkey(
            conn, site_of(call), person_of(call), call.signed_in.session_id, (wanted.name, wanted.attestation)
        )
    await security.tell_login(call.resources.database, call.signed_in.login_id, News.FACTOR_ADDED)
    return NewPasskeyView(passkey, codes)


async def rename(call: SessionCall) -> None:
    """Call a passkey by another name."""
    passkey_id = call.path_id("passkey_id")
    wanted = await call.decode(RenameRequest)
    async with call.resources.database.across() as conn:
        await actions.rename_passkey(conn, person_of(call), passkey_id, wanted.name)


async def remove(call: SessionCall) -> None:
    """Take a passkey away."""
    passkey_id = call.path_id("passkey_id")
    async with call.resources.database.across() as conn:
        await actions.remove_passkey(conn, person_of(call), passkey_id, configured_issuers(call))
    await security.tell_login(call.resources.database, call.signed_in.login_id, News.FACTOR_REMOVED)
