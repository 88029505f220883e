"""Somebody's own sign-ins and password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from api.session import announce_revocation
from hub.accounts import passwords as rules
from hub.accounts import store as accounts
from hub.errors import InvalidInput
from hub.notices import security
from hub.notices.model import News
from hub.signin import actions, store
from hub.signin.model import Session
from hub.throttle import Allowance

if TYPE_CHECKING:
    from api.call import SessionCall


class SessionRow(Session, frozen=True):
    """
    One live sign-in, as the list shows it.

    Attributes:
        is_this: The one that asks.
    """

    is_this: bool


class SessionsView(msgspec.Struct, frozen=True):
    """All of somebody's live sign-ins, newest use first; there are never so many that they need pages."""

    sessions: tuple[SessionRow, ...]


class EndedView(msgspec.Struct, frozen=True):
    """How many sign-ins ended."""

    ended: int


class PasswordRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The password so far, and the one to come."""

    old: str
    new: str


async def read_all(call: SessionCall) -> SessionsView:
    """List somebody's live sign-ins."""
    async with call.resources.database.across() as conn:
        found = await store.list_sessions(conn, call.signed_in.login_id)
    return SessionsView(
        tuple(SessionRow(**msgspec.structs.asdict(one), is_this=one.id == call.signed_in.session_id) for one in found)
    )


async def remove(call: SessionCall) -> None:
    """End one sign-in; its open sockets are closed within a minute."""
    async with call.resources.database.across() as conn:
        await actions.revoke(conn, call.signed_in.login_id, call.path_id("session_id"))
        joined = await accounts.memberships(conn, call.signed_in.login_id)
    announce_revocation(call, joined)


async def remove_others(call: SessionCall) -> EndedView:
    """End every sign-in but the one that asks."""
    async with call.resources.database.across() as conn:
        ended = await actions.revoke_others(conn, call.signed_in.login_id, call.signed_in.session_id)
        joined = await accounts.memberships(conn, call.signed_in.login_id)
    announce_revocation(call, joined)
    return EndedView(ended)


async def change_password(call: SessionCall) -> EndedView:
    """Replace one's password; every other sign-in ends, and a mail says so."""
    wanted = await call.decode(PasswordRequest)
    parts, who = call.resources, call.signed_in
    allowance = Allowance(f"password:login:{who.login_id}", times=10, window_s=900)
    await parts.throttle.take((allowance,))
    rules.check_new(wanted.new, field="new", about=(who.email, who.name))
    async with parts.database.across() as conn:
        login = await accounts.get_login(conn, who.login_id)
    if not await parts.passwords.matches(login.password_hash, wanted.old):
        raise InvalidInput("old", "This is not your password.")
    await parts.throttle.forget((allowance,))
    password_hash = await parts.passwords.make_hash(wanted.new)
    async with parts.database.across() as conn:
        ended = await actions.change_password(conn, login, who.session_id, password_hash)
        joined = await accounts.memberships(conn, who.login_id)
    announce_revocation(call, joined)
    await security.tell_login(parts.database, who.login_id, News.PASSWORD_CHANGED)
    return EndedView(len(ended))
