"""
Emulates Meta's messaging for pages and Instagram accounts: strict requests, signed webhook calls, an echo of each send.

Run: ``python -m scripts.emulators.messenger`` or ``.instagram``. Items to deliver are events as in
``entry[].messaging``; with ``batch`` they travel in one call. Beside what all emulators understand: ``token {value}``
is the access token from now on, ``file {body, mime}`` keeps a file (Base64) and tells its path, ``subscribe {url,
verify_token}`` makes the handshake, ``echo {how}`` says when a send is echoed: ``after`` or ``before`` the answer, or
``never``; ``person {id, profile}`` is what a person shows of themselves; ``past {conversations}`` is what the
Conversations API tells, see ``scripts/emulators/meta_history.py``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from email import message_from_bytes
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec

from scripts.emulators.http1 import Answer, Request, as_json
from scripts.emulators.meta_history import Listing, Past, Reading
from scripts.emulators.vendor import Asked, Call, Delivery, Endpoint, Fault, Refused, Vendor

TOKEN, SECRET = "emulated-access-token", "emulated-app-secret"
TEXT_CHARS, TEXT_BYTES = 2000, 1000
# What may be asked about a person.
PROFILE = {
    "page": {"id", "name", "first_name", "last_name", "profile_pic"},
    "instagram": {"id", "name", "username", "profile_pic", "is_verified_user", "follower_count"},
}


class Proof(msgspec.Struct, forbid_unknown_fields=True):
    appsecret_proof: str = ""


class Fields(Proof, forbid_unknown_fields=True):
    fields: str = ""


class Subscribing(Proof, forbid_unknown_fields=True, kw_only=True):
    subscribed_fields: str


class Person(msgspec.Struct, forbid_unknown_fields=True):
    id: str


class Payload(msgspec.Struct, forbid_unknown_fields=True):
    attachment_id: str = ""
    url: str = ""


class File(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["image", "video", "audio", "file"]
    payload: Payload


class Body(msgspec.Struct, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(max_length=TEXT_CHARS)] = ""
    attachment: File | None = None
    metadata: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class Quoted(msgspec.Struct, forbid_unknown_fields=True):
    mid: str


class Reacted(msgspec.Struct, forbid_unknown_fields=True):
    message_id: str
    reaction: str = ""


class Outgoing(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A message, or something done in the thread."""

    recipient: Person
    message: Body | None = None
    messaging_type: Literal["RESPONSE", "MESSAGE_TAG"] | None = None
    tag: Literal["HUMAN_AGENT"] | None = None
    reply_to: Quoted | None = None
    sender_action: Literal["react", "unreact", "mark_seen"] | None = None
    payload: Reacted | None = None


class Messaging(Vendor):
    """
    One page or Instagram account that keeps what it was asked to send.

    Args:
        kind: ``page`` or ``instagram``.
        account: Its id.
    """

    def __init__(self, kind: str, account: str) -> None:
        self.kind, self.account = kind, account
        self.token = TOKEN
        self.sent: dict[str, dict[str, Any]] = {}
        self.done: list[dict[str, Any]] = []
        self.files: dict[str, Answer] = {}
        self.people: dict[str, dict[str, str]] = {}
        self.past = Past(kind)
        self.echo = "after"
        super().__init__()

    def endpoints(self) -> Sequence[Endpoint]:
        base = rf"/v\d\d\.\d/{self.account}"
        found = [
            Endpoint(method="POST", path=f"{base}/messages", answer=self._send, body=Outgoing, query=Proof),
            Endpoint(method="POST", path=f"{base}/subscribed_apps", answer=self._subscribed, query=Subscribing),
            Endpoint(
                method="GET",
                path=rf"/v\d\d\.\d/(?:{self.account}|me)/conversations",
                answer=lambda asked: self._told(self.past.conversations(asked.query), asked),
                query=Listing,
            ),
            Endpoint(
                method="GET",
                path=r"/v\d\d\.\d/([A-Za-z0-9_=-]+)/messages",
                answer=lambda asked: self._told(self.past.messages(asked.arguments[0], asked.query), asked),
                query=Reading,
            ),
            Endpoint(method="GET", path=base, answer=self._facts_of_it, query=Fields),
            Endpoint(method="GET", path=r"/v\d\d\.\d/(\d+)", answer=self._person, query=Fields),
            Endpoint(method="GET", path=r"/files/(\d+)", answer=self._file, public=True),
        ]
        if self.kind == "page":
            path = f"{base}/message_attachments"
            found.append(Endpoint(method="POST", path=path, answer=self._upload, raw=True, query=Proof))
        return found

    def check(self, asked: Request) -> None:
        if asked.path.startswith("/files/"):
            return
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token != self.token:
            raise Refused(self.fault(Fault("credentials", "Error validating access token")))
        proof = dict(asked.query).get("appsecret_proof")
        if proof is not None and proof != hmac.new(SECRET.encode(), token.encode(), hashlib.sha256).hexdigest():
            raise Refused(refused(100, "Invalid appsecret_proof provided in the API argument"))

    def fault(self, fault: Fault) -> Answer:
        if fault.kind == "credentials":
            return refused(190, fault.reason, status=401)
        return refused(100, f"{fault.reason} {fault.field}".strip())

    def throttled(self, order: Mapping[str, Any]) -> Answer:
        answer = refused(int(order.get("code", 613)), "Calls to this api have exceeded the rate limit.")
        return Answer(400, answer.body, answer.content_type, {"Retry-After": str(order.get("retry_after", 1))})

    # ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────

    def _send(self, asked: Asked) -> Answer:
        body: Outgoing = asked.body
        if not body.recipient.id.isdigit():
            raise Refused(refused(100, "No matching user found", subcode=2018001))
        if body.sender_action is not None:
            return self._act(body)
        message = body.message
        if message is None or bool(message.text) == (message.attachment is not None):
            raise Refused(refused(100, "A message has a text or an attachment"))
        if (body.messaging_type == "MESSAGE_TAG") != (body.tag is not None) or body.messaging_type is None:
            raise Refused(refused(100, "messaging_type and tag do not fit"))
        if self.kind == "instagram" and len(message.text.encode()) > TEXT_BYTES:
            raise Refused(refused(100, "Length of param message[text] must be less than or equal to 1000"))
        if message.attachment is not None:
            self._check_file(message.attachment)
        mid = f"m_EMU{len(self.sent) + 1:06}"
        told = {"to": body.recipient.id, "text": message.text, "metadata": message.metadata, "tag": body.tag}
        told |= {"file": msgspec.to_builtins(message.attachment) if message.attachment else None}
        self.sent[mid] = {"id": mid, "quoted": body.reply_to.mid if body.reply_to else None} | told
        if self.echo != "never" and self.webhook_url:
            self.later([self._echo_of(mid)], Delivery(delay_s=0.0 if self.echo == "before" else 0.03))
        return as_json(200, {"recipient_id": body.recipient.id, "message_id": mid})

    def _check_file(self, file: File) -> None:
        known = file.payload.attachment_id in self.files if self.kind == "page" else file.payload.url.startswith("http")
        if not known:
            raise Refused(refused(100, "(#100) Attachment is not there"))

    def _act(self, body: Outgoing) -> Answer:
        if body.message is not None or (body.sender_action == "mark_seen") != (body.payload is None):
            raise Refused(refused(100, "sender_action has a message, or no payload"))
        if body.payload is not None:
            told = {"kind": body.sender_action, "id": body.payload.message_id, "text": body.payload.reaction}
            self.done.append(told)
        return as_json(200, {"recipient_id": body.recipient.id})

    def _upload(self, asked: Asked) -> Answer:
        kind = asked.request.headers.get("content-type", "")
        form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + asked.request.body)
        parts = {
            str(one.get_param("name", "", "content-disposition")): one
            for one in (form.get_payload() if form.is_multipart() else [])
            if not isinstance(one, str)
        }
        if set(parts) != {"message", "filedata"} or not parts["filedata"].get_filename():
            raise Refused(refused(100, f"The form has the fields {sorted(parts)}"))
        about, content = (parts[name].get_payload(decode=True) for name in ("message", "filedata"))
        assert isinstance(about, bytes)
        assert isinstance(content, bytes)
        told = json.loads(about)
        if (
            set(told) != {"attachment"}
            or told["attachment"]["type"] not in ("image", "video", "audio", "file")
            or not content
        ):
            raise Refused(refused(100, "The attachment is not described"))
        return as_json(200, {"attachment_id": self._keep(content, parts["filedata"].get_content_type())})

    def _facts_of_it(self, _asked: Asked) -> Answer:
        named = {"name": "Northwind"} if self.kind == "page" else {"username": "northwind"}
        return as_json(200, {"id": self.account} | named)

    def _person(self, asked: Asked) -> Answer:
        """Say what was asked about a person, and nothing that is not there."""
        known, wanted = PROFILE[self.kind], asked.query.fields.split(",")
        if unknown := set(wanted) - known:
            raise Refused(refused(100, f"Tried accessing nonexisting field ({sorted(unknown)[0]})"))
        shown = self.people.get(asked.arguments[0])
        if shown is None:
            raise Refused(refused(100, "No profile available for this user.", subcode=2018218))
        return as_json(200, {name: shown[name] for name in wanted if name in shown} | {"id": asked.arguments[0]})

    def _subscribed(self, asked: Asked) -> Answer:
        query: Subscribing = asked.query
        if "messages" not in query.subscribed_fields.split(","):
            raise Refused(refused(100, "Param subscribed_fields must name messages"))
        return as_json(200, {"success": True})

    def _told(self, page: Mapping[str, Any] | str, asked: Asked) -> Answer:
        """Answer with a page of the past, and the address of the next one with the token in it, as Meta does."""
        if isinstance(page, str):
            raise Refused(refused(100, page))
        told = dict(page)
        if told["paging"].pop("has_next"):
            after = {"after": told["paging"]["cursors"]["after"], "access_token": self.token}
            told["paging"]["next"] = f"https://graph.facebook.com{asked.request.path}?{urlencode(after)}"
        return as_json(200, told)

    def _file(self, asked: Asked) -> Answer:
        return self.files.get(asked.arguments[0]) or refused(100, "no such file", status=404)

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────

    def call_of(self, items: Sequence[Any], sign: str) -> Call:
        entry = {"id": self.account, "time": int(time.time() * 1000), "messaging": list(items)}
        # Meta writes everything but ASCII, and slashes, as escapes.
        call = json.dumps({"object": self.kind, "entry": [entry]}, separators=(",", ":"))
        body = call.replace("/", "\\/").encode()
        headers = {"content-type": "application/json"}
        if sign != "none":
            key = b"another-secret" if sign == "wrong" else SECRET.encode()
            headers["x-hub-signature-256"] = f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}"
        return Call("", body, headers)

    def _echo_of(self, mid: str) -> dict[str, Any]:
        sent = self.sent[mid]
        message = {"mid": mid, "text": sent["text"], "is_echo": True, "app_id": 1517776481860111}
        if self.kind == "page" or sent["metadata"]:
            message["metadata"] = sent["metadata"]
        people = {"sender": {"id": self.account}, "recipient": {"id": sent["to"]}}
        return people | {"timestamp": int(time.time() * 1000), "message": message}

    # ── control ─────────────────────────────────────────────────────────────────────────────────────────────────

    def steer(self, op: str, order: dict[str, Any]) -> object:
        match op:
            case "token":
                self.token = order["value"]
            case "echo":
                self.echo = order["how"]
            case "person":
                self.people[order["id"]] = order["profile"]
            case "past":
                self.past.conversations_by_id = {one["id"]: one for one in order["conversations"]}
            case "file":
                return {"path": f"/files/{self._keep(base64.b64decode(order['body']), order['mime'])}"}
            case "subscribe":
                asked = {
                    "hub.mode": "subscribe",
                    "hub.verify_token": order["verify_token"],
                    "hub.challenge": "1158201444",
                }
                return self.post(Call(f"{order['url']}?{urlencode(asked)}", b"", method="GET"))
            case _:
                raise KeyError(op)
        return {}

    def facts(self) -> Mapping[str, Any]:
        return {"sent": list(self.sent.values()), "done": self.done}

    def forget(self) -> None:
        self.sent.clear()
        self.done.clear()

    def _keep(self, content: bytes, mime: str) -> str:
        file_id = str(1857777774821032 + len(self.files))
        self.files[file_id] = Answer(200, content, mime)
        return file_id


def refused(code: int, reason: str, *, subcode: int = 0, status: int = 400) -> Answer:
    """Return a refusal in the Graph API's shape."""
    error: dict[str, Any] = {"message": f"(#{code}) {reason}", "type": "OAuthException", "code": code}
    if subcode:
        error["error_subcode"] = subcode
    return as_json(status, {"error": error | {"fbtrace_id": "A_emulated"}})
