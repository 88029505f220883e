"""Every change to somebody's second factors, and to whether a workspace insists on them. Called by the edge."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hub import clock
from hub.errors import Conflict, InvalidInput, NotFound
from hub.mailer.model import SecurityChange
from hub.signin.factors import passkeys, recovery, store, totp
from hub.signin.factors.model import MOST_PASSKEYS, Ceremony, Method, NewTotp, Passkey, Purpose
from hub.signin.factors.telling import NO_DETAILS, note, warn
from hub.signin.ways import require_way_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from hub.db import TenantConn
    from hub.signin.factors.model import Person
    from hub.signin.factors.passkeys import Site
    from hub.signin.factors.sealing import FactorSealer
    from hub.signin.factors.wire import Attestation, CreationOptions

_MOST_NAME_CHARS = 100


async def begin_totp(conn: TenantConn, sealer: FactorSealer, person: Person, issuer: str) -> NewTotp:
    """
    Make a TOTP secret; it is no factor before ``confirm_totp``, and replaces one that was never confirmed.

    Args:
        conn: A transaction; no tenant is needed.
        sealer: Seals the secret.
        person: Whose.
        issuer: The hub's host, shown in their app.

    Raises:
        Conflict: They have one already.
    """
    secret, totp_id = totp.new_secret(), clock.new_id()
    sealed = sealer.seal(person.login_id, totp_id, secret)
    if not await store.put_totp(conn, person.login_id, totp_id, sealed, clock.now()):
        raise Conflict("You use an authenticator app already. Remove it first.")
    await note(conn, person, "totp.begun")
    return NewTotp(secret, totp.otpauth_url(secret, account=person.email, issuer=issuer))


async def confirm_totp(conn: TenantConn, sealer: FactorSealer, person: Person, code: str) -> tuple[str, ...] | None:
    """
    Make a TOTP secret a factor, by its first code; that code is used up with it.

    Args:
        conn: A transaction; no tenant is needed.
        sealer: Opens the secret.
        person: Whose.
        code: As typed.

    Returns:
        Recovery codes where they had none, shown this once; empty where they have some; None for a wrong code.

    Raises:
        Conflict: There is nothing to confirm.
    """
    _, before = await store.lock_login(conn, person.login_id)
    found = await store.find_totp(conn, person.login_id)
    if found is None or found.confirmed:
        raise Conflict("There is no authenticator app to confirm. Begin anew.")
    secret = sealer.open(person.login_id, found.id, found.sealed)
    step = totp.matching_step(secret, code, at_s=clock.now().timestamp(), after_step=found.last_step)
    if step is None or not await store.use_totp_step(conn, person.login_id, found.id, step):
        return None
    return await _added(conn, person, "totp.confirmed", SecurityChange.TOTP_ADDED, before)


async def remove_totp(conn: TenantConn, person: Person) -> None:
    """Take the TOTP secret away; ``NotFound`` without one, ``Conflict`` where a workspace insists on it."""
    await store.lock_login(conn, person.login_id)
    if not await store.remove_totp(conn, person.login_id):
        raise NotFound("authenticator app")
    await _removed(conn, person, "totp.removed", SecurityChange.TOTP_REMOVED)


async def renew_recovery_codes(conn: TenantConn, person: Person) -> tuple[str, ...]:
    """Make ten recovery codes and void the old ones; ``Conflict`` without a factor that they could stand in for."""
    _, before = await store.lock_login(conn, person.login_id)
    if not _devices(before):
        raise Conflict("Add an authenticator app or a passkey first; recovery codes stand in for them.")
    codes = await _new_codes(conn, person)
    await note(conn, person, "recovery_codes.renewed")
    await warn(conn, person, SecurityChange.RECOVERY_CODES_RENEWED)
    return codes


async def begin_passkey(conn: TenantConn, site: Site, person: Person, session_id: UUID) -> CreationOptions:
    """
    Ask a browser for a new passkey.

    Args:
        conn: A transaction; no tenant is needed.
        site: Ours.
        person: Whose.
        session_id: The only session that may answer.

    Raises:
        Conflict: They have as many as anybody may.
    """
    known = await store.passkey_descriptors(conn, person.login_id)
    if len(known) >= MOST_PASSKEYS:
        raise Conflict(f"You have {MOST_PASSKEYS} passkeys. Remove one first.")
    challenge = await new_challenge(conn, Purpose.REGISTER, session_id.bytes)
    return passkeys.creation_options(site, person, challenge, known)


async def add_passkey(
    conn: TenantConn, site: Site, person: Person, session_id: UUID, wanted: tuple[str, Attestation]
) -> tuple[Passkey, tuple[str, ...]]:
    """
    Take a new passkey.

    Args:
        conn: A transaction; no tenant is needed.
        site: Ours.
        person: Whose.
        session_id: The session that asked.
        wanted: The name they give it, and what the browser gave.

    Returns:
        The passkey, and recovery codes where they had none, shown this once.

    Raises:
        InvalidInput: The answer does not hold, or answers a challenge that is used up or another session's.
        Conflict: It is registered already, or they have too many.
    """
    name, attestation = wanted
    named = clean_passkey_name(name)
    _, before = await store.lock_login(conn, person.login_id)
    if len(await store.list_passkeys(conn, person.login_id)) >= MOST_PASSKEYS:
        raise Conflict(f"You have {MOST_PASSKEYS} passkeys. Remove one first.")
    challenge = passkeys.challenge_of(attestation.response.client_data_json)
    if not await store.take_ceremony(conn, challenge, Purpose.REGISTER, session_id.bytes):
        raise InvalidInput("attestation", "This took too long, or was answered already. Try again.")
    made = passkeys.verify_registration(site, attestation, challenge)
    passkey = Passkey(clock.new_id(), named, made.backed_up, clock.now(), None)
    await store.add_passkey(conn, person.login_id, passkey, made)
    return passkey, await _added(conn, person, "passkey.added", SecurityChange.PASSKEY_ADDED, before, named)


async def rename_passkey(conn: TenantConn, person: Person, passkey_id: UUID, name: str) -> None:
    """Call a passkey by another name."""
    named = clean_passkey_name(name)
    if not await store.rename_passkey(conn, person.login_id, passkey_id, named):
        raise NotFound("passkey")
    await note(conn, person, "passkey.renamed", {"passkey_id": str(passkey_id)})


async def remove_passkey(conn: TenantConn, person: Person, passkey_id: UUID, configured: Collection[str]) -> None:
    """
    Take a passkey away.

    Args:
        conn: A transaction; no tenant is needed.
        person: Whose.
        passkey_id: Which.
        configured: The issuers people can sign in with here.

    Raises:
        NotFound: It is not theirs.
        Conflict: It is their last way in, or a workspace insists on it.
    """
    await store.lock_login(conn, person.login_id)
    if not await store.remove_passkey(conn, person.login_id, passkey_id):
        raise NotFound("passkey")
    await require_way_in(conn, person.login_id, configured)
    await _removed(conn, person, "passkey.removed", SecurityChange.PASSKEY_REMOVED, {"passkey_id": str(passkey_id)})


async def new_challenge(conn: TenantConn, purpose: Purpose, bound_to: bytes) -> bytes:
    """Make a challenge for one purpose, to be answered within five minutes by whom it is bound to."""
    challenge = passkeys.decode(clock.new_token(passkeys.CHALLENGE_BYTES))
    made_at = clock.now()
    ceremony = Ceremony(
        challenge=challenge,
        purpose=purpose,
        bound_to=bound_to,
        created_at=made_at,
        expires_at=made_at + timedelta(seconds=passkeys.CEREMONY_S),
    )
    await store.add_ceremony(conn, ceremony)
    return challenge


def clean_passkey_name(name: str) -> str:
    """Bring a passkey's name to the form it is stored in: one line of 1-100 characters."""
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > _MOST_NAME_CHARS:
        raise InvalidInput("name", f"Give it a name of 1-{_MOST_NAME_CHARS} characters, such as the device's.")
    return cleaned


async def _added(
    conn: TenantConn, person: Person, action: str, what: SecurityChange, before: tuple[str, ...], about: str = ""
) -> tuple[str, ...]:
    """The first device brings recovery codes with it: whoever loses it must not be locked out."""
    codes = () if Method.RECOVERY_CODE in before else await _new_codes(conn, person)
    await store.refresh_factors(conn, person.login_id)
    await note(conn, person, action)
    await warn(conn, person, what, about)
    return codes


async def _removed(
    conn: TenantConn, person: Person, action: str, what: SecurityChange, details: Mapping[str, str] = NO_DETAILS
) -> None:
    if not _devices(await store.refresh_factors(conn, person.login_id)):
        insisting = await store.insisting_workspaces(conn, person.login_id)
        if insisting:
            raise Conflict(f"{insisting[0]} asks everybody for a second factor. Add another one first.")
    await note(conn, person, action, details)
    await warn(conn, person, what)


async def _new_codes(conn: TenantConn, person: Person) -> tuple[str, ...]:
    codes = recovery.new_codes()
    hashes = [one for code in codes if (one := recovery.code_hash(person.login_id, code)) is not None]
    await store.replace_recovery_codes(conn, person.login_id, hashes, clock.now())
    await store.refresh_factors(conn, person.login_id)
    return codes


def _devices(factors: tuple[str, ...]) -> bool:
    return Method.TOTP in factors or Method.PASSKEY in factors
