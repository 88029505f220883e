"""Sign-ins whose first factor was right and whose second is still to come. Called by the edge."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from hub import clock
from hub.accounts import sessions
from hub.errors import SecondFactorRequired
from hub.signin.factors import store

if TYPE_CHECKING:
    from hub.db import TenantConn
    from hub.signin.factors.model import Waiting

# Long enough to find a recovery code on paper.
LIFETIME: Final = timedelta(minutes=10)
_MOST_TOKEN_CHARS: Final = 100


async def begin(conn: TenantConn, waiting: Waiting) -> SecondFactorRequired | None:
    """
    Hold a sign-in until its second factor is shown.

    Args:
        conn: A transaction, to be committed before what is returned is raised.
        waiting: Whose, and what they want of it.

    Returns:
        What to answer; None for a login without a second factor, which may come in.
    """
    methods = await store.login_factors(conn, waiting.login_id)
    if not methods:
        return None
    challenge = clock.new_token()
    made_at = clock.now()
    await store.add_challenge(conn, sessions.token_hash(challenge), waiting, made_at, made_at + LIFETIME)
    return SecondFactorRequired(challenge, methods)


async def find(conn: TenantConn, challenge: str) -> Waiting | None:
    """Return whose sign-in waits, held until the end of the transaction; None when it was used or has run out."""
    if len(challenge) > _MOST_TOKEN_CHARS:
        return None
    return await store.find_challenge(conn, sessions.token_hash(challenge))


async def end(conn: TenantConn, waiting: Waiting) -> None:
    """Use a challenge up, and every other one of that login with it."""
    await store.end_challenges(conn, waiting.login_id)
