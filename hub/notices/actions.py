"""Tells members things, and marks what they were told. Actions never commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import msgspec

from hub import clock
from hub.errors import Conflict, InvalidInput
from hub.notices import store
from hub.notices.hours import check_zone, next_digest_at, push_at
from hub.notices.model import Settings, Way
from hub.realtime.broker import NoticeSignal, Signalled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from hub.db import TenantConn
    from hub.notices.model import Addressee, Telling


async def tell(conn: TenantConn, workspace_id: int, tellings: Sequence[Telling]) -> list[UUID]:
    """
    Tell whoever is meant, sees it and wants to hear of it; unread notices about the same thing become one.

    Args:
        conn: A transaction of this workspace.
        workspace_id: Where it happened.
        tellings: In the order they happened.

    Returns:
        The notices written or counted up.
    """
    named = {one for telling in tellings for one in telling.member_ids}
    people = await store.addressees(conn, workspace_id, named, tellings)
    told: list[tuple[UUID, Addressee, Telling]] = []
    for telling in tellings:
        for person in people:
            if person.is_meant(telling) and person.settings.ways(telling.kind):
                notice_id = await store.tell(conn, workspace_id, clock.new_id(), telling, person)
                if notice_id is not None:
                    told.append((notice_id, person, telling))
    await _pass_on(conn, workspace_id, told)
    return [one[0] for one in told]


async def _pass_on(conn: TenantConn, workspace_id: int, told: Sequence[tuple[UUID, Addressee, Telling]]) -> None:
    now = clock.now()
    # By notice: one that was counted up twice in this transaction is pushed once.
    pushed: dict[UUID, tuple[UUID, UUID, datetime]] = {}
    mailed: dict[UUID, datetime] = {}
    shown: dict[UUID, UUID] = {}
    for notice_id, person, telling in told:
        ways = person.settings.ways(telling.kind)
        if Way.PUSH in ways:
            pushed[notice_id] = (notice_id, person.login_id, push_at(person.settings, now))
        due = next_digest_at(person.settings, now)
        if Way.EMAIL in ways and due is not None and person.settings.digest_due_at is None:
            mailed[person.id] = due
        if Way.IN_APP in ways:
            shown[person.id] = notice_id
    if pushed:
        await store.queue_pushes(conn, workspace_id, list(pushed.values()))
    if mailed:
        await store.await_digest(conn, workspace_id, list(mailed.items()))
    conn.notices.extend(Signalled(workspace_id, NoticeSignal(member, notice)) for member, notice in shown.items())


async def mark_read(
    conn: TenantConn,
    workspace_id: int,
    member_id: UUID,
    ids: Sequence[UUID] | None,
    times: tuple[datetime, datetime] | None = None,
) -> int:
    """Mark notices (None: all) as read at the first time that were there at the second; returns how many changed."""
    now = clock.now()
    changed = await store.mark_read(conn, workspace_id, member_id, ids, times or (now, now))
    if changed:
        announce(conn, workspace_id, [member_id])
    return changed


async def mark_unread(
    conn: TenantConn, workspace_id: int, member_id: UUID, ids: Sequence[UUID] | None, read_at: datetime | None = None
) -> int:
    """
    Take back that some notices of a member were read, or all that were read at one moment.

    Args:
        conn: A transaction of this workspace.
        workspace_id: Whose.
        member_id: Whose.
        ids: Which; None: those of ``read_at``.
        read_at: What marking them returned.

    Returns:
        How many changed: what has been told anew meanwhile is one with its newer notice, and stays as it is.

    Raises:
        Conflict: One of them was told anew in this very moment.
    """
    try:
        changed = await store.mark_unread(conn, workspace_id, member_id, ids, read_at)
    except asyncpg.UniqueViolationError as error:
        # One of them was told anew in this very moment.
        raise Conflict("Something new came meanwhile. Try again.") from error
    if changed:
        announce(conn, workspace_id, [member_id])
    return changed


async def mark_seen(conn: TenantConn, workspace_id: int, member_id: UUID, until: datetime | None = None) -> int:
    """Mark what a member's list showed at a time as seen: it is not pushed any more; returns how many changed."""
    now = clock.now()
    changed = await store.mark_seen(conn, workspace_id, member_id, (now, until or now))
    if changed:
        announce(conn, workspace_id, [member_id])
    return changed


async def withdraw_assigned(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, assignee_id: UUID | None
) -> None:
    """Take back what others were told when a conversation was theirs."""
    members = await store.withdraw_assigned(conn, workspace_id, conversation_id, assignee_id, clock.now())
    announce(conn, workspace_id, members)


async def read_conversation(
    conn: TenantConn, workspace_id: int, member_id: UUID, conversation_id: UUID, seq: int
) -> None:
    """Mark what a member was told of a conversation up to a seq as read: they have it on screen."""
    if await store.read_conversation(conn, workspace_id, member_id, (conversation_id, seq), clock.now()):
        announce(conn, workspace_id, [member_id])


async def change_settings(conn: TenantConn, workspace_id: int, member_id: UUID, wanted: Settings) -> Settings:
    """
    Replace what a member chose; the next digest follows from it.

    Raises:
        InvalidInput: The time zone is unknown, or only one end of the quiet hours is given.
    """
    check_zone(wanted.time_zone)
    if (wanted.quiet_from is None) is not (wanted.quiet_until is None):
        raise InvalidInput("quiet_until", "Quiet hours have a beginning and an end.")
    kept = msgspec.structs.replace(wanted, digest_due_at=next_digest_at(wanted, clock.now()))
    await store.put_settings(conn, workspace_id, member_id, kept)
    return kept


async def end_digests(conn: TenantConn, workspace_id: int, member_id: UUID) -> None:
    """Send a member no more digests; again is fine."""
    await store.end_digests(conn, workspace_id, member_id)


def announce(conn: TenantConn, workspace_id: int, member_ids: Iterable[UUID]) -> None:
    """Tell a member's other tabs that something was marked."""
    conn.notices.extend(Signalled(workspace_id, NoticeSignal(one)) for one in member_ids)
