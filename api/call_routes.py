"""The lines of the route table about telephone calls; part of ``api/routes.py``."""

from __future__ import annotations

from typing import Final

from api import calls, softphones
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
)
