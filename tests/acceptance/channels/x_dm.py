"""X, as the tests of all channels steer it: connected by signing in."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from scripts.emulators.x_dm import CLIENT_ID, CLIENT_SECRET, SECRET, USER_ID, signed
from tests.acceptance.channels.driver import Driver as Base
from tests.acceptance.channels.driver import Sent

_QUESTION = "MWFlZTU0ODItZWFlMC00"


class Driver(Base):
    channel = "x_dm"
    oauth = True
    has: ClassVar = frozenset({"media", "echo"})

    def environ(self) -> Mapping[str, str]:
        keys = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "SIGNING_SECRET": SECRET}
        return {**super().environ(), **{f"HUB_OAUTH_X_DM_{name}": value for name, value in keys.items()}}

    def connect(self) -> Mapping[str, Any]:
        origin = str(self.api.base_url).partition("/api/v1/")[0]
        self.vendor.control("redirect", uri=f"{origin}/connect/x_dm/callback")
        return super().connect()

    def account(self) -> dict[str, Any]:
        settings = {"sends_per_15_minutes": "9000", "sends_per_day": "100000"}
        return {"name": "X", "credentials": {}, "settings": settings}

    def connected(self, answer: Any) -> None:
        super().connected(answer)
        made = self.vendor.control("challenge", url=self.webhook_url, token=_QUESTION)
        assert made["status"] == 200, made
        assert signed(_QUESTION.encode(), SECRET) in made["body"]

    def text(self, person: str, text: str, key: str, **more: Any) -> Any:
        return self._message(key, self._id(person), USER_ID, {"text": text, "entities": {"urls": []}}, person)

    def media(self, person: str, name: str, mime: str, content: bytes, key: str) -> Any:
        url = self.vendor.control("file", body=base64.b64encode(content).decode(), mime=mime)["url"]
        attachment = {"type": "media", "media": {"id": "77", "media_url_https": url, "type": "photo"}}
        return self._message(key, self._id(person), USER_ID, {"text": "", "attachment": attachment}, person)

    def echo(self, person: str, text: str, key: str) -> Any:
        number = key if key.isdigit() else self._id(key)
        return self._message(number, USER_ID, self._id(person), {"text": text}, person) | {"event_type": "dm.sent"}

    def sent(self) -> list[Sent]:
        return [Sent(one["id"], one["text"]) for one in self.vendor.state()["sent"]]

    def is_send(self, request: Any) -> bool:
        return bool(request["method"] == "POST" and request["path"].endswith("/messages"))

    def plan(self, **answer: Any) -> None:
        self.vendor.control("next", answers=[{"path": "/messages", **answer}])

    def revoke(self) -> None:
        self.vendor.control("revoke")

    def _message(self, key: str, sender: str, recipient: str, data: dict[str, Any], person: str) -> dict[str, Any]:
        number = key if key.isdigit() else self._id(key)
        made = {"target": {"recipient_id": recipient}, "sender_id": sender, "message_data": data}
        event = {"type": "message_create", "id": number, "created_timestamp": str(int(time.time() * 1000))}
        users = {self._id(person): {"data": {"id": self._id(person), "username": person, "name": person.title()}}}
        return {"event_type": "dm.received", "event": event | {"message_create": made}, "users": users}

    def _id(self, word: str) -> str:
        return str(int(hashlib.sha256(word.encode()).hexdigest(), 16))[:18]
