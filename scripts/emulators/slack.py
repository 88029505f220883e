"""
Emulates Slack for one workspace and one app: the Web API, OAuth v2, uploads, private files, signed events.

Run: ``python -m scripts.emulators.slack --redirect-uri …``. Beside what all emulators understand: ``revoke`` takes the
app's tokens back, ``file {body, name, mime}`` keeps a file somebody sent (Base64) and tells its object, ``echo {when}``
(``off``, ``before`` or ``after`` the answer) tells the app of its own posts, ``slow_share {on}`` names the message of a
shared file never, ``rotate {on}`` makes tokens end after twelve hours, ``past {messages}`` is
what was said before, ``person {id, profile}`` is what a member's profile says,
``scopes {value}`` are those granted, with commas between. Items of ``deliver`` are
``{event, event_id}``; what sockets do is in ``slack_socket``.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from scripts.emulators import slack_shapes as shapes
from scripts.emulators.http1 import Answer, Request, as_json
from scripts.emulators.slack_app import APP, BOT, BOT_USER, SCOPES, SIGNING_SECRET, TEAM, App, refused
from scripts.emulators.slack_socket import Sockets
from scripts.emulators.vendor import Asked, Call, Delivery, Endpoint, Fault, Vendor, serve

TEXT_LIMIT_CHARS: Final = 40_000
UPDATE_LIMIT_CHARS: Final = 4_000
# The names a member of the team would find in Slack's own picker, of those that tests use.
EMOJI: Final = frozenset({"+1", "thumbsup", "heart", "tada", "eyes", "white_check_mark", "joy", "pray"})


_UNASKED: Final = ("metadata",)
_Handler = Callable[[Asked], Answer | Awaitable[Answer]]


class Workspace(Vendor):
    """
    One workspace with the app in it, or about to be.

    Args:
        redirect_uris: Those registered with the app.
    """

    def __init__(self, redirect_uris: Sequence[str] = ()) -> None:
        self.app = App(redirect_uris)
        self.sockets = Sockets(self.app, self._envelope)
        super().__init__()
        self.messages: list[dict[str, Any]] = []
        self.past: list[dict[str, Any]] = []
        self.done: list[dict[str, Any]] = []
        self.files: dict[str, dict[str, Any]] = {}
        self.reactions: set[tuple[str, str, str]] = set()
        self.echo = "off"
        self.slow_share = False
        self.people: dict[str, dict[str, str]] = {}
        self.scopes = SCOPES
        self._delivered: Counter[str] = Counter()
        self._last_us = 0

    def endpoints(self) -> Sequence[Endpoint]:
        def method(
            name: str, answer: _Handler, body: type[shapes.Strict], *, form: bool = True, public: bool = False
        ) -> Endpoint:
            return Endpoint(method="POST", path=f"/api/{name}", answer=answer, body=body, form=form, public=public)

        return (
            # Slack's own SDK asks it with the type of JSON and no body.
            Endpoint(method="POST", path="/api/auth.test", answer=self._who),
            method("chat.postMessage", self._post, shapes.PostMessage, form=False),
            method("chat.update", self._update, shapes.Update, form=False),
            method("chat.delete", self._delete, shapes.Delete),
            method("reactions.(add|remove)", self._react, shapes.React),
            method("conversations.open", self._open, shapes.Open),
            method("conversations.(history|replies)", self._history, shapes.History),
            method("users.info", self._person, shapes.UserInfo),
            method("users.conversations", self._channels, shapes.Channels),
            method("files.getUploadURLExternal", self._ticket, shapes.Upload),
            method("files.completeUploadExternal", self._complete, shapes.Complete),
            method("files.info", self._file_info, shapes.FileInfo),
            method("files.delete", self._file_delete, shapes.FileInfo),
            Endpoint(method="POST", path="/api/apps.connections.open", answer=self.sockets.open, public=True),
            method("oauth.v2.access", self.app.access, shapes.Access, public=True),
            Endpoint(method="POST", path=r"/upload/v1/(F\w+)", answer=self._upload, raw=True, public=True),
            Endpoint(method="GET", path=r"/files-pri/(F\w+)/.*", answer=self._file, public=True),
            Endpoint(
                method="GET", path="/oauth/v2/authorize", answer=self.app.authorize, query=shapes.Authorize, public=True
            ),
        )

    # ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────

    def fault(self, fault: Fault) -> Answer:
        code = {"missing_endpoint": "unknown_method", "body": "invalid_json"}.get(fault.kind, "invalid_arguments")
        return as_json(
            200, {"ok": False, "error": code, "response_metadata": {"messages": [f"[ERROR] {fault.reason}"]}}
        )

    def throttled(self, order: Mapping[str, Any]) -> Answer:
        headers = {"Retry-After": str(order.get("retry_after", 1))}
        return as_json(429, {"ok": False, "error": "ratelimited"}, headers)

    def check(self, asked: Request) -> None:
        self.app.check(asked)

    def _require(self, scope: str) -> None:
        if scope not in self.scopes.split(","):
            raise refused("missing_scope")

    def _who(self, _asked: Asked) -> Answer:
        who = {"url": "https://emulated.slack.example/", "team": "Emulated", "user": "hub", "team_id": TEAM}
        who |= {"user_id": BOT_USER, "bot_id": BOT}
        return as_json(200, {"ok": True} | who, {"x-oauth-scopes": self.scopes})

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _post(self, asked: Asked) -> Answer:
        body: shapes.PostMessage = asked.body
        if not body.text.strip():
            raise refused("no_text")
        if body.channel[0] not in "CDG":
            raise refused("channel_not_found")
        if body.username is not None or body.icon_url is not None:
            self._require("chat:write.customize")
        message = self._make(body.channel, body.text[:TEXT_LIMIT_CHARS], body.thread_ts)
        if body.username is not None:
            message["username"] = body.username
            message["icons"] = {"image_48": body.icon_url} if body.icon_url else {}
        if body.metadata is not None:
            message["metadata"] = msgspec.to_builtins(body.metadata)
        await self._tell(message)
        return as_json(200, {"ok": True, "channel": body.channel, "ts": message["ts"], "message": message})

    def _make(self, channel: str, text: str, thread_ts: str | None) -> dict[str, Any]:
        self._last_us = max(self._last_us + 1, time.time_ns() // 1000)
        ts = f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06}"
        message = {"type": "message", "user": BOT_USER, "bot_id": BOT, "app_id": APP, "team": TEAM}
        message |= {"text": text, "ts": ts, "channel": channel}
        if thread_ts:
            message["thread_ts"] = thread_ts
        self.messages.append(message)
        return message

    async def _tell(self, message: dict[str, Any]) -> None:
        """Tell the app of its own post, as Slack does, before or after it is answered."""
        if self.echo == "off":
            return
        event = message | {"event_ts": message["ts"]}
        event["channel_type"] = {"D": "im", "C": "channel"}.get(message["channel"][0], "group")
        items = [{"event": event, "event_id": f"Ev{secrets.token_hex(6).upper()}"}]
        if self.echo == "before":
            await self.deliver(items, Delivery())
        else:
            self.later(items)

    def _update(self, asked: Asked) -> Answer:
        body: shapes.Update = asked.body
        message = self._find(body.channel, body.ts)
        if len(body.text) > UPDATE_LIMIT_CHARS:
            raise refused("msg_too_long")
        message["text"] = body.text
        self.done.append({"kind": "edit", "id": f"{body.channel}/{body.ts}", "text": body.text})
        return as_json(200, {"ok": True, "channel": body.channel, "ts": body.ts, "text": body.text})

    def _delete(self, asked: Asked) -> Answer:
        body: shapes.Delete = asked.body
        self.messages.remove(self._find(body.channel, body.ts))
        self.done.append({"kind": "delete", "id": f"{body.channel}/{body.ts}", "text": ""})
        return as_json(200, {"ok": True, "channel": body.channel, "ts": body.ts})

    def _react(self, asked: Asked) -> Answer:
        body: shapes.React = asked.body
        place, is_add = (body.channel, body.timestamp, body.name.partition("::")[0]), asked.arguments[0] == "add"
        if place[2] not in EMOJI:
            raise refused("invalid_name")
        if (place in self.reactions) == is_add:
            raise refused("already_reacted" if is_add else "no_reaction")
        self.reactions ^= {place}
        kind = "react" if is_add else "unreact"
        self.done.append({"kind": kind, "id": f"{body.channel}/{body.timestamp}", "text": body.name})
        return as_json(200, {"ok": True})

    def _open(self, asked: Asked) -> Answer:
        if not asked.body.users.startswith(("U", "W")):
            raise refused("user_not_found")
        return as_json(200, {"ok": True, "channel": {"id": f"D{asked.body.users[1:]}"}})

    def _history(self, asked: Asked) -> Answer:
        body: shapes.History = asked.body
        if (asked.arguments[0] == "replies") != bool(body.ts):
            raise refused("invalid_arguments")
        everything = sorted([*self.past, *self.messages], key=lambda one: float(one["ts"]))
        found = [
            {name: value for name, value in one.items() if name not in (() if body.include_all_metadata else _UNASKED)}
            for one in everything
            if one["channel"] == body.channel
            and float(one["ts"]) > float(body.oldest)
            and (
                body.ts in (one.get("thread_ts"), one["ts"])
                if body.ts
                else one.get("thread_ts", one["ts"]) == one["ts"]
            )
        ]
        # Slack gives the newest first, but a thread's first message first.
        found = found if body.ts else found[::-1]
        first = int(body.cursor or 0)
        rest = first + body.limit if len(found) > first + body.limit else 0
        page = {"messages": found[first : first + body.limit], "has_more": bool(rest)}
        return as_json(200, {"ok": True, **page, "response_metadata": {"next_cursor": str(rest or "")}})

    def _channels(self, asked: Asked) -> Answer:
        body: shapes.Channels = asked.body
        kinds = {"D": "im", "C": "public_channel", "G": "private_channel"}
        found = []
        for name in sorted({one["channel"] for one in self.past}):
            if kinds[name[0]] in body.types.split(","):
                found.append({"id": name} | ({"is_im": True, "user": f"U{name[1:]}"} if name[0] == "D" else {}))
        return as_json(200, {"ok": True, "channels": found, "response_metadata": {"next_cursor": ""}})

    def _person(self, asked: Asked) -> Answer:
        """Say who a member is; one who was never named is known by the id alone."""
        self._require("users:read")
        member = asked.body.user
        if not member.startswith(("U", "W")):
            raise refused("user_not_found")
        shown = {"real_name": "", "display_name": "", **self.people.get(member, {})}
        return as_json(
            200, {"ok": True, "user": {"id": member, "team_id": TEAM, "name": member.lower(), "profile": shown}}
        )

    def _find(self, channel: str, ts: str) -> dict[str, Any]:
        found = next((one for one in self.messages if (one["channel"], one["ts"]) == (channel, ts)), None)
        if found is None:
            raise refused("message_not_found")
        return found

    # ── files ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _ticket(self, asked: Asked) -> Answer:
        file_id = f"F{secrets.token_hex(5).upper()}"
        self.files[file_id] = {"id": file_id, "name": asked.body.filename, "length": asked.body.length, "shares": {}}
        origin = f"http://{asked.request.headers['host']}"
        return as_json(200, {"ok": True, "upload_url": f"{origin}/upload/v1/{file_id}", "file_id": file_id})

    def _upload(self, asked: Asked) -> Answer:
        file = self.files.get(asked.arguments[0])
        # The address itself is the permission; a token sent there would be a token given away.
        if file is None or "authorization" in asked.request.headers or len(asked.request.body) != file["length"]:
            return Answer(400, b"no such upload, another length, or a token where none belongs", "text/plain")
        file["sha256"] = hashlib.sha256(asked.request.body).hexdigest()
        return Answer(200, b"OK", "text/plain")

    async def _complete(self, asked: Asked) -> Answer:
        body: shapes.Complete = asked.body
        try:
            wanted = msgspec.json.decode(body.files, type=list[shapes.Completed])
        except msgspec.MsgspecError as error:
            raise refused("invalid_arguments") from error
        if not wanted or any("sha256" not in self.files.get(one.id, {}) for one in wanted):
            raise refused("file_not_found")
        message = self._make(body.channel_id, body.initial_comment, body.thread_ts or None)
        message |= {
            "subtype": "file_share",
            "files": [{"id": one.id, "name": self.files[one.id]["name"]} for one in wanted],
        }
        for one in wanted:
            if not self.slow_share:
                self.files[one.id]["shares"] = {"private": {body.channel_id: [{"ts": message["ts"]}]}}
        await self._tell(message)
        return as_json(200, {"ok": True, "files": [{"id": one.id, "title": one.title} for one in wanted]})

    def _file_info(self, asked: Asked) -> Answer:
        file = self.files.get(asked.body.file)
        if file is None:
            raise refused("file_not_found")
        shown = {name: value for name, value in file.items() if name not in ("body", "sha256", "length")}
        return as_json(200, {"ok": True, "file": shown})

    def _file_delete(self, asked: Asked) -> Answer:
        if self.files.pop(asked.body.file, None) is None:
            raise refused("file_not_found")
        self.done.append({"kind": "delete", "id": asked.body.file, "text": ""})
        return as_json(200, {"ok": True})

    def _file(self, asked: Asked) -> Answer:
        """Give a private file to the app; everybody else gets the page to sign in, with 200, as Slack does."""
        file = self.files.get(asked.arguments[0])
        token = asked.request.headers.get("authorization", "").removeprefix("Bearer ")
        if not self.app.is_good(token):
            return Answer(200, b"<!DOCTYPE html><html><body>Sign in to Emulated</body></html>", "text/html")
        if file is None or "body" not in file:
            return Answer(404, b"", "text/plain")
        return Answer(200, base64.b64decode(file["body"]), file["mimetype"])

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────────────

    def call_of(self, items: Sequence[Any], sign: str) -> Call:
        """Sign one event: Slack never puts several into a call."""
        (item,) = items
        body = json.dumps(self._envelope(item)).replace("/", "\\/").encode()
        at = str(int(time.time()) - (3600 if sign == "old" else 0))
        headers = {"content-type": "application/json", "user-agent": "Slackbot 1.0", "x-slack-request-timestamp": at}
        again = self._delivered[item.get("event_id", "")]
        self._delivered[item.get("event_id", "")] += 1
        if again:
            headers |= {"x-slack-retry-num": str(again), "x-slack-retry-reason": "http_timeout"}
        if sign != "none":
            key = (SIGNING_SECRET if sign != "wrong" else secrets.token_hex(16)).encode()
            digest = hmac.new(key, b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
            headers["x-slack-signature"] = f"v0={digest}"
        return Call("", body, headers)

    def _envelope(self, item: Mapping[str, Any]) -> dict[str, Any]:
        if "challenge" in item:
            return {"token": "legacy", "type": "url_verification", "challenge": item["challenge"]}
        seen_by = [{"enterprise_id": None, "team_id": TEAM, "user_id": BOT_USER, "is_bot": True}]
        return {
            "token": "legacy",
            "team_id": TEAM,
            "api_app_id": APP,
            "type": "event_callback",
            "event_id": item["event_id"],
            "event_time": int(time.time()),
            "authorizations": seen_by,
            "event": item["event"],
        }

    # ── control ─────────────────────────────────────────────────────────────────────────────────────────────────

    def steer(self, op: str, order: dict[str, Any]) -> object:
        match op:
            case "revoke":
                self.app.revoke()
            case "file":
                return self._keep(order)
            case "echo":
                self.echo = order["when"]
            case "slow_share":
                self.slow_share = bool(order["on"])
            case "scopes":
                self.scopes = order["value"]
            case "person":
                self.people[order["id"]] = order["profile"]
            case "past":
                self.past = order["messages"]
            case "rotate":
                self.app.rotates = bool(order["on"])
            case "redirect":
                self.app.redirect_uris = (*self.app.redirect_uris, order["uri"])
            case _:
                return self.sockets.steer(op, order)
        return {}

    def _keep(self, order: Mapping[str, Any]) -> dict[str, Any]:
        file_id = f"F{secrets.token_hex(5).upper()}"
        url = f"{order['origin']}/files-pri/{file_id}/{order['name']}"
        size = len(base64.b64decode(order["body"]))
        file = {"id": file_id, "name": order["name"], "mimetype": order["mime"], "size": size, "mode": "hosted"}
        file |= {"is_external": False, "url_private": url, "url_private_download": url}
        self.files[file_id] = file | {"body": order["body"], "shares": {}}
        return file

    def facts(self) -> Mapping[str, Any]:
        return {"messages": self.messages, "done": self.done, "sockets": self.sockets.facts()}

    def forget(self) -> None:
        self.messages.clear()
        self.done.clear()


def main() -> None:
    """Read the command line and serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redirect-uri", action="append", default=[], help="registered with the app; repeatable")
    serve(lambda arguments: Workspace(arguments.redirect_uri), parser)


if __name__ == "__main__":
    main()
