"""
Emulates a member's own program on the channel "API": takes our signed calls strictly, sends signed events.

Run: ``python -m scripts.emulators.api``. Beside what all emulators understand, ``secret {value}`` gives it the
account's secret (before that only a ``ping`` is taken), ``revoke`` makes it refuse every signature, ``file {body,
mime}`` keeps a file (Base64) and tells its path, ``answer_id {on}`` lets it answer an id of its own.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from scripts.emulators.http1 import Answer, Request, as_json
from scripts.emulators.vendor import Asked, Call, Endpoint, Fault, Refused, Vendor, serve


class File(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    name: str
    mime: str
    size_bytes: int
    url: str


class Contact(msgspec.Struct, forbid_unknown_fields=True):
    id: str


class Message(msgspec.Struct, forbid_unknown_fields=True):
    message_id: str
    conversation_id: str
    thread_id: str
    contact: Contact
    text: str
    author: str
    reply_to: str | None
    attachments: list[File]


class Done(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    thread_id: str
    contact: Contact
    text: str | None = None
    emoji: str | None = None
    removed: bool | None = None


class Event(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    data: dict[str, Any]


_SHAPES: dict[str, type[Message] | type[Done]] = {
    "message.created": Message,
    "message.edited": Done,
    "message.deleted": Done,
    "reaction.changed": Done,
    "message.read": Done,
}


class Program(Vendor):
    """A program that keeps what it was told, once for each webhook-id."""

    def __init__(self) -> None:
        super().__init__()
        self.key = b""
        self.answers_id = True
        self.taken: dict[str, dict[str, Any]] = {}
        self.files: list[Answer] = []
        self.done: list[dict[str, Any]] = []

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint(method="POST", path="/hub", answer=self._take, body=Event),
            Endpoint(method="GET", path=r"/files/(\d+)", answer=self._file, public=True),
        )

    def check(self, asked: Request) -> None:
        headers = asked.headers
        webhook_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not webhook_id or not at.isdigit() or abs(time.time() - int(at)) > 300:
            raise Refused(self.fault(Fault("credentials", "no webhook-id, or no timestamp of now")))
        given = headers.get("webhook-signature", "")
        if self.key and not hmac.compare_digest(given, self._sign(webhook_id, at, asked.body)):
            raise Refused(self.fault(Fault("credentials", "the signature is wrong")))

    def fault(self, fault: Fault) -> Answer:
        status = {"credentials": 401, "missing_endpoint": 404}.get(fault.kind, 422)
        return as_json(status, {"error": fault.reason, "field": fault.field})

    def _take(self, asked: Asked) -> Answer:
        event: Event = asked.body
        if event.type == "ping":
            return as_json(200, {})
        if event.type not in _SHAPES or not self.key:
            raise Refused(self.fault(Fault("field", f"{event.type} is not taken", "$.type")))
        try:
            message = msgspec.convert(event.data, _SHAPES[event.type])
        except msgspec.ValidationError as error:
            raise Refused(self.fault(Fault("field", str(error), "$.data"))) from error
        if isinstance(message, Done):
            self.done.append({"type": event.type} | msgspec.to_builtins(message))
            return as_json(200, {})
        webhook_id = asked.request.headers["webhook-id"]
        row = msgspec.to_builtins(message) | {"id": f"theirs-{len(self.taken) + 1}"}
        row = self.taken.setdefault(webhook_id, row)
        return as_json(200, {"id": row["id"]} if self.answers_id else {})

    def _file(self, asked: Asked) -> Answer:
        number = int(asked.arguments[0])
        if number >= len(self.files):
            raise Refused(self.fault(Fault("missing_endpoint", "no such file")))
        return self.files[number]

    def call_of(self, items: Sequence[Any], sign: str) -> Call:
        body = json.dumps(items[0] if len(items) == 1 else list(items), ensure_ascii=False).encode()
        webhook_id = f"msg_{secrets.token_hex(12)}"
        at = str(int(time.time()) - (3600 if sign == "old" else 0))
        headers = {"content-type": "application/json", "webhook-id": webhook_id, "webhook-timestamp": at}
        if sign != "none":
            headers["webhook-signature"] = self._sign(webhook_id, at, body, b"another" if sign == "wrong" else b"")
        return Call("", body, headers)

    def steer(self, op: str, order: dict[str, Any]) -> object:
        match op:
            case "secret":
                self.key = base64.b64decode(order["value"].removeprefix("whsec_"))
            case "revoke":
                self.key = secrets.token_bytes(24)
            case "file":
                self.files.append(Answer(200, base64.b64decode(order["body"]), order["mime"]))
                return {"path": f"/files/{len(self.files) - 1}"}
            case "answer_id":
                self.answers_id = bool(order["on"])
            case _:
                raise KeyError(op)
        return {}

    def facts(self) -> Mapping[str, Any]:
        return {"taken": list(self.taken.values()), "done": self.done}

    def forget(self) -> None:
        self.taken.clear()
        self.done.clear()

    def _sign(self, webhook_id: str, at: str, body: bytes, key: bytes = b"") -> str:
        digest = hmac.new(key or self.key, f"{webhook_id}.{at}.".encode() + body, hashlib.sha256).digest()
        return f"v1,{base64.b64encode(digest).decode()}"


def main() -> None:
    """Read the command line and serve until killed."""
    serve(lambda _: Program(), argparse.ArgumentParser(description=__doc__))


if __name__ == "__main__":
    main()
