"""
Emulates Microsoft for a bot in Teams: tokens, the Bot Connector of a conversation, its keys, and calls with a token.

Run: ``python -m scripts.emulators.teams``. Items to deliver are activities; each is a call of its own, as Teams makes
them. Beside what all emulators understand: ``secret {value}`` is the bot's secret from now on, ``file {body, mime}``
keeps a file (Base64) and tells its path, ``new_key`` signs with a key nobody has fetched.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import unquote

import msgspec
from joserfc import jws
from joserfc.jwk import RSAKey

from scripts.emulators.http1 import Answer, Request, as_json
from scripts.emulators.vendor import Asked, Call, Endpoint, Fault, Refused, Vendor, serve

APP_ID = "11111111-2222-4333-8444-555555555555"
TENANT_ID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
SECRET = "emulated-client-secret"  # noqa: S105  of nobody
ISSUER = "https://api.botframework.com"
_SCOPE = "https://api.botframework.com/.default"


class TokenForm(msgspec.Struct, forbid_unknown_fields=True):
    grant_type: Literal["client_credentials"]
    client_id: str
    client_secret: str
    scope: str


class Picture(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    content_type: Literal["image/png", "image/jpeg", "image/gif"]
    content_url: str
    name: str = ""


class Sending(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    type: Literal["message"]
    text: str = ""
    text_format: Literal["plain", "markdown", "xml"] = "markdown"
    reply_to_id: str = ""
    attachments: list[Picture] = []


class Teams(Vendor):
    """One bot in one tenant; knows every conversation it is asked about."""

    def __init__(self) -> None:
        self.secret = SECRET
        self.tokens: set[str] = set()
        self.sent: dict[str, dict[str, Any]] = {}
        self.done: list[dict[str, Any]] = []
        self.files: dict[str, Answer] = {}
        self.keys = {"k1": RSAKey.generate_key(2048)}
        super().__init__()

    def endpoints(self) -> Sequence[Endpoint]:
        of = r"/v3/conversations/([^/]+)/activities"
        token = rf"/{TENANT_ID}/oauth2/v2\.0/token"
        return (
            Endpoint(method="GET", path=r"/v1/\.well-known/keys", answer=self._keys, public=True),
            Endpoint(method="POST", path=token, answer=self._token, body=TokenForm, form=True, public=True),
            Endpoint(method="POST", path=of, answer=self._send, body=Sending),
            Endpoint(method="PUT", path=rf"{of}/([^/]+)", answer=self._change, body=Sending),
            Endpoint(method="DELETE", path=rf"{of}/([^/]+)", answer=self._delete),
            Endpoint(method="GET", path=r"/files/(\d+)", answer=self._file),
        )

    def check(self, asked: Request) -> None:
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            raise Refused(self.fault(Fault("credentials", "Authorization has been denied for this request.")))

    def fault(self, fault: Fault) -> Answer:
        status = {"credentials": 401, "missing_endpoint": 404}.get(fault.kind, 400)
        return refused(
            status, "BadArgument" if status == 400 else "Unauthorized", f"{fault.reason} {fault.field}".strip()
        )

    def throttled(self, order: Mapping[str, Any]) -> Answer:
        answer = refused(int(order.get("status", 429)), "TooManyRequests", "API calls quota exceeded")
        return Answer(
            answer.status, answer.body, answer.content_type, {"Retry-After": str(order.get("retry_after", 1))}
        )

    # ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────

    def _keys(self, _asked: Asked) -> Answer:
        public = [
            {**key.as_dict(private=False), "kid": kid, "use": "sig", "endorsements": ["msteams"]}
            for kid, key in self.keys.items()
        ]
        return as_json(200, {"keys": public})

    def _token(self, asked: Asked) -> Answer:
        form: TokenForm = asked.body
        if (form.client_id, form.client_secret, form.scope) != (APP_ID, self.secret, _SCOPE):
            error = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
            raise Refused(as_json(401, error))
        token = f"token-{len(self.tokens)}-{self.secret}"
        self.tokens.add(token)
        return as_json(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    def _send(self, asked: Asked) -> Answer:
        body: Sending = asked.body
        if not body.text and not body.attachments:
            raise Refused(refused(400, "BadSyntax", "Activity has no content"))
        activity_id = str(1763800000000 + len(self.sent))
        told = {"conversation": unquote(asked.arguments[0]), "text": body.text, "format": body.text_format}
        self.sent[activity_id] = {
            "id": activity_id,
            "reply_to": body.reply_to_id,
            "files": len(body.attachments),
        } | told
        return as_json(201, {"id": activity_id})

    def _change(self, asked: Asked) -> Answer:
        activity_id = self._known(asked)
        self.done.append({"kind": "edit", "id": activity_id, "text": asked.body.text})
        return as_json(200, {"id": activity_id})

    def _delete(self, asked: Asked) -> Answer:
        self.done.append({"kind": "delete", "id": self._known(asked), "text": ""})
        return as_json(200, {})

    def _known(self, asked: Asked) -> str:
        conversation, activity_id = (unquote(one) for one in asked.arguments)
        if self.sent.get(activity_id, {}).get("conversation") != conversation:
            raise Refused(refused(404, "ActivityNotFoundInConversation", "no such activity"))
        return activity_id

    def _file(self, asked: Asked) -> Answer:
        return self.files.get(asked.arguments[0]) or refused(404, "NotFound", "no such file")

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────

    def call_of(self, items: Sequence[Any], sign: str) -> Call:
        (activity,) = items
        headers = {"content-type": "application/json; charset=utf-8"}
        if sign != "none":
            now_s = int(time.time()) - (7200 if sign == "old" else 0)
            claims = {"iss": ISSUER, "aud": APP_ID, "exp": now_s + 3600, "nbf": now_s}
            kid = list(self.keys)[-1]
            key = RSAKey.generate_key(2048) if sign == "wrong" else self.keys[kid]
            claims["serviceurl"] = activity["serviceUrl"]
            token = jws.serialize_compact({"alg": "RS256", "kid": kid}, json.dumps(claims).encode(), key)
            headers["authorization"] = f"Bearer {token}"
        return Call("", json.dumps(activity).encode(), headers)

    # ── control ─────────────────────────────────────────────────────────────────────────────────────────────────

    def steer(self, op: str, order: dict[str, Any]) -> object:
        match op:
            case "secret":
                self.secret = order["value"]
                self.tokens.clear()
            case "new_key":
                self.keys[f"k{len(self.keys) + 1}"] = RSAKey.generate_key(2048)
            case "file":
                number = str(len(self.files) + 1)
                self.files[number] = Answer(200, base64.b64decode(order["body"]), order["mime"])
                return {"path": f"/files/{number}"}
            case _:
                raise KeyError(op)
        return {}

    def facts(self) -> Mapping[str, Any]:
        return {"sent": list(self.sent.values()), "done": self.done}

    def forget(self) -> None:
        self.done.clear()


def refused(status: int, code: str, message: str) -> Answer:
    """Return a refusal in the Bot Connector's shape."""
    return as_json(status, {"error": {"code": code, "message": message}})


def main() -> None:
    """Read the command line and serve until killed."""
    serve(lambda _: Teams(), argparse.ArgumentParser(description=__doc__))


if __name__ == "__main__":
    main()
