"""What people ask for: exports, erasures, retention, consents. Jobs do the rest. Actions never commit."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec

from hub import clock
from hub.accounts import standing
from hub.accounts.model import Permission
from hub.contacts import store as contacts
from hub.envelope import clean_text
from hub.errors import Conflict, InvalidInput, NotFound, TooManyRequests
from hub.privacy import store
from hub.privacy.model import (
    EXPORT_KEPT,
    RETENTION_EVERY,
    Basis,
    Consent,
    ConsentState,
    Erasure,
    ErasureWork,
    Export,
    RetentionPolicy,
)
from hub.privacy.store import QUERIES

if TYPE_CHECKING:
    from uuid import UUID

    from hub.accounts.model import Actor
    from hub.db import TenantConn

# Of one person, unfinished or kept.
EXPORTS_LIMIT: Final = 20
# The edge's clock may be ahead of ours.
_SKEW: Final = timedelta(minutes=5)
_PURPOSE: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


class NewPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long conversations of an inbox, or of a channel account, are to be kept."""

    inbox_id: UUID | None
    channel_account_id: UUID | None
    days: int
    closed_only: bool = True


class NewConsent(msgspec.Struct, frozen=True, kw_only=True):
    """What a person agreed to or took back; without ``occurred_at`` it was now."""

    purpose: str
    state: ConsentState
    basis: Basis
    source: str
    channel: str = ""
    occurred_at: datetime | None = None


async def request_export(conn: TenantConn, actor: Actor, contact_id: UUID) -> Export:
    """
    Ask for everything known of one person as a file.

    Raises:
        NotFound: No such contact.
        Forbidden: The actor may not do this.
        TooManyRequests: There are many exports of this person already.
    """
    _, actor = await standing.lock(conn, actor, Permission.PRIVACY_MANAGE)
    workspace_id = actor.workspace_id
    await contacts.get_contact(conn, workspace_id, contact_id)
    if len(await store.list_exports(conn, workspace_id, contact_id, None, EXPORTS_LIMIT)) >= EXPORTS_LIMIT:
        raise TooManyRequests(3600.0, "There are many exports of this person already; they go after 7 days.")
    export_id, now = clock.new_id(), clock.now()
    await conn.execute(
        QUERIES["add_export"], workspace_id, export_id, contact_id, actor.member_id, now, now + EXPORT_KEPT
    )
    await standing.record(
        conn, actor, "contact.export_requested", ("contact", contact_id), {"export_id": str(export_id)}
    )
    return await store.get_export(conn, workspace_id, export_id)


async def request_erasure(conn: TenantConn, actor: Actor, contact_id: UUID, digest: str) -> Erasure:
    """
    Have one person forgotten; a second call while that lasts returns the first one's erasure.

    Args:
        conn: A fresh transaction.
        actor: Who asks.
        contact_id: The person; those merged with them go too.
        digest: Of the ``Extent`` they were shown.

    Raises:
        NotFound: No such contact.
        Forbidden: The actor may not do this.
        Conflict: More, or less, would go than they were shown.
    """
    _, actor = await standing.lock(conn, actor, Permission.PRIVACY_MANAGE)
    workspace_id = actor.workspace_id
    person = await store.family(conn, workspace_id, contact_id)
    running = await store.unfinished_erasure(conn, workspace_id, person.contact_ids)
    if running is not None:
        return await store.get_erasure(conn, workspace_id, running)
    if (await store.extent(conn, workspace_id, person.contact_ids)).digest() != digest:
        raise Conflict("What would be erased has changed. Look at it again.", field="digest")
    work = ErasureWork(
        workspace_id=workspace_id,
        id=clock.new_id(),
        kind="contact",
        contact_ids=person.contact_ids,
        policy_id=None,
        older_than=None,
        phase="conversations",
        addresses=person.addresses,
        # Events are written a moment before or after the row they tell of.
        since=person.since - timedelta(minutes=1),
        log_seq=0,
        requested_by=actor.member_id,
    )
    await store.add_erasure(conn, work, clock.now())
    await standing.record(
        conn, actor, "contact.erasure_requested", ("contact", contact_id), {"erasure_id": str(work.id)}
    )
    return await store.get_erasure(conn, workspace_id, work.id)


async def add_policy(conn: TenantConn, actor: Actor, wanted: NewPolicy) -> RetentionPolicy:
    """
    Say how long conversations are kept; what is older goes with the job's next run, within a day.

    Raises:
        InvalidInput: Not exactly one of inbox and channel account, or no such one, or days outside 1-36500.
        Conflict: There is a policy of it already.
        Forbidden: The actor may not do this.
    """
    if (wanted.inbox_id is None) == (wanted.channel_account_id is None):
        raise InvalidInput("inbox_id", "Name an inbox or a channel account, one of them.")
    check_days(wanted.days)
    _, actor = await standing.lock(conn, actor, Permission.PRIVACY_MANAGE)
    policy_id, now = clock.new_id(), clock.now()
    try:
        await conn.execute(
            QUERIES["add_policy"],
            *(actor.workspace_id, policy_id, wanted.inbox_id, wanted.channel_account_id),
            *(wanted.days, wanted.closed_only, now, now),
        )
    except asyncpg.UniqueViolationError as error:
        raise Conflict("There is a policy already; change that one.") from error
    except asyncpg.ForeignKeyViolationError as error:
        field = "inbox_id" if wanted.inbox_id is not None else "channel_account_id"
        raise InvalidInput(field, "There is no such one in this workspace.") from error
    details = {"days": wanted.days, "closed_only": wanted.closed_only}
    await standing.record(conn, actor, "retention_policy.made", ("retention_policy", policy_id), details)
    return await store.get_policy(conn, actor.workspace_id, policy_id)


async def change_policy(
    conn: TenantConn, actor: Actor, policy_id: UUID, *, days: int | None, closed_only: bool | None
) -> RetentionPolicy:
    """Say anew how long; None leaves a field as it is. ``NotFound``, ``InvalidInput``, ``Forbidden``."""
    _, actor = await standing.lock(conn, actor, Permission.PRIVACY_MANAGE)
    before = await store.get_policy(conn, actor.workspace_id, policy_id)
    days = before.days if days is None else days
    closed_only = before.closed_only if closed_only is None else closed_only
    check_days(days)
    await conn.execute(QUERIES["change_policy"], actor.workspace_id, policy_id, days, closed_only, clock.now())
    details = {"days": [before.days, days], "closed_only": [before.closed_only, closed_only]}
    await standing.record(conn, actor, "retention_policy.changed", ("retention_policy", policy_id), details)
    return await store.get_policy(conn, actor.workspace_id, policy_id)


async def remove_policy(conn: TenantConn, actor: Actor, policy_id: UUID) -> None:
    """Keep conversations for ever again; ``NotFound``, ``Forbidden``."""
    _, actor = await standing.lock(conn, actor, Permission.PRIVACY_MANAGE)
    if await conn.fetchrow(QUERIES["delete_policy"], actor.workspace_id, policy_id) is None:
        raise NotFound("retention policy")
    await standing.record(conn, actor, "retention_policy.removed", ("retention_policy", policy_id))


async def queue_retention(conn: TenantConn, workspace_id: int, policy_id: UUID) -> bool:
    """
    Queue the erasure of what a policy does not keep, unless one runs; the job's part.

    Returns:
        Whether something is to go.
    """
    policy = await store.get_policy(conn, workspace_id, policy_id)
    now = clock.now()
    await conn.execute(QUERIES["put_off_policy"], workspace_id, policy_id, now + RETENTION_EVERY)
    if await conn.fetchrow(QUERIES["unfinished_retention"], workspace_id, policy_id) is not None:
        return False
    older_than = now - timedelta(days=policy.days)
    extent, since = await store.old_extent(conn, workspace_id, policy, older_than)
    if since is None or not extent.conversations:
        return False
    work = ErasureWork(
        workspace_id=workspace_id,
        id=clock.new_id(),
        kind="retention",
        contact_ids=(),
        policy_id=policy_id,
        older_than=older_than,
        phase="conversations",
        addresses=(),
        since=since - timedelta(minutes=1),
        log_seq=0,
        requested_by=None,
    )
    await store.add_erasure(conn, work, now)
    return True


async def record_consent(conn: TenantConn, actor: Actor, contact_id: UUID, wanted: NewConsent) -> Consent:
    """
    Note what a person agreed to or took back; nothing noted before changes.

    Raises:
        NotFound: No such contact.
        InvalidInput: A word that cannot be used, or a time to come.
        Forbidden: The actor may not do this.
    """
    now = clock.now()
    source = clean_text(wanted.source).strip()
    if not _PURPOSE.fullmatch(wanted.purpose):
        raise InvalidInput("purpose", "Use a word of lower-case letters, digits and _, at most 40.")
    if not 1 <= len(source) <= 200:
        raise InvalidInput("source", "Say where it was said, in at most 200 characters.")
    if wanted.channel and not _PURPOSE.fullmatch(wanted.channel):
        raise InvalidInput("channel", "Use a kind of channel, or leave it empty.")
    occurred_at = wanted.occurred_at or now
    if occurred_at.tzinfo is None or occurred_at > now + _SKEW:
        raise InvalidInput("occurred_at", "Use a time that has been, with its zone.")
    _, actor = await standing.lock(conn, actor, Permission.CONTACTS_WRITE)
    await contacts.get_contact(conn, actor.workspace_id, contact_id)
    consent = Consent(
        id=clock.new_id(),
        contact_id=contact_id,
        purpose=wanted.purpose,
        channel=wanted.channel,
        state=wanted.state,
        basis=wanted.basis,
        source=source,
        occurred_at=occurred_at,
        recorded_by=actor.member_id,
        recorded_at=now,
    )
    await conn.execute(QUERIES["add_consent"], actor.workspace_id, *_consent_columns(consent))
    details = {"purpose": wanted.purpose, "channel": wanted.channel, "state": wanted.state, "basis": wanted.basis}
    await standing.record(conn, actor, "consent.recorded", ("contact", contact_id), details)
    return consent


def _consent_columns(consent: Consent) -> tuple[object, ...]:
    return (
        *(consent.id, consent.contact_id, consent.purpose, consent.channel, consent.state, consent.basis),
        *(consent.source, consent.occurred_at, consent.recorded_by, consent.recorded_at),
    )


def check_days(days: int) -> None:
    """Refuse a time that cannot be meant: ``InvalidInput``."""
    if not 1 <= days <= 36500:
        raise InvalidInput("days", "Use a whole number from 1 to 36500.")
