"""
Emulates X for direct messages: signing in, strict requests, an echo of each send, signed calls and the challenge.

Run: ``python -m scripts.emulators.x_dm``. Items to deliver are ``{"event_type", "event", "users"}`` for messages, or
``{"event_type", "payload"}`` for anything else. Beside what all emulators understand: ``redirect {uri}`` registers an
address, ``challenge {url}`` asks the question, ``file {body}`` keeps a picture (Base64) and tells its address in a
message, ``revoke`` ends what was granted.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec

from scripts.emulators.http1 import Answer, Cut, Request, as_json
from scripts.emulators.oauth import OAuthServer, Rules
from scripts.emulators.vendor import Asked, Call, Delivery, Endpoint, Fault, Refused, Vendor, serve

CLIENT_ID, CLIENT_SECRET, SECRET = "emulated-client", "emulated-client-secret", "emulated-api-key-secret"
USER_ID = "1500000000000000001"
SCOPES = frozenset({"dm.read", "dm.write", "tweet.read", "users.read", "media.write", "offline.access"})
_FIELDS = frozenset({"attachments", "created_at", "dm_conversation_id", "entities", "event_type", "id", "text"})


class Attached(msgspec.Struct, forbid_unknown_fields=True):
    media_id: Annotated[str, msgspec.Meta(pattern="^[0-9]{1,19}$")]


class Sending(msgspec.Struct, forbid_unknown_fields=True):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)] | None = None
    attachments: Annotated[list[Attached], msgspec.Meta(max_length=1)] = []


class Uploading(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    media: str
    media_category: Literal["dm_image", "dm_gif", "dm_video"]


class Listing(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    event_types: Literal["MessageCreate"]
    max_results: Annotated[int, msgspec.Meta(ge=1, le=100)]
    fields: str = msgspec.field(name="dm_event.fields")
    expansions: Literal["sender_id"]


class X(Vendor):
    """One account that keeps what it was asked to send."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.files: dict[str, Answer] = {}
        self.uploads: set[str] = set()
        rules = Rules(
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            redirect_uris=("https://hub.example.com/connect/x_dm/callback",),
            scopes=SCOPES,
            authorize_path="/i/oauth2/authorize",
            token_path="/2/oauth2/token",  # noqa: S106  a path
            revoke_path="/2/oauth2/revoke",
        )
        self.oauth = OAuthServer(rules)
        super().__init__()

    async def handle(self, request: Request) -> Answer | Cut:
        return self.oauth.handle(request) or await super().handle(request)

    def endpoints(self) -> Sequence[Endpoint]:
        of = r"/2/dm_conversations/with/(\d+)"
        return (
            Endpoint(method="GET", path="/2/users/me", answer=self._me),
            Endpoint(method="POST", path=f"{of}/messages", answer=self._send, body=Sending),
            Endpoint(method="GET", path=f"{of}/dm_events", answer=self._events, query=Listing),
            Endpoint(method="POST", path="/2/media/upload", answer=self._upload, body=Uploading),
            Endpoint(method="GET", path=r"/2/dm_conversations/media/(\d+/\d+/[\w.-]+)", answer=self._file),
        )

    def check(self, asked: Request) -> None:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if self.oauth.user_of(token) is None:
            raise Refused(self.fault(Fault("credentials", "Unauthorized")))

    def fault(self, fault: Fault) -> Answer:
        status = {"credentials": 401, "missing_endpoint": 404}.get(fault.kind, 400)
        return problem(status, f"{fault.reason} {fault.field}".strip())

    def throttled(self, order: Mapping[str, Any]) -> Answer:
        reset = math.ceil(time.time() + float(order.get("retry_after", 1)))
        answer = problem(429, "Too Many Requests")
        limits = {"x-rate-limit-limit": "15", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)}
        return Answer(429, answer.body, answer.content_type, limits)

    # ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────

    def _me(self, _asked: Asked) -> Answer:
        return as_json(200, {"data": {"id": USER_ID, "name": "Northwind", "username": "northwind"}})

    def _send(self, asked: Asked) -> Answer:
        body: Sending = asked.body
        if body.text is None and not body.attachments:
            raise Refused(problem(400, "At least one of text, attachments is required"))
        if any(one.media_id not in self.uploads for one in body.attachments):
            raise Refused(problem(400, "Your media IDs are invalid."))
        (person,) = asked.arguments
        event_id = str(2080765901528535096 + len(self.sent))
        kept = {"id": event_id, "to": person, "text": body.text or "", "files": len(body.attachments)}
        self.sent.append(kept | {"at": time.time()})
        if self.webhook_url:
            self.later([self._echo_of(self.sent[-1])], Delivery(delay_s=0.03))
        conversation = "-".join(sorted((USER_ID, person)))
        return as_json(201, {"data": {"dm_conversation_id": conversation, "dm_event_id": event_id}})

    def _events(self, asked: Asked) -> Answer:
        query: Listing = asked.query
        if not set(query.fields.split(",")) <= _FIELDS:
            raise Refused(problem(400, f"dm_event.fields: {query.fields}"))
        found = [
            {
                "id": one["id"],
                "text": one["text"],
                "event_type": "MessageCreate",
                "sender_id": USER_ID,
                "created_at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(one["at"])),
            }
            for one in reversed(self.sent)
            if one["to"] == asked.arguments[0]
        ]
        return as_json(200, {"data": found[: query.max_results], "meta": {"result_count": len(found)}})

    def _upload(self, asked: Asked) -> Answer:
        try:
            content = base64.b64decode(asked.body.media, validate=True)
        except ValueError as error:
            raise Refused(problem(400, "media is not Base64")) from error
        if not content:
            raise Refused(problem(400, "media is empty"))
        media_id = str(1146654567674912769 + len(self.uploads))
        self.uploads.add(media_id)
        return as_json(200, {"data": {"id": media_id, "media_key": f"3_{media_id}", "size": len(content)}})

    def _file(self, asked: Asked) -> Answer:
        return self.files.get(asked.arguments[0]) or problem(404, "no such media")

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────

    def call_of(self, items: Sequence[Any], sign: str) -> Call:
        (item,) = items
        payload = item.get("payload") or {"direct_message_events": [item["event"]], "users": item.get("users", {})}
        uuid = str(-int(hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()[:15], 16))
        data = {"event_uuid": uuid, "filter": {"user_id": USER_ID}, "event_type": item["event_type"], "tag": "dm"}
        body = json.dumps({"data": data | {"payload": payload}}, separators=(",", ":")).encode()
        headers = {"content-type": "application/json"}
        if sign != "none":
            headers["x-twitter-webhooks-signature"] = signed(body, "another" if sign == "wrong" else SECRET)
        return Call("", body, headers)

    def _echo_of(self, sent: dict[str, Any]) -> dict[str, Any]:
        created = {"target": {"recipient_id": sent["to"]}, "sender_id": USER_ID, "message_data": {"text": sent["text"]}}
        event = {"type": "message_create", "id": sent["id"], "created_timestamp": str(int(sent["at"] * 1000))}
        return {"event_type": "dm.sent", "event": event | {"message_create": created}}

    # ── control ─────────────────────────────────────────────────────────────────────────────────────────────────

    def steer(self, op: str, order: dict[str, Any]) -> object:
        match op:
            case "redirect":
                known = {*self.oauth.rules.redirect_uris, order["uri"]}
                self.oauth.rules = replace(self.oauth.rules, redirect_uris=tuple(sorted(known)))
            case "challenge":
                return self.post(Call(f"{order['url']}?{urlencode({'crc_token': order['token']})}", b"", method="GET"))
            case "file":
                place = f"{len(self.files) + 1}/77/{len(self.files) + 1}.jpg"
                self.files[place] = Answer(200, base64.b64decode(order["body"]), order["mime"])
                return {"url": f"https://ton.x.com/1.1/ton/data/dm/{place}"}
            case "revoke":
                self.oauth.end_grants()
            case _:
                raise KeyError(op)
        return {}

    def facts(self) -> Mapping[str, Any]:
        return {"sent": self.sent, "refused": self.oauth.refused, "renewals": self.oauth.renewals}

    def forget(self) -> None:
        self.sent.clear()


def signed(content: bytes, secret: str) -> str:
    """Sign as X does."""
    made = hmac.new(secret.encode(), content, hashlib.sha256).digest()
    return f"sha256={base64.b64encode(made).decode()}"


def problem(status: int, detail: str) -> Answer:
    """Return a refusal in X's shape."""
    return as_json(status, {"title": detail, "detail": detail, "type": "about:blank", "status": status})


def main() -> None:
    """Read the command line and serve until killed."""
    serve(lambda _: X(), argparse.ArgumentParser(description=__doc__))


if __name__ == "__main__":
    main()
