"""The lines of the route table about notices, pushes and digests; part of ``api/routes.py``."""

from __future__ import annotations

from typing import Final

from api import notices, push_browsers
from api.route import Access, Route
from hub.accounts.model import Permission

_API: Final = "/api/v1"
_WORKSPACE: Final = "/api/v1/workspaces/{workspace_id}"
_BROWSER: Final = f"{_API}/push-subscriptions/{{subscription_id}}"
_PAGING: Final = {"before": "The next of the page before.", "limit": "Rows on a page, 1-200; 50 by default."}

NOTICE_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        f"{_WORKSPACE}/notices",
        notices.read_all,
        Permission.INBOX_READ,
        answer=notices.NoticePage,
        query={**_PAGING, "unread": "1: only those not read."},
    ),
    Route(
        "POST",
        f"{_WORKSPACE}/notices/read",
        notices.mark_read,
        Permission.INBOX_READ,
        body=notices.MarkRequest,
        answer=notices.MarkedView,
    ),
    Route(
        "POST",
        f"{_WORKSPACE}/notices/unread",
        notices.mark_unread,
        Permission.INBOX_READ,
        body=notices.UnreadRequest,
        answer=notices.MarkedView,
    ),
    Route(
        "POST",
        f"{_WORKSPACE}/notices/seen",
        notices.mark_seen,
        Permission.INBOX_READ,
        body=notices.SeenRequest,
        answer=notices.MarkedView,
    ),
    Route(
        "GET",
        f"{_WORKSPACE}/notice-settings",
        notices.read_settings,
        Permission.INBOX_READ,
        answer=notices.SettingsView,
    ),
    Route(
        "PATCH",
        f"{_WORKSPACE}/notice-settings",
        notices.change_settings,
        Permission.INBOX_READ,
        body=notices.SettingsRequest,
        answer=notices.SettingsView,
    ),
    Route("GET", f"{_API}/push-key", notices.read_push_key, Access.SESSION, answer=notices.PushKeyView),
    Route(
        "POST",
        f"{_API}/push-subscriptions",
        notices.subscribe,
        Access.SESSION,
        status=201,
        body=notices.SubscriptionRequest,
        answer=notices.SubscriptionView,
    ),
    Route(
        "DELETE",
        f"{_API}/push-subscriptions",
        notices.unsubscribe,
        Access.SESSION,
        status=204,
        body=notices.EndRequest,
    ),
    Route(
        "GET", f"{_API}/push-subscriptions", push_browsers.read_all, Access.SESSION, answer=push_browsers.BrowsersView
    ),
    Route("DELETE", _BROWSER, push_browsers.remove, Access.SESSION, status=204),
    Route("POST", f"{_BROWSER}/test", push_browsers.try_out, Access.SESSION, answer=push_browsers.TriedView),
    # The link's signature says whose; mail programs bring neither cookies nor an Origin.
    Route(
        "GET",
        f"{_API}/digests/unsubscribe",
        notices.ask_to_end_digests,
        Access.OPEN,
        query={"token": "Of the mail's link."},
    ),
    Route(
        "POST",
        f"{_API}/digests/unsubscribe",
        notices.end_digests,
        Access.VENDOR,
        answer=notices.EndedView,
        query={"token": "Of the mail's link."},
    ),
)
