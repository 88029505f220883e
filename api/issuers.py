"""Signing in by way of an issuer (Google, LinkedIn, any OpenID Connect issuer), and one's accounts there."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, cast
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from starlette.responses import RedirectResponse, Response

from api import auth
from api.call import required
from api.factors import person_of
from api.session import require_second_factor, start_session
from hub import clock
from hub.accounts import sessions
from hub.errors import NotFound, NotSignedIn, SecondFactorRequired, Unavailable
from hub.log import get_logger
from hub.signin.factors.model import Person as Owner
from hub.signin.issuers import actions, store
from hub.signin.issuers.model import MOST_TOKEN_CHARS, Attempt, IssuerRefused, NeedsPassword, Refusal
from hub.signin.issuers.provider import Returned
from hub.throttle import Allowance

if TYPE_CHECKING:
    from api.auth import Edge
    from api.call import Call, SessionCall
    from hub.issuer_settings import IssuerSettings
    from hub.signin.issuers.model import Person, SignedUp
    from hub.signin.issuers.provider import Issuers

Token = Annotated[str, msgspec.Meta(max_length=MOST_TOKEN_CHARS)]

_COOKIE_AGE_S: Final = 600
_SIGN_IN_PAGE: Final = "/sign-in"
_SETTINGS_PAGE: Final = "/account/security"
_UNREACHABLE: Final = "This issuer does not answer as it should just now. Sign in another way, or try again later."

_log = get_logger("sign_in")


class IssuerView(msgspec.Struct, frozen=True):
    """A button of the sign-in page."""

    slug: str
    name: str


class IssuersView(msgspec.Struct, frozen=True):
    """Whom people may sign in with here; empty where the operator set none up."""

    issuers: tuple[IssuerView, ...]


class GoView(msgspec.Struct, frozen=True):
    """Where the browser goes now, at the issuer."""

    url: str


class LinkRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``link`` token a sign-in came back with, and the password of the account with that address."""

    token: Token
    password: str


class IdentityView(msgspec.Struct, frozen=True):
    """
    An account at an issuer that opens this login.

    Attributes:
        slug: Empty where people cannot sign in with this issuer any more.
        email: As the issuer told it when the account was linked.
    """

    id: UUID
    slug: str
    name: str
    email: str
    created_at: datetime
    used_at: datetime | None


class IdentitiesView(msgspec.Struct, frozen=True):
    """All of somebody's linked accounts, oldest first; never so many that they need pages."""

    identities: tuple[IdentityView, ...]


async def read_all(call: Call) -> IssuersView:
    """Say whom people may sign in with."""
    issuers = call.resources.issuers
    listed = issuers.all() if issuers is not None else ()
    return IssuersView(tuple(IssuerView(one.slug, one.name) for one in listed))


async def begin(call: Call) -> Response:
    """Send this browser to an issuer to sign in."""
    issuers, issuer = _wanted(call)
    await _count(call)
    return await _send(call, issuers, issuer, Attempt(issuer.slug, issuer.url))


async def begin_link(call: SessionCall) -> Response:
    """Send this browser to an issuer, to link an account there to one's own login."""
    issuers, issuer = _wanted(call)
    await _count(call)
    who = call.signed_in
    return await _send(call, issuers, issuer, Attempt(issuer.slug, issuer.url, who.login_id, who.session_id))


async def come_back(call: Call) -> Response:
    """
    Take a browser back from an issuer: signed in, asked for more, or told why not. Always a redirect into the app.

    Source:
        RFC 9700 sections 2.1 and 4.4 (January 2025): state bound to the browser and used once, mix-up.
    """
    await _count(call)
    page = _SIGN_IN_PAGE
    try:
        issuers, issuer = _wanted(call)
        returned = _returned(call)
        async with call.resources.database.across() as conn:
            attempt = await actions.take(conn, issuer, returned.state, returned.browser)
        page = _SIGN_IN_PAGE if attempt.login_id is None else _SETTINGS_PAGE
        person = await issuers.person_of(issuer, returned)
        if attempt.login_id is not None:
            await _link_own(call, attempt, person)
            return _go(page, {"linked": issuer.slug})
        return await _sign_in(call, issuer, person)
    except IssuerRefused as error:
        _log.warning("issuer_refused", issuer=call.path["slug"][:40], refusal=error.refusal.value, why=error.detail)
        return _go(page, {"error": error.refusal.value, "issuer": call.path["slug"][:40]})
    except NotFound:
        return _go(page, {"error": Refusal.EXPIRED.value})


async def link(call: Call) -> Response:
    """Link the account a sign-in came back with by the password of the login with its address, and sign in."""
    wanted = await call.decode(LinkRequest)
    parts = call.resources
    async with parts.database.across() as conn:
        email = await actions.try_link(conn, wanted.token)
    attempt = sessions.SignInAttempt(email=email, password=wanted.password, address=call.address)
    login = await sessions.check_password(parts.database, parts.throttle, parts.passwords, attempt)
    try:
        await require_second_factor(call, login.id)
    except SecondFactorRequired as error:
        # Linked when the sign-in is finished, not before: a password alone must not add a way in.
        async with parts.database.across() as conn:
            await actions.hold_link(conn, wanted.token, error.challenge)
        raise
    async with parts.database.across() as conn:
        await actions.finish_link(conn, wanted.token, call.address)
    return await start_session(call, login.id)


async def read_own(call: SessionCall) -> IdentitiesView:
    """List one's own linked accounts."""
    async with call.resources.database.across() as conn:
        listed = await store.list_identities(conn, call.signed_in.login_id)
    by_url = {one.url: one for one in call.resources.issuers.all()} if call.resources.issuers is not None else {}
    views = []
    for one in listed:
        issuer = by_url.get(one.issuer)
        slug, name = (issuer.slug, issuer.name) if issuer is not None else ("", one.issuer)
        views.append(IdentityView(one.id, slug, name, one.email, one.created_at, one.used_at))
    return IdentitiesView(tuple(views))


async def unlink(call: SessionCall) -> None:
    """Take one away, unless it is the last way in."""
    async with call.resources.database.across() as conn:
        await actions.unlink(conn, person_of(call), call.path_id("identity_id"), configured_issuers(call))


def configured_issuers(call: SessionCall) -> frozenset[str]:
    """Return the issuers people can sign in with here."""
    listed = call.resources.issuers.all() if call.resources.issuers is not None else ()
    return frozenset(one.url for one in listed)


async def _send(call: Call, issuers: Issuers, issuer: IssuerSettings, attempt: Attempt) -> Response:
    # One secret for all attempts of a browser: two tabs may be at two issuers.
    browser = call.request.cookies.get(_cookie_name(call)) or clock.new_token()
    if len(browser) > MOST_TOKEN_CHARS:
        browser = clock.new_token()
    async with call.resources.database.across() as conn:
        state = await actions.begin(conn, attempt, browser)
    try:
        url = await issuers.authorization_url(issuer, state, browser)
    except IssuerRefused as error:
        _log.warning("issuer_unreachable", issuer=issuer.slug, why=error.detail)
        raise Unavailable(_UNREACHABLE) from error
    answer = Response(msgspec.json.encode(GoView(url)), media_type="application/json")
    answer.headers["set-cookie"] = _cookie(call, browser, _COOKIE_AGE_S)
    return answer


async def _sign_in(call: Call, issuer: IssuerSettings, person: Person) -> Response:
    settings = call.resources.settings
    async with call.resources.database.across() as conn:
        admitted: SignedUp | NeedsPassword = await actions.admit(
            conn, person, registration_open=settings.registration_open, locale="en"
        )
    if isinstance(admitted, NeedsPassword):
        return _go(_SIGN_IN_PAGE, {"link": admitted.token, "issuer": issuer.slug})
    try:
        await require_second_factor(call, admitted.login_id)
    except SecondFactorRequired as error:
        return _go(_SIGN_IN_PAGE, {"challenge": error.challenge, "methods": ",".join(error.methods)})
    started = await start_session(call, admitted.login_id)
    answer = _go("/", {})
    answer.headers.append("set-cookie", started.headers["set-cookie"])
    return answer


async def _link_own(call: Call, attempt: Attempt, person: Person) -> None:
    """Only in the session that asked: another person may have signed in to this browser meanwhile."""
    try:
        signed_in = await auth.sign_in_of(call.resources.database, auth.token_of(_edge(call), call.request))
    except NotSignedIn as error:
        raise IssuerRefused(Refusal.EXPIRED, "signed out meanwhile") from error
    if signed_in.session_id != attempt.session_id:
        raise IssuerRefused(Refusal.EXPIRED, "another session")
    owner = Owner(signed_in.login_id, signed_in.email, signed_in.name, call.address)
    async with call.resources.database.across() as conn:
        await actions.link_own(conn, owner, person)


def _wanted(call: Call) -> tuple[Issuers, IssuerSettings]:
    issuers = required(call.resources.issuers, "issuers")
    found = issuers.find(call.path["slug"])
    if found is None:
        raise NotFound("issuer")
    return issuers, found


def _returned(call: Call) -> Returned:
    query = call.request.query_params
    if any(len(query.getlist(name)) > 1 for name in ("state", "code", "iss", "error")):
        # RFC 6749 section 3.1: parameters must not come twice; readers would differ about which one counts.
        raise IssuerRefused(Refusal.ISSUER, "a parameter came twice")
    return Returned(
        state=query.get("state", ""),
        browser=call.request.cookies.get(_cookie_name(call), ""),
        code=query.get("code", ""),
        iss=query.get("iss"),
        error=query.get("error", ""),
    )


def _go(page: str, told: dict[str, str]) -> RedirectResponse:
    """Go on in the app; what it is told stays in the browser, behind the #."""
    where = f"{page}#{urlencode(told)}" if told else page
    return RedirectResponse(where, 303, headers={"cache-control": "no-store", "referrer-policy": "no-referrer"})


async def _count(call: Call) -> None:
    await call.resources.throttle.take((Allowance(f"issuer:address:{call.address}", times=120, window_s=900),))


def _cookie_name(call: Call) -> str:
    return "__Host-hub_issuer" if _edge(call).secure else "hub_issuer"


def _cookie(call: Call, value: str, age_s: int) -> str:
    secure = "; Secure" if _edge(call).secure else ""
    # Lax: the issuer sends the browser back with a GET of the whole page, which is all that must carry it.
    return f"{_cookie_name(call)}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}"


def _edge(call: Call) -> Edge:
    return cast("Edge", call.request.app.state.edge)
