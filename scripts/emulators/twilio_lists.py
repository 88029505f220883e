"""
The emulated Twilio's lists: pages with tokens, messages by number and by the day they were sent, files of a message.

Newest first, as Twilio lists. A page after the first one needs the token of the one before, and the same filters.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final
from urllib.parse import urlencode

from scripts.emulators.http1 import Answer, Request, as_json
from scripts.emulators.twilio_rules import MEDIA_FILTERS, MESSAGE_FILTERS, Fields, Refused, error, first, read_query

Row = dict[str, object]
PAGE_SIZE: Final = 50
_DAY_CHARS: Final = len("2026-11-22")
_STATE: Final = ("Page", "PageToken")


class Lists:
    """
    What an account lists of its messages.

    Args:
        account_sid: Whose.
        messages: Those of ours, oldest first; it goes on growing.

    Attributes:
        past: Messages that were there before, both ways.
    """

    def __init__(self, account_sid: str, messages: list[Row]) -> None:
        self._account_sid = account_sid
        self._messages = messages
        self._files: dict[str, list[Row]] = {}
        self.past: list[Row] = []

    def add(self, order: Row) -> str:
        """Add a message of the past: ``from``, ``to``, ``body``, ``age_s``, ``direction``, ``status``, ``media``."""
        media: list[dict[str, str]] = order.get("media") or []  # type: ignore[assignment]  # JSON from a test
        sid = str(order.get("sid") or ("MM" if media else "SM") + secrets.token_hex(16))
        moment = format_datetime(datetime.now(UTC) - timedelta(seconds=float(str(order["age_s"]))), usegmt=False)
        self._files[sid] = [
            {"sid": one["path"].rpartition("/")[2], "content_type": one["content_type"], "parent_sid": sid}
            | {"account_sid": self._account_sid, "uri": f"{one['path']}.json"}
            for one in media
        ]
        plain: Row = {"direction": "inbound", "status": "received", "error_code": None, "messaging_service_sid": None}
        given = {name: value for name, value in order.items() if name not in ("age_s", "media")}
        dates = dict.fromkeys(("date_created", "date_updated", "date_sent"), moment)
        row: Row = {"num_media": str(len(media)), "account_sid": self._account_sid, "error_message": None}
        self.past.append(plain | row | dates | given | {"sid": sid})
        return sid

    def list_messages(self, request: Request, _sid: str) -> Answer:
        """Answer for the list of messages."""
        query = read_query(request, MESSAGE_FILTERS)
        everything = sorted([*self.past, *self._messages], key=_moment, reverse=True)
        rows = [public(row) for row in everything if _is_wanted(row, query)]
        return as_json(200, page("messages", request.path, rows, query))

    def list_files(self, request: Request, sid: str) -> Answer:
        """Answer for the files of a message."""
        if sid not in self._files:
            return error(404, 20404, "The requested message was not found")
        return as_json(200, page("media_list", request.path, self._files[sid], read_query(request, MEDIA_FILTERS)))


def page(name: str, path: str, rows: Sequence[Row], query: Fields) -> Row:
    """Make a page of a list."""
    size = min(int(first(query, "PageSize") or PAGE_SIZE), 1000)
    number = int(first(query, "Page") or 0)
    chosen = rows[number * size : (number + 1) * size]
    if number and first(query, "PageToken") != f"PA{rows[number * size - 1]['sid']}":
        raise Refused(400, 20001, "A page after the first one needs the token of the page before it")
    kept = [(one, values[0]) for one, values in query.items() if one not in (*_STATE, "PageSize")]
    more = [*kept, ("PageSize", size), ("Page", number + 1)]
    if len(rows) > (number + 1) * size:
        more.append(("PageToken", f"PA{chosen[-1]['sid']}"))
    return {
        name: chosen,
        "page": number,
        "page_size": size,
        "start": number * size,
        "end": number * size + max(len(chosen) - 1, 0),
        "uri": path,
        "first_page_uri": f"{path}?{urlencode([*kept, ('PageSize', size), ('Page', 0)])}",
        "next_page_uri": f"{path}?{urlencode(more)}" if len(rows) > (number + 1) * size else None,
        "previous_page_uri": None,
    }


def public(row: Row) -> Row:
    """Leave out what only the emulator knows."""
    return {name: value for name, value in row.items() if not name.startswith("_")}


def _is_wanted(row: Row, query: Fields) -> bool:
    if any(first(query, name) not in ("", row[column]) for name, column in (("To", "to"), ("From", "from"))):
        return False
    dates = {name: first(query, name) for name in ("DateSent", "DateSent<", "DateSent>") if first(query, name)}
    if not dates:
        return True
    # What was not sent yet is on no day. Twilio's description speaks of days, in GMT: so coarse is it here.
    day = _moment(row).date().isoformat() if row["date_sent"] else ""
    wanted = {name: datetime.fromisoformat(text[:_DAY_CHARS]).date().isoformat() for name, text in dates.items()}
    return (
        day != ""
        and wanted.get("DateSent", day) == day
        and wanted.get("DateSent>", day) <= day <= wanted.get("DateSent<", day)
    )


def _moment(row: Row) -> datetime:
    return parsedate_to_datetime(str(row["date_sent"] or row["date_created"]))
