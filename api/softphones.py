"""Telephones in members' browsers: what one signs in with at the vendor, and what our pages must be let call for it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from api.channel_accounts import connector_of, open_account, route_of
from connectors.accounts import account_of
from hub import clock
from hub.accounts import store as accounts
from hub.channels.model import AccountStatus
from hub.errors import Conflict, NotFound
from hub.throttle import Allowance

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from api.call import MemberCall, Resources
    from connectors.base import Account, Softphone
    from hub.channels.model import Route

# A browser asks once an hour, and anew with each page that is opened.
_TIMES: Final = 60
_WINDOW_S: Final = 3600


class SoftphoneView(msgspec.Struct, frozen=True):
    """
    What a telephone in the browser signs in with; does not show its token in text.

    Attributes:
        identity: How the vendor knows the member.
        library: Which of the frontend's telephone libraries speaks with the vendor.
    """

    token: str
    identity: str
    library: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"SoftphoneView(identity={self.identity!r})"


class PageSources(msgspec.Struct, frozen=True):
    """Origins that pages may call and play sounds from beside our own, because of telephones in them; none without."""

    connect: tuple[str, ...] = ()
    media: tuple[str, ...] = ()


async def sign_in(call: MemberCall) -> SoftphoneView:
    """Give the caller's browser what its telephone signs in with at the vendor, for an hour at most."""
    await call.resources.throttle.take(
        (Allowance(f"softphone:{call.actor.member_id}", times=_TIMES, window_s=_WINDOW_S),)
    )
    account_id, workspace_id = call.path_id("channel_account_id"), call.actor.workspace_id
    channel, account = await open_connected(call, account_id)
    connector = connector_of(call, channel)
    softphone = connector.manifest.softphone
    if softphone is None or connector.pass_softphone is None:
        raise NotFound("telephone in the browser on this channel")
    async with call.resources.database.snapshot([workspace_id]) as conn:
        member = await accounts.get_member(conn, workspace_id, call.actor.member_id)
    given = connector.pass_softphone(account, member.email, clock.now())
    return SoftphoneView(given.token, given.identity, softphone.library, given.expires_at)


async def open_connected(call: MemberCall, account_id: UUID) -> tuple[str, Account]:
    """
    Open an account that calls are made with; returns its channel too.

    Raises:
        NotFound: There is none the caller sees.
        Conflict: It is paused, or needs a sign-in.
    """
    account, form = await open_account(call, account_id)
    if account.status is not AccountStatus.CONNECTED:
        why = "needs a sign-in" if account.status is AccountStatus.NEEDS_SIGN_IN else "is paused"
        raise Conflict(f"{account.name} {why}: nobody can be called until that is mended.")
    route = route_of(call.actor.workspace_id, account.id, account.channel, form, demo=account.demo)
    return account.channel, account_of(route, form.credentials, call.resources.settings)


def page_sources(resources: Resources) -> PageSources:
    """Return what pages must be let call: nothing unless an account here has telephones in the browser."""
    if resources.routes is None or resources.registry is None:
        return PageSources()
    phones = {one.id: one.softphone for one in resources.registry.manifests() if one.softphone is not None}
    used = {route.channel: phones[route.channel] for route in resources.routes.known() if _has(route, phones)}
    return PageSources(_origins(one.connect for one in used.values()), _origins(one.media for one in used.values()))


def _has(route: Route, phones: dict[str, Softphone]) -> bool:
    found = phones.get(route.channel)
    return found is not None and bool(route.settings.get(found.setting, ""))


def _origins(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({origin for some in lists for origin in some}))
