"""Sign-ins: by password, ended, found by token. Knows neither cookies nor headers; called by the edge."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.accounts import store
from hub.accounts.model import NewSession, StartedSession
from hub.audit import actions as audit
from hub.audit.model import INSTALLATION, ActorKind, Entry
from hub.envelope import clean_text
from hub.errors import NotSignedIn
from hub.throttle import Allowance

if TYPE_CHECKING:
    from uuid import UUID

    from hub.accounts.model import Actor, Login, SignedIn
    from hub.accounts.passwords import Passwords
    from hub.db import Database, TenantConn
    from hub.throttle import Throttle

# A session ends this long after sign-in, however much it is used; twelve hours unused end it too (hub_find_session).
LIFETIME: Final = timedelta(days=30)
_TOKEN_BYTES: Final = 32
_MOST_TOKEN_CHARS: Final = 200
_MOST_AGENT_CHARS: Final = 200

_WRONG = "The e-mail address or the password is wrong."


class SignInAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """
    Somebody says who they are.

    Attributes:
        address: Where the call comes from: an IPv4 address, or the /64 of an IPv6 one.
        user_agent: The browser's own name, shown in the list of sessions.
    """

    email: str
    password: str
    address: str
    user_agent: str = ""


async def check_password(database: Database, throttle: Throttle, passwords: Passwords, attempt: SignInAttempt) -> Login:
    """
    Check a password; what it opens is decided by whoever asks: ``start``, or a second factor first.

    Args:
        database: Where logins are.
        throttle: Counts attempts over all processes.
        passwords: Checks verifiers.
        attempt: What was typed, and from where.

    Returns:
        Whose it is.

    Raises:
        NotSignedIn: Wrong password, no such login, no password yet: one answer, after the same time.
        TooManyRequests: Too many attempts for this login or from this address.
        Unavailable: Attempts cannot be counted, or the database is away.
    """
    allowances = _allowances(attempt)
    await throttle.take(allowances)
    async with database.across() as conn:
        login = await store.find_login(conn, attempt.email)
    if not await passwords.matches(login.password_hash if login else None, attempt.password) or login is None:
        async with database.across() as conn:
            await _note_refused(conn, login, attempt.address)
        raise NotSignedIn(_WRONG)
    # What this person counted against themselves is forgotten; the address keeps its count, or one good login of an
    # attacker's own would buy them endless attempts at others.
    await throttle.forget(allowances[:1])
    async with database.across() as conn:
        await _renew_verifier(conn, passwords, login, attempt.password)
    return login


async def start(
    conn: TenantConn, login_id: UUID, *, user_agent: str = "", address: str = "", lifetime: timedelta = LIFETIME
) -> NewSession:
    """Start a session, always a new one, for a login that has proved itself: no token from before is worth anything."""
    token = clock.new_token(_TOKEN_BYTES)
    made_at = clock.now()
    session = StartedSession(
        id=clock.new_id(),
        login_id=login_id,
        made_at=made_at,
        expires_at=made_at + lifetime,
        user_agent=clean_text(user_agent[:_MOST_AGENT_CHARS]),
        address=address,
    )
    await store.add_session(conn, token_hash(token), session)
    return NewSession(
        token=token,
        signed_in=await find_session(conn, token),
        memberships=await store.memberships(conn, login_id),
    )


async def find_session(conn: TenantConn, token: str) -> SignedIn:
    """
    Find whose token this is.

    Args:
        conn: Any transaction; no tenant is needed.
        token: From a cookie or a bearer header, unchecked.

    Raises:
        NotSignedIn: Never one of ours, signed out, revoked, unused for 12 hours or older than 30 days.
    """
    signed_in = await store.find_session(conn, token_hash(token)) if len(token) <= _MOST_TOKEN_CHARS else None
    if signed_in is None:
        raise NotSignedIn
    return signed_in


async def find_signed_in(database: Database, token: str) -> SignedIn:
    """Find whose token this is, as ``find_session`` does, outside a transaction."""
    signed_in = await store.find_signed_in(database, token_hash(token)) if len(token) <= _MOST_TOKEN_CHARS else None
    if signed_in is None:
        raise NotSignedIn
    return signed_in


async def find_actor(database: Database, token: str, workspace_id: int) -> tuple[SignedIn, Actor]:
    """
    Find whose token this is and who they are in a workspace, in one round trip.

    Args:
        database: The installation.
        token: From a cookie or a bearer header, unchecked.
        workspace_id: Tenant.

    Raises:
        NotSignedIn: As ``find_session``.
        Forbidden: They are not an active member there.
    """
    if len(token) > _MOST_TOKEN_CHARS:
        raise NotSignedIn
    return await store.find_actor(database, token_hash(token), workspace_id)


async def revoke(conn: TenantConn, token: str) -> UUID | None:
    """End a session and return its id; its open sockets are closed within a minute. None when it had ended."""
    return await store.revoke_session(conn, token_hash(token))


def token_hash(token: str) -> bytes:
    """Return what we store of a secret: with 256 random bits, a plain SHA-256 cannot be turned back."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


async def _renew_verifier(conn: TenantConn, passwords: Passwords, login: Login, password: str) -> None:
    """Rare: only after the parameters were raised in a new version."""
    if login.password_hash is not None and passwords.is_outdated(login.password_hash):
        await store.set_password(conn, login.id, await passwords.make_hash(password))


async def _note_refused(conn: TenantConn, login: Login | None, address: str) -> None:
    """
    Tell the installation's audit log; an address nobody has is not kept, it may be a password in the wrong field.

    Written for unknown people as well: the answer takes as long.
    """
    entry = Entry(
        workspace_id=INSTALLATION,
        action="login.refused",
        actor_kind=ActorKind.LOGIN,
        actor_id=None if login is None else login.id,
        address=address,
        details=msgspec.json.encode({"method": "password", "is_known": login is not None}),
    )
    await audit.record(conn, entry)


def _allowances(attempt: SignInAttempt) -> tuple[Allowance, ...]:
    """Tight for one person at one address, wide for the person alone: a stranger must not lock them out cheaply."""
    account = hashlib.sha256(attempt.email.casefold().encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return (
        Allowance(f"sign_in:both:{account}:{attempt.address}", times=10, window_s=900),
        Allowance(f"sign_in:account:{account}", times=100, window_s=3600),
        Allowance(f"sign_in:address:{attempt.address}", times=100, window_s=900),
    )
