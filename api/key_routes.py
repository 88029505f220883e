"""Lines of the route table for API keys, personal access tokens and the documentation; part of ``api/routes.py``."""

from __future__ import annotations

from typing import Final

from api import api_keys, docs_page
from api.route import Access, Route
from hub.accounts.model import Permission

_WORKSPACE: Final = "/api/v1/workspaces/{workspace_id}"
_KEYS: Final = f"{_WORKSPACE}/api-keys"
_KEY: Final = f"{_KEYS}/{{key_id}}"
_TOKENS: Final = f"{_WORKSPACE}/personal-tokens"
_TOKEN: Final = f"{_TOKENS}/{{key_id}}"
_PAGING: Final = {"before": "The next of the page before.", "limit": "Rows on a page, 1-200; 50 by default."}

KEY_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        _KEYS,
        api_keys.read_all,
        Permission.KEYS_MANAGE,
        answer=api_keys.KeyPage,
        query=_PAGING,
        people_only=True,
    ),
    Route(
        "POST",
        _KEYS,
        api_keys.create,
        Permission.KEYS_MANAGE,
        status=201,
        body=api_keys.KeyRequest,
        answer=api_keys.MadeKeyView,
        people_only=True,
        shows_secret=True,
        step_up=True,
    ),
    Route(
        "PATCH",
        _KEY,
        api_keys.rename,
        Permission.KEYS_MANAGE,
        body=api_keys.KeyPatch,
        answer=api_keys.KeyView,
        people_only=True,
    ),
    Route(
        "POST",
        f"{_KEY}/rotate",
        api_keys.rotate,
        Permission.KEYS_MANAGE,
        answer=api_keys.MadeKeyView,
        people_only=True,
        shows_secret=True,
        step_up=True,
    ),
    Route("DELETE", _KEY, api_keys.revoke, Permission.KEYS_MANAGE, status=204, people_only=True),
    # Reading is what every role may: everybody makes tokens that act as themselves, and sees their own only.
    Route(
        "GET",
        _TOKENS,
        api_keys.read_own,
        Permission.INBOX_READ,
        answer=api_keys.KeyPage,
        query=_PAGING,
        people_only=True,
    ),
    Route(
        "POST",
        _TOKENS,
        api_keys.create_own,
        Permission.INBOX_READ,
        status=201,
        body=api_keys.KeyRequest,
        answer=api_keys.MadeKeyView,
        people_only=True,
        shows_secret=True,
        step_up=True,
    ),
    Route(
        "PATCH",
        _TOKEN,
        api_keys.rename_own,
        Permission.INBOX_READ,
        body=api_keys.KeyPatch,
        answer=api_keys.KeyView,
        people_only=True,
    ),
    Route(
        "POST",
        f"{_TOKEN}/rotate",
        api_keys.rotate_own,
        Permission.INBOX_READ,
        answer=api_keys.MadeKeyView,
        people_only=True,
        shows_secret=True,
        step_up=True,
    ),
    Route("DELETE", _TOKEN, api_keys.revoke_own, Permission.INBOX_READ, status=204, people_only=True),
    Route("GET", "/api/docs", docs_page.read, Access.OPEN),
    Route("GET", "/api/docs.css", docs_page.read_style, Access.OPEN),
)
