"""Instagram, as the tests of all channels steer it."""

from __future__ import annotations

from typing import Any, ClassVar

from scripts.emulators.instagram import INSTAGRAM_ID
from tests.acceptance.channels.driver import Sent
from tests.acceptance.channels.meta import MetaDriver


class Driver(MetaDriver):
    channel = "instagram"
    ours = INSTAGRAM_ID
    settings: ClassVar = {"instagram_id": INSTAGRAM_ID, "login": "instagram"}
    has: ClassVar = frozenset({"names", "past", "media", "read", "echo", "edit", "delete", "reaction"})

    def receipt(self, person: str, sent: Sent, status: str) -> Any:
        return self._event(person, read={"mid": sent.id})
