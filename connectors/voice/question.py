"""One question of Twilio's during a call, and what every answer to it needs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from connectors.base import Account
from connectors.voice.sealed import seal_caller
from connectors.voice.steps import address
from connectors.voice.twiml import verb

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

    from hub.envelope import Identity

RECORDING_SENTENCE: Final = "This call is recorded."


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """
    One question of Twilio's, and whose account it is about.

    Attributes:
        is_recorded: Decided when the call began, and carried in the addresses: a setting changed meanwhile does not
            begin to record somebody who was not told.
    """

    account: Account
    fields: Mapping[str, str]
    is_recorded: bool

    @property
    def call_sid(self) -> str:
        return self.fields["CallSid"]

    @property
    def round(self) -> int:
        """How often everybody was tried anew, 0 for the first time."""
        return int(self.fields.get("r", "") or "0")

    def setting(self, name: str, default: str = "") -> str:
        """Return a setting, trimmed; the default where it is empty."""
        return self.account.settings.get(name, "").strip() or default

    def address(self, step: str, **carried: str) -> str:
        """Write the address Twilio is to ask next."""
        return address(self.account, step, **carried)

    def say(self, text: str) -> Element:
        """Say something in the account's language."""
        return verb("Say", {"language": self.setting("language", "en-US")}, text)

    def recording(self, customer: Identity) -> dict[str, str]:
        """Ask for a call about the recording; Twilio's does not say whose it is: its address does, sealed."""
        sealed = seal_caller(self.account.signing_key, customer)
        return {
            "recordingStatusCallback": self.address("recording", caller=sealed),
            "recordingStatusCallbackEvent": "completed absent",
            "recordingStatusCallbackMethod": "POST",
        }
