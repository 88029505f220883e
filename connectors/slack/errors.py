"""Slack's error codes in our words: what the queue does, and what a member reads. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from connectors.http import Answer, read_retry_after, refusal
from hub import clock
from hub.errors import ConnectorErrorInfo, ErrorClass

VENDOR: Final = "Slack"
_CODE: Final = re.compile(r"[a-z0-9_]{2,80}")
_AMBIGUOUS: Final = ErrorClass.AMBIGUOUS


class NoAnswer(Exception):
    """
    A request that got no answer.

    Attributes:
        may_have_left: Whether a part of it may have reached Slack, which may then have acted on it.
    """

    def __init__(self, *, may_have_left: bool) -> None:
        super().__init__("no answer" if may_have_left else "no connection")
        self.may_have_left = may_have_left


_SIGN_IN: Final = (ErrorClass.AUTH, "Slack no longer accepts the sign-in. Sign in again.")
_GONE: Final = (ErrorClass.RECIPIENT, "Slack has no such conversation, or the app is not in it.")
_LONG: Final = (ErrorClass.CONTENT, "Slack takes no text of this length.")
_RULES: Final = (ErrorClass.PERMISSION, "The workspace's rules do not allow this.")
_SCOPE: Final = (ErrorClass.PERMISSION, "The app lacks a permission for this. Sign in again to grant it.")
_HALFWAY: Final = (ErrorClass.AMBIGUOUS, "Slack failed; it may have acted on the request.")
_LATER: Final = (ErrorClass.RETRYABLE, "Slack is away for the moment.")
_EMOJI: Final = (ErrorClass.CONTENT, "Slack does not know this emoji.")

# Source: docs.slack.dev/reference/methods, "Errors" of each method we call, read 2026-11-22. Texts are ours.
_BY_CODE: Final[Mapping[str, tuple[ErrorClass, str]]] = {
    **dict.fromkeys(
        ("invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "invalid_refresh_token"),
        _SIGN_IN,
    ),
    **dict.fromkeys(("channel_not_found", "not_in_channel", "user_not_found", "users_not_found"), _GONE),
    "is_archived": (ErrorClass.RECIPIENT, "The channel was archived in Slack."),
    "user_disabled": (ErrorClass.RECIPIENT, "This person is no longer in Slack."),
    "cannot_dm_bot": (ErrorClass.RECIPIENT, "This is an app; it cannot be written to."),
    "messages_tab_disabled": (
        ErrorClass.RECIPIENT,
        "The app takes no direct messages. Switch on its Messages tab at Slack, under App Home.",
    ),
    **dict.fromkeys(("msg_too_long", "msg_blocks_too_long", "metadata_too_large"), _LONG),
    "no_text": (ErrorClass.CONTENT, "The message has no text."),
    "thread_not_found": (ErrorClass.RECIPIENT, "The thread is no longer in Slack."),
    "message_not_found": (ErrorClass.PERMANENT, "The message is no longer in Slack."),
    "message_limit_exceeded": (ErrorClass.PERMANENT, "The workspace's number of messages is used up."),
    "file_not_found": (ErrorClass.PERMANENT, "The file is no longer in Slack."),
    "file_upload_size_restricted": (ErrorClass.CONTENT, "Slack takes no file of this size here."),
    "files_uploads_disabled": (ErrorClass.PERMISSION, "The workspace does not allow uploads."),
    **dict.fromkeys(
        (
            *("cant_update_message", "cant_delete_message", "cant_delete_file", "edit_window_closed"),
            *("restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel"),
            *("restricted_action_non_threadable_channel", "restricted_action_thread_locked", "access_denied"),
            *("team_access_not_granted", "org_login_required", "ekm_access_denied", "no_permission"),
            "compliance_exports_prevent_deletion",
        ),
        _RULES,
    ),
    **dict.fromkeys(("missing_scope", "not_allowed_token_type"), _SCOPE),
    **dict.fromkeys(("invalid_name", "bad_reaction_name"), _EMOJI),
    **dict.fromkeys(("too_many_emoji", "too_many_reactions"), (ErrorClass.CONTENT, "It has too many reactions.")),
    **dict.fromkeys(("internal_error", "fatal_error"), _HALFWAY),
    **dict.fromkeys(("service_unavailable", "request_timeout", "team_added_to_org"), _LATER),
    # Signing in.
    **dict.fromkeys(
        ("invalid_code", "code_already_used", "bad_redirect_uri", "oauth_authorization_url_mismatch"),
        (ErrorClass.AUTH, "Slack did not accept this sign-in. Try again."),
    ),
    **dict.fromkeys(
        ("invalid_client_id", "bad_client_secret", "invalid_app_id"),
        (ErrorClass.AUTH, "Slack does not know this client id and client secret."),
    ),
}
_THROTTLED: Final = frozenset({"ratelimited", "rate_limited"})


def describe(answer: Answer, code: str) -> ConnectorErrorInfo:
    """
    Say what an answer that is no success means.

    Args:
        answer: As it came; Slack mostly says 200.
        code: What its ``error`` says; empty where it says nothing of Slack's.

    Returns:
        ``AMBIGUOUS`` for what may have happened halfway.
    """
    if answer.status == 429 or code in _THROTTLED:
        wait_s = read_retry_after(answer.headers.get("retry-after", ""), clock.now())
        words = "Slack is taking no more requests for the moment."
        return ConnectorErrorInfo(ErrorClass.RATE_LIMITED, code or "429", words, wait_s)
    if not _CODE.fullmatch(code):
        if answer.status >= 300:
            return refusal(answer, VENDOR)
        return ConnectorErrorInfo(_AMBIGUOUS, "unreadable", "Slack's answer could not be read.")
    if code in _BY_CODE:
        klass, words = _BY_CODE[code]
        wait_s = read_retry_after(answer.headers.get("retry-after", ""), clock.now())
        return ConnectorErrorInfo(klass, code, words, wait_s if klass is ErrorClass.RETRYABLE else None)
    if answer.status >= 300:
        return refusal(answer, VENDOR)
    return ConnectorErrorInfo(ErrorClass.PERMANENT, code, f"Slack refused this ({code}).")


def describe_silence(error: NoAnswer) -> ConnectorErrorInfo:
    """Say what it means that nothing came back."""
    if error.may_have_left:
        return ConnectorErrorInfo(_AMBIGUOUS, "no_answer", "Slack did not answer; it may have acted on the request.")
    return ConnectorErrorInfo(ErrorClass.RETRYABLE, "no_connection", "Slack could not be reached.")
