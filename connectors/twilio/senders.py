"""Who sends a message through Twilio, who is told of it, which rates it takes from, and its files' addresses. Pure."""

from __future__ import annotations

from connectors.accounts import is_loopback
from connectors.base import Account
from hub.envelope import OutboundMessage
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

CREATE = "messages.create"
# No address of ours holds one.
MEDIA_SEPARATOR = "\n"


def sender_fields(account: Account, prefix: str = "") -> dict[str, str]:
    """Say who sends: the account's messaging service where it has one, else its number, with the channel's prefix."""
    if service := account.settings.get("messaging_service_sid", ""):
        return {"MessagingServiceSid": service}
    return {"From": prefix + account.settings["phone_number"]}


def callback_fields(account: Account, message_id: str) -> dict[str, str]:
    """Say where Twilio reports the state of a message; our id rides in the address."""
    # Twilio refuses the whole message for an address it cannot reach; then there are no receipts, but it is sent.
    if is_loopback(account.webhook_url) and not is_loopback(account.base_url):
        return {}
    separator = "&" if "?" in account.webhook_url else "?"
    return {"StatusCallback": f"{account.webhook_url}{separator}mid={message_id}"}


def media_fields(account: Account, message: OutboundMessage) -> dict[str, str]:
    """
    Name the files of a message by addresses Twilio can fetch.

    Raises:
        ConnectorError: ``PERMANENT`` where Twilio cannot reach us.
    """
    for one in message.attachments:
        # Twilio fetches the file from us; plain http would show it, and its address, to everybody on the way.
        reachable = one.url.startswith("https://") and not is_loopback(one.url)
        if not reachable and not (is_loopback(one.url) and is_loopback(account.base_url)):
            words = (
                "Files by Twilio need this hub at a public https address (HUB_PUBLIC_URL): Twilio fetches them from it."
            )
            raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, "no_public_url", words))
    if not message.attachments:
        return {}
    return {"MediaUrl": MEDIA_SEPARATOR.join(one.url for one in message.attachments)}


def sender_bucket(account: Account, prefix: str = "") -> str:
    """Return the key of the bucket of the sending number, or of the messaging service."""
    sender = account.settings.get("messaging_service_sid", "") or account.settings["phone_number"]
    return f"twilio:sender:{account.credentials.get('account_sid', '')}:{prefix}{sender}"


def account_bucket(account: Account) -> str:
    """Return the key of the bucket of the whole Twilio account."""
    return f"twilio:account:{account.credentials.get('account_sid', '')}"
