"""SMS through Twilio, as the tests of all channels steer it."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Any, ClassVar

from tests.acceptance.channels.driver import Driver as Base
from tests.acceptance.channels.driver import Sent
from tests.emulators import ACCOUNT_SID, AUTH_TOKEN, NUMBER, EmulatedTwilio

_STATUSES = {"delivered": ["delivered"], "read": ["read"]}


class Driver(Base):
    channel = "twilio_sms"
    has: ClassVar = frozenset({"media", "delivered"})
    rests_on_receipt = True

    def start(self) -> Any:
        vendor = EmulatedTwilio()
        vendor.control("callbacks", order=["queued", "sent"], delay_s=0.02)
        return vendor

    def account(self) -> dict[str, Any]:
        credentials = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN}
        return {"credentials": credentials, "settings": {"phone_number": NUMBER}}

    def connected(self, answer: Any) -> None:
        self.account_id, self.webhook_url = answer["id"], answer["webhook_url"]
        self.vendor.control("number", phone_number=NUMBER, sms_url=self.webhook_url)

    def text(self, person: str, text: str, key: str, **more: Any) -> Any:
        return {"from": self._number(person), "body": text, "sid": f"SM{key}"}

    def media(self, person: str, name: str, mime: str, content: bytes, key: str) -> Any:
        path = self.vendor.control("media", body=base64.b64encode(content).decode(), content_type=mime)["path"]
        files = [{"url": self.vendor.base_url + path, "content_type": mime}]
        return self.text(person, "", key) | {"media": files}

    def receipt(self, person: str, sent: Sent, status: str) -> Any:
        return {"receipt": sent.id, "status": status}

    def deliver(self, items: Any, **how: Any) -> list[dict[str, Any]]:
        """Twilio never batches; each item is one call, in the order given."""
        answers = []
        for item in items:
            if "receipt" in item:
                answers += self.vendor.control("status", sid=item["receipt"], status=item["status"])["answers"]
            else:
                answers += self.vendor.control("inbound", times=how.get("times", 1), **item)["answers"]
        return answers

    def sent(self) -> list[Sent]:
        return [Sent(one["sid"], one["body"]) for one in self.vendor.state()["messages"]]

    def is_send(self, request: Any) -> bool:
        return request["method"] == "POST" and request["path"].endswith("/Messages.json")

    def plan(self, **answer: Any) -> None:
        if answer["kind"] == "throttle":
            answer = {
                "kind": "status",
                "status": 429,
                "code": 20429,
                "headers": {"Retry-After": str(answer["retry_after"])},
            }
        self.vendor.control("next", answers=[answer])

    def revoke(self) -> None:
        self.vendor.control("account", auth_token=secrets.token_hex(16))

    def renewed_credentials(self) -> dict[str, str]:
        token = secrets.token_hex(16)
        self.vendor.control("account", auth_token=token)
        return {"auth_token": token}

    def _number(self, person: str) -> str:
        return "+1555" + str(int(hashlib.sha256(person.encode()).hexdigest(), 16))[:7]
