"""Messenger and Instagram, as the tests of all channels steer them: what both have."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from scripts.emulators.meta import SECRET, TOKEN
from tests.acceptance.channels.driver import Done, Sent
from tests.acceptance.channels.driver import Driver as Base

_VERIFY_TOKEN = "a-word-of-the-tests"


class MetaDriver(Base):
    """One page or account; ``ours`` is its id."""

    ours: ClassVar[str]
    settings: ClassVar[dict[str, str]]
    rests_on_receipt = True

    def account(self) -> dict[str, Any]:
        credentials = {"access_token": TOKEN, "client_secret": SECRET, "verify_token": _VERIFY_TOKEN}
        return {"credentials": credentials, "settings": self.settings | {"bring_in_history": "true"}}

    def connected(self, answer: Any) -> None:
        super().connected(answer)
        made = self.vendor.control("subscribe", url=self.webhook_url, verify_token=_VERIFY_TOKEN)
        assert (made["status"], made["body"]) == (200, "1158201444"), made

    def connect(self) -> Mapping[str, Any]:
        them, us = {"id": self._id("past")}, {"id": self.ours}
        told = [(them, us, "asked last week", 7), (us, them, "answered last week", 6)]
        messages = [
            {
                "id": f"past-{days}",
                "created_time": _days_ago(days),
                "from": one,
                "to": {"data": [other]},
                "message": text,
            }
            for one, other, text, days in told
        ]
        past = {"id": "t_past", "updated_time": _days_ago(6), "messages": messages}
        self.vendor.control("past", conversations=[past])
        return super().connect()

    def text(self, person: str, text: str, key: str, **more: Any) -> Any:
        return self._event(person, message={"mid": key, "text": text})

    def media(self, person: str, name: str, mime: str, content: bytes, key: str) -> Any:
        path = self.vendor.control("file", body=base64.b64encode(content).decode(), mime=mime)["path"]
        files = [{"type": "file", "payload": {"url": self.vendor.base_url + path}}]
        return self._event(person, message={"mid": key, "attachments": files})

    def edit(self, person: str, key: str, text: str) -> Any:
        return self._event(person, message_edit={"mid": key, "text": text, "num_edit": 1})

    def delete(self, person: str, key: str) -> Any:
        return self._event(person, message={"mid": key, "is_deleted": True})

    def reaction(self, person: str, key: str, emoji: str, *, removed: bool = False) -> Any:
        how = {"action": "unreact"} if removed else {"action": "react", "emoji": emoji}
        return self._event(person, reaction={"mid": key} | how)

    def echo(self, person: str, text: str, key: str) -> Any:
        return self._outgoing(person, {"mid": key, "text": text, "is_echo": True, "app_id": 263902037430900})

    def sent(self) -> list[Sent]:
        return [Sent(one["id"], one["text"]) for one in self.vendor.state()["sent"]]

    def done(self) -> list[Done]:
        return [Done(one["kind"], one["id"], one["text"]) for one in self.vendor.state()["done"]]

    def is_send(self, request: Any) -> bool:
        return request["path"].endswith("/messages") and '"messaging_type"' in request["body"]

    def plan(self, **answer: Any) -> None:
        self.vendor.control("next", answers=[{"path": f"{self.ours}/messages", **answer}])

    def revoke(self) -> None:
        self.vendor.control("token", value=secrets.token_hex(16))

    def renewed_credentials(self) -> dict[str, str]:
        token = secrets.token_hex(16)
        self.vendor.control("token", value=token)
        return {"access_token": token}

    def introduce(self, person: str, name: str, picture: bytes) -> None:
        path = self.vendor.control("file", body=base64.b64encode(picture).decode(), mime="image/jpeg")["path"]
        first, _, last = name.partition(" ")
        named = {"first_name": first, "last_name": last} if self.channel == "messenger" else {"name": name}
        profile = named | {"profile_pic": self.vendor.base_url + path}
        self.vendor.control("person", id=self._id(person), profile=profile)

    def _event(self, person: str, **parts: Any) -> Any:
        people = {"sender": {"id": self._id(person)}, "recipient": {"id": self.ours}}
        return people | {"timestamp": int(time.time() * 1000)} | parts

    def _outgoing(self, person: str, message: dict[str, Any]) -> Any:
        people = {"sender": {"id": self.ours}, "recipient": {"id": self._id(person)}}
        return people | {"timestamp": int(time.time() * 1000), "message": message}

    def _id(self, person: str) -> str:
        return "77" + str(int(hashlib.sha256(person.encode()).hexdigest(), 16))[:14]


def _days_ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S+0000")
