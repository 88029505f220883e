"""Telephone calls through Twilio, as the tests of all channels steer it."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from scripts.emulators.twilio_voice import Exchange
from tests.acceptance.channels.driver import Driver as Base
from tests.emulators import ACCOUNT_SID, AUTH_TOKEN, EmulatedVendor

_NUMBER = "+15559870042"
_MEMBERS = "+15551230077 Anna\n+15551230078 Ben"


class Driver(Base):
    channel = "voice"
    has: ClassVar = frozenset({"call"})
    writes = False
    sound = Exchange.MP3

    def start(self) -> Any:
        return EmulatedVendor("twilio_voice", account_sid=ACCOUNT_SID, auth_token=AUTH_TOKEN, phone_number=_NUMBER)

    def account(self) -> dict[str, Any]:
        settings = {
            "phone_number": _NUMBER,
            "ring_numbers": _MEMBERS,
            "transcribe": "yes",
            "configure_webhook": "yes",
        }
        return {"credentials": {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN}, "settings": settings}

    def connected(self, answer: Any) -> None:
        """Take the account: the number was pointed to us when it was connected."""
        self.account_id, self.webhook_url = answer["id"], answer["webhook_url"]
        number = self.vendor.state()["number"]
        assert number["voice_url"] == number["status_callback"] == self.webhook_url

    def call(self, person: str, **what: Any) -> dict[str, Any]:
        caller = "+1555" + str(int(hashlib.sha256(person.encode()).hexdigest(), 16))[:7]
        return self.vendor.control("call", api=self.vendor.base_url, **({"from": caller} | what))

    def settings_to_call(self, email: str) -> dict[str, str]:
        """Settings under which the member of an address can call, and calls are recorded."""
        return self.account()["settings"] | {"ring_numbers": f"+15551230079 Priya <{email}>", "record_calls": "yes"}

    def pick_up(self, **what: Any) -> dict[str, Any]:
        """Let the telephones of the call that was asked for last do something."""
        return self.vendor.control("outgoing", api=self.vendor.base_url, **what)
