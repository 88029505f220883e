"""The browsers a person gets pushes in: listed, tried out and removed, over HTTP. Subscribing is ``api/notices.py``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from api.call import required
from hub.errors import NotFound
from hub.push import store
from hub.push.model import Push
from hub.push.sending import Fate
from hub.throttle import Allowance

if TYPE_CHECKING:
    from api.call import SessionCall


class BrowserView(msgspec.Struct, frozen=True):
    """
    A browser that gets pushes.

    Attributes:
        user_agent: As it named itself at sign-in.
        is_this: It belongs to the session that asks.
    """

    id: UUID
    user_agent: str
    created_at: datetime
    is_this: bool


class BrowsersView(msgspec.Struct, frozen=True):
    """Newest first; twenty at most, so there are no pages."""

    browsers: list[BrowserView]


class TriedView(msgspec.Struct, frozen=True):
    """
    What the push service said.

    Attributes:
        fate: ``sent``: taken; ``gone``: it does not know this browser any more, which is now removed; ``later``: not
            reached or busy; ``refused``: it does not take our pushes.
    """

    fate: Fate


class _Greeting(msgspec.Struct, frozen=True):
    """The fields of ``hub.notices.pushing.Payload``; workspace 0 is none."""

    title: str
    body: str
    path: str
    tag: str
    workspace_id: int


_TRIAL = Push(
    payload=msgspec.json.encode(
        _Greeting("Pushes work here", "This is what you will be told by.", "/settings/notifications", "trial", 0)
    ),
    topic="trial",
    is_urgent=True,
)


async def read_all(call: SessionCall) -> BrowsersView:
    """List the browsers the caller gets pushes in."""
    async with call.resources.database.across() as conn:
        found = await store.own_subscriptions(conn, call.signed_in.login_id)
    mine = call.signed_in.session_id
    return BrowsersView([BrowserView(one.id, one.user_agent, one.created_at, one.session_id == mine) for one in found])


async def try_out(call: SessionCall) -> TriedView:
    """Send a push to one browser of the caller's, now."""
    login_id = call.signed_in.login_id
    sender = required(call.resources.push_sender, "push key")
    await call.resources.throttle.take((Allowance(f"push-trial:login:{login_id}", times=10, window_s=600),))
    subscription_id = call.path_id("subscription_id")
    async with call.resources.database.across() as conn:
        own = await store.own_subscriptions(conn, login_id)
        target = await store.target(conn, subscription_id)
    # The list says whose it is: an id of somebody else's browser is as good as none.
    if target is None or subscription_id not in {one.id for one in own}:
        raise NotFound("subscription")
    answer = await sender.send(target, _TRIAL)
    if answer.fate is Fate.GONE:
        async with call.resources.database.across() as conn:
            await store.forget(conn, subscription_id)
    return TriedView(answer.fate)


async def remove(call: SessionCall) -> None:
    """Push to one browser of the caller's no more; again is fine."""
    subscription_id = call.path_id("subscription_id")
    async with call.resources.database.across() as conn:
        if subscription_id in {one.id for one in await store.own_subscriptions(conn, call.signed_in.login_id)}:
            await store.forget(conn, subscription_id)
