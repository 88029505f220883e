"""The one table of routes: method, path, handler, who may call, status, and the structs for the OpenAPI document."""

from __future__ import annotations

from typing import Final

from api import (
    account_health,
    attachments,
    channel_accounts,
    channels,
    contacts,
    conversations,
    dead_letters,
    demo,
    files,
    health,
    livechat,
    livechat_files,
    livechat_visit,
    mails,
    members,
    openapi,
    session,
    setup,
    snapshot,
    uploads,
    widget,
)
from api.audit_routes import AUDIT_ROUTES
from api.call_routes import CALL_ROUTES
from api.change_routes import CHANGE_ROUTES
from api.connect_routes import CONNECT_ROUTES
from api.factor_routes import FACTOR_ROUTES
from api.home_routes import HOME_ROUTES
from api.image_routes import IMAGE_ROUTES
from api.issuer_routes import ISSUER_ROUTES
from api.key_routes import KEY_ROUTES
from api.notice_routes import NOTICE_ROUTES
from api.operator_routes import OPERATOR_ROUTES
from api.people_routes import PEOPLE
from api.privacy_routes import PRIVACY_ROUTES
from api.route import Access, Route
from api.sign_in_routes import SIGN_IN_ROUTES
from api.text_routes import TEXT_ROUTES
from api.upkeep_routes import UPKEEP
from hub.accounts.model import Permission

_API: Final = "/api/v1"
_WORKSPACE: Final = "/api/v1/workspaces/{workspace_id}"
_CONVERSATION: Final = f"{_WORKSPACE}/conversations/{{conversation_id}}"
_PAGING: Final = {"before": "The next of the page before.", "limit": "Rows on a page, 1-200; 50 by default."}
_ACCOUNTS: Final = f"{_WORKSPACE}/channel-accounts"
_ACCOUNT: Final = f"{_ACCOUNTS}/{{channel_account_id}}"
_DEAD_LETTERS: Final = f"{_WORKSPACE}/dead-letters"
_DEAD_LETTER: Final = f"{_DEAD_LETTERS}/{{dead_letter_id}}"
_ATTACHMENT: Final = f"{_WORKSPACE}/attachments/{{attachment_id}}"
_VARIANT: Final = {"variant": "original, thumbnail or preview.", "download": "1: saved, not shown."}
_LIVECHAT: Final = f"{_API}/livechat/{{channel_account_id}}"


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
    Route("GET", f"{_API}/session", session.read, Access.SESSION, answer=session.SessionView, entered=True),
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
        shows_secret=True,
    ),
    Route(
        "GET",
        f"{_WORKSPACE}/members",
        members.read_all,
        Permission.INBOX_READ,
        answer=members.MembersView,
        query={
            "q": "Part of a name or address.",
            "state": "active or inactive; both by default.",
            "before": "The next of the page before.",
            "limit": "Rows on a page, 1-200; 200 by default.",
        },
    ),
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
    Route(
        "GET",
        _CONVERSATION,
        conversations.read,
        Permission.INBOX_READ,
        answer=conversations.ConversationView,
        versioned="conversation",
    ),
    Route(
        "PATCH",
        _CONVERSATION,
        conversations.change,
        Permission.INBOX_READ,  # the handler asks for more, by what is changed
        body=conversations.ConversationPatch,
        answer=conversations.ConversationChange,
        versioned="conversation",
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
        "GET",
        f"{_CONVERSATION}/messages/{{message_id}}/html",
        mails.read_html,
        Permission.INBOX_READ,
        query={
            "remote": "1 shows pictures from elsewhere, 0 does not; by default as kept for the sender.",
            "theme": "light or dark.",
        },
    ),
    Route(
        "GET", f"{_CONVERSATION}/reply-defaults", mails.read_defaults, Permission.INBOX_READ, answer=mails.ReplyDefaults
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
        versioned="contact",
    ),
    Route(
        "PATCH",
        f"{_WORKSPACE}/contacts/{{contact_id}}",
        contacts.change,
        Permission.CONTACTS_WRITE,
        body=contacts.ContactRequest,
        answer=contacts.ContactChange,
        versioned="contact",
    ),
    *IMAGE_ROUTES,
    # Files.
    Route(
        "POST",
        f"{_WORKSPACE}/attachments",
        attachments.create,
        Permission.INBOX_REPLY,
        status=201,
        body=attachments.NewUpload,
        answer=uploads.UploadView,
        query={
            "filename": "With it the body is the file itself, 8 MiB at most.",
            "mime": "What the file is said to be.",
        },
    ),
    Route("PATCH", f"{_ATTACHMENT}/content", attachments.append, Permission.INBOX_REPLY, answer=uploads.UploadView),
    Route("GET", f"{_ATTACHMENT}/upload", attachments.read_upload, Permission.INBOX_REPLY, answer=uploads.UploadView),
    Route("DELETE", _ATTACHMENT, attachments.remove, Permission.INBOX_REPLY, status=204),
    Route("GET", _ATTACHMENT, attachments.read, Permission.INBOX_READ, query=_VARIANT),
    Route(
        "GET",
        f"{_ATTACHMENT}/link",
        attachments.read_link,
        Permission.INBOX_READ,
        answer=files.LinkView,
        query=_VARIANT,
    ),
    Route("GET", "/files/{token}", files.read, Access.OPEN),
    # Channels.
    *CONNECT_ROUTES,
    Route("GET", f"{_API}/channels", channels.read_all, Access.SESSION, answer=channels.ChannelsView, entered=True),
    Route(
        "GET",
        _ACCOUNTS,
        channel_accounts.read_all,
        Permission.CHANNELS_MANAGE,
        answer=channel_accounts.AccountsView,
    ),
    Route(
        "POST",
        _ACCOUNTS,
        channel_accounts.connect,
        Permission.CHANNELS_MANAGE,
        status=201,
        body=channel_accounts.ConnectRequest,
        answer=channel_accounts.ConnectedView,
    ),
    Route(
        "PATCH",
        _ACCOUNT,
        channel_accounts.change,
        Permission.CHANNELS_MANAGE,
        body=channel_accounts.ChangeRequest,
        answer=channel_accounts.ConnectedView,
        versioned="channel_account",
    ),
    Route("DELETE", _ACCOUNT, channel_accounts.remove, Permission.CHANNELS_MANAGE, status=204),
    Route(
        "POST",
        f"{_ACCOUNT}/test",
        account_health.test,
        Permission.CHANNELS_MANAGE,
        answer=channel_accounts.TestedView,
    ),
    Route(
        "POST",
        f"{_ACCOUNT}/secrets/{{name}}",
        channel_accounts.renew_secret,
        Permission.CHANNELS_MANAGE,
        answer=channel_accounts.SecretView,
        shows_secret=True,
    ),
    Route("DELETE", f"{_WORKSPACE}/demo", demo.remove, Permission.CHANNELS_MANAGE, status=204),
    # What could not be stored.
    Route(
        "GET",
        _DEAD_LETTERS,
        dead_letters.read_all,
        Permission.CHANNELS_MANAGE,
        answer=dead_letters.DeadLetterPage,
        query={"state": "new, replayed or dropped; new by default.", **_PAGING},
    ),
    Route(
        "POST",
        f"{_DEAD_LETTERS}/replay",
        dead_letters.replay_many,
        Permission.CHANNELS_MANAGE,
        body=dead_letters.ReplayRequest,
        answer=dead_letters.ReplayedView,
    ),
    Route("GET", _DEAD_LETTER, dead_letters.read, Permission.CHANNELS_MANAGE, answer=dead_letters.DeadLetterDetail),
    Route(
        "POST",
        f"{_DEAD_LETTER}/replay",
        dead_letters.replay,
        Permission.CHANNELS_MANAGE,
        answer=dead_letters.DeadLetterChange,
    ),
    Route(
        "POST",
        f"{_DEAD_LETTER}/drop",
        dead_letters.drop,
        Permission.CHANNELS_MANAGE,
        answer=dead_letters.DeadLetterChange,
    ),
    # Live chat.
    Route("GET", _LIVECHAT, livechat.read, Access.VISITOR, answer=livechat.ChatView),
    Route("OPTIONS", _LIVECHAT, livechat.preflight, Access.VISITOR, status=204),
    Route(
        "POST",
        f"{_LIVECHAT}/visitors",
        livechat.visit,
        Access.VISITOR,
        body=livechat_visit.VisitRequest,
        answer=livechat.VisitView,
    ),
    Route("OPTIONS", f"{_LIVECHAT}/visitors", livechat.preflight, Access.VISITOR, status=204),
    Route(
        "GET",
        f"{_LIVECHAT}/messages",
        livechat.read_messages,
        Access.VISITOR,
        answer=livechat.VisitorPage,
        query={"before": "The ``next`` of the page before."},
    ),
    Route("OPTIONS", f"{_LIVECHAT}/messages", livechat.preflight, Access.VISITOR, status=204),
    Route(
        "POST",
        f"{_LIVECHAT}/attachments",
        livechat_files.create,
        Access.VISITOR,
        status=201,
        body=livechat_files.NewVisitorUpload,
        answer=uploads.UploadView,
        query={
            "filename": "With it the body is the file itself, 8 MiB at most.",
            "mime": "What the file is said to be.",
        },
    ),
    Route("OPTIONS", f"{_LIVECHAT}/attachments", livechat.preflight, Access.VISITOR, status=204),
    Route(
        "PATCH",
        f"{_LIVECHAT}/attachments/{{attachment_id}}/content",
        livechat_files.append,
        Access.VISITOR,
        answer=uploads.UploadView,
    ),
    Route(
        "OPTIONS",
        f"{_LIVECHAT}/attachments/{{attachment_id}}/content",
        livechat.preflight,
        Access.VISITOR,
        status=204,
    ),
    Route("DELETE", f"{_LIVECHAT}/attachments/{{attachment_id}}", livechat_files.remove, Access.VISITOR, status=204),
    Route(
        "GET",
        f"{_LIVECHAT}/attachments/{{attachment_id}}",
        livechat_files.read,
        Access.VISITOR,
        answer=livechat_files.VisitorFileView,
        query=_VARIANT,
    ),
    Route("OPTIONS", f"{_LIVECHAT}/attachments/{{attachment_id}}", livechat.preflight, Access.VISITOR, status=204),
    Route("GET", "/widget.js", widget.read_script, Access.OPEN),
    Route("GET", "/widget-assets/{name:path}", widget.read_asset, Access.OPEN),
    Route("GET", "/widget/{channel_account_id}", widget.read_frame, Access.OPEN),
    Route("GET", "/sample/{channel_account_id}", widget.read_sample, Access.OPEN),
    # API keys, personal access tokens, and the documentation.
    *KEY_ROUTES,
    *AUDIT_ROUTES,
    # What a member is told.
    *NOTICE_ROUTES,
    *HOME_ROUTES,
    *FACTOR_ROUTES,
    *SIGN_IN_ROUTES,
    *ISSUER_ROUTES,
    *CHANGE_ROUTES,
    *CALL_ROUTES,
    *PEOPLE,
    *UPKEEP,
    *PRIVACY_ROUTES,
    *TEXT_ROUTES,
    *OPERATOR_ROUTES,
)
