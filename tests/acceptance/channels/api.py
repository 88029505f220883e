"""A member's own program, as the tests of all channels steer it."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from tests.acceptance.channels.driver import Done, Sent, wait_until
from tests.acceptance.channels.driver import Driver as Base

# Of a type the hub does not know: counted and answered 2xx, once its signature is accepted.
_NOTHING = {"type": "program.started", "data": {}}
_KINDS = {
    "message.edited": "edit",
    "message.deleted": "delete",
    "reaction.changed": "react",
    "message.read": "mark_read",
}


class Driver(Base):
    channel = "api"
    has: ClassVar = frozenset(
        {
            *("media", "delivered", "read", "thread", "echo", "edit", "delete", "reaction"),
            *("act_edit", "act_delete", "act_react"),
        }
    )

    def account(self) -> dict[str, Any]:
        return {"credentials": {}, "settings": {"url": "https://program.example/hub"}}

    def connected(self, answer: Any) -> None:
        super().connected(answer)
        self.vendor.control("secret", value=self.new_secret())
        # Every process of the hub learns of a new secret within moments; a person takes longer to copy it.
        wait_until(lambda: all(one["status"] == 200 for _ in range(5) for one in self.deliver([_NOTHING])))

    def text(self, person: str, text: str, key: str, **more: Any) -> Any:
        contact = {"id": person, "name": person.title()}
        return {"type": "message.created", "data": {"id": key, "contact": contact, "text": text} | more}

    def media(self, person: str, name: str, mime: str, content: bytes, key: str) -> Any:
        path = self.vendor.control("file", body=base64.b64encode(content).decode(), mime=mime)["path"]
        files = [{"url": self.vendor.base_url + path, "name": name, "mime": mime, "size_bytes": len(content)}]
        return self.text(person, "", key, attachments=files)

    def echo(self, person: str, text: str, key: str) -> Any:
        return self.text(person, text, key, direction="outbound")

    def edit(self, person: str, key: str, text: str) -> Any:
        return {"type": "message.edited", "data": {"id": key, "contact": {"id": person}, "text": text}}

    def delete(self, person: str, key: str) -> Any:
        return {"type": "message.deleted", "data": {"id": key, "contact": {"id": person}}}

    def reaction(self, person: str, key: str, emoji: str, *, removed: bool = False) -> Any:
        about = {"id": key, "contact": {"id": person}, "emoji": emoji, "removed": removed}
        return {"type": "reaction.changed", "data": about}

    def receipt(self, person: str, sent: Sent, status: str) -> Any:
        return {"type": f"message.{status}", "data": {"id": sent.id, "contact": {"id": person}}}

    def sent(self) -> list[Sent]:
        return [Sent(one["id"], one["text"]) for one in self.vendor.state()["taken"]]

    def done(self) -> list[Done]:
        found = []
        for one in self.vendor.state()["done"]:
            kind = _KINDS[one["type"]] if not one["removed"] else "unreact"
            found.append(Done(kind, one["id"], one["text"] or one["emoji"] or ""))
        return found

    def is_send(self, request: Any) -> bool:
        return '"message.created"' in request["body"]

    def plan(self, **answer: Any) -> None:
        self.vendor.control("next", answers=[{"path": "/hub", **answer}])

    def revoke(self) -> None:
        self.vendor.control("revoke")

    def sign_in_again(self) -> None:
        """The program takes the account's new secret."""
        self.vendor.control("secret", value=self.new_secret())
        answer = self.api.patch(f"channel-accounts/{self.account_id}", json={"status": "connected"})
        assert answer.status_code == 200, answer.text
        wait_until(lambda: all(one["status"] == 200 for _ in range(5) for one in self.deliver([_NOTHING])))

    def new_secret(self) -> str:
        answer = self.api.post(f"channel-accounts/{self.account_id}/secrets/signing_secret")
        assert answer.status_code == 200, answer.text
        return answer.json()["value"]
