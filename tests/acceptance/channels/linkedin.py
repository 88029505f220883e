"""LinkedIn, as the tests of all channels steer it: connected by signing in, asked each second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from scripts.emulators.linkedin import CLIENT_ID, CLIENT_SECRET, OWNER, event_of
from tests.acceptance.channels.driver import Driver as Base
from tests.acceptance.channels.driver import Sent


class Driver(Base):
    channel = "linkedin"
    oauth = True
    has: ClassVar = frozenset({"echo"})

    def environ(self) -> Mapping[str, str]:
        keys = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
        return {**super().environ(), **{f"HUB_OAUTH_LINKEDIN_{name}": value for name, value in keys.items()}}

    def connect(self) -> Mapping[str, Any]:
        origin = str(self.api.base_url).partition("/api/v1/")[0]
        self.vendor.control("redirect", uri=f"{origin}/connect/linkedin/callback")
        return super().connect()

    def account(self) -> dict[str, Any]:
        limits = {"sends_per_day": "100000", "app_sends_per_day": "1000000"}
        settings = {"product": "messages_api", "poll_every_s": "1", "bring_in_history": "false"}
        return {"name": "LinkedIn", "credentials": {}, "settings": settings | limits}

    def text(self, person: str, text: str, key: str, **more: Any) -> Any:
        return self._event(person, self._id(person), text, key)

    def echo(self, person: str, text: str, key: str) -> Any:
        return self._event(person, OWNER, text, key) | {"resourceId": key}

    def sent(self) -> list[Sent]:
        return [Sent(one["id"], one["text"]) for one in self.vendor.state()["sent"]]

    def is_send(self, request: Any) -> bool:
        return bool(request["method"] == "POST" and request["path"] == "/rest/messages")

    def plan(self, **answer: Any) -> None:
        self.vendor.control("next", answers=[{"path": "/rest/messages", **answer}])

    def revoke(self) -> None:
        self.vendor.control("revoke")

    def _event(self, person: str, actor: str, text: str, key: str) -> dict[str, Any]:
        other = self._id(person)
        thread = f"urn:li:messagingThread:2-{person}"
        return event_of(key, actor, text, thread=thread, people=[other], names={other: person.title()})

    def _id(self, person: str) -> str:
        return f"urn:li:person:{person}"
