"""Checks a WhatsApp sender's keys at Twilio and lists its templates; sending is that of all Twilio's messages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from connectors.accounts import is_loopback
from connectors.base import Account, Checked
from connectors.twilio.asking import check_account
from connectors.twilio.messages import MessagesClient
from connectors.twilio.numbers import canonical_number, is_e164
from connectors.whatsapp_twilio.parse import PREFIX
from hub.envelope import Template, clean_text
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, InvalidInput

if TYPE_CHECKING:
    from twilio.rest import Client
    from twilio.rest.content.v1.content_and_approvals import ContentAndApprovalsInstance

# Everybody's number for trying WhatsApp out; it is on no account's list.
# Source: twilio.com/docs/whatsapp/sandbox, read 2026-11-23.
SANDBOX: Final = "+14155238886"
_SENDERS_LIMIT: Final = 1000
_TEMPLATES_LIMIT: Final = 1000
_PLACE: Final = re.compile(r"\{\{\s*([A-Za-z0-9_]{1,60})\s*\}\}")


class _Approval(msgspec.Struct, frozen=True):
    name: str = ""
    status: str = ""


class _Typed(msgspec.Struct, frozen=True):
    """One of a content's types; what has no text of its own is a card, a place or a list of them."""

    body: str | None = None
    title: str | None = None


class _Content(msgspec.Struct, frozen=True):
    sid: str
    language: str
    types: Mapping[str, _Typed]
    friendly_name: str | None = None
    variables: Mapping[str, str] | None = None
    approval_requests: _Approval | None = None


@dataclass(frozen=True, slots=True)
class WhatsAppClient(MessagesClient):
    """The functions of the connector that reach Twilio."""

    prefix: ClassVar[str] = PREFIX

    async def check(self, account: Account) -> Checked:
        """
        Ask Twilio whether the keys open the account, and whether the number is a WhatsApp sender of it.

        Args:
            account: Not saved yet.

        Returns:
            The sender's SID, and what is still to be set at Twilio, in words.

        Raises:
            ConnectorError: ``AUTH`` for wrong keys, ``ACCOUNT`` for a closed account, ``RETRYABLE`` without an answer.
            InvalidInput: The number is no WhatsApp sender of this account.
        """
        number = canonical_number(account.settings.get("phone_number", ""))
        if not is_e164(number):
            raise InvalidInput("phone_number", "Enter the number with its country code, e.g. +15551230001.")
        if not account.credentials.get("auth_token", "").isascii():
            raise InvalidInput("auth_token", "An Auth Token has only letters and digits.")
        return await self.ask(account, lambda client: _check(client, account, number))

    async def list_templates(self, account: Account) -> Sequence[Template]:
        """
        List the contents that WhatsApp approved.

        Raises:
            ConnectorError: Twilio could not be asked.
        """
        listed = await self.ask(
            account, lambda client: client.content.v1.content_and_approvals.list(limit=_TEMPLATES_LIMIT)
        )
        return [found for one in listed if (found := read_template(one)) is not None]


def read_template(listed: ContentAndApprovalsInstance) -> Template | None:
    """
    Make our template of Twilio's content.

    Returns:
        None for one that WhatsApp did not approve, or that has no text.
    """
    facts = {name: getattr(listed, name) for name in _Content.__struct_fields__}
    try:
        content = msgspec.convert(facts, _Content)
    except msgspec.ValidationError:
        # Of a form we do not know: the others are still good.
        return None
    text = next((one.body or one.title for one in content.types.values() if one.body or one.title), None)
    if content.approval_requests is None or content.approval_requests.status != "approved" or not text:
        return None
    text = clean_text(_PLACE.sub(r"{{\1}}", text))
    names: dict[str, None] = dict.fromkeys([*_PLACE.findall(text), *(content.variables or {})])
    return Template(
        name=clean_text(content.approval_requests.name or content.friendly_name or content.sid),
        language=content.language,
        text=text,
        variables=tuple(sorted(names, key=lambda name: int(name) if name.isdecimal() else 0)),
        id=content.sid,
    )


def _check(client: Client, account: Account, number: str) -> Checked:
    check_account(client, account.credentials.get("account_sid", ""))
    ours = account.webhook_url
    if number == SANDBOX:
        words = f"This is Twilio's sandbox: at Twilio, in its settings, set “When a message comes in” to {ours}."
        return Checked(external_ref=number, warnings=(words,))
    listed = client.messaging.v2.channels_senders.list(channel="whatsapp", limit=_SENDERS_LIMIT)
    found = next((one for one in listed if one.sender_id == f"{PREFIX}{number}"), None)
    if found is None:
        raise InvalidInput("phone_number", "This number is no WhatsApp sender of this Twilio account.")
    if not str(found.status or "").upper().startswith("ONLINE"):
        words = f"The WhatsApp sender is not online at Twilio ({str(found.status or 'unknown').lower()})."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.ACCOUNT, "63007", words))
    webhook: object = found.webhook  # the SDK's annotation says str; Twilio sends an object
    callback = webhook.get("callback_url") if isinstance(webhook, dict) else None
    reachable = not is_loopback(ours) or is_loopback(account.base_url)
    if callback == ours or not reachable or account.settings.get("messaging_service_sid"):
        return Checked(external_ref=found.sid or number)
    words = f"At Twilio, open this WhatsApp sender and set “Webhook URL for incoming messages” to {ours} (HTTP POST)."
    return Checked(external_ref=found.sid or number, warnings=(words,))
