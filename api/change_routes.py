"""The routes that change messages; a part of the one table, ``routes.py``."""

from __future__ import annotations

from typing import Final

from api import changes
from api.route import Route
from hub.accounts.model import Permission

_MESSAGE: Final = "/api/v1/workspaces/{workspace_id}/conversations/{conversation_id}/messages/{message_id}"
_REACTION: Final = f"{_MESSAGE}/reactions/{{emoji}}"

CHANGE_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "PATCH",
        _MESSAGE,
        changes.edit,
        Permission.INBOX_REPLY,
        body=changes.EditRequest,
        answer=changes.ChangeView,
    ),
    Route("DELETE", _MESSAGE, changes.remove, Permission.INBOX_REPLY, answer=changes.ChangeView),
    Route("DELETE", f"{_MESSAGE}/change", changes.dismiss, Permission.INBOX_REPLY, answer=changes.ChangeView),
    Route("GET", f"{_MESSAGE}/versions", changes.read_versions, Permission.INBOX_READ, answer=changes.VersionsView),
    Route("PUT", _REACTION, changes.react, Permission.INBOX_REPLY, answer=changes.ChangeView),
    Route("DELETE", _REACTION, changes.unreact, Permission.INBOX_REPLY, answer=changes.ChangeView),
)
