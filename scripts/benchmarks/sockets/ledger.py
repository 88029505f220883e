"""What the log says every socket must have received, and how far the sockets' own tables are from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from scripts.benchmarks.sockets.crowd import AUDIENCES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from scripts.benchmarks.services import Services
    from scripts.benchmarks.sockets.crowd import Crowd, Seat
    from scripts.benchmarks.sockets.loaders import Loaders, Row


AT_REST_WITHIN_S = 60.0


class Due(msgspec.Struct, frozen=True):
    """What one socket must have received since it was seeded: so many events, the last of them this one."""

    events: int
    last: int


class Verdict(msgspec.Struct, frozen=True):
    """
    How all sockets of a crowd stand.

    Attributes:
        expected: Events that had to arrive, over all sockets that count.
        lost: Events that did not.
        duplicated: Events that came again.
        gapped: Times a socket found that it missed something and had to ask.
        behind: Sockets whose cursor is not at the last event they may see.
    """

    expected: int
    lost: int
    duplicated: int
    gapped: int
    behind: int


async def read_dues(services: Services, crowd: Crowd) -> list[Due]:
    """Read from the log what every seat is due, in the order of the seats."""
    owner = await asyncpg.connect(services.owner_url)
    try:
        starts = {seat.workspace_id: seat.cursor for seat in crowd.seats if seat.audience is not None}
        by_inbox = {
            (int(row["workspace_id"]), row["inbox_id"]): (int(row["amount"]), int(row["last"]))
            for row in await owner.fetch(
                "SELECT e.workspace_id, e.inbox_id, count(*) AS amount, max(e.seq) AS last FROM event e "
                "JOIN unnest($1::bigint[], $2::bigint[]) AS s (workspace_id, start) USING (workspace_id) "
                "WHERE e.seq > s.start GROUP BY 1, 2",
                list(starts),
                list(starts.values()),
            )
        }
        heads: dict[UUID, int] = dict(await owner.fetch("SELECT id, visitor_seq FROM conversation"))
    finally:
        await owner.close()
    members: dict[tuple[int, int], Due] = {}
    for workspace_id, start in starts.items():
        inbox_ids = crowd.inbox_ids[workspace_id]
        for audience, inboxes in enumerate(AUDIENCES):
            seen = [by_inbox.get((workspace_id, inbox_ids[number]), (0, start)) for number in inboxes]
            members[workspace_id, audience] = Due(sum(one for one, _ in seen), max(last for _, last in seen))
    return [_due(seat, members, heads) for seat in crowd.seats]


def _due(seat: Seat, members: Mapping[tuple[int, int], Due], heads: Mapping[UUID, int]) -> Due:
    if seat.audience is not None:
        return members[seat.workspace_id, seat.audience]
    assert seat.conversation_id is not None
    head = heads[seat.conversation_id]
    return Due(head - seat.cursor, head)


def judge(dues: Sequence[Due], rows: Sequence[Row], *, before: Sequence[Row] | None = None) -> Verdict:
    """
    Compare.

    Args:
        dues: Of every seat.
        rows: Their table now; a seat that took a snapshot is judged by its cursor alone.
        before: An earlier table: seats that were not open then never came in, and do not count here.
    """
    expected = lost = behind = 0
    counted = [
        (due, row)
        for number, (due, row) in enumerate(zip(dues, rows, strict=True))
        if before is None or before[number].is_live
    ]
    for due, row in counted:
        expected += due.events
        if not row.snapshots:
            lost += max(0, due.events - row.applied)
        # A member's cursor may stand beyond what they can see: it began at the workspace's head.
        behind += row.cursor < due.last
    return Verdict(
        expected,
        lost,
        sum(row.duplicated for _, row in counted),
        sum(row.gapped for _, row in counted),
        behind,
    )


def judge_at_rest(dues: Sequence[Due], group: Loaders, before: Sequence[Row]) -> Verdict:
    """Judge once everything arrived, or a minute after it should have."""
    ends_at_s = time.monotonic() + AT_REST_WITHIN_S
    while True:
        verdict = judge(dues, group.table(), before=before)
        if not (verdict.lost or verdict.behind) or time.monotonic() > ends_at_s:
            return verdict
        time.sleep(0.5)
