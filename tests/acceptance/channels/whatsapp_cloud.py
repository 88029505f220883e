"""WhatsApp's Cloud API, as the tests of all channels steer it."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from typing import Any, ClassVar

from scripts.emulators.whatsapp_cloud import NUMBER_ID, SECRET, TOKEN, WABA_ID
from tests.acceptance.channels.driver import Done, Sent
from tests.acceptance.channels.driver import Driver as Base

_VERIFY_TOKEN = "a-word-of-the-tests"


class Driver(Base):
    channel = "whatsapp_cloud"
    has: ClassVar = frozenset(
        {"media", "delivered", "read", "echo", "edit", "delete", "reaction", "act_react"},
    )
    rests_on_receipt = True

    def account(self) -> dict[str, Any]:
        credentials = {"access_token": TOKEN, "client_secret": SECRET, "verify_token": _VERIFY_TOKEN}
        return {"credentials": credentials, "settings": {"phone_number_id": NUMBER_ID, "waba_id": WABA_ID}}

    def connected(self, answer: Any) -> None:
        super().connected(answer)
        made = self.vendor.control("subscribe", url=self.webhook_url, verify_token=_VERIFY_TOKEN)
        assert (made["status"], made["body"]) == (200, "1158201444"), made

    def text(self, person: str, text: str, key: str, **more: Any) -> Any:
        return self._message(person, key, {"type": "text", "text": {"body": text}})

    def media(self, person: str, name: str, mime: str, content: bytes, key: str) -> Any:
        file_id = self.vendor.control("file", body=base64.b64encode(content).decode(), mime=mime)["id"]
        document = {"id": file_id, "mime_type": mime, "filename": name}
        return self._message(person, key, {"type": "document", "document": document})

    def echo(self, person: str, text: str, key: str) -> Any:
        message = {"from": "15550001111", "to": self._number(person), "id": key, "timestamp": str(int(time.time()))}
        return {"echo": message | {"type": "text", "text": {"body": text}}, "contact": self._contact(person)}

    def edit(self, person: str, key: str, text: str) -> Any:
        changed = {"original_message_id": key, "message": {"type": "text", "text": {"body": text}}}
        return self._message(person, f"{key}.edit", {"type": "edit", "edit": changed})

    def delete(self, person: str, key: str) -> Any:
        return self._message(person, f"{key}.revoke", {"type": "revoke", "revoke": {"original_message_id": key}})

    def reaction(self, person: str, key: str, emoji: str, *, removed: bool = False) -> Any:
        reaction = {"message_id": key} | ({} if removed else {"emoji": emoji})
        return self._message(person, f"{key}.reaction.{removed}", {"type": "reaction", "reaction": reaction})

    def receipt(self, person: str, sent: Sent, status: str) -> Any:
        return {"status": {"id": sent.id, "status": status}}

    def sent(self) -> list[Sent]:
        return [Sent(one["id"], one["text"]) for one in self.vendor.state()["sent"]]

    def done(self) -> list[Done]:
        return [
            Done(one["kind"], one["id"], one["text"]) for one in self.vendor.state()["done"] if one["kind"] != "read"
        ]

    def is_send(self, request: Any) -> bool:
        return request["path"].endswith("/messages") and '"biz_opaque_callback_data"' in request["body"]

    def plan(self, **answer: Any) -> None:
        self.vendor.control("next", answers=[{"path": "/messages", **answer}])

    def revoke(self) -> None:
        self.vendor.control("token", value=secrets.token_hex(16))

    def renewed_credentials(self) -> dict[str, str]:
        token = secrets.token_hex(16)
        self.vendor.control("token", value=token)
        return {"access_token": token}

    def _message(self, person: str, key: str, part: dict[str, Any]) -> Any:
        number, user_id = self._number(person), self._user_id(person)
        head = {"from": number, "from_user_id": user_id, "id": key, "timestamp": str(int(time.time()))}
        return {"message": head | part, "contact": self._contact(person)}

    def _contact(self, person: str) -> dict[str, Any]:
        profile = {"name": person.title()}
        return {"profile": profile, "wa_id": self._number(person), "user_id": self._user_id(person)}

    def _number(self, person: str) -> str:
        return "1555" + str(int(hashlib.sha256(person.encode()).hexdigest(), 16))[:7]

    def _user_id(self, person: str) -> str:
        return f"US.{self._number(person)}000"
