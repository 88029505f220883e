"""Every change of which accounts at issuers open which login. Called by the edge, after ``provider.py`` has checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub import clock
from hub.accounts import store as logins
from hub.accounts.model import Login
from hub.errors import InvalidInput, NotFound
from hub.mailer.model import SecurityChange
from hub.signin import actions as signin
from hub.signin import store as signups
from hub.signin.factors import store as factor_store
from hub.signin.factors.model import Person as Owner
from hub.signin.factors.telling import warn
from hub.signin.issuers import store
from hub.signin.issuers.model import (
    ATTEMPT_LIFETIME,
    LINK_LIFETIME,
    MOST_TOKEN_CHARS,
    Attempt,
    IssuerRefused,
    NeedsPassword,
    Person,
    Refusal,
    SignedUp,
    digest,
)
from hub.signin.ways import require_way_in

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from hub.db import TenantConn
    from hub.issuer_settings import IssuerSettings


async def begin(conn: TenantConn, attempt: Attempt, browser: str) -> str:
    """Note that a browser is sent to an issuer; returns the state it comes back with."""
    state, at = clock.new_token(), clock.now()
    await store.add_attempt(conn, (digest(state), digest(browser)), attempt, at, at + ATTEMPT_LIFETIME)
    return state


async def take(conn: TenantConn, issuer: IssuerSettings, state: str, browser: str) -> Attempt:
    """
    Use up the attempt a browser comes back with; commit it whatever comes of the sign-in.

    Raises:
        IssuerRefused: It is not this browser's, was sent to another issuer, was used, or is older than ten minutes.
    """
    if not state or not browser or max(len(state), len(browser)) > MOST_TOKEN_CHARS:
        raise IssuerRefused(Refusal.EXPIRED, "state or cookie is missing")
    found = await store.take_attempt(conn, digest(state), digest(browser), issuer.slug)
    if found is None or found.issuer != issuer.url:
        raise IssuerRefused(Refusal.EXPIRED, "state")
    return found


async def admit(conn: TenantConn, person: Person, *, registration_open: bool, locale: str) -> SignedUp | NeedsPassword:
    """
    Decide which login somebody's account at an issuer opens.

    Args:
        conn: A transaction; no tenant is needed.
        person: Checked.
        registration_open: Whether somebody unknown gets a login.
        locale: Of their browser.

    Returns:
        A login, or that its password is wanted first: an address alone, though verified, links nothing.

    Raises:
        IssuerRefused: The address is not verified, or is unknown and nobody may sign up.
    """
    login_id = await store.use_identity(conn, person.issuer, person.subject)
    if login_id is not None:
        return SignedUp(login_id)
    if not person.is_verified or not person.email:
        raise IssuerRefused(Refusal.UNVERIFIED, "address")
    known = await logins.find_login(conn, person.email)
    if known is not None:
        token, at = clock.new_token(), clock.now()
        await store.add_link(conn, digest(token), known.id, person, (at, at + LINK_LIFETIME))
        return NeedsPassword(token)
    if not registration_open:
        raise IssuerRefused(Refusal.CLOSED, "unknown address")
    login = Login(
        id=clock.new_id(),
        email=person.email,
        name=person.name or person.email.partition("@")[0],
        password_hash=None,
    )
    try:
        await signups.add_login(conn, login, locale, clock.now())
    except InvalidInput as error:
        raise IssuerRefused(Refusal.EXPIRED, "signed up meanwhile") from error
    await store.add_identity(conn, clock.new_id(), login.id, person, clock.now())
    await signin.note(conn, login.id, "login.signed_up", details={"issuer": person.issuer})
    return SignedUp(login.id)


async def link_own(conn: TenantConn, owner: Owner, person: Person) -> None:
    """
    Let an account at an issuer open the login of whoever is signed in and proved it a moment ago.

    Raises:
        IssuerRefused: It opens another login.
    """
    login_id = await store.use_identity(conn, person.issuer, person.subject)
    if login_id == owner.login_id:
        return
    if login_id is not None:
        raise IssuerRefused(Refusal.TAKEN, "linked to another login")
    await _link(conn, owner, person)


async def try_link(conn: TenantConn, token: str) -> str:
    """
    Count a try at a waiting link and return the address whose password it needs; commit it whatever comes of the try.

    Raises:
        InvalidInput: It was used, has run out, or was tried five times.
    """
    found = await store.try_link(conn, digest(token))
    if found is None:
        raise _spent()
    return found.email


async def finish_link(conn: TenantConn, token: str, address: str) -> None:
    """Link an account whose login's password was right and asks for nothing more."""
    if not await _finish(conn, await store.take_link(conn, token_hash=digest(token)), address):
        raise _spent()


async def hold_link(conn: TenantConn, token: str, challenge: str) -> None:
    """Let a link wait for the second factor of its sign-in; ``InvalidInput`` where it was used meanwhile."""
    if not await store.hold_link(conn, digest(token), digest(challenge)):
        raise _spent()


async def finish_held_link(conn: TenantConn, challenge: str, address: str) -> None:
    """Link the account that waited for this sign-in's second factor, if one did."""
    await _finish(conn, await store.take_link(conn, challenge_hash=digest(challenge)), address)


async def unlink(conn: TenantConn, owner: Owner, identity_id: UUID, configured: Collection[str]) -> None:
    """
    Stop an account at an issuer from opening a login.

    Args:
        conn: A transaction; no tenant is needed.
        owner: Whose.
        identity_id: Which.
        configured: The issuers people can sign in with here; an account elsewhere is no way in.

    Raises:
        NotFound: They have none by that id.
        Conflict: It is their last way in.
    """
    # Of two that are removed at once the second sees what the first left.
    await factor_store.lock_login(conn, owner.login_id)
    listed = await store.list_identities(conn, owner.login_id)
    wanted = next((one for one in listed if one.id == identity_id), None)
    if wanted is None:
        raise NotFound("linked account")
    await store.remove_identity(conn, owner.login_id, identity_id)
    await require_way_in(conn, owner.login_id, configured)
    await signin.note(
        conn, owner.login_id, "identity.unlinked", address=owner.address, details={"issuer": wanted.issuer}
    )
    await warn(conn, owner, SecurityChange.IDENTITY_UNLINKED, wanted.issuer)


async def _finish(conn: TenantConn, found: tuple[UUID, Person] | None, address: str) -> bool:
    if found is None:
        return False
    login = await logins.get_login(conn, found[0])
    await _link(conn, Owner(login.id, login.email, login.name, address), found[1])
    return True


async def _link(conn: TenantConn, owner: Owner, person: Person) -> None:
    await store.add_identity(conn, clock.new_id(), owner.login_id, person, clock.now())
    await signin.note(conn, owner.login_id, "identity.linked", address=owner.address, details={"issuer": person.issuer})
    await warn(conn, owner, SecurityChange.IDENTITY_LINKED, person.issuer)


def _spent() -> InvalidInput:
    return InvalidInput("token", "This took too long or was tried too often. Sign in with the account again.")
