"""
Every change around signing in that is not a session's own life: signing up, passwords, sessions ended by their owner.

Answers never say whether an address is known. Called by ``api/sign_up.py``, ``own_sessions.py`` and ``session.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub import clock
from hub.accounts import actions as accounts
from hub.accounts import sessions
from hub.accounts import store as logins
from hub.accounts.model import LinkPurpose, Login
from hub.audit import actions as audit
from hub.audit.model import INSTALLATION, ActorKind, Entry
from hub.errors import InvalidInput, NotFound
from hub.mailer import actions as mailer
from hub.mailer.model import Mail, SecurityChange, Template
from hub.signin import store
from hub.signin.model import CHALLENGE_LIFETIME, REGISTRATION_LIFETIME, Challenge, Registration

if TYPE_CHECKING:
    from uuid import UUID

    from hub.db import TenantConn

_SPENT = "This link was used already or has run out. Ask for a new one."
_AT = "%Y-%m-%d %H:%M UTC"


async def register(conn: TenantConn, wanted: Registration, base_url: str) -> None:
    """
    Send somebody the link that makes their account; whoever has one is told that somebody tried.

    Args:
        conn: A transaction; no tenant is needed.
        wanted: Cleaned.
        base_url: The address our pages are at.
    """
    known = await logins.find_login(conn, wanted.email)
    token = clock.new_token()
    at = clock.now()
    # Written for a known address as well: the answer takes as long. Its token is sent to nobody.
    await store.add_registration(conn, sessions.token_hash(token), wanted, at, at + REGISTRATION_LIFETIME)
    if known is None:
        fields = {"name": wanted.name, "url": f"{base_url}/verify#{token}"}
        lifetime_s = int(REGISTRATION_LIFETIME.total_seconds())
        mail = Mail(
            to=wanted.email,
            template=Template.VERIFY_EMAIL,
            fields=fields,
            locale=wanted.locale,
            lifetime_s=lifetime_s,
        )
    else:
        what = SecurityChange.SIGN_UP_TRIED.value
        mail = Mail(
            to=wanted.email,
            template=Template.SECURITY_CHANGED,
            fields={"name": known.name, "at": at.strftime(_AT), "what": what, "about": ""},
            locale=wanted.locale,
        )
    await mailer.queue(conn, mail)


async def verify(conn: TenantConn, token: str, name: str, password_hash: str) -> Login:
    """
    Make the account of somebody who opened the link in their mailbox.

    Args:
        conn: A transaction; no tenant is needed.
        token: From the link, unchecked.
        name: What they want to be called now; empty for what they said when they signed up.
        password_hash: The verifier of a password that passed the rules.

    Raises:
        InvalidInput: The link was never made, was used or has run out, or the address has an account by now.
    """
    wanted = await store.use_registration(conn, sessions.token_hash(token))
    if wanted is None:
        raise InvalidInput("token", _SPENT)
    login = Login(id=clock.new_id(), email=wanted.email, name=name or wanted.name, password_hash=password_hash)
    await store.add_login(conn, login, wanted.locale, clock.now())
    await note(conn, login.id, "login.signed_up")
    return login


async def ask_for_reset(conn: TenantConn, email: str, base_url: str) -> None:
    """Send whoever has an account at this address a link to choose a new password; nobody else hears anything."""
    login = await logins.find_login(conn, email)
    if login is None:
        return
    token = await accounts.create_link(conn, login.id, LinkPurpose.RESET)
    minutes = int(accounts.LINK_LIFETIMES[LinkPurpose.RESET].total_seconds() // 60)
    fields = {"name": login.name, "url": f"{base_url}/reset#{token}", "minutes": str(minutes)}
    mail = Mail(to=login.email, template=Template.RESET_PASSWORD, fields=fields, lifetime_s=minutes * 60)
    await mailer.queue(conn, mail)
    await note(conn, login.id, "login.reset_asked")


async def change_password(conn: TenantConn, login: Login, session_id: UUID | None, password_hash: str) -> list[UUID]:
    """
    Replace a password, end every other session and tell its owner by mail.

    Args:
        conn: A transaction; no tenant is needed.
        login: Whose.
        session_id: The one it was done in, which stays; None ends all.
        password_hash: The verifier of a password that passed the rules.

    Returns:
        The sessions that ended.
    """
    await logins.set_password(conn, login.id, password_hash)
    ended = await store.revoke_sessions(conn, login.id, but=session_id)
    await tell_password_changed(conn, login)
    return ended


async def tell_password_changed(conn: TenantConn, login: Login) -> None:
    """Tell the owner of an account that it has another password now."""
    fields = {"name": login.name, "at": clock.now().strftime(_AT)}
    mail = Mail(to=login.email, template=Template.PASSWORD_CHANGED, fields=fields, locale=login.locale or "en")
    await mailer.queue(conn, mail)
    await note(conn, login.id, "login.password_changed")


async def revoke(conn: TenantConn, login_id: UUID, session_id: UUID) -> None:
    """End one session of a login; ``NotFound`` where it has none by that id, or it ended before."""
    if not await store.revoke_sessions(conn, login_id, only=session_id):
        raise NotFound("session")
    await note(conn, login_id, "session.revoked", target=("session", str(session_id)))


async def revoke_others(conn: TenantConn, login_id: UUID, kept_id: UUID) -> int:
    """End every session of a login but one and return how many those were."""
    ended = await store.revoke_sessions(conn, login_id, but=kept_id)
    if ended:
        await note(conn, login_id, "session.others_revoked", details={"count": len(ended)})
    return len(ended)


async def challenge(conn: TenantConn, login_id: UUID, *, bearer: bool, refreshable: bool = False) -> str:
    """Keep a sign-in whose password was right for ten minutes and return the token that goes on with it."""
    token = clock.new_token()
    at = clock.now()
    carried = (bearer, refreshable)
    await store.add_challenge(conn, sessions.token_hash(token), login_id, (at, at + CHALLENGE_LIFETIME), carried)
    return token


async def try_challenge(conn: TenantConn, token: str) -> Challenge:
    """
    Count a try at a sign-in half done and return whose it is; commit it whatever comes of the try.

    Raises:
        InvalidInput: It was finished, has run out, or was tried five times.
    """
    found = await store.try_challenge(conn, sessions.token_hash(token))
    if found is None:
        raise InvalidInput("challenge", "This sign-in took too long or was tried too often. Start again.")
    return found


async def note(
    conn: TenantConn,
    login_id: UUID,
    action: str,
    *,
    address: str = "",
    target: tuple[str, str] = ("", ""),
    details: dict[str, object] | None = None,
) -> None:
    """Write into the installation's audit log what a login did."""
    entry = Entry(
        workspace_id=INSTALLATION,
        action=action,
        actor_kind=ActorKind.LOGIN,
        actor_id=login_id,
        target_kind=target[0],
        target_id=target[1],
        address=address,
        details=msgspec.json.encode(details or {}),
    )
    await audit.record(conn, entry)
