"""Sends messages through Twilio and looks for one nobody confirmed, for SMS and WhatsApp alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, TypeVar

import msgspec

from connectors.base import Account, Call
from connectors.twilio.asking import ask
from connectors.twilio.callbacks import read_status
from connectors.twilio.errors import describe_code
from connectors.twilio.senders import MEDIA_SEPARATOR, account_bucket, sender_bucket
from hub.envelope import DeliveryStatus, OutboundMessage, SendResult
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

if TYPE_CHECKING:
    from twilio.rest import Client
    from twilio.rest.api.v2010.account.message import MessageInstance

T = TypeVar("T")

_ARGUMENTS = {
    "To": "to",
    "From": "from_",
    "MessagingServiceSid": "messaging_service_sid",
    "Body": "body",
    "ContentSid": "content_sid",
    "ContentVariables": "content_variables",
    "StatusCallback": "status_callback",
}
# Codes that speak of one sender's queue; every other throttle is the account's.
_SENDER_CODES = frozenset({"21611", "30001", "30022", "63018"})
# Twilio dates messages in whole seconds; a message of ours cannot be older than the try that made it.
_SEARCH_WINDOW = timedelta(seconds=60)
_SEARCH_LIMIT = 50


@dataclass(frozen=True, slots=True)
class MessagesClient:
    """
    The functions of a channel of messages that reach Twilio.

    Attributes:
        timeout_s: For connecting, and for each wait for bytes.
    """

    # Stands before the channel's addresses at Twilio, e.g. ``whatsapp:``.
    prefix: ClassVar[str] = ""

    timeout_s: float = 10.0

    async def send(self, account: Account, _message: OutboundMessage, calls: Sequence[Call]) -> SendResult:
        """
        Send one rendered message, once.

        Args:
            account: Whose keys are used.
            _message: What was rendered.
            calls: The one call of ``render``.

        Returns:
            Twilio's SID. Its "queued" is our ``SENT``.

        Raises:
            ConnectorError: ``AMBIGUOUS`` when it may have been sent.
        """
        arguments = {_ARGUMENTS[name]: value for name, value in calls[0].fields.items() if name != "MediaUrl"}
        media = calls[0].fields.get("MediaUrl", "")
        urls = media.split(MEDIA_SEPARATOR) if media else []
        created = await self.ask(account, lambda client: _create(client, arguments, urls))
        if not isinstance(created.sid, str) or not created.sid:
            raise ConnectorError(
                ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "no_sid", "Twilio's answer could not be read.")
            )
        result = _result(created)
        if result.status is DeliveryStatus.FAILED:
            raise ConnectorError(describe_code(int(created.error_code or 0)))
        return result

    async def reconcile(self, account: Account, message: OutboundMessage) -> SendResult | None:
        """
        Look for a message whose sending was not confirmed.

        Twilio returns no reference of ours, so only a single message of the same sender, recipient and text, made
        within a minute of our try, counts. Two of them, or none, prove nothing.

        Args:
            account: Whose messages are listed.
            message: ``attempted_at`` says when the try began; without it nothing can be told.

        Returns:
            The message found, ``FAILED`` where Twilio says so; or None.

        Raises:
            ConnectorError: Twilio could not be asked.
        """
        if message.attempted_at is None:
            return None
        first = message.attempted_at.replace(microsecond=0)
        service = account.settings.get("messaging_service_sid", "")
        sender = "" if service else self.prefix + account.settings["phone_number"]
        listed = await self.ask(account, lambda client: _list_messages(client, self.prefix + message.to.value, sender))
        found = [
            one
            for one in listed
            if one.date_created is not None
            and first <= one.date_created <= first + _SEARCH_WINDOW
            and (one.body or "") == message.text
            and str(one.num_media or "0") == str(len(message.attachments))
            and (not service or one.messaging_service_sid == service)
            and str(one.direction or "").startswith("outbound")
        ]
        return _result(found[0]) if len(found) == 1 else None

    async def ask(self, account: Account, question: Callable[[Client], T]) -> T:
        """
        Put a question to Twilio; a throttled one says whose bucket waits.

        Raises:
            ConnectorError: As ``asking.ask``.
        """
        try:
            return await ask(account, self.timeout_s, question)
        except ConnectorError as error:
            if error.info.klass is not ErrorClass.RATE_LIMITED:
                raise
            own = error.info.code in _SENDER_CODES
            bucket = sender_bucket(account, self.prefix) if own else account_bucket(account)
            raise ConnectorError(msgspec.structs.replace(error.info, bucket=bucket)) from error


def _create(client: Client, arguments: dict[str, str], media_urls: list[str]) -> MessageInstance:
    if media_urls:
        return client.messages.create(**arguments, media_url=media_urls)
    return client.messages.create(**arguments)


def _list_messages(client: Client, recipient: str, sender: str) -> list[MessageInstance]:
    """List what was sent to a recipient, by one sender or, where that is empty, by any."""
    if not sender:
        return client.messages.list(to=recipient, limit=_SEARCH_LIMIT)
    return client.messages.list(to=recipient, from_=sender, limit=_SEARCH_LIMIT)


def _result(message: MessageInstance) -> SendResult:
    status = read_status(str(message.status or "")) or DeliveryStatus.SENT
    return SendResult(external_ids=(str(message.sid),), status=status)
