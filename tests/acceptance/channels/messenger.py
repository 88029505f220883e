"""Messenger, as the tests of all channels steer it."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from scripts.emulators.messenger import PAGE_ID
from tests.acceptance.channels.driver import Sent
from tests.acceptance.channels.meta import MetaDriver


class Driver(MetaDriver):
    channel = "messenger"
    ours = PAGE_ID
    settings: ClassVar = {"page_id": PAGE_ID}
    has: ClassVar = frozenset(
        {"media", "delivered", "read", "echo", "edit", "delete", "reaction", "act_react", "names", "past"}
    )

    def receipt(self, person: str, sent: Sent, status: str) -> Any:
        now_ms = int(time.time() * 1000)
        if status == "read":
            return self._event(person, read={"watermark": now_ms})
        return self._event(person, delivery={"mids": [sent.id], "watermark": now_ms})
