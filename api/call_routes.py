"""The lines of the route table about telephone calls; part of ``api/routes.py``."""

from __future__ import annotations

from typing import Final

from api import call_reports, calls, softphones
from api.route import Route
from hub.accounts.model import Permission

_WORKSPACE: Final = "/api/v1/workspaces/{workspace_id}"

CALL_ROUTES: Final[tuple[Route, ...]] = (
    # Only people: a key has no telephone that could ring.
    Route(
        "POST",
        f"{_WORKSPACE}/conversations/{{conversation_id}}/calls",
        calls.place,
        Permission.INBOX_REPLY,
        status=201,
        body=calls.CallRequest,
        answer=calls.CallAccepted,
        people_only=True,
    ),
    Route(
        "POST",
        f"{_WORKSPACE}/channel-accounts/{{channel_account_id}}/softphone",
        softphones.sign_in,
        Permission.INBOX_REPLY,
        status=201,
        answer=softphones.SoftphoneView,
        people_only=True,
        shows_secret=True,
    ),
    # How members do is for those who lead teams.
    Route(
        "GET",
        f"{_WORKSPACE}/reports/calls",
        call_reports.read,
        Permission.TEAMS_MANAGE,
        answer=call_reports.CallReportView,
        query={
            "since": "First day, e.g. 2026-11-01; the default is 30 days.",
            "until": "Last day; the default is today.",
            "time_zone": "Whose days, e.g. Europe/Berlin; the default is UTC.",
            "format": "json (default) or csv.",
        },
    ),
)
