"""The part of the route table about issuers, refresh tokens, and one's own address."""

from __future__ import annotations

from typing import Final

from api import issuers, own_address, refresh, session, sign_up
from api.route import Access, Route
from hub.signin.refreshing import Tokens

_API: Final = "/api/v1"

ISSUER_ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", f"{_API}/sign-in/issuers", issuers.read_all, Access.OPEN, answer=issuers.IssuersView),
    Route("POST", f"{_API}/sign-in/issuers/{{slug}}", issuers.begin, Access.OPEN, answer=issuers.GoView),
    Route(
        "POST",
        f"{_API}/sign-in/links",
        issuers.link,
        Access.OPEN,
        body=issuers.LinkRequest,
        answer=session.SessionView,
    ),
    # The issuer sends the browser here; what comes out is a page of the app.
    Route(
        "GET",
        "/sign-in/callback/{slug}",
        issuers.come_back,
        Access.OPEN,
        status=303,
        query={
            "state": "Of the attempt.",
            "code": "For the token endpoint.",
            "iss": "RFC 9207.",
            "error": "Instead of a code.",
        },
    ),
    Route("GET", f"{_API}/identities", issuers.read_own, Access.SESSION, answer=issuers.IdentitiesView),
    Route(
        "POST",
        f"{_API}/identity-links/{{slug}}",
        issuers.begin_link,
        Access.SESSION,
        answer=issuers.GoView,
        step_up=True,
    ),
    Route("DELETE", f"{_API}/identities/{{identity_id}}", issuers.unlink, Access.SESSION, status=204, step_up=True),
    Route(
        "POST",
        f"{_API}/session/refresh",
        refresh.renew,
        Access.OPEN,
        body=refresh.RefreshRequest,
        answer=Tokens,
        shows_secret=True,
    ),
    Route(
        "POST",
        f"{_API}/address-changes",
        own_address.create,
        Access.SESSION,
        status=202,
        body=own_address.AddressRequest,
        answer=sign_up.MailSent,
        step_up=True,
    ),
    Route(
        "POST",
        f"{_API}/address-changes/confirm",
        own_address.confirm,
        Access.OPEN,
        body=own_address.AddressLink,
        answer=own_address.AddressView,
    ),
    Route(
        "POST",
        f"{_API}/address-changes/stop",
        own_address.stop,
        Access.OPEN,
        body=own_address.AddressLink,
        answer=own_address.AddressView,
    ),
)
