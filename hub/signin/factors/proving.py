"""
Somebody proves who they are by a factor: at sign-in, or again before something dangerous. Called by the edge.

A wrong answer is returned, not raised: what is noted about it must be committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.errors import InvalidInput
from hub.mailer.model import SecurityChange
from hub.signin.factors import passkeys, recovery, store, totp
from hub.signin.factors.actions import new_challenge
from hub.signin.factors.model import Method, Person
from hub.signin.factors.telling import note, warn
from hub.throttle import Allowance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from hub.db import TenantConn
    from hub.signin.factors.model import Purpose
    from hub.signin.factors.passkeys import Site
    from hub.signin.factors.sealing import FactorSealer
    from hub.signin.factors.wire import Assertion, RequestOptions

_FEW_LEFT: Final = 3


class Asked(msgspec.Struct, frozen=True):
    """
    A passkey's signature that was asked for.

    Attributes:
        bound_to: Who alone may answer: a session, a sign-in half done, or the page that asked.
        login_id: Whose it must be; None where the passkey itself says who signs in.
        address: Where the call comes from.
    """

    site: Site
    purpose: Purpose
    bound_to: bytes
    login_id: UUID | None = None
    address: str = ""


def allowances(login_id: UUID) -> tuple[Allowance, ...]:
    """
    Say how often codes may be guessed for one login, from wherever: 5 in 15 minutes, and 20 in a day.

    A six-digit code with a window of three steps falls to 20 guesses a day once in some 45 years.
    """
    return (
        Allowance(f"second_factor:quarter:{login_id}", times=5, window_s=900),
        Allowance(f"second_factor:day:{login_id}", times=20, window_s=86_400),
    )


async def by_code(
    conn: TenantConn, sealer: FactorSealer, person: Person, code: str, *, method: Method | None = None
) -> Method | None:
    """
    Check a code of an authenticator app, or a recovery code, and use it up.

    Args:
        conn: A transaction that is committed whatever comes out.
        sealer: Opens the secret.
        person: Who they say they are.
        code: As typed.
        method: What they say it is; None takes either.

    Returns:
        What it was; None for a wrong one, one used before, and where they have no such factor.
    """
    if method in (None, Method.TOTP) and await _is_totp(conn, sealer, person, code):
        await note(conn, person, "totp.used")
        return Method.TOTP
    hashed = recovery.code_hash(person.login_id, code) if method in (None, Method.RECOVERY_CODE) else None
    if hashed is not None and await store.use_recovery_code(conn, person.login_id, hashed):
        await _used_recovery_code(conn, person)
        return Method.RECOVERY_CODE
    await note(conn, person, "second_factor.refused", {"method": "code"})
    return None


async def begin(conn: TenantConn, asked: Asked) -> RequestOptions:
    """Ask a browser for a signature by one of a login's passkeys, or by any it has for us where no login is named."""
    allowed = () if asked.login_id is None else await store.passkey_descriptors(conn, asked.login_id)
    challenge = await new_challenge(conn, asked.purpose, asked.bound_to)
    return passkeys.request_options(asked.site, challenge, allowed)


async def by_passkey(conn: TenantConn, asked: Asked, assertion: Assertion) -> UUID | None:
    """
    Check a passkey's signature, and use its challenge up.

    Args:
        conn: A transaction that is committed whatever comes out.
        asked: What was asked, and of whom.
        assertion: As the browser gave it.

    Returns:
        Whose it is; None where the challenge was used, ran out or is another browser's, the passkey is not known or
        another login's, the signature does not hold, or its counter did not go up.

    Raises:
        InvalidInput: The answer cannot be read.
    """
    challenge = passkeys.challenge_of(assertion.response.client_data_json)
    # First: a challenge is good for one try, whatever comes of it.
    if not await store.take_ceremony(conn, challenge, asked.purpose, asked.bound_to):
        return None
    passkey = await store.find_passkey(conn, passkeys.decode(assertion.raw_id))
    if passkey is None or asked.login_id not in (None, passkey.login_id):
        return None
    person = msgspec.structs.replace((await store.lock_login(conn, passkey.login_id))[0], address=asked.address)
    details = {"method": "passkey", "passkey_id": str(passkey.id)}
    try:
        sign_count = passkeys.verify_assertion(asked.site, assertion, challenge, passkey)
    except InvalidInput:
        await note(conn, person, "second_factor.refused", details)
        return None
    if not await store.use_passkey(conn, passkey.id, sign_count):
        await _suspect_copy(conn, person, details)
        return None
    await note(conn, person, "passkey.used", details)
    return passkey.login_id


async def _is_totp(conn: TenantConn, sealer: FactorSealer, person: Person, code: str) -> bool:
    found = await store.find_totp(conn, person.login_id)
    if found is None or not found.confirmed:
        return False
    secret = sealer.open(person.login_id, found.id, found.sealed)
    step = totp.matching_step(secret, code, at_s=clock.now().timestamp(), after_step=found.last_step)
    return step is not None and await store.use_totp_step(conn, person.login_id, found.id, step)


async def _used_recovery_code(conn: TenantConn, person: Person) -> None:
    await store.refresh_factors(conn, person.login_id)
    left = (await store.read_factors(conn, person.login_id)).recovery_codes_left
    await note(conn, person, "recovery_code.used", {"left": str(left)})
    what = SecurityChange.RECOVERY_CODES_FEW if left <= _FEW_LEFT else SecurityChange.RECOVERY_CODE_USED
    await warn(conn, person, what, str(left))


async def _suspect_copy(conn: TenantConn, person: Person, details: Mapping[str, str]) -> None:
    """
    A counter that does not go up may mean that somebody copied the authenticator.

    Source:
        W3C Web Authentication Level 3 section 6.1.1 (2025): the relying party decides; we refuse and tell the owner.
    """
    await note(conn, person, "passkey.copy_suspected", details)
    await warn(conn, person, SecurityChange.PASSKEY_COPIED)
