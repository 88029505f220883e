"""Checks that a call was signed by Slack for this account's app, and answers Slack's handshake. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from connectors.base import Account, WebhookReply, WebhookRequest
from hub.errors import MalformedPayload, SignatureRejected

_STAMP: Final = "x-slack-request-timestamp"
_SIGNATURE: Final = "x-slack-signature"
# Longest challenge we give back; Slack's have 52 characters.
_CHALLENGE_CHARS: Final = 500


class _Handshake(msgspec.Struct):
    type: str = ""
    challenge: str = ""


class _At:
    """The verifier's clock stands at the moment the call came, so that a recorded call can be read again."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> float:
        return self._moment.timestamp()


def verify(request: WebhookRequest, account: Account) -> WebhookReply | None:
    """
    Check the signature over the time and the raw body, by Slack's own verifier.

    Args:
        request: The call; its body is raw, as signed.
        account: Whose app's signing secret may have signed it.

    Returns:
        The challenge, where Slack asks whether the address is ours; else None.

    Raises:
        SignatureRejected: Not signed with this secret, or more than five minutes ago.
        MalformedPayload: A handshake without a challenge.

    Source:
        docs.slack.dev/authentication/verifying-requests-from-slack, read 2026-11-22.
    """
    secret = account.credentials.get("signing_secret", "")
    stamp = request.headers.get(_STAMP, "")
    # The verifier's int() would take "+1 " and digits of other scripts, and fail on a number without end.
    if not secret.strip() or not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        raise SignatureRejected("The call is not signed.")
    if not _is_signed(request, secret, stamp):
        raise SignatureRejected("The call is not signed with this app's signing secret, or it is old.")
    return _answer(request.body)


def _is_signed(request: WebhookRequest, secret: str, stamp: str) -> bool:
    from slack_sdk.signature import SignatureVerifier  # a quarter of a second that start-up need not wait for

    verifier = SignatureVerifier(secret, clock=_At(request.received_at))  # type: ignore[arg-type]  # one by its shape
    try:
        return verifier.is_valid(request.body, stamp, request.headers.get(_SIGNATURE, ""))
    except (ValueError, TypeError):
        # A body that is no UTF-8, a signature that is no ASCII: the verifier raises where it should say no.
        return False


def _answer(body: bytes) -> WebhookReply | None:
    if b"url_verification" not in body:
        return None
    try:
        handshake = msgspec.json.decode(body, type=_Handshake)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if handshake.type != "url_verification":
        return None
    challenge = handshake.challenge
    if not challenge.isascii() or not challenge.isprintable() or not 0 < len(challenge) <= _CHALLENGE_CHARS:
        raise MalformedPayload("a handshake without a challenge", field="challenge")
    return WebhookReply(body=challenge.encode())
