"""Slack, as the tests of all channels steer it: connected by signing in, called at the address of the app."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from scripts.emulators.slack_app import APP, APP_TOKEN, BOT, BOT_USER, CLIENT_ID, CLIENT_SECRET, SIGNING_SECRET, TEAM
from tests.acceptance.channels.driver import Done, Sent, wait_until
from tests.acceptance.channels.driver import Driver as Base

COLLEAGUE = "U0OLA"
_NAMES = {"👍": "+1"}
# Only in a channel can somebody of our side answer; everybody else writes to the app directly.
_IN_CHANNEL = frozenset({"ecki"})


class Driver(Base):
    channel = "slack"
    oauth = True
    has: ClassVar = frozenset(
        {
            "media",
            "edit",
            "delete",
            "reaction",
            "echo",
            "threads",
            "act_edit",
            "act_delete",
            "act_react",
            "names",
            "sockets",
        },
    )

    def __init__(self) -> None:
        super().__init__()
        self._ts: dict[str, str] = {}
        self._root: dict[str, str] = {}
        self._is_listened_to = False

    def environ(self) -> Mapping[str, str]:
        keys = {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "SIGNING_SECRET": SIGNING_SECRET}
        return {**super().environ(), **{f"HUB_OAUTH_SLACK_{name}": value for name, value in keys.items()}}

    def connect(self) -> Mapping[str, Any]:
        self.origin = str(self.api.base_url).partition("/api/v1/")[0]
        self.vendor.control("redirect", uri=f"{self.origin}/connect/slack/callback")
        return super().connect()

    def account(self) -> dict[str, Any]:
        return {"name": "Slack", "credentials": {}, "settings": {"colleagues": COLLEAGUE}}

    def connected(self, answer: Any) -> None:
        """Enter the app's address at Slack, which asks first whether it is ours; from now on it tells of our posts."""
        super().connected(answer)
        self.vendor.control("webhook", url=f"{self.origin}/webhooks/slack/app")
        (shaken,) = self.vendor.control("deliver", items=[{"challenge": "is-it-you"}])
        assert (shaken["status"], shaken["body"]) == (200, "is-it-you")
        self.vendor.control("echo", when="before")

    def text(self, person: str, text: str, key: str, **more: Any) -> Any:
        event = self._said(person, key) | {"user": self._member(person), "text": text}
        if person in _IN_CHANNEL and (root := self._root.setdefault(person, event["ts"])) != event["ts"]:
            event |= {"thread_ts": root, "parent_user_id": self._member(person)}
        if "thread" in more:
            event |= {"thread_ts": self._ts_of(more["thread"]), "parent_user_id": self._member(person)}
        return self._item("message", key, event)

    def media(self, person: str, name: str, mime: str, content: bytes, key: str) -> Any:
        body = base64.b64encode(content).decode()
        file = self.vendor.control("file", body=body, name=name, mime=mime, origin=self.vendor.base_url)
        event = self._said(person, key) | {"user": self._member(person), "text": "", "subtype": "file_share"}
        return self._item("message", key, event | {"files": [file]})

    def echo(self, person: str, text: str, key: str) -> Any:
        """A colleague answers in the thread; of a message of ours, our app's own copy."""
        author: dict[str, Any] = {"user": COLLEAGUE, "team": TEAM}
        if "/" in key:
            author = {"user": BOT_USER, "bot_id": BOT, "app_id": APP}
        thread = {"thread_ts": self._root[person], "parent_user_id": self._member(person)}
        return self._item("message", key, self._said(person, key) | author | thread | {"text": text})

    def edit(self, person: str, key: str, text: str) -> Any:
        plain = {"type": "message", "user": self._member(person), "ts": self._ts_of(key)}
        now = {**plain, "text": text, "edited": {"user": plain["user"], "ts": _now()}}
        before = plain | {"text": "another"}
        return self._item(f"edit {text}", key, self._changed(person) | {"message": now, "previous_message": before})

    def delete(self, person: str, key: str) -> Any:
        event = self._changed(person) | {"subtype": "message_deleted", "deleted_ts": self._ts_of(key)}
        return self._item("delete", key, event)

    def reaction(self, person: str, key: str, emoji: str, *, removed: bool = False) -> Any:
        item = {"type": "message", "channel": self._place(person)["channel"], "ts": self._ts_of(key)}
        event = {"type": "reaction_removed" if removed else "reaction_added", "user": self._member(person)}
        event |= {"reaction": _NAMES[emoji], "item_user": self._member(person), "item": item, "event_ts": _now()}
        return self._item(str(event["type"]), key, event)

    def listen(self, *, on: bool) -> None:
        settings = {"events_by": "socket" if on else "HTTP"}
        body = {"credentials": {"app_token": APP_TOKEN}, "settings": settings}
        answer = self.api.patch(f"channel-accounts/{self.account_id}", json=body)
        assert answer.status_code == 200, answer.text
        wait_until(lambda: self.vendor.state()["sockets"]["open"] == int(on))
        self._is_listened_to = on

    def deliver(self, items: Sequence[Any], **how: Any) -> list[dict[str, Any]]:
        if not self._is_listened_to:
            return super().deliver(items, **how)
        names = self.vendor.control("socket_send", items=list(items), **how)
        wait_until(lambda: set(names) <= set(self.vendor.state()["sockets"]["acknowledged"]))
        return [{"status": 200} for _ in names]

    def introduce(self, person: str, name: str, picture: bytes) -> None:
        """Slack's pictures are elsewhere than its API, where no emulator is: the name alone."""
        self.vendor.control("person", id=self._member(person), profile={"display_name": name})

    def sent(self) -> list[Sent]:
        return [Sent(f"{one['channel']}/{one['ts']}", one["text"]) for one in self.vendor.state()["messages"]]

    def thread_of(self, sent: Sent) -> str:
        found = {f"{one['channel']}/{one['ts']}": one.get("thread_ts", "") for one in self.vendor.state()["messages"]}
        return next(key for key, ts in self._ts.items() if ts == found[sent.id])

    def done(self) -> list[Done]:
        return [Done(**one) for one in self.vendor.state()["done"]]

    def is_send(self, request: Any) -> bool:
        return bool(request["path"] == "/api/chat.postMessage")

    def plan(self, **answer: Any) -> None:
        self.vendor.control("next", answers=[{"path": "chat.postMessage", **answer}])

    def revoke(self) -> None:
        self.vendor.control("revoke")

    # ── Slack's names ───────────────────────────────────────────────────────────────────────────────────────────

    def _member(self, person: str) -> str:
        return f"U0{person.upper()}"

    def _place(self, person: str) -> dict[str, Any]:
        if person in _IN_CHANNEL:
            return {"channel": f"C0{person.upper()}", "channel_type": "channel"}
        return {"channel": f"D0{person.upper()}", "channel_type": "im"}

    def _said(self, person: str, key: str) -> dict[str, Any]:
        ts = self._ts_of(key)
        return {"type": "message", "ts": ts, "event_ts": ts, "team": TEAM} | self._place(person)

    def _changed(self, person: str) -> dict[str, Any]:
        at = _now()
        return {"type": "message", "subtype": "message_changed", "hidden": True, "ts": at, "event_ts": at} | (
            self._place(person)
        )

    def _ts_of(self, key: str) -> str:
        """Return a message's timestamp, which is its name; our own messages are named channel/timestamp."""
        return key.partition("/")[2] or self._ts.setdefault(key, _now())

    def _item(self, what: str, key: str, event: dict[str, Any]) -> Any:
        digest = hashlib.sha256(f"{what} {key}".encode()).hexdigest()[:16]
        return {"event": event, "event_id": f"Ev{digest.upper()}"}


def _now() -> str:
    return f"{time.time():.6f}"
