"""Who may call the routes of operators. Called where routes are dispatched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub import clock
from hub.accounts import store
from hub.errors import Forbidden, ProofNeeded
from hub.signin.factors import store as factors
from hub.signin.factors.model import PROOF_LIFETIME

if TYPE_CHECKING:
    from hub.accounts.model import SignedIn
    from hub.db import Database

NOT_ENTERED: Final = "An operator in somebody's workspace may not do this."


async def require_operator(database: Database, signed_in: SignedIn) -> None:
    """
    Stop whoever does not operate this installation, or has not proved well enough who they are.

    Args:
        database: Where logins are.
        signed_in: Whose call it is.

    Raises:
        Forbidden: They are no operator.
        ProofNeeded: They have no second factor, which every sign-in of theirs would have asked for, and proved
            themselves too long ago.
    """
    if not await store.is_operator(database, signed_in.login_id):
        raise Forbidden("This is for the people who run this hub.")
    standing = await factors.find_standing(database, signed_in.session_id)
    if standing is None:
        raise Forbidden("This is for the people who run this hub.")
    if not standing.factors and clock.now() - standing.proved_at > PROOF_LIFETIME:
        raise ProofNeeded(standing.methods())
