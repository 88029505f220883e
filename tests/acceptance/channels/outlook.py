"""Outlook, as the tests of all channels steer it: connected by signing in, told of mail by notifications."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, ClassVar

from scripts.emulators.outlook import CLIENT_ID, CLIENT_SECRET
from scripts.emulators.outlook_mailbox import ADDRESS
from tests.acceptance.channels.driver import Driver as Base
from tests.acceptance.channels.driver import Sent, wait_until


class Driver(Base):
    channel = "outlook"
    oauth = True
    has: ClassVar = frozenset({"media", "echo"})

    def __init__(self) -> None:
        super().__init__()
        self._opening: dict[str, str] = {}

    def environ(self) -> Mapping[str, str]:
        keys = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
        return {**super().environ(), **{f"HUB_OAUTH_OUTLOOK_{name}": value for name, value in keys.items()}}

    def connect(self) -> Mapping[str, Any]:
        origin = str(self.api.base_url).partition("/api/v1/")[0]
        self.vendor.control("redirect", uri=f"{origin}/connect/outlook/callback")
        return super().connect()

    def account(self) -> dict[str, Any]:
        return {"name": "Outlook", "credentials": {}, "settings": {}}

    def connected(self, answer: Any) -> None:
        """Nobody enters an address at Microsoft: the hub subscribes, and answers the handshakes."""
        super().connected(answer)
        wait_until(lambda: len(self.vendor.state()["subscriptions"]) == 2)

    def text(self, person: str, text: str, key: str, **more: Any) -> Any:
        first = self._opening.setdefault(person, key)
        return {
            "mail": key,
            "from": f"{person.title()} <{self._address(person)}>",
            "subject": "Order 12" if first == key else "Re: Order 12",
            "text": text,
            "reply_to": "" if first == key else self._id(first),
        }

    def media(self, person: str, name: str, mime: str, content: bytes, key: str) -> Any:
        files = [{"name": name, "mime": mime, "body": base64.b64encode(content).decode()}]
        return self.text(person, "See the file.", key) | {"files": files}

    def echo(self, person: str, text: str, key: str) -> Any:
        """Somebody of our side answered in Outlook itself: the mail is in Sent Items."""
        parties = {"from": ADDRESS, "to": self._address(person), "reply_to": self._id(self._opening[person])}
        return self.text(person, text, key) | {"folder": "sentitems"} | parties

    def sent(self) -> list[Sent]:
        return [Sent(one["id"], one["text"]) for one in self.vendor.state()["sent"]]

    def is_send(self, request: Any) -> bool:
        return bool(request["method"] == "POST" and request["path"].endswith("/send"))

    def plan(self, **answer: Any) -> None:
        self.vendor.control("next", answers=[{"path": "/send", **answer}])

    def revoke(self) -> None:
        self.vendor.control("revoke")

    def _address(self, person: str) -> str:
        return f"{person}@customers.example"

    def _id(self, key: str) -> str:
        return f"{key}@customers.example"
