"""Lines of the route table for the audit log; part of ``api/routes.py``."""

from __future__ import annotations

from typing import Final

from api import audit
from api.route import Route
from hub.accounts.model import Permission

_PAGING: Final = {"before": "The next of the page before.", "limit": "Rows on a page, 1-200; 50 by default."}
_AUDIT: Final = "/api/v1/workspaces/{workspace_id}/audit"
_AUDIT_FILTERS: Final = {
    "actor_id": "Done by this member, login or key.",
    "action": "How the action begins: ``member.`` or ``member.role_changed``.",
    "target_kind": "Kind of what was acted upon: member, inbox, channel_account.",
    "target_id": "Its id.",
    "address": "Where the call came from.",
    "since": "Not before this day or time.",
    "until": "Before this day or time.",
}

AUDIT_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        _AUDIT,
        audit.read_all,
        Permission.AUDIT_READ,
        answer=audit.AuditPage,
        query={**_AUDIT_FILTERS, **_PAGING},
    ),
    Route(
        "GET",
        f"{_AUDIT}/export",
        audit.export,
        Permission.AUDIT_READ,
        query={"format": "csv (default) or jsonl.", **_AUDIT_FILTERS},
        step_up=True,
    ),
    Route("GET", f"{_AUDIT}/actions", audit.read_actions, Permission.AUDIT_READ, answer=audit.ActionsView),
    Route(
        "GET",
        f"{_AUDIT}/heads",
        audit.read_heads,
        Permission.AUDIT_READ,
        answer=audit.HeadsPage,
        query={"after": "The ``next`` of the page before.", "limit": _PAGING["limit"]},
    ),
)
