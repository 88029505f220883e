"""The part of the route table about channels that are connected by signing in at their vendor, and how accounts do."""

from __future__ import annotations

from typing import Final

from api import account_health, connecting
from api.route import Access, Route
from hub.accounts.model import Permission
from hub.channels.connecting.model import AttemptState

_ACCOUNTS: Final = "/api/v1/workspaces/{workspace_id}/channel-accounts"
_ACCOUNT: Final = f"{_ACCOUNTS}/{{channel_account_id}}"

CONNECT_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "POST",
        f"{_ACCOUNTS}/oauth",
        connecting.begin,
        Permission.CHANNELS_MANAGE,
        status=201,
        body=connecting.SignInRequest,
        answer=connecting.SignInView,
        people_only=True,
        shows_secret=True,
    ),
    Route(
        "GET",
        f"{_ACCOUNTS}/oauth/{{attempt_id}}",
        connecting.read,
        Permission.CHANNELS_MANAGE,
        answer=AttemptState,
        people_only=True,
    ),
    Route(
        "GET",
        f"{_ACCOUNT}/health",
        account_health.read,
        Permission.CHANNELS_MANAGE,
        answer=account_health.AccountHealth,
    ),
    # The vendor sends the browser here; what comes out is a page of the app.
    Route(
        "GET",
        "/connect/{channel}/callback",
        connecting.come_back,
        Access.OPEN,
        status=303,
        query={"state": "Of the attempt.", "code": "For the token endpoint.", "error": "Instead of a code."},
    ),
)
