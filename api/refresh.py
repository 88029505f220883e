"""Renewing the session of a phone or program by its refresh token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from api.session import announce_revocation
from hub.accounts import store as accounts
from hub.errors import NotSignedIn
from hub.signin import refreshing
from hub.throttle import Allowance

if TYPE_CHECKING:
    from api.call import Call
    from hub.signin.refreshing import Tokens


class RefreshRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The newest refresh token; it is worth nothing afterwards."""

    refresh_token: Annotated[str, msgspec.Meta(max_length=200)]


async def renew(call: Call) -> Tokens:
    """Exchange a refresh token for the next pair; one that was used before ends its session."""
    wanted = await call.decode(RefreshRequest)
    # Wide: a whole office of phones may come from one address, and a token cannot be guessed.
    await call.resources.throttle.take((Allowance(f"refresh:address:{call.address}", times=1_000, window_s=900),))
    async with call.resources.database.across() as conn:
        renewed = await refreshing.renew(conn, wanted.refresh_token, call.address)
        joined = await accounts.memberships(conn, renewed.reused_by) if renewed.reused_by is not None else ()
    if renewed.tokens is None:
        announce_revocation(call, joined)
        raise NotSignedIn("This sign-in has ended: its token was used before. Sign in again.")
    return renewed.tokens
