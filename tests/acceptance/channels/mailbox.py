"""What mailboxes have in common that are connected by signing in, as the tests of all channels steer them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, ClassVar

from tests.acceptance.channels.driver import Driver, Sent


class Mailbox(Driver):
    """
    One mailbox.

    Attributes:
        app: Client id and secret of the emulator's.
        address: The mailbox's.
        filed_as_sent: What of an order makes a mail one that we wrote there.
    """

    oauth = True
    has: ClassVar = frozenset({"media", "echo"})
    app: ClassVar[tuple[str, str]]
    address: ClassVar[str]
    filed_as_sent: ClassVar[Mapping[str, Any]]

    def __init__(self) -> None:
        super().__init__()
        self._opening: dict[str, str] = {}

    def environ(self) -> Mapping[str, str]:
        prefix = f"HUB_OAUTH_{self.channel.upper()}_"
        return {**super().environ(), f"{prefix}CLIENT_ID": self.app[0], f"{prefix}CLIENT_SECRET": self.app[1]}

    def connect(self) -> Mapping[str, Any]:
        origin = str(self.api.base_url).partition("/api/v1/")[0]
        self.vendor.control("redirect", uri=f"{origin}/connect/{self.channel}/callback")
        return super().connect()

    def account(self) -> dict[str, Any]:
        return {"name": self.channel.title(), "credentials": {}, "settings": {}}

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
        """Somebody of our side answered in the mailbox itself."""
        parties = {"from": self.address, "to": self._address(person), "reply_to": self._id(self._opening[person])}
        return self.text(person, text, key) | self.filed_as_sent | parties

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
