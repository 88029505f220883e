"""Conversations of the emulated Meta's past: listed by their newest message, page by page, with their messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from scripts.emulators.http1 import Answer, as_json
from scripts.emulators.vendor import Asked

_FIELDS = {"id", "updated_time", "participants"}
_MESSAGE_FIELDS = {"id", "created_time", "from", "to", "message", "attachments"}


class Listing(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Of conversations; Meta wants to know of which product."""

    appsecret_proof: str = ""
    platform: Literal["messenger", "instagram"]
    fields: str = "id,updated_time"
    limit: int = 25
    after: str = ""


class MessageListing(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    appsecret_proof: str = ""
    fields: str = "id,created_time"
    limit: int = 25
    after: str = ""


class Past:
    """
    Conversations with people.

    Args:
        account: Id of our page or Instagram account.
        kind: ``page`` or ``instagram``.
    """

    def __init__(self, account: str, kind: str) -> None:
        self._account, self._platform = account, "messenger" if kind == "page" else "instagram"
        self._conversations: dict[str, dict[str, Any]] = {}

    def add(self, order: dict[str, Any]) -> dict[str, str]:
        """
        Keep a message.

        Args:
            order: ``person`` (``id`` and ``name``), ``id`` of the message, ``text``, ``at`` (ISO), ``ours``,
                ``attachments`` as Meta lists them.
        """
        person = order["person"]
        sender = {"id": self._account, "name": "Northwind"} if order.get("ours") else person
        message = {"id": order["id"], "created_time": _written(order["at"]), "from": sender, "message": order["text"]}
        if order.get("attachments"):
            message["attachments"] = {"data": order["attachments"]}
        name = f"t_{person['id']}"
        empty: dict[str, Any] = {"id": name, "people": [{"id": self._account, "name": "Northwind"}, person], "rows": []}
        self._conversations.setdefault(name, empty)["rows"].append(message)
        return {"conversation": name}

    def list_conversations(self, asked: Asked) -> Answer:
        """List conversations, that with the newest message first."""
        query: Listing = asked.query
        if query.platform != self._platform:
            return _wrong(f"platform {query.platform} is not this account's")
        if unknown := set(query.fields.split(",")) - _FIELDS:
            return _wrong(f"Tried accessing nonexisting field ({sorted(unknown)[0]})")
        rows = [
            {
                "id": one["id"],
                "updated_time": max(row["created_time"] for row in one["rows"]),
                "participants": {"data": one["people"]},
            }
            for one in self._conversations.values()
        ]
        return _page(sorted(rows, key=lambda row: row["updated_time"], reverse=True), query.limit, query.after)

    def list_messages(self, asked: Asked) -> Answer:
        """List the messages of a conversation, the newest first."""
        query: MessageListing = asked.query
        found = self._conversations.get(asked.arguments[0])
        if found is None:
            return _wrong("Unsupported get request. Object does not exist")
        if unknown := {one.partition("{")[0] for one in _names(query.fields)} - _MESSAGE_FIELDS:
            return _wrong(f"Tried accessing nonexisting field ({sorted(unknown)[0]})")
        rows = sorted(found["rows"], key=lambda row: row["created_time"], reverse=True)
        return _page(rows, query.limit, query.after)


def _names(fields: str) -> list[str]:
    """Cut a list of fields where no brace is open."""
    found, depth = [""], 0
    for letter in fields:
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return found


def _page(rows: list[dict[str, Any]], limit: int, after: str) -> Answer:
    first = int(after or "0")
    shown = rows[first : first + limit]
    paging: dict[str, Any] = {"cursors": {"before": str(first), "after": str(first + len(shown))}}
    if first + len(shown) < len(rows):
        paging["next"] = "https://graph.facebook.com/next?access_token=never-read-this"
    return as_json(200, {"data": shown, "paging": paging})


def _wrong(reason: str) -> Answer:
    error = {"message": f"(#100) {reason}", "type": "OAuthException", "code": 100, "fbtrace_id": "A_emulated"}
    return as_json(400, {"error": error})


def _written(at: str) -> str:
    return datetime.fromisoformat(at).strftime("%Y-%m-%dT%H:%M:%S+0000")
