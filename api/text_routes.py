"""The lines of the route table about sealed texts; part of ``api/routes.py``."""

from __future__ import annotations

from typing import Final

from api import texts
from api.route import Route
from hub.accounts.model import Permission

_SEALING: Final = "/api/v1/workspaces/{workspace_id}/message-sealing"

TEXT_ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", _SEALING, texts.read, Permission.WORKSPACE_MANAGE, answer=texts.SealingView),
    Route(
        "PUT",
        _SEALING,
        texts.change,
        Permission.WORKSPACE_MANAGE,
        body=texts.SealingRequest,
        answer=texts.SealingView,
        people_only=True,
        step_up=True,
    ),
    Route(
        "POST",
        f"{_SEALING}/key-changes",
        texts.change_key,
        Permission.WORKSPACE_MANAGE,
        status=201,
        answer=texts.SealingView,
        people_only=True,
        step_up=True,
    ),
)
