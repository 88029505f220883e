"""Microsoft Teams, as the tests of all channels steer it."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import UTC, datetime
from typing import Any, ClassVar

from scripts.emulators.teams import APP_ID, SECRET, TENANT_ID
from tests.acceptance.channels.driver import Done, Sent
from tests.acceptance.channels.driver import Driver as Base

_FILE = "application/vnd.microsoft.teams.file.download.info"
_NAMES = {"👍": "like"}


class Driver(Base):
    channel = "teams"
    has: ClassVar = frozenset({"media", "edit", "delete", "reaction", "act_edit", "act_delete"})
    confirms = False

    def account(self) -> dict[str, Any]:
        credentials = {"client_id": APP_ID, "client_secret": SECRET}
        return {"credentials": credentials, "settings": {"tenant_id": TENANT_ID}}

    def text(self, person: str, text: str, key: str, **more: Any) -> Any:
        return self._activity(person, "message", key, text=f"<at>Support</at> {text}", textFormat="plain")

    def media(self, person: str, name: str, mime: str, content: bytes, key: str) -> Any:
        path = self.vendor.control("file", body=base64.b64encode(content).decode(), mime=mime)["path"]
        file = {"contentType": _FILE, "name": name, "content": {"downloadUrl": self.vendor.base_url + path}}
        return self._activity(person, "message", key, attachments=[file])

    def edit(self, person: str, key: str, text: str) -> Any:
        changed = self._activity(person, "messageUpdate", key, text=text)
        changed["channelData"]["eventType"] = "editMessage"
        return changed

    def delete(self, person: str, key: str) -> Any:
        gone = self._activity(person, "messageDelete", key)
        gone["channelData"]["eventType"] = "softDeleteMessage"
        return gone

    def reaction(self, person: str, key: str, emoji: str, *, removed: bool = False) -> Any:
        name = "reactionsRemoved" if removed else "reactionsAdded"
        told = {name: [{"type": _NAMES.get(emoji, emoji)}], "replyToId": self._id(key)}
        return self._activity(person, "messageReaction", f"{key}{removed}", **told)

    def sent(self) -> list[Sent]:
        return [Sent(one["id"], one["text"]) for one in self.vendor.state()["sent"]]

    def done(self) -> list[Done]:
        return [Done(one["kind"], one["id"], one["text"]) for one in self.vendor.state()["done"]]

    def is_send(self, request: Any) -> bool:
        return request["method"] == "POST" and request["path"].endswith("/activities")

    def plan(self, **answer: Any) -> None:
        self.vendor.control("next", answers=[{"path": "/activities", **answer}])

    def revoke(self) -> None:
        self.vendor.control("secret", value=secrets.token_hex(16))

    def renewed_credentials(self) -> dict[str, str]:
        secret = secrets.token_hex(16)
        self.vendor.control("secret", value=secret)
        return {"client_secret": secret}

    def _activity(self, person: str, kind: str, key: str, **parts: Any) -> dict[str, Any]:
        digits = self._id(person)
        conversation = {"id": f"a:{digits}", "conversationType": "personal", "tenantId": TENANT_ID}
        return {
            "type": kind,
            "id": self._id(key),
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "serviceUrl": f"{self.vendor.base_url}/",
            "channelId": "msteams",
            "from": {"id": f"29:{digits}", "name": person.title()},
            "recipient": {"id": f"28:{APP_ID}", "name": "Support"},
            "conversation": conversation,
            "channelData": {"tenant": {"id": TENANT_ID}},
        } | parts

    def _id(self, word: str) -> str:
        return str(int(hashlib.sha256(word.encode()).hexdigest(), 16))[:13]
