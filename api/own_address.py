"""Changing one's own address: asked for in a session, made by the new mailbox, stopped by the old one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated

import msgspec

from api.session import announce_revocation
from api.sign_up import MailSent
from hub.accounts import actions as accounts
from hub.accounts import store
from hub.notices import security
from hub.notices.model import News
from hub.signin import addresses
from hub.throttle import Allowance

if TYPE_CHECKING:
    from api.call import Call, SessionCall

Token = Annotated[str, msgspec.Meta(max_length=200)]


class AddressRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The address to come."""

    email: str


class AddressLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of a link in one of the two mails."""

    token: Token


class AddressView(msgspec.Struct, frozen=True):
    """The address the account has now."""

    email: str


async def create(call: SessionCall) -> MailSent:
    """Send a link to the new address, and a note to the old one with a link that stops it."""
    email = accounts.clean_email((await call.decode(AddressRequest)).email)
    who, parts = call.signed_in, call.resources
    wanted = hashlib.sha256(email.encode()).hexdigest()[:32]
    await parts.throttle.take(
        (
            Allowance(f"address_change:login:{who.login_id}", times=5, window_s=3600),
            Allowance(f"address_change:account:{wanted}", times=5, window_s=3600),
        )
    )
    async with parts.database.across() as conn:
        login = await store.get_login(conn, who.login_id)
        await addresses.ask(conn, login, who.session_id, email, parts.settings.base_url)
    return MailSent(email)


async def confirm(call: Call) -> AddressView:
    """Make the change whose link was opened; reading the page uses nothing up."""
    token = (await call.decode(AddressLink)).token
    await _count(call)
    database = call.resources.database
    async with database.across() as conn:
        login_id = await addresses.find(conn, token)
        joined = await store.memberships(conn, login_id)
    async with database.transaction([one.workspace_id for one in joined]) as conn:
        email = await addresses.apply(conn, token, joined)
    announce_revocation(call, joined)
    await security.tell_login(database, login_id, News.ADDRESS_CHANGED)
    return AddressView(email)


async def stop(call: Call) -> AddressView:
    """Stop a change of address, or take it back, by the link in the old mailbox; everybody is signed out."""
    token = (await call.decode(AddressLink)).token
    await _count(call)
    database = call.resources.database
    async with database.across() as conn:
        joined = await store.memberships(conn, await addresses.find_stop(conn, token))
    async with database.transaction([one.workspace_id for one in joined]) as conn:
        email = await addresses.stop(conn, token, joined)
    announce_revocation(call, joined)
    return AddressView(email)


async def _count(call: Call) -> None:
    await call.resources.throttle.take((Allowance(f"address_link:address:{call.address}", times=60, window_s=900),))
