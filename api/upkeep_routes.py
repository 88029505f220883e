"""The routes of what accounts are looked after with; a part of the one table, ``routes.py``."""

from __future__ import annotations

from typing import Final

from api import templates
from api.route import Route
from hub.accounts.model import Permission

_TEMPLATES: Final = "/api/v1/workspaces/{workspace_id}/channel-accounts/{channel_account_id}/templates"

UPKEEP: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        _TEMPLATES,
        templates.read,
        Permission.INBOX_REPLY,
        answer=templates.TemplatesView,
    ),
    Route(
        "POST",
        f"{_TEMPLATES}/refresh",
        templates.refresh,
        Permission.INBOX_REPLY,
        answer=templates.TemplatesView,
    ),
)
