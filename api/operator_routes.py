"""The part of the route table for operators of the installation, and about what a workspace uses."""

from __future__ import annotations

from typing import Final

from api import operator, usage
from api.route import Access, Route
from hub.accounts.model import Permission
from hub.installation.model import Usage

_OPERATOR: Final = "/api/v1/operator"
_ONE: Final = f"{_OPERATOR}/workspaces/{{id}}"
_WORKSPACE: Final = "/api/v1/workspaces/{workspace_id}"
_LIST: Final = {
    "q": "Part of a name or id.",
    "before": "The next of the page before.",
    "limit": "Rows on a page, 1-200; 50 by default.",
}

OPERATOR_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        f"{_OPERATOR}/workspaces",
        operator.read_workspaces,
        Access.OPERATOR,
        answer=operator.WorkspacePage,
        query=_LIST,
    ),
    Route("GET", _ONE, operator.read_workspace, Access.OPERATOR, answer=operator.WorkspaceDetail),
    Route(
        "PUT",
        f"{_ONE}/limits",
        operator.set_limits,
        Access.OPERATOR,
        body=operator.LimitsRequest,
        answer=operator.LimitsView,
    ),
    Route(
        "PUT",
        f"{_ONE}/suspension",
        operator.suspend,
        Access.OPERATOR,
        body=operator.SuspensionRequest,
        answer=operator.WorkspaceDetail,
        step_up=True,
    ),
    Route("DELETE", f"{_ONE}/suspension", operator.resume, Access.OPERATOR, answer=operator.WorkspaceDetail),
    Route(
        "PUT",
        f"{_ONE}/flags/{{name}}",
        operator.set_workspace_flag,
        Access.OPERATOR,
        body=operator.FlagRequest,
        answer=operator.FlagsView,
    ),
    Route(
        "POST",
        f"{_ONE}/entering",
        operator.enter,
        Access.OPERATOR,
        status=201,
        body=operator.EnterRequest,
        answer=operator.EnteredView,
        step_up=True,
        shows_secret=True,
    ),
    Route("GET", f"{_OPERATOR}/flags", operator.read_flags, Access.OPERATOR, answer=operator.FlagsView),
    Route(
        "PUT",
        f"{_OPERATOR}/flags/{{name}}",
        operator.set_flag,
        Access.OPERATOR,
        body=operator.FlagRequest,
        answer=operator.FlagsView,
    ),
    Route("GET", f"{_OPERATOR}/health", operator.health, Access.OPERATOR, answer=operator.HealthView),
    # The operator's own way out: with the session of the stay.
    Route("DELETE", "/api/v1/entered", operator.leave, Access.SESSION, status=204, entered=True),
    Route("GET", f"{_WORKSPACE}/usage", usage.read, Permission.CHANNELS_MANAGE, answer=Usage),
    Route(
        "GET",
        f"{_WORKSPACE}/operators",
        usage.read_operators,
        Permission.AUDIT_READ,
        answer=usage.OperatorsView,
    ),
    Route(
        "PUT",
        f"{_WORKSPACE}/operators",
        usage.change_operators,
        Permission.WORKSPACE_MANAGE,
        body=usage.OperatorsRequest,
        answer=usage.OperatorsView,
        people_only=True,
    ),
    Route(
        "DELETE",
        f"{_WORKSPACE}/operators/entered/{{session_id}}",
        usage.end_entered,
        Permission.WORKSPACE_MANAGE,
        status=204,
        people_only=True,
    ),
)
