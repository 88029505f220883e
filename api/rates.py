"""Rate limits of calls by whoever is signed in: counts a call, and says in headers how many are left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.call import MemberCall, SessionCall
from hub.errors import TooManyRequests
from hub.keys.rates import CallRates, Window

if TYPE_CHECKING:
    from api.call import Call
    from hub.keys.rates import Verdict

# Calls outside workspaces: lists of workspaces, tickets for sockets.
SESSION_CALLS_PER_MINUTE: Final = 600


async def count_call(rates: CallRates, call: Call) -> Verdict | None:
    """Count a call where somebody signed in makes it; None for others, which are throttled by their handlers."""
    if isinstance(call, MemberCall):
        return await rates.take(call.actor)
    if isinstance(call, SessionCall):
        return await rates.take_windows([Window(f"login:{call.signed_in.login_id}", SESSION_CALLS_PER_MINUTE)])
    return None


def headers_of(verdict: Verdict) -> dict[str, str]:
    """
    Say how many calls are left, in the narrowest window.

    Source:
        draft-ietf-httpapi-ratelimit-headers-06 (December 2022), the last with a field for each number; later drafts
        fold them into one structured ``RateLimit``, which clients of today rarely read.
    """
    return {
        "ratelimit-limit": str(verdict.limit),
        "ratelimit-remaining": str(verdict.remaining),
        "ratelimit-reset": str(verdict.reset_s),
    }


def require_room(verdict: Verdict) -> None:
    """Stop a call that is one too many: ``TooManyRequests``."""
    if verdict.refused:
        raise TooManyRequests(verdict.reset_s, f"At most {verdict.limit:,} calls a minute. Wait a little.")
