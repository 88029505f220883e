"""
Emulates WhatsApp's Cloud API: one number of one business account, strict requests, signed webhook calls.

Run: ``python -m scripts.emulators.whatsapp_cloud``; ``EMULATED_TOKEN`` and ``EMULATED_SECRET`` name other keys.
Items to deliver are ``{"message": …, "contact": …}``,
``{"echo": …}``, ``{"status": {"id", "status", …}}`` or ``{"field": …, "value": …}``; with ``batch`` they travel in one
call. Beside what all emulators understand: ``token {value}`` is the access token from now on, ``file {body, mime}``
keeps a file (Base64) and tells its id, ``template {…}`` adds one as Meta lists it, ``close_window {person}`` refuses
all but templates to somebody, ``subscribe {url, verify_token}`` makes the handshake, ``statuses {order, delay_s}`` says
which states follow each message.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Mapping, Sequence
from email import message_from_bytes
from typing import Any
from urllib.parse import urlencode

import msgspec

from scripts.emulators import whatsapp_rules as rules
from scripts.emulators.http1 import Answer, Request, as_json
from scripts.emulators.vendor import Asked, Call, Delivery, Endpoint, Fault, Refused, Vendor, serve

TOKEN, SECRET = "emulated-access-token", "emulated-app-secret"
NUMBER_ID, WABA_ID = "106540352242922", "102290129340398"
_STATUS_OF = {0: 401, 4: 400, 190: 401, 131047: 400}


class WhatsApp(Vendor):
    """One number that keeps what it was asked to send."""

    def __init__(self, token: str = TOKEN, secret: str = SECRET) -> None:
        self.token, self.secret = token, secret
        self.sent: dict[str, dict[str, Any]] = {}
        self.done: list[dict[str, Any]] = []
        self.files: dict[str, Answer] = {}
        self.templates: list[dict[str, Any]] = []
        self.closed: set[str] = set()
        self.statuses: list[str] = ["sent"]
        self.status_delay_s = 0.02
        super().__init__()

    def endpoints(self) -> Sequence[Endpoint]:
        version = r"/v\d\d\.\d/"
        return (
            Endpoint(
                method="POST",
                path=f"{version}{NUMBER_ID}/messages",
                answer=self._send,
                body=rules.Outgoing,
                query=rules.Proof,
            ),
            Endpoint(
                method="POST", path=f"{version}{NUMBER_ID}/media", answer=self._upload, raw=True, query=rules.Proof
            ),
            Endpoint(method="POST", path=f"{version}{WABA_ID}/subscribed_apps", answer=self._done, query=rules.Proof),
            Endpoint(
                method="GET", path=f"{version}{WABA_ID}/message_templates", answer=self._list, query=rules.Listing
            ),
            Endpoint(method="GET", path=f"{version}{NUMBER_ID}", answer=self._number, query=rules.Fields),
            Endpoint(method="GET", path=version + r"(\d+)", answer=self._where_file_is, query=rules.OfNumber),
            Endpoint(method="GET", path=r"/files/(\d+)", answer=self._file),
        )

    def check(self, asked: Request) -> None:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token != self.token:
            raise Refused(self.fault(Fault("credentials", "Invalid OAuth access token - Cannot parse access token")))
        proof = dict(asked.query).get("appsecret_proof")
        if proof is not None and proof != hmac.new(self.secret.encode(), token.encode(), hashlib.sha256).hexdigest():
            raise Refused(refused(100, "Invalid appsecret_proof provided in the API argument"))

    def fault(self, fault: Fault) -> Answer:
        if fault.kind == "credentials":
            return refused(190, fault.reason)
        return refused(100, f"{fault.reason} {fault.field}".strip())

    def throttled(self, order: Mapping[str, Any]) -> Answer:
        answer = refused(int(order.get("code", 130429)), "Rate limit hit", 429)
        return Answer(429, answer.body, answer.content_type, {"Retry-After": str(order.get("retry_after", 1))})

    # ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────

    def _send(self, asked: Asked) -> Answer:
        body: rules.Outgoing = asked.body
        try:
            rules.check_outgoing(body, self.files, self.templates, self.closed)
        except rules.Wrong as wrong:
            raise Refused(refused(wrong.code, wrong.reason)) from wrong
        if body.status == "read":
            self.done.append({"kind": "read", "id": body.message_id, "text": ""})
            return as_json(200, {"success": True})
        message_id = f"wamid.EMU{len(self.sent) + 1:06}"
        to = body.to or body.recipient
        if body.reaction is not None:
            kind = "react" if body.reaction.emoji else "unreact"
            self.done.append({"kind": kind, "id": body.reaction.message_id, "text": body.reaction.emoji})
        else:
            self.sent[message_id] = {"id": message_id, "to": to, "is_number": bool(body.to)} | _told(body)
            items = [{"status": {"id": message_id, "status": one}} for one in self.statuses]
            if self.webhook_url:
                self.later(items, Delivery(delay_s=self.status_delay_s))
        contact = {"input": to} | ({"wa_id": to} if body.to else {"user_id": to})
        answer = {"contacts": [contact], "messages": [{"id": message_id, "message_status": "accepted"}]}
        return as_json(200, {"messaging_product": "whatsapp"} | answer)

    def _upload(self, asked: Asked) -> Answer:
        kind = asked.request.headers.get("content-type", "")
        form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + asked.request.body)
        if form.get_content_type() != "multipart/form-data" or not form.is_multipart():
            raise Refused(refused(100, "The body is not a form with a file"))
        parts = {
            str(one.get_param("name", "", "content-disposition")): one
            for one in form.get_payload()
            if not isinstance(one, str)
        }
        if set(parts) != {"messaging_product", "type", "file"} or not parts["file"].get_filename():
            raise Refused(refused(100, f"The form has the fields {sorted(parts)}"))
        content = parts["file"].get_payload(decode=True)
        assert isinstance(content, bytes)
        if parts["file"].get_content_type() not in rules.MIMES or not content:
            raise Refused(refused(131053, "Media upload error"))
        return as_json(200, {"id": self._keep(content, parts["file"].get_content_type())})

    def _where_file_is(self, asked: Asked) -> Answer:
        (file_id,) = asked.arguments
        if file_id not in self.files:
            raise Refused(refused(100, f"Unsupported get request. Object with ID '{file_id}' does not exist"))
        file = self.files[file_id]
        facts = {
            "messaging_product": "whatsapp",
            "url": f"http://{asked.request.headers['host']}/files/{file_id}",
            "mime_type": file.content_type,
            "sha256": hashlib.sha256(file.body).hexdigest(),
            "file_size": len(file.body),
            "id": file_id,
        }
        return as_json(200, facts)

    def _file(self, asked: Asked) -> Answer:
        return self.files.get(asked.arguments[0]) or refused(100, "no such file", 404)

    def _number(self, _asked: Asked) -> Answer:
        facts = {"display_phone_number": "+1 555-000-1111", "verified_name": "Emulated", "quality_rating": "GREEN"}
        return as_json(200, facts | {"id": NUMBER_ID})

    def _list(self, asked: Asked) -> Answer:
        query: rules.Listing = asked.query
        first = int(query.after or "0")
        shown = self.templates[first : first + query.limit]
        paging: dict[str, Any] = {"cursors": {"before": str(first), "after": str(first + len(shown))}}
        if first + len(shown) < len(self.templates):
            paging["next"] = f"http://{asked.request.headers['host']}{asked.request.path}"
        return as_json(200, {"data": shown, "paging": paging})

    def _done(self, _asked: Asked) -> Answer:
        return as_json(200, {"success": True})

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────

    def call_of(self, items: Sequence[Any], sign: str) -> Call:
        changes = [self._change(item) for item in items]
        call = {"object": "whatsapp_business_account", "entry": [{"id": WABA_ID, "changes": changes}]}
        # Meta writes everything but ASCII, and slashes, as escapes.
        body = json.dumps(call, separators=(",", ":")).replace("/", "\\/").encode()
        headers = {"content-type": "application/json"}
        if sign != "none":
            key = b"another-secret" if sign == "wrong" else self.secret.encode()
            headers["x-hub-signature-256"] = f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}"
        return Call("", body, headers)

    def _change(self, item: dict[str, Any]) -> dict[str, Any]:
        if "field" in item:
            return {"field": item["field"], "value": item["value"]}
        metadata = {"display_phone_number": "15550001111", "phone_number_id": NUMBER_ID}
        value: dict[str, Any] = {"messaging_product": "whatsapp", "metadata": metadata}
        if "contact" in item:
            value["contacts"] = [item["contact"]]
        if "echo" in item:
            return {"field": "smb_message_echoes", "value": value | {"message_echoes": [item["echo"]]}}
        if "message" in item:
            return {"field": "messages", "value": value | {"messages": [item["message"]]}}
        status = self._status(item["status"])
        whom = (
            {"wa_id": status["recipient_id"]} if "recipient_id" in status else {"user_id": status["recipient_user_id"]}
        )
        return {"field": "messages", "value": {"contacts": [whom]} | value | {"statuses": [status]}}

    def _status(self, told: dict[str, Any]) -> dict[str, Any]:
        sent = self.sent.get(told["id"], {"to": "16505550000", "is_number": True, "reference": None})
        whom = {"recipient_id" if sent["is_number"] else "recipient_user_id": sent["to"]}
        reference = {"biz_opaque_callback_data": sent["reference"]} if sent["reference"] else {}
        return {"timestamp": str(int(time.time())), **whom, **reference, **told}

    # ── control ─────────────────────────────────────────────────────────────────────────────────────────────────

    def steer(self, op: str, order: dict[str, Any]) -> object:
        match op:
            case "token":
                self.token = order["value"]
            case "file":
                return {"id": self._keep(base64.b64decode(order["body"]), order["mime"])}
            case "template":
                self.templates.append(order["template"])
            case "close_window":
                self.closed.add(order["person"])
            case "statuses":
                self.statuses, self.status_delay_s = list(order["order"]), float(order.get("delay_s", 0.02))
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
        file_id = str(1003383421387256 + len(self.files))
        self.files[file_id] = Answer(200, content, mime)
        return file_id


def refused(code: int, reason: str, status: int = 0) -> Answer:
    """Return a refusal in the Graph API's shape."""
    error = {"message": f"(#{code}) {reason}", "type": "OAuthException", "code": code, "fbtrace_id": "A_emulated"}
    return as_json(status or _STATUS_OF.get(code, 400), {"error": error})


def _told(body: rules.Outgoing) -> dict[str, Any]:
    part = msgspec.to_builtins(getattr(body, body.type))
    text = part.get("body") or part.get("caption") or ""
    quoted = body.context.message_id if body.context else None
    return {"type": body.type, "text": text, "part": part, "quoted": quoted, "reference": body.biz_opaque_callback_data}


def main() -> None:
    """Read the command line and serve until killed."""
    keys = os.environ.get("EMULATED_TOKEN", TOKEN), os.environ.get("EMULATED_SECRET", SECRET)
    serve(lambda _: WhatsApp(*keys), argparse.ArgumentParser(description=__doc__))


if __name__ == "__main__":
    main()
