"""
What the emulated Twilio has besides for WhatsApp: senders, contents (templates), and windows that close.

Source: github.com/twilio/twilio-oai, twilio_messaging_v2 and twilio_content_v1 of 2026-04-14 (MIT).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from scripts.emulators.http1 import Answer, Request, as_json
from scripts.emulators.twilio_rules import WHATSAPP, Fields, Refused, first, read_query

Row = dict[str, object]
SENDER_FILTERS = frozenset({"Channel", "PageSize", "Page", "PageToken"})
CONTENT_FILTERS = frozenset({"PageSize", "Page", "PageToken"})
_PLACE = re.compile(r"\{\{(\w+)\}\}")


class WhatsAppSide:
    """
    The contents of an account, and who may get nothing but them.

    Attributes:
        contents: As Twilio lists them with their approvals.
        closed: Addresses whose owners wrote more than 24 hours ago.
        sender_status: Of every sender.
    """

    def __init__(self) -> None:
        self.contents: list[Row] = []
        self.closed: set[str] = set()
        self.sender_status = "ONLINE"

    def steer(self, op: str, order: dict[str, object]) -> None:
        """Do a control operation: ``content`` or ``close_window``."""
        match op:
            case "content":
                self.contents.append(order["content"])  # type: ignore[arg-type]  # JSON from a test
            case "close_window":
                self.closed.add(str(order["person"]))
            case _:
                raise KeyError(op)

    def senders(self, request: Request, rows: Iterable[Row]) -> Answer:
        """List the WhatsApp senders among the account's numbers."""
        query = read_query(request, SENDER_FILTERS)
        if first(query, "Channel") != "whatsapp":
            raise Refused(400, 20001, "Channel is required")
        found = [
            {
                "sid": "XE" + str(row["sid"])[2:],
                "sender_id": row["phone_number"],
                "status": self.sender_status,
                "webhook": {"callback_url": row["sms_url"] or None, "callback_method": "POST"},
            }
            for row in rows
            if str(row["phone_number"]).startswith(WHATSAPP)
        ]
        return _page("senders", request, found, query)

    def list_contents(self, request: Request, _sid: str) -> Answer:
        """List contents with what WhatsApp said of them."""
        return _page("contents", request, self.contents, read_query(request, CONTENT_FILTERS))

    def text_of(self, fields: Fields) -> str:
        """Fill in a content; refuse one there is not, or values that do not fit."""
        sid = first(fields, "ContentSid")
        found = next((one for one in self.contents if one["sid"] == sid), None)
        if found is None:
            raise Refused(400, 21655, "The ContentSid is Invalid")
        try:
            values = json.loads(first(fields, "ContentVariables") or "{}")
        except ValueError as reason:
            raise Refused(400, 21656, "The ContentVariables Parameter is invalid") from reason
        types: dict[str, dict[str, str]] = found["types"]  # type: ignore[assignment]  # JSON from a test
        text = next(iter(types.values()))["body"]
        if not isinstance(values, dict) or set(_PLACE.findall(text)) - set(values):
            raise Refused(400, 21656, "The ContentVariables Parameter is invalid")
        return _PLACE.sub(lambda place: str(values[place[1]]), text)


def _page(name: str, request: Request, rows: list[Row], query: Fields) -> Answer:
    """Answer a page as the younger APIs do, with ``meta``."""
    size, number = int(first(query, "PageSize") or 50), int(first(query, "Page") or 0)
    base = f"http://{request.headers['host']}{request.path}"
    more = f"{base}?PageSize={size}&Page={number + 1}" if len(rows) > (number + 1) * size else None
    meta = {
        "page": number,
        "page_size": size,
        "first_page_url": f"{base}?PageSize={size}&Page=0",
        "previous_page_url": None,
        "url": f"{base}?PageSize={size}&Page={number}",
        "next_page_url": more,
        "key": name,
    }
    return as_json(200, {name: rows[number * size : (number + 1) * size], "meta": meta})
