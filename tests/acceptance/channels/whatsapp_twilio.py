"""WhatsApp through Twilio, as the tests of all channels steer it: as SMS, with WhatsApp's addresses and "read"."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.acceptance.channels.twilio_sms import Driver as Sms
from tests.emulators import NUMBER

_SENDER = f"whatsapp:{NUMBER}"


class Driver(Sms):
    channel = "whatsapp_twilio"
    has: ClassVar = frozenset({"media", "delivered", "read"})

    def start(self) -> Any:
        vendor = super().start()
        vendor.control("number", phone_number=_SENDER)
        return vendor

    def connected(self, answer: Any) -> None:
        self.account_id, self.webhook_url = answer["id"], answer["webhook_url"]
        self.vendor.control("number", phone_number=_SENDER, sms_url=self.webhook_url)

    def text(self, person: str, text: str, key: str, **more: Any) -> Any:
        written = super().text(person, text, key)
        return written | {"to": _SENDER, "fields": {"ProfileName": person.title(), "MessageType": "text"}}

    def _number(self, person: str) -> str:
        return f"whatsapp:{super()._number(person)}"
