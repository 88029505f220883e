"""
Sessions of phones and programs: a short-lived access token, renewed by refresh tokens that are good once each.

A session is one family of them: a refresh token that comes a second time ends it. Called by ``api/refresh.py`` and
where sessions begin.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.accounts import sessions
from hub.accounts import store as logins
from hub.accounts.model import AccessChanged
from hub.db import load_queries
from hub.errors import NotSignedIn
from hub.mailer.model import SecurityChange
from hub.signin import actions as signin
from hub.signin.factors.model import Person
from hub.signin.factors.telling import warn

if TYPE_CHECKING:
    from uuid import UUID

    from hub.accounts.model import NewSession
    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("refreshing.sql"))

ACCESS_S: Final = 15 * 60
REFRESH_S: Final = 30 * 86_400
# However often it is renewed: then its owner signs in again.
FAMILY_LIFETIME: Final = timedelta(days=90)
# An answer lost on its way is asked for again at once; a thief comes later.
GRACE_S: Final = 10
_MOST_TOKEN_CHARS: Final = 200


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a client without cookies keeps.

    Attributes:
        token: Opens calls and sockets for ``expires_in_s``.
        refresh_token: Gets the next pair, once.
    """

    token: str
    expires_in_s: int
    refresh_token: str


class Renewed(msgspec.Struct, frozen=True):
    """
    A refresh token was presented.

    Attributes:
        tokens: The next pair; None where the session is over.
        reused_by: Whose session ended because it was presented a second time.
    """

    tokens: Tokens | None
    reused_by: UUID | None = None


async def begin(conn: TenantConn, new: NewSession) -> Tokens:
    """Make a session that was just started one with refresh tokens; its own token becomes the first access token."""
    refresh, at = clock.new_token(), clock.now()
    await conn.execute(QUERIES["shorten_token"], new.signed_in.session_id, at + timedelta(seconds=ACCESS_S))
    await conn.execute(
        QUERIES["add_refresh_token"],
        sessions.token_hash(refresh),
        new.signed_in.session_id,
        at,
        at + timedelta(seconds=REFRESH_S),
    )
    return Tokens(token=new.token, expires_in_s=ACCESS_S, refresh_token=refresh)


async def renew(conn: TenantConn, refresh_token: str, address: str) -> Renewed:
    """
    Exchange a refresh token for the next pair; commit it whatever comes out.

    Args:
        conn: A transaction; no tenant is needed.
        refresh_token: Unchecked.
        address: Where the call comes from.

    Returns:
        The pair, or that the session ended because this token was used before.

    Raises:
        NotSignedIn: It is none of ours, has run out, or its session ended.

    Source:
        RFC 9700 section 4.14.2 (January 2025): rotation, and the end of the whole family where a token is replayed.
    """
    if not refresh_token or len(refresh_token) > _MOST_TOKEN_CHARS:
        raise NotSignedIn
    child, access = clock.new_token(), clock.new_token()
    row = await conn.fetchrow(
        QUERIES["refresh_session"],
        sessions.token_hash(refresh_token),
        sessions.token_hash(child),
        sessions.token_hash(access),
        ACCESS_S,
        REFRESH_S,
        GRACE_S,
    )
    if row is not None and row["outcome"] in ("rotated", "reused"):
        # The access token before this one is worth nothing from now on, wherever it is remembered.
        conn.notices.append(AccessChanged("login", row["login_id"]))
    if row is not None and row["outcome"] == "rotated":
        return Renewed(Tokens(token=access, expires_in_s=ACCESS_S, refresh_token=child))
    if row is None or row["outcome"] != "reused":
        raise NotSignedIn
    login = await logins.get_login(conn, row["login_id"])
    target = ("session", str(row["session_id"]))
    await signin.note(conn, login.id, "session.refresh_reused", address=address, target=target)
    await warn(conn, Person(login.id, login.email, login.name, address), SecurityChange.TOKEN_REUSED)
    return Renewed(None, login.id)
