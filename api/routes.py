"""The one table of routes: method, path, handler, who may call, status, and the structs for the OpenAPI document."""

from __future__ import annotations

from typing import Final

from api import contacts, conversations, health, members, openapi, session, setup, snapshot
from api.route import Access, Route
from hub.accounts.model import Permission

_API: Final = "/api/v1"
_WORKSPACE: Final = "/api/v1/workspaces/{workspace_id}"
_CONVERSATION: Final = f"{_WORKSPACE}/conversations/{{conversation_id}}"
_PAGING: Final = {"before": "The next of the page before.", "limit": "Rows on a page, 1-200; 50 by default."}

ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/healthz", health.alive, Access.OPEN, answer=health.Health),
    Route("GET", "/readyz", health.ready, Access.OPEN, answer=health.Readiness),
    Route("GET", "/metrics", health.metrics, Access.OPEN),
    Route("GET", f"{_API}/openapi.json", openapi.read, Access.OPEN),
    Route("GET", f"{_API}/setup", setup.read, Access.OPEN, answer=setup.SetUpState),
    Route("POST", f"{_API}/setup", setup.create, Access.OPEN, body=setup.SetUpRequest, answer=setup.SetUpDone),
    Route(
        "POST", f"{_API}/session", session.create, Access.OPEN, body=session.SignInRequest, answer=session.SessionView
    ),
    Route("GET", f"{_API}/session", session.read, Access.SESSION, answer=session.SessionView),
    # Open: a browser whose session has ended must still be able to drop its cookie.
    Route("DELETE", f"{_API}/session", session.remove, Access.OPEN, status=204),
    Route(
        "POST",
        f"{_API}/password-links",
        session.use_link,
        Access.OPEN,
        body=session.LinkRequest,
        answer=session.SessionView,
    ),
    Route(
        "POST",
        f"{_API}/socket-tickets",
        session.issue_ticket,
        Access.SESSION,
        body=session.TicketRequest,
        answer=session.TicketView,
    ),
    Route("GET", f"{_WORKSPACE}/members", members.read_all, Permission.INBOX_READ, answer=members.MembersView),
    Route(
        "GET",
        f"{_WORKSPACE}/snapshot",
        snapshot.read,
        Permission.INBOX_READ,
        answer=snapshot.Snapshot,
        query={"limit": "Most conversations, 1-200; 50 by default."},
    ),
    Route(
        "GET",
        f"{_WORKSPACE}/conversations",
        conversations.read_all,
        Permission.INBOX_READ,
        answer=conversations.ConversationPage,
        query={
            "status": "open, pending, snoozed or closed; all by default.",
            "assignee": "me, none, or a member's id.",
            "contact": "A contact's id.",
            **_PAGING,
        },
    ),
    Route("GET", _CONVERSATION, conversations.read, Permission.INBOX_READ, answer=conversations.ConversationView),
    Route(
        "PATCH",
        _CONVERSATION,
        conversations.change,
        Permission.INBOX_READ,  # the handler asks for more, by what is changed
        body=conversations.ConversationPatch,
        answer=conversations.ConversationChange,
    ),
    Route(
        "GET",
        f"{_CONVERSATION}/messages",
        conversations.read_messages,
        Permission.INBOX_READ,
        answer=conversations.MessagePage,
        query=_PAGING,
    ),
    Route(
        "POST",
        f"{_CONVERSATION}/messages",
        conversations.send,
        Permission.INBOX_REPLY,
        status=201,
        body=conversations.NewMessage,
        answer=conversations.MessageAccepted,
    ),
    Route(
        "POST",
        f"{_CONVERSATION}/messages/{{message_id}}/retry",
        conversations.retry,
        Permission.INBOX_REPLY,
        answer=conversations.SeqView,
    ),
    Route(
        "PUT",
        f"{_CONVERSATION}/read",
        conversations.mark_read,
        Permission.INBOX_READ,
        body=conversations.ReadRequest,
        answer=conversations.SeqView,
    ),
    Route(
        "GET",
        f"{_WORKSPACE}/contacts",
        contacts.read_all,
        Permission.INBOX_READ,
        answer=contacts.ContactPage,
        query={"q": "Part of a name or address.", **_PAGING},
    ),
    Route(
        "GET",
        f"{_WORKSPACE}/contacts/{{contact_id}}",
        contacts.read,
        Permission.INBOX_READ,
        answer=contacts.ContactView,
    ),
    Route(
        "PATCH",
        f"{_WORKSPACE}/contacts/{{contact_id}}",
        contacts.change,
        Permission.CONTACTS_WRITE,
        body=contacts.ContactRequest,
        answer=contacts.ContactChange,
    ),
)
