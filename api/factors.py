"""Somebody's own second factors: the app, recovery codes, and what there is. Passkeys are in ``passkeys.py``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import urlsplit

import msgspec

from api.call import required
from hub.errors import InvalidInput, NotSignedIn
from hub.notices import security
from hub.notices.model import News
from hub.signin.factors import actions, passkeys, proving, store
from hub.signin.factors.model import PROOF_LIFETIME, Method, NewTotp, Passkey, Person
from hub.signin.factors.sealing import PURPOSE, FactorSealer

if TYPE_CHECKING:
    from api.auth import Edge
    from api.call import Call, SessionCall
    from hub.signin.factors.passkeys import Site

Code = Annotated[str, msgspec.Meta(max_length=64)]


class CodeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: Code


class CodesView(msgspec.Struct, frozen=True):
    """
    Recovery codes, shown this once.

    Attributes:
        recovery_codes: Empty where the person has some from before.
    """

    recovery_codes: tuple[str, ...]


class FactorsView(msgspec.Struct, frozen=True):
    """
    What somebody has beside their password.

    Attributes:
        totp_since: When an authenticator app was added; null without one.
        recovery_codes_left: Of the ten that were made.
        proved_until: Until then dangerous things may be done without proving oneself again.
        methods: The ways to do that.
    """

    totp_since: datetime | None
    passkeys: tuple[Passkey, ...]
    recovery_codes_left: int
    proved_until: datetime
    methods: tuple[Method, ...]


async def read(call: SessionCall) -> FactorsView:
    """Say what somebody has."""
    async with call.resources.database.across() as conn:
        standing = await store.standing(conn, call.signed_in.session_id)
        found = await store.read_factors(conn, call.signed_in.login_id)
    if standing is None:
        raise NotSignedIn
    return FactorsView(
        totp_since=found.totp_since,
        passkeys=found.passkeys,
        recovery_codes_left=found.recovery_codes_left,
        proved_until=standing.proved_at + PROOF_LIFETIME,
        methods=standing.methods(),
    )


async def begin_totp(call: SessionCall) -> NewTotp:
    """Make a secret for an authenticator app; it counts once a code of it was shown."""
    issuer = urlsplit(call.resources.settings.base_url).hostname or "hub"
    async with call.resources.database.across() as conn:
        return await actions.begin_totp(conn, sealer_of(call), person_of(call), issuer)


async def confirm_totp(call: SessionCall) -> CodesView:
    """Show the first code of an authenticator app, which makes it a factor."""
    wanted = await call.decode(CodeRequest)
    login_id = call.signed_in.login_id
    await call.resources.throttle.take(proving.allowances(login_id))
    async with call.resources.database.across() as conn:
        codes = await actions.confirm_totp(conn, sealer_of(call), person_of(call), wanted.code)
    if codes is None:
        raise wrong_code()
    await call.resources.throttle.forget(proving.allowances(login_id))
    await security.tell_login(call.resources.database, login_id, News.FACTOR_ADDED)
    return CodesView(codes)


async def remove_totp(call: SessionCall) -> None:
    """Take the authenticator app away."""
    async with call.resources.database.across() as conn:
        await actions.remove_totp(conn, person_of(call))
    await security.tell_login(call.resources.database, call.signed_in.login_id, News.FACTOR_REMOVED)


async def renew_codes(call: SessionCall) -> CodesView:
    """Make ten new recovery codes; the old ones are void."""
    async with call.resources.database.across() as conn:
        return CodesView(await actions.renew_recovery_codes(conn, person_of(call)))


def person_of(call: SessionCall) -> Person:
    """Return whose factors a call is about: the caller's own."""
    who = call.signed_in
    return Person(who.login_id, who.email, who.name, call.address)


def sealer_of(call: Call) -> FactorSealer:
    """Return what opens TOTP secrets; ``Unavailable`` where this process has no secret key."""
    return FactorSealer(required(call.resources.sealer, "secret key").derive_keys(PURPOSE))


def site_of(call: Call) -> Site:
    """Return whose passkeys are asked for: the public URL's, whatever Host a call names."""
    edge = cast("Edge", call.request.app.state.edge)
    return passkeys.site_of(call.resources.settings.base_url, edge.origins)


def wrong_code() -> InvalidInput:
    """Say that a code was wrong, and nothing of why."""
    return InvalidInput("code", "This code is wrong, or was used already. Wait for the next one.")
