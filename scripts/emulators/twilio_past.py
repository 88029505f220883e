"""Messages of the emulated Twilio's past: listed by day and number, page by page, with their files."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import urlencode

from scripts.emulators.http1 import Answer, Request, as_json
from scripts.emulators.twilio_rules import Fields, Refused, error, first

Row = dict[str, object]
PAGE_SIZE = 50


@dataclass(slots=True)
class PastMessages:
    """What was received and sent before anybody listened."""

    account_sid: str
    rows: list[Row] = field(default_factory=list)
    _media: dict[str, list[Row]] = field(default_factory=dict)

    def add(self, order: dict[str, object]) -> Row:
        """
        Keep one message.

        Args:
            order: ``from``, ``to``, ``body``, ``at`` (ISO), ``direction`` (``inbound`` when left out), ``status``,
                ``sid`` and ``media``: paths of the media store with their ``content_type``.
        """
        sid = str(order.get("sid") or "SM" + secrets.token_hex(16))
        inbound = order.get("direction", "inbound") == "inbound"
        moment = format_datetime(datetime.fromisoformat(str(order["at"])).astimezone(UTC))
        media: list[dict[str, str]] = order.get("media") or []  # type: ignore[assignment]  # JSON from a test
        row: Row = {
            "sid": sid,
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "body": str(order.get("body", "")),
            "from": str(order["from"]),
            "to": str(order["to"]),
            "messaging_service_sid": None,
            "direction": "inbound" if inbound else str(order["direction"]),
            "status": str(order.get("status") or ("received" if inbound else "delivered")),
            "num_segments": "1",
            "num_media": str(len(media)),
            "date_created": moment,
            "date_updated": moment,
            "date_sent": moment,
            "error_code": None,
            "error_message": None,
            "price": None,
            "price_unit": "USD",
            "uri": f"/2010-04-01/Accounts/{self.account_sid}/Messages/{sid}.json",
            "subresource_uris": {},
        }
        self.rows.insert(0, row)
        self._media[sid] = [
            {
                "sid": one["path"].rpartition("/")[2],
                "account_sid": self.account_sid,
                "parent_sid": sid,
                "content_type": one["content_type"],
                "date_created": moment,
                "date_updated": moment,
                "uri": f"{one['path']}.json",
            }
            for one in media
        ]
        return {"sid": sid}

    def media_of(self, request: Request, sid: str) -> Answer:
        """List the files of a message."""
        if sid not in self._media:
            return error(404, 20404, "The requested message was not found")
        return as_json(200, page("media_list", request.path, self._media[sid], {}))


def chosen(rows: list[Row], query: Fields) -> list[Row]:
    """Apply the filters of a listing; bounds of time count, and what was not sent yet is in none of them."""
    since, until = _moment(query, "DateSent>"), _moment(query, "DateSent<")
    return [
        row
        for row in rows
        if first(query, "To") in ("", row["to"])
        and first(query, "From") in ("", row["from"])
        and _is_within(row["date_sent"], since, until)
    ]


def page(name: str, path: str, rows: list[Row], query: Fields) -> Row:
    """Cut a listing; the address of the next page carries the same filters."""
    size = min(int(first(query, "PageSize") or PAGE_SIZE), 1000)
    number = int(first(query, "Page") or 0)
    shown = rows[number * size : (number + 1) * size]
    filters = {name: values[0] for name, values in query.items() if name not in ("Page", "PageSize")}
    more = urlencode(filters | {"Page": number + 1, "PageSize": size})
    return {
        name: shown,
        "page": number,
        "page_size": size,
        "start": number * size,
        "end": number * size + max(len(shown) - 1, 0),
        "uri": path,
        "first_page_uri": f"{path}?Page=0&PageSize={size}",
        "next_page_uri": f"{path}?{more}" if len(rows) > (number + 1) * size else None,
        "previous_page_uri": None,
    }


def _moment(query: Fields, name: str) -> datetime | None:
    text = first(query, name)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as reason:
        raise Refused(400, 20001, f"{name} is no date") from reason
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_within(sent: object, since: datetime | None, until: datetime | None) -> bool:
    if since is None and until is None:
        return True
    if sent is None:
        return False
    at = parsedate_to_datetime(str(sent))
    return (since is None or at >= since) and (until is None or at <= until)
