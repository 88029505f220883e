"""
Changing one's own address: a link to the new one makes the change, a link to the old one stops it or takes it back.

The old mailbox can do so for a week: whoever took over a session must not take the account with it. Called by the edge.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec

from hub import clock
from hub.accounts import actions as accounts
from hub.accounts import sessions
from hub.accounts import store as logins
from hub.accounts.model import MemberChanged
from hub.db import load_queries
from hub.errors import InvalidInput
from hub.events import store as events
from hub.mailer import actions as mailer
from hub.mailer.model import Mail, SecurityChange, Template
from hub.signin import actions as signin
from hub.signin import store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from hub.accounts.model import Login, Membership
    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("addresses.sql"))

LIFETIME: Final = timedelta(minutes=30)
STOP_LIFETIME: Final = timedelta(days=7)
_AT: Final = "%Y-%m-%d %H:%M UTC"
_SPENT: Final = "This link was used already, was stopped, or has run out."
_TAKEN: Final = "Somebody signs in with this address by now."


async def ask(conn: TenantConn, login: Login, session_id: UUID, new_email: str, base_url: str) -> None:
    """
    Send the two links of a change; an address that somebody has already gets a warning instead of a link.

    Args:
        conn: A transaction; no tenant is needed.
        login: Whose.
        session_id: The session that asks, which stays.
        new_email: Cleaned.
        base_url: The address our pages are at.

    Raises:
        InvalidInput: It is the address they have.
    """
    if new_email == login.email:
        raise InvalidInput("email", "This is your address already.")
    token, stop, at = clock.new_token(), clock.new_token(), clock.now()
    known = await logins.find_login(conn, new_email)
    # For a known address as well: the answer, and the note to the old address, are the same. Its link goes to nobody.
    await conn.execute(
        QUERIES["add_change"],
        clock.new_id(),
        login.id,
        session_id,
        login.email,
        new_email,
        sessions.token_hash(token),
        sessions.token_hash(stop),
        at,
        at + LIFETIME,
        at + STOP_LIFETIME,
    )
    await mailer.queue(conn, _to_new(login, known, new_email, f"{base_url}/change-address#{token}"))
    fields = {
        "name": login.name,
        "at": at.strftime(_AT),
        "address": new_email,
        "url": f"{base_url}/stop-address-change#{stop}",
        "days": str(STOP_LIFETIME.days),
    }
    lifetime_s = int(STOP_LIFETIME.total_seconds())
    await mailer.queue(
        conn,
        Mail(
            to=login.email,
            template=Template.ADDRESS_CHANGING,
            fields=fields,
            locale=login.locale or "en",
            lifetime_s=lifetime_s,
        ),
    )
    await signin.note(conn, login.id, "address.change_asked")


async def find(conn: TenantConn, token: str) -> UUID:
    """Return whose change a link would make; ``InvalidInput`` where it makes none any more."""
    row = await conn.fetchrow(QUERIES["find_change"], sessions.token_hash(token))
    if row is None:
        raise InvalidInput("token", _SPENT)
    login_id: UUID = row["login_id"]
    return login_id


async def apply(conn: TenantConn, token: str, joined: Sequence[Membership]) -> str:
    """
    Give a login the address whose link was used, in all of its workspaces, and end its other sessions.

    Args:
        conn: A fresh transaction that named those workspaces.
        token: From the link, unchecked.
        joined: The memberships of whose change it is.

    Returns:
        The new address.

    Raises:
        InvalidInput: The link was used, stopped or has run out, or somebody has the address by now.
    """
    heads = await events.lock(conn, [one.workspace_id for one in joined])
    try:
        row = await conn.fetchrow(QUERIES["apply_change"], sessions.token_hash(token))
    except asyncpg.UniqueViolationError as error:
        raise InvalidInput("token", _TAKEN) from error
    if row is None:
        raise InvalidInput("token", _SPENT)
    new_email: str = row["new_email"]
    await _tell(conn, heads, joined, new_email)
    await store.revoke_sessions(conn, row["login_id"], but=row["session_id"])
    await signin.note(conn, row["login_id"], "address.changed")
    return new_email


async def find_stop(conn: TenantConn, token: str) -> UUID:
    """Return whose change a stop link would end; ``InvalidInput`` where it ends none any more."""
    row = await conn.fetchrow(QUERIES["find_stop"], sessions.token_hash(token))
    if row is None:
        raise InvalidInput("token", _SPENT)
    login_id: UUID = row["login_id"]
    return login_id


async def stop(conn: TenantConn, token: str, joined: Sequence[Membership]) -> str:
    """
    End a change, or take it back where it was made; every session ends, for one of them asked for it.

    Args:
        conn: A fresh transaction that named the workspaces.
        token: From the link to the old address, unchecked.
        joined: The memberships of whose change it is.

    Returns:
        The address that stays, or is the login's again.

    Raises:
        InvalidInput: It was stopped before, is more than a week ago, or somebody has the old address by now.
    """
    heads = await events.lock(conn, [one.workspace_id for one in joined])
    try:
        row = await conn.fetchrow(QUERIES["stop_change"], sessions.token_hash(token))
    except asyncpg.UniqueViolationError as error:
        raise InvalidInput("token", _TAKEN) from error
    if row is None:
        raise InvalidInput("token", _SPENT)
    old_email: str = row["old_email"]
    if row["was_applied"]:
        await _tell(conn, heads, joined, old_email)
    await store.revoke_sessions(conn, row["login_id"])
    details: dict[str, object] = {"was_made": bool(row["was_applied"])}
    await signin.note(conn, row["login_id"], "address.change_stopped", details=details)
    return old_email


def _to_new(login: Login, known: Login | None, new_email: str, url: str) -> Mail:
    if known is not None:
        what = SecurityChange.ADDRESS_WANTED.value
        fields = {"name": known.name, "at": clock.now().strftime(_AT), "what": what, "about": ""}
        return Mail(to=new_email, template=Template.SECURITY_CHANGED, fields=fields, locale=known.locale or "en")
    minutes = int(LIFETIME.total_seconds() // 60)
    return Mail(
        to=new_email,
        template=Template.CONFIRM_ADDRESS,
        fields={"name": login.name, "url": url, "minutes": str(minutes)},
        locale=login.locale or "en",
        lifetime_s=minutes * 60,
    )


async def _tell(conn: TenantConn, heads: dict[int, int], joined: Sequence[Membership], email: str) -> None:
    for one in joined:
        before = await logins.get_member(conn, one.workspace_id, one.member_id)
        after = msgspec.structs.replace(before, email=email, version=heads[one.workspace_id] + 1)
        await conn.execute(QUERIES["set_member_address"], one.workspace_id, one.member_id, email, after.version)
        event = accounts.member_event(one.workspace_id, MemberChanged(after), one.member_id)
        await events.append(conn, heads, [event])
