"""Checks an SMS account's keys and number at Twilio; sending and searching are those of all its messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.accounts import is_loopback
from connectors.base import Account, Checked
from connectors.twilio.asking import check_account
from connectors.twilio.messages import MessagesClient
from connectors.twilio.numbers import canonical_number, is_e164
from hub.errors import InvalidInput

if TYPE_CHECKING:
    from twilio.rest import Client
    from twilio.rest.api.v2010.account.incoming_phone_number import IncomingPhoneNumberInstance


@dataclass(frozen=True, slots=True)
class TwilioClient(MessagesClient):
    """The functions of the connector that reach Twilio."""

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
        return await self.ask(account, lambda client: _check(client, account, number))


def _check(client: Client, account: Account, number: str) -> Checked:
    check_account(client, account.credentials.get("account_sid", ""))
    numbers = client.incoming_phone_numbers.list(phone_number=number, limit=5)
    found = next((one for one in numbers if one.phone_number == number), None)
    if found is None:
        raise InvalidInput("phone_number", "This Twilio account has no such number.")
    capabilities: object = found.capabilities  # the SDK's annotation says str; Twilio sends an object
    if isinstance(capabilities, dict) and capabilities.get("sms") is False:
        raise InvalidInput("phone_number", "This number cannot send SMS.")
    return Checked(external_ref=found.sid or "", warnings=_point_to_us(found, account))


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
