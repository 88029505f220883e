"""One function per query of notices and their settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from hub.accounts.model import Role
from hub.db import load_queries
from hub.notices.model import Addressee, Counts, Digest, Kind, NoticeRow, Settings, Way

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from asyncpg import Record

    from hub.db import TenantConn
    from hub.notices.model import Page, Telling

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))
_FIELDS = NoticeRow.__struct_fields__


class DueDigest(msgspec.Struct, frozen=True, kw_only=True):
    """A member whose digest is due; ``visible_inboxes`` is empty for who is not active any more."""

    name: str
    email: str
    active: bool
    workspace: str
    settings: Settings
    visible_inboxes: frozenset[UUID] | None


class DuePush(msgspec.Struct, frozen=True):
    """A push on the queue."""

    workspace_id: int
    notice_id: UUID
    subscription_id: UUID


class PushedNotice(msgspec.Struct, frozen=True):
    """What a push is about, and how its member wants it said."""

    notice: NoticeRow
    language: str
    shows_text: bool


async def addressees(
    conn: TenantConn, workspace_id: int, member_ids: Collection[UUID], tellings: Sequence[Telling]
) -> list[Addressee]:
    """Return the active members who may be meant by any of these."""
    in_charge = any(one.to_those_in_charge for one in tellings)
    kinds = sorted({one.kind.value for one in tellings if one.to_subscribers})
    rows = await conn.fetch(QUERIES["addressees"], workspace_id, list(member_ids), in_charge, kinds)
    return [
        Addressee(
            id=row["id"],
            login_id=row["login_id"],
            role=Role(row["role"]),
            visible_inboxes=_inboxes(row),
            settings=_settings(row),
        )
        for row in rows
    ]


async def tell(
    conn: TenantConn, workspace_id: int, notice_id: UUID, telling: Telling, addressee: Addressee
) -> UUID | None:
    """Write or count a notice; returns its id, None where the event was counted already."""
    ways = addressee.settings.ways(telling.kind)
    row = await conn.fetchrow(
        QUERIES["tell"],
        workspace_id,
        notice_id,
        addressee.id,
        telling.kind.value,
        telling.subject,
        telling.conversation_id,
        telling.channel_account_id,
        telling.actor_id,
        telling.detail,
        telling.event_seq,
        Way.IN_APP in ways,
        Way.EMAIL in ways,
        telling.at,
    )
    return None if row is None else row["id"]


async def queue_pushes(conn: TenantConn, workspace_id: int, told: Sequence[tuple[UUID, UUID, datetime]]) -> None:
    """Queue a push of each (notice, login, due) to each browser of that login."""
    columns = [one[0] for one in told], [one[1] for one in told], [one[2] for one in told]
    await conn.execute(QUERIES["queue_pushes"], workspace_id, *columns)


async def await_digest(conn: TenantConn, workspace_id: int, due: Sequence[tuple[UUID, datetime]]) -> None:
    """Have the digests of members looked at, where none is due yet."""
    await conn.execute(QUERIES["await_digest"], workspace_id, [one[0] for one in due], [one[1] for one in due])


async def withdraw_assigned(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, assignee_id: UUID | None, at: datetime
) -> set[UUID]:
    """Mark as read what others were told of an assignment; returns these members."""
    rows = await conn.fetch(QUERIES["withdraw_assigned"], workspace_id, conversation_id, assignee_id, at)
    return {row["member_id"] for row in rows}


async def read_conversation(
    conn: TenantConn, workspace_id: int, member_id: UUID, read: tuple[UUID, int], at: datetime
) -> bool:
    """Mark notices of a (conversation, seq) as read; returns whether there were any."""
    return bool(await conn.fetch(QUERIES["read_conversation"], workspace_id, member_id, *read, at))


async def list_notices(conn: TenantConn, workspace_id: int, page: Page) -> list[NoticeRow]:
    """Return a page of a member's notices, newest first."""
    at, notice_id = page.before or (None, None)
    rows = await conn.fetch(
        QUERIES["page"],
        workspace_id,
        page.member_id,
        _array(page.visible_inboxes),
        page.unread_only,
        at,
        notice_id,
        page.limit,
    )
    return [_notice(row) for row in rows]


async def count_new(
    conn: TenantConn, workspace_id: int, member_id: UUID, visible_inboxes: Collection[UUID] | None
) -> Counts:
    """Count what a member has not read, and not even seen."""
    row = await conn.fetchrow(QUERIES["count_new"], workspace_id, member_id, _array(visible_inboxes))
    return Counts(0, 0) if row is None else Counts(row["unread"], row["unseen"])


async def mark_read(
    conn: TenantConn, workspace_id: int, member_id: UUID, ids: Sequence[UUID] | None, times: tuple[datetime, datetime]
) -> int:
    """Mark notices (None: all) as read at the first time that were there at the second; returns how many."""
    wanted = None if ids is None else list(ids)
    return len(await conn.fetch(QUERIES["mark_read"], workspace_id, member_id, wanted, *times))


async def mark_unread(
    conn: TenantConn, workspace_id: int, member_id: UUID, ids: Sequence[UUID] | None, read_at: datetime | None
) -> int:
    """Mark notices (None: those read at a moment) as not read; returns how many."""
    wanted = None if ids is None else list(ids)
    return len(await conn.fetch(QUERIES["mark_unread"], workspace_id, member_id, wanted, read_at))


async def mark_seen(conn: TenantConn, workspace_id: int, member_id: UUID, times: tuple[datetime, datetime]) -> int:
    """Mark notices as seen at the first time that were there at the second; returns how many."""
    return len(await conn.fetch(QUERIES["mark_seen"], workspace_id, member_id, *times))


async def get_settings(conn: TenantConn, workspace_id: int, member_id: UUID) -> Settings:
    """Return what a member chose, or the defaults."""
    row = await conn.fetchrow(QUERIES["get_settings"], workspace_id, member_id)
    return Settings() if row is None else _settings(row)


async def put_settings(conn: TenantConn, workspace_id: int, member_id: UUID, settings: Settings) -> None:
    """Replace what a member chose."""
    kinds = {kind.value: sorted(way.value for way in ways) for kind, ways in settings.kinds.items()}
    await conn.execute(
        QUERIES["put_settings"],
        workspace_id,
        member_id,
        msgspec.json.encode(kinds).decode(),
        settings.quiet_from,
        settings.quiet_until,
        settings.time_zone,
        settings.language,
        settings.digest.value,
        settings.digest_hour,
        settings.shows_text,
        settings.digest_due_at,
    )


async def due_digests(conn: TenantConn, at: datetime, limit: int) -> list[tuple[int, UUID]]:
    """Return (workspace, member) of digests to look at, of all workspaces."""
    return [(row["workspace_id"], row["member_id"]) for row in await conn.fetch(QUERIES["due_digests"], at, limit)]


async def claim_digest(conn: TenantConn, workspace_id: int, member_id: UUID, at: datetime) -> DueDigest | None:
    """Lock one until the end of the transaction; None where another process has it."""
    row = await conn.fetchrow(QUERIES["claim_digest"], workspace_id, member_id, at)
    if row is None:
        return None
    return DueDigest(
        name=row["name"],
        email=row["email"],
        active=row["active"],
        workspace=row["workspace"],
        settings=_settings(row),
        visible_inboxes=_inboxes(row) if row["active"] else frozenset(),
    )


async def unmailed(
    conn: TenantConn, workspace_id: int, member_id: UUID, visible_inboxes: Collection[UUID] | None, limit: int
) -> list[NoticeRow]:
    """Return what a member has neither read nor been mailed, newest first."""
    rows = await conn.fetch(QUERIES["unmailed"], workspace_id, member_id, _array(visible_inboxes), limit)
    return [_notice(row) for row in rows]


async def set_digest_due(conn: TenantConn, workspace_id: int, member_id: UUID, due_at: datetime | None) -> None:
    """Say when a member's digest is looked at next; None: when they are told something."""
    await conn.execute(QUERIES["set_digest_due"], workspace_id, member_id, due_at)


async def mark_mailed(conn: TenantConn, workspace_id: int, ids: Sequence[UUID], at: datetime) -> None:
    """Note that these are in a mail."""
    await conn.execute(QUERIES["mark_mailed"], workspace_id, list(ids), at)


async def end_digests(conn: TenantConn, workspace_id: int, member_id: UUID) -> None:
    """Send a member no more mails."""
    await conn.execute(QUERIES["end_digests"], workspace_id, member_id)


async def due_pushes(conn: TenantConn, at: datetime, limit: int) -> list[DuePush]:
    """Return pushes to send, of all workspaces."""
    return [DuePush(*row) for row in await conn.fetch(QUERIES["due_pushes"], at, limit)]


async def claim_push(conn: TenantConn, due: DuePush, at: datetime) -> int | None:
    """Take a push off the queue and return its tries so far; None where another process has it."""
    row = await conn.fetchrow(QUERIES["claim_push"], due.workspace_id, due.notice_id, due.subscription_id, at)
    return None if row is None else int(row["attempt"])


async def pushed_notice(conn: TenantConn, due: DuePush) -> PushedNotice | None:
    """Return what a push is about; None where nobody needs it any more."""
    row = await conn.fetchrow(QUERIES["pushed_notice"], due.workspace_id, due.notice_id)
    return None if row is None else PushedNotice(_notice(row), row["language"], row["shows_text"])


async def push_later(conn: TenantConn, due: DuePush, at: datetime, attempt: int) -> None:
    """Queue a push again."""
    await conn.execute(QUERIES["push_later"], due.workspace_id, due.notice_id, due.subscription_id, at, attempt)


async def old_notices(conn: TenantConn, made_before: datetime, limit: int) -> list[tuple[int, UUID]]:
    """Return (workspace, id) of old notices, of all workspaces."""
    return [(row["workspace_id"], row["id"]) for row in await conn.fetch(QUERIES["old_notices"], made_before, limit)]


async def drop_notices(conn: TenantConn, workspace_id: int, ids: Sequence[UUID]) -> None:
    """Forget notices."""
    await conn.execute(QUERIES["drop_notices"], workspace_id, list(ids))


def _array(inbox_ids: Collection[UUID] | None) -> list[UUID] | None:
    return None if inbox_ids is None else list(inbox_ids)


def _inboxes(row: Record) -> frozenset[UUID] | None:
    return None if row["visible_inboxes"] is None else frozenset(row["visible_inboxes"])


def _notice(row: Record) -> NoticeRow:
    return NoticeRow(**{**{name: row[name] for name in _FIELDS}, "kind": Kind(row["kind"])})


def _settings(row: Record) -> Settings:
    """Read settings; a member who chose nothing has a row of NULLs."""
    if row["time_zone"] is None:
        return Settings()
    chosen = msgspec.json.decode(row["kinds"], type=dict[str, frozenset[str]])
    kinds = {
        Kind(kind): frozenset(Way(way) for way in ways if way in set(Way))
        for kind, ways in chosen.items()
        if kind in set(Kind)
    }
    return Settings(
        kinds=kinds,
        quiet_from=row["quiet_from"],
        quiet_until=row["quiet_until"],
        time_zone=row["time_zone"],
        language=row["language"],
        digest=Digest(row["digest"]),
        digest_hour=row["digest_hour"],
        shows_text=row["shows_text"],
        digest_due_at=row["digest_due_at"],
    )
