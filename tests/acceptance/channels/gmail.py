"""Gmail, as the tests of all channels steer it: connected by signing in, told of mail by Pub/Sub."""

from __future__ import annotations

from typing import Any, ClassVar

from scripts.emulators.gmail import CLIENT_ID, CLIENT_SECRET, PUSH_ACCOUNT, TOPIC
from scripts.emulators.gmail_mailbox import ADDRESS
from tests.acceptance.channels.driver import wait_until
from tests.acceptance.channels.mailbox import Mailbox


class Driver(Mailbox):
    channel = "gmail"
    app = (CLIENT_ID, CLIENT_SECRET)
    address = ADDRESS
    filed_as_sent: ClassVar = {"labels": ["SENT"]}

    def account(self) -> dict[str, Any]:
        return super().account() | {"settings": {"topic": TOPIC, "push_account": PUSH_ACCOUNT}}

    def connected(self, answer: Any) -> None:
        """The webhook's address is entered at the subscription; that Gmail publishes to its topic the hub sees to."""
        super().connected(answer)
        wait_until(lambda: self.vendor.state()["watched"] == TOPIC)
