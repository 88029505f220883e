"""The lines of the route table about exports, erasures, consents and retention; part of ``api/routes.py``."""

from __future__ import annotations

from typing import Final

from api import privacy
from api.route import Route
from hub.accounts.model import Permission

_WORKSPACE: Final = "/api/v1/workspaces/{workspace_id}"
_CONTACT: Final = f"{_WORKSPACE}/contacts/{{contact_id}}"
_EXPORT: Final = f"{_CONTACT}/exports/{{export_id}}"
_POLICIES: Final = f"{_WORKSPACE}/retention-policies"
_POLICY: Final = f"{_POLICIES}/{{policy_id}}"
_PAGING: Final = {"before": "The next of the page before.", "limit": "Rows on a page, 1-200; 50 by default."}

PRIVACY_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "POST",
        f"{_CONTACT}/exports",
        privacy.request_export,
        Permission.PRIVACY_MANAGE,
        status=201,
        answer=privacy.ExportView,
        people_only=True,
        step_up=True,
    ),
    Route(
        "GET",
        f"{_CONTACT}/exports",
        privacy.read_exports,
        Permission.PRIVACY_MANAGE,
        answer=privacy.ExportPage,
        query=_PAGING,
    ),
    Route("GET", _EXPORT, privacy.read_export, Permission.PRIVACY_MANAGE, answer=privacy.ExportView),
    Route(
        "GET",
        f"{_EXPORT}/file",
        privacy.download,
        Permission.PRIVACY_MANAGE,
        query={"token": "From the export's address."},
        people_only=True,
    ),
    Route(
        "GET",
        f"{_CONTACT}/erasure-preview",
        privacy.preview_erasure,
        Permission.PRIVACY_MANAGE,
        answer=privacy.PreviewView,
    ),
    Route(
        "POST",
        f"{_CONTACT}/erasures",
        privacy.request_erasure,
        Permission.PRIVACY_MANAGE,
        status=201,
        body=privacy.ErasureRequest,
        answer=privacy.ErasureView,
        people_only=True,
        step_up=True,
    ),
    Route(
        "GET",
        f"{_WORKSPACE}/erasures",
        privacy.read_erasures,
        Permission.PRIVACY_MANAGE,
        answer=privacy.ErasurePage,
        query=_PAGING,
    ),
    Route(
        "GET",
        f"{_WORKSPACE}/erasures/{{erasure_id}}",
        privacy.read_erasure,
        Permission.PRIVACY_MANAGE,
        answer=privacy.ErasureView,
    ),
    Route(
        "POST",
        f"{_CONTACT}/consents",
        privacy.record_consent,
        Permission.CONTACTS_WRITE,
        status=201,
        body=privacy.ConsentRequest,
        answer=privacy.ConsentView,
    ),
    Route(
        "GET",
        f"{_CONTACT}/consents",
        privacy.read_consents,
        Permission.INBOX_READ,
        answer=privacy.ConsentPage,
        query=_PAGING,
    ),
    Route("GET", _POLICIES, privacy.read_policies, Permission.PRIVACY_MANAGE, answer=privacy.PolicyPage, query=_PAGING),
    Route(
        "POST",
        f"{_POLICIES}/preview",
        privacy.preview_policy,
        Permission.PRIVACY_MANAGE,
        body=privacy.PolicyRequest,
        answer=privacy.PreviewView,
    ),
    Route(
        "POST",
        _POLICIES,
        privacy.create_policy,
        Permission.PRIVACY_MANAGE,
        status=201,
        body=privacy.PolicyRequest,
        answer=privacy.PolicyView,
        people_only=True,
        step_up=True,
    ),
    Route(
        "PATCH",
        _POLICY,
        privacy.change_policy,
        Permission.PRIVACY_MANAGE,
        body=privacy.PolicyPatch,
        answer=privacy.PolicyView,
        people_only=True,
        step_up=True,
    ),
    Route("DELETE", _POLICY, privacy.remove_policy, Permission.PRIVACY_MANAGE, status=204),
)
