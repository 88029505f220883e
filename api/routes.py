"""The one table of routes: method, path, handler, who may call, status, and the structs for the OpenAPI document."""

from __future__ import annotations

from typing import Final

from api import health, members, openapi, session, setup
from api.route import Access, Route
from hub.accounts.model import Permission

_API: Final = "/api/v1"
_WORKSPACE: Final = "/api/v1/workspaces/{workspace_id}"

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/healthz", health.alive, Access.OPEN, answer=health.Health),
    Route("GET", "/readyz", health.ready, Access.OPEN, answer=health.Readiness),
    Route("GET", "/metrics", health.metrics, Access.OPEN),
    Route("GET", f"{_API}/openapi.json", openapi.read, Access.OPEN),
    Route("GET", f"{_API}/setup", setup.read, Access.OPEN, answer=setup.SetUpState),
    Route("POST", f"{_API}/setup", setup.create, Access.OPEN, body=setup.SetUpRequest, answer=setup.SetUpDone),
    Route(
        "POST", f"{_API}/session", session.create, Access.OPEN, body=session.SignInRequest, answer=session.SessionView
    ),
    Route("GET", f"{_API}/session", session.read, Access.SESSION, answer=session.SessionView),
    # Open: a browser whose session has ended must still be able to drop its cookie.
    Route("DELETE", f"{_API}/session", session.remove, Access.OPEN, status=204),
    Route(
        "POST",
        f"{_API}/password-links",
        session.use_link,
        Access.OPEN,
        body=session.LinkRequest,
        answer=session.SessionView,
    ),
    Route(
        "POST",
        f"{_API}/socket-tickets",
        session.issue_ticket,
        Access.SESSION,
        body=session.TicketRequest,
        answer=session.TicketView,
    ),
    Route("GET", f"{_WORKSPACE}/members", members.read_all, Permission.INBOX_READ, answer=members.MembersView),
)
