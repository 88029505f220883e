"""Outlook, as the tests of all channels steer it: connected by signing in, told of mail by notifications."""

from __future__ import annotations

from typing import Any, ClassVar

from scripts.emulators.outlook import CLIENT_ID, CLIENT_SECRET
from scripts.emulators.outlook_mailbox import ADDRESS
from tests.acceptance.channels.driver import wait_until
from tests.acceptance.channels.mailbox import Mailbox


class Driver(Mailbox):
    channel = "outlook"
    app = (CLIENT_ID, CLIENT_SECRET)
    address = ADDRESS
    filed_as_sent: ClassVar = {"folder": "sentitems"}

    def connected(self, answer: Any) -> None:
        """Nobody enters an address at Microsoft: the hub subscribes, and answers the handshakes."""
        super().connected(answer)
        wait_until(lambda: len(self.vendor.state()["subscriptions"]) == 2)
