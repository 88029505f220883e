"""Dangerous routes: only for a person who proved who they are a moment ago. Called where routes are dispatched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub import clock
from hub.errors import Forbidden, ProofNeeded
from hub.signin.factors import store
from hub.signin.factors.model import PROOF_LIFETIME

if TYPE_CHECKING:
    from hub.accounts.model import SignedIn
    from hub.db import Database


async def require_proof(database: Database, signed_in: SignedIn) -> None:
    """
    Stop a call whose session was not proved in the last ten minutes.

    Args:
        database: Where sessions are.
        signed_in: Whose call it is; an API key or personal token is no session, so it never passes.

    Raises:
        Forbidden: A key calls.
        ProofNeeded: It is too long ago; ``methods`` says how to prove oneself.

    Source:
        OWASP ASVS 5.0 7.5.1 and 7.5.3 (May 2025): re-authentication before changing factors and before what is most
        sensitive.
    """
    standing = await store.find_standing(database, signed_in.session_id)
    if standing is None:
        raise Forbidden("Only a person who is signed in may do this, not a key.")
    if clock.now() - standing.proved_at > PROOF_LIFETIME:
        raise ProofNeeded(standing.methods())
