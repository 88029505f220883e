"""What telephone calls came to, by member and day, over HTTP and as a file for spreadsheets."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import msgspec
from starlette.responses import Response

from api.csv_lines import csv_values
from hub import clock
from hub.errors import InvalidInput
from hub.notices.hours import check_zone
from hub.reports import store
from hub.reports.calls import add_up, by_day, by_member, by_member_and_day
from hub.reports.model import CallFigures, CallSpan, DayCalls, MemberCalls, MemberDayCalls

if TYPE_CHECKING:
    from api.call import MemberCall
    from hub.reports.model import CallCount

MOST_DAYS: Final = 92
_USUAL_DAYS: Final = 30
_COLUMNS: Final = (
    "day", "member", "answered", "missed", "made", "reached", "average_wait_s", "longest_wait_s", "talk_s",
)  # fmt: skip


class CallReportView(msgspec.Struct, frozen=True, kw_only=True):
    """
    What calls came to, of inboxes the caller sees.

    Attributes:
        since, until: First and last day, both counted.
        time_zone: Whose days they are.
        rows: Each member's days. A member's name is as the channel's settings have it, and empty where nobody took
            the call.
    """

    since: date
    until: date
    time_zone: str
    total: CallFigures
    by_member: list[MemberCalls]
    by_day: list[DayCalls]
    rows: list[MemberDayCalls]


async def read(call: MemberCall) -> CallReportView | Response:
    """Say what calls came to in some days: ``format=csv`` for a file."""
    kind = call.query.get("format", "") or "json"
    if kind not in ("json", "csv"):
        raise InvalidInput("format", "Use json or csv.")
    name = call.query.get("time_zone", "") or "UTC"
    check_zone(name)
    zone = ZoneInfo(name)
    since, until = _read_days(call, zone)
    span = CallSpan(
        workspace_id=call.actor.workspace_id,
        since=_midnight(since, zone),
        until=_midnight(until + timedelta(days=1), zone),
        time_zone=zone.key,
        visible_inboxes=call.actor.visible_inboxes,
    )
    async with call.resources.database.snapshot([call.actor.workspace_id]) as conn:
        counts = await store.count_calls(conn, span)
    if kind == "csv":
        return _file(counts, f"calls-{since}-{until}.csv")
    return CallReportView(
        since=since,
        until=until,
        time_zone=zone.key,
        total=add_up(counts),
        by_member=by_member(counts),
        by_day=by_day(counts),
        rows=by_member_and_day(counts),
    )


def _read_days(call: MemberCall, zone: ZoneInfo) -> tuple[date, date]:
    today = clock.now().astimezone(zone).date()
    until = _read_day(call, "until") or today
    since = _read_day(call, "since") or until - timedelta(days=_USUAL_DAYS - 1)
    if since > until:
        raise InvalidInput("since", "The first day comes after the last one.")
    if (until - since).days >= MOST_DAYS:
        raise InvalidInput("since", f"At most {MOST_DAYS} days at once.")
    return since, until


def _read_day(call: MemberCall, name: str) -> date | None:
    text = call.query.get(name, "")
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(name, "Write the day as 2026-11-23.") from error
    # Years at the ends of the calendar have no day before or after them.
    if not 1970 <= found.year <= 9000:
        raise InvalidInput(name, "There were no telephones here then.")
    return found


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _file(counts: list[CallCount], name: str) -> Response:
    lines = [csv_values(_COLUMNS)]
    for row in by_member_and_day(counts):
        figures = msgspec.structs.astuple(row.figures)
        lines.append(
            csv_values([row.day.isoformat(), row.member, *("" if one is None else str(one) for one in figures)])
        )
    return Response(
        b"".join(lines),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"},
    )
