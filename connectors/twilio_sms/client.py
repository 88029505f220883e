"""Talks to Twilio through its SDK: checks keys, sends, and looks for a message nobody confirmed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import msgspec

from connectors.accounts import is_loopback
from connectors.base import Account, Call, Checked
from connectors.blocking import in_thread
from connectors.twilio_sms.errors import NoAnswer, describe_answer, describe_code
from connectors.twilio_sms.numbers import canonical_number, is_e164
from connectors.twilio_sms.parse import read_status
from connectors.twilio_sms.render import MEDIA_SEPARATOR, account_bucket, sender_bucket
from hub.envelope import DeliveryStatus, OutboundMessage, SendResult
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, InvalidInput

if TYPE_CHECKING:
    from twilio.base.exceptions import TwilioRestException, TwilioServiceException
    from twilio.rest import Client
    from twilio.rest.api.v2010.account.incoming_phone_number import IncomingPhoneNumberInstance
    from twilio.rest.api.v2010.account.message import MessageInstance

T = TypeVar("T")

_ARGUMENTS = {
    "To": "to",
    "From": "from_",
    "MessagingServiceSid": "messaging_service_sid",
    "Body": "body",
    "StatusCallback": "status_callback",
}
# Codes that speak of one sender's queue; every other throttle is the account's.
_SENDER_CODES = frozenset({"21611", "30001", "30022", "63018"})
# Twilio dates messages in whole seconds; a message of ours cannot be older than the try that made it.
_SEARCH_WINDOW = timedelta(seconds=60)
_SEARCH_LIMIT = 50


@dataclass(frozen=True, slots=True)
class TwilioClient:
    """
    The functions of the connector that reach Twilio.

    Attributes:
        timeout_s: For connecting, and for each wait for bytes.
    """

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
        created = await self._ask(account, lambda client: _create(client, arguments, urls))
        if not isinstance(created.sid, str) or not created.sid:
            raise ConnectorError(
                ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "no_sid", "Twilio's answer could not be read.")
            )
        result = _result(created)
        if result.status is DeliveryStatus.FAILED:
            raise ConnectorError(describe_code(int(created.error_code or 0)))
        return result

    async def check(self, account: Account) -> Checked:
        """
        Ask Twilio whether the keys open the account, and whether the number is there and points to us.

        Args:
            account: Not saved yet.

        Returns:
            The number's SID, and what is still to be set at Twilio, in words.

        Raises:
            ConnectorError: ``AUTH`` for wrong keys, ``ACCOUNT`` for a closed account, ``RETRYABLE`` without an answer.
            InvalidInput: The number is not one of this account, or cannot send SMS.
        """
        number = canonical_number(account.settings.get("phone_number", ""))
        if not is_e164(number):
            raise InvalidInput("phone_number", "Enter the number with its country code, e.g. +15551230001.")
        if not account.credentials.get("auth_token", "").isascii():
            raise InvalidInput("auth_token", "An Auth Token has only letters and digits.")
        return await self._ask(account, lambda client: _check(client, account, number))

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
        sender = "" if service else account.settings["phone_number"]
        listed = await self._ask(account, lambda client: _list_messages(client, message.to.value, sender))
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

    async def _ask(self, account: Account, question: Callable[[Client], T]) -> T:
        """Ask through the SDK in a thread, which also loads it: half a second that receiving alone never needs."""
        return await in_thread(lambda: _answer(account, self.timeout_s, question))


def _answer(account: Account, timeout_s: float, question: Callable[[Client], T]) -> T:
    """Call the SDK; whatever goes wrong becomes a ``ConnectorError`` with the bucket it names."""
    from twilio.base.exceptions import TwilioRestException, TwilioServiceException
    from twilio.rest import Client

    from connectors.twilio_sms.transport import Wire

    wire = Wire(account.base_url, timeout_s)
    client = Client(  # type: ignore[no-untyped-call]  # the SDK's constructor has no annotations
        account.credentials.get("account_sid", ""),
        account.credentials.get("auth_token", ""),
        http_client=wire,
        # Not the process's environment: TWILIO_REGION and TWILIO_EDGE would send the request elsewhere.
        environment={"TWILIO_REGION": ""},
    )
    try:
        return question(client)
    except (TwilioRestException, TwilioServiceException) as error:
        info = describe_answer(error.status, _code(error), wire.retry_after_s)
        raise ConnectorError(_with_bucket(info, account)) from error
    except (NoAnswer, ValueError, AttributeError, TypeError) as error:
        raise ConnectorError(classify(error)) from error
    finally:
        wire.close()


def classify(error: BaseException) -> ConnectorErrorInfo:
    """
    Turn whatever sending let through into our words.

    Args:
        error: Ours, the SDK's, or any other.

    Returns:
        ``AMBIGUOUS`` for everything that does not prove the message was not taken.
    """
    match error:
        case ConnectorError():
            return error.info
        case NoAnswer(body_left=False):
            return ConnectorErrorInfo(ErrorClass.RETRYABLE, "no_connection", "Twilio could not be reached.")
        case NoAnswer():
            return ConnectorErrorInfo(
                ErrorClass.AMBIGUOUS, "no_answer", "Twilio did not answer; it may have been sent."
            )
        case _ if (status := _sdk_status(error)) is not None:
            return describe_answer(status[0], status[1], None)
        case _:
            return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "unreadable", "Twilio's answer could not be read.")


def _sdk_status(error: BaseException) -> tuple[int, int] | None:
    """Return status and code of an error of the SDK, None for any other; an SDK that is not loaded raised nothing."""
    if "twilio.base.exceptions" not in sys.modules:
        return None
    from twilio.base.exceptions import TwilioRestException, TwilioServiceException

    if not isinstance(error, (TwilioRestException, TwilioServiceException)):
        return None
    return error.status, _code(error)


def _create(client: Client, arguments: dict[str, str], media_urls: list[str]) -> MessageInstance:
    if media_urls:
        return client.messages.create(**arguments, media_url=media_urls)
    return client.messages.create(**arguments)


def _list_messages(client: Client, recipient: str, sender: str) -> list[MessageInstance]:
    """List what was sent to a recipient, by one sender or, where that is empty, by any."""
    if not sender:
        return client.messages.list(to=recipient, limit=_SEARCH_LIMIT)
    return client.messages.list(to=recipient, from_=sender, limit=_SEARCH_LIMIT)


def _check(client: Client, account: Account, number: str) -> Checked:
    _check_account(client, account.credentials.get("account_sid", ""))
    numbers = client.incoming_phone_numbers.list(phone_number=number, limit=5)
    found = next((one for one in numbers if one.phone_number == number), None)
    if found is None:
        raise InvalidInput("phone_number", "This Twilio account has no such number.")
    capabilities: object = found.capabilities  # the SDK's annotation says str; Twilio sends an object
    if isinstance(capabilities, dict) and capabilities.get("sms") is False:
        raise InvalidInput("phone_number", "This number cannot send SMS.")
    return Checked(external_ref=found.sid or "", warnings=_point_to_us(found, account))


def _check_account(client: Client, account_sid: str) -> None:
    from twilio.base.exceptions import TwilioRestException

    try:
        status = client.api.v2010.accounts(account_sid).fetch().status
    except TwilioRestException as error:
        if error.status in (401, 404):
            info = ConnectorErrorInfo(
                ErrorClass.AUTH, str(error.code), "Twilio did not accept the Account SID and Auth Token."
            )
            raise ConnectorError(info) from error
        raise
    if str(status) != "active":
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.ACCOUNT, "20005", f"The Twilio account is {status}."))


def _point_to_us(number: IncomingPhoneNumberInstance, account: Account) -> tuple[str, ...]:
    """Set the number's webhook where the member asked for it; else say what to set."""
    ours = account.webhook_url
    if is_loopback(ours) and not is_loopback(account.base_url):
        # The member is told of the address itself with every channel; Twilio must not be pointed to it.
        return ()
    if account.settings.get("messaging_service_sid"):
        return (
            f"In the messaging service at Twilio, under Integration, send incoming messages to {ours} (HTTP POST).",
        )
    if number.sms_url == ours and (number.sms_method or "POST") == "POST" and not number.sms_application_sid:
        return ()
    if account.settings.get("configure_webhook") == "yes":
        number.update(sms_url=ours, sms_method="POST", sms_application_sid="")
        return ()
    return (f"At Twilio, open this number and set “A message comes in” to {ours} (HTTP POST).",)


def _result(message: MessageInstance) -> SendResult:
    status = read_status(str(message.status or "")) or DeliveryStatus.SENT
    return SendResult(external_ids=(str(message.sid),), status=status)


def _code(error: TwilioRestException | TwilioServiceException) -> int:
    code = error.code
    return code if isinstance(code, int) else error.status


def _with_bucket(info: ConnectorErrorInfo, account: Account) -> ConnectorErrorInfo:
    if info.klass is not ErrorClass.RATE_LIMITED:
        return info
    bucket = sender_bucket(account) if info.code in _SENDER_CODES else account_bucket(account)
    return msgspec.structs.replace(info, bucket=bucket)
