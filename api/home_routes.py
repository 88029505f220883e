"""The lines of the route table about the home page and the workspace switcher; part of ``api/routes.py``."""

from __future__ import annotations

from typing import Final

from api import home, workspaces
from api.route import Access, Route
from hub.accounts.model import Permission

HOME_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        "/api/v1/workspaces/unread",
        workspaces.read_unread,
        Access.SESSION,
        answer=workspaces.UnreadView,
    ),
    Route(
        "GET",
        "/api/v1/workspaces/{workspace_id}/home",
        home.read,
        Permission.INBOX_READ,
        answer=home.HomeView,
    ),
)
