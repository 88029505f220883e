"""The part of the route table about making accounts, passwords, and one's own sign-ins."""

from __future__ import annotations

from typing import Final

from api import own_sessions, session, sign_up
from api.route import Access, Route

_API: Final = "/api/v1"

SIGN_IN_ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", f"{_API}/registrations", sign_up.read, Access.OPEN, answer=sign_up.SignUpState),
    Route(
        "POST",
        f"{_API}/registrations",
        sign_up.create,
        Access.OPEN,
        status=202,
        body=sign_up.SignUpRequest,
        answer=sign_up.MailSent,
    ),
    Route(
        "POST",
        f"{_API}/email-verifications",
        sign_up.verify,
        Access.OPEN,
        body=sign_up.VerificationRequest,
        answer=session.SessionView,
    ),
    Route(
        "POST",
        f"{_API}/password-resets",
        sign_up.ask_for_reset,
        Access.OPEN,
        status=202,
        body=sign_up.ResetRequest,
        answer=sign_up.MailSent,
    ),
    Route("GET", f"{_API}/sessions", own_sessions.read_all, Access.SESSION, answer=own_sessions.SessionsView),
    Route(
        "DELETE",
        f"{_API}/sessions",
        own_sessions.remove_others,
        Access.SESSION,
        answer=own_sessions.EndedView,
        step_up=True,
    ),
    Route("DELETE", f"{_API}/sessions/{{session_id}}", own_sessions.remove, Access.SESSION, status=204, step_up=True),
    Route(
        "PUT",
        f"{_API}/password",
        own_sessions.change_password,
        Access.SESSION,
        body=own_sessions.PasswordRequest,
        answer=own_sessions.EndedView,
    ),
)
