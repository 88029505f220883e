"""Checks that a call was signed by the member's own program. Pure."""

from __future__ import annotations

from connectors.api.signature import ID, SIGNATURE, TIMESTAMP, TOLERANCE_S, is_signed, sign
from connectors.base import Account, WebhookReply, WebhookRequest
from hub.errors import SignatureRejected


def verify(request: WebhookRequest, account: Account) -> WebhookReply | None:
    """
    Check the signature of a call.

    Args:
        request: The call; its body is raw, as signed.
        account: Whose secret may have signed it.

    Returns:
        None: there is no handshake.

    Raises:
        SignatureRejected: Not signed with this account's secret, or at another time.
    """
    webhook_id, written = request.headers.get(ID, ""), request.headers.get(TIMESTAMP, "")
    if not webhook_id or not written.isascii() or not written.isdigit() or len(written) > 12:
        raise SignatureRejected("The call has no webhook-id or no webhook-timestamp.")
    if abs(request.received_at.timestamp() - int(written)) > TOLERANCE_S:
        raise SignatureRejected("The call was signed more than five minutes ago, or the clocks differ.")
    try:
        expected = sign(account.credentials.get("signing_secret", ""), webhook_id, int(written), request.body)
    except (ValueError, UnicodeEncodeError):
        raise SignatureRejected("This account has no signing secret.") from None
    if not is_signed(request.headers.get(SIGNATURE, ""), expected):
        raise SignatureRejected("The signature is not of this account's secret.")
    return None
