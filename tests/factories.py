"""Makers of rows and items for tests: keyword only, everything defaulted."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from hub import clock
from hub.accounts.model import Actor, Role
from hub.envelope import DeliveryStatus, Direction, Identity, InboundItem, ItemKind, Receipt
from hub.inbox.batch import ReceivedItem
from hub.inbox.replies import Author

if TYPE_CHECKING:
    from hub.db import Database, TenantConn

_counter = itertools.count(1)


class WorkspaceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Ids of a workspace made for a test."""

    id: int
    login_id: UUID
    owner_id: UUID
    agent_id: UUID
    inbox_id: UUID
    other_inbox_id: UUID
    livechat_id: UUID
    sms_id: UUID

    def author(self) -> Author:
        return Author(id=self.agent_id, name="Priya")

    def actor(self, role: Role = Role.OWNER) -> Actor:
        return Actor(
            workspace_id=self.id,
            member_id=self.owner_id,
            login_id=self.login_id,
            role=role,
            visible_inboxes=None,
            rights_version=1,
        )


async def make_workspace(database: Database, *, name: str = "Northwind", reopen_days: int = 7) -> WorkspaceFacts:
    """Make a workspace with two members, two inboxes and two channel accounts."""
    now = clock.now()
    async with database.across() as conn:
        workspace_id = await conn.fetchval("SELECT hub_create_workspace($1, $2)", name, now)
        logins = [clock.new_id(), clock.new_id()]
        for login_id in logins:
            await conn.execute(
                "INSERT INTO login (id, email, name, created_at) VALUES ($1, $2, 'Ola', $3)",
                login_id,
                f"{login_id.hex}@example.com",
                now,
            )
    assert isinstance(workspace_id, int)
    # Sorted: ids of one millisecond are in no order, and lists are ordered by id where times are equal.
    ids = sorted(clock.new_id() for _ in range(6))
    facts = WorkspaceFacts(
        id=workspace_id,
        login_id=logins[0],
        owner_id=ids[0],
        agent_id=ids[1],
        inbox_id=ids[2],
        other_inbox_id=ids[3],
        livechat_id=ids[4],
        sms_id=ids[5],
    )
    async with database.transaction([workspace_id]) as conn:
        await _insert_members(conn, facts, logins, now)
        for inbox_id, inbox_name in ((facts.inbox_id, "Inbox"), (facts.other_inbox_id, "Second")):
            await conn.execute(
                "INSERT INTO inbox (workspace_id, id, name, reopen_days, created_at) VALUES ($1, $2, $3, $4, $5)",
                facts.id,
                inbox_id,
                inbox_name,
                reopen_days,
                now,
            )
        for account_id, channel in ((facts.livechat_id, "livechat"), (facts.sms_id, "twilio_sms")):
            await conn.execute(
                "INSERT INTO channel_account (workspace_id, id, inbox_id, channel, name, status, created_at)"
                " VALUES ($1, $2, $3, $4, $4, 'connected', $5)",
                facts.id,
                account_id,
                facts.inbox_id,
                channel,
                now,
            )
    return facts


async def _insert_members(conn: TenantConn, facts: WorkspaceFacts, logins: list[UUID], now: datetime) -> None:
    rows = ((facts.owner_id, logins[0], "Ola", "owner"), (facts.agent_id, logins[1], "Priya", "agent"))
    for member_id, login_id, name, role in rows:
        await conn.execute(
            "INSERT INTO member (workspace_id, id, login_id, name, email, role, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            facts.id,
            member_id,
            login_id,
            name,
            f"{name.lower()}@example.com",
            role,
            now,
        )


def make_item(**overrides: object) -> InboundItem:
    """Make an inbound SMS; any field can be given."""
    number = next(_counter)
    fields: dict[str, object] = {
        "kind": ItemKind.MESSAGE,
        "key": f"SM{number:032x}",
        "external_id": f"SM{number:032x}",
        "occurred_at": datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
        "thread_key": "+15550001111",
        "direction": Direction.INBOUND,
        "sender": Identity(scheme="phone", value="+15550001111"),
        "text": f"Hello {number}",
    }
    return InboundItem(**(fields | overrides))  # type: ignore[arg-type]  # tests give any field by name


def make_receipt(target: str, status: DeliveryStatus, **overrides: object) -> InboundItem:
    """Make a vendor's receipt for the message with that external id."""
    fields: dict[str, object] = {
        "kind": ItemKind.RECEIPT,
        "key": f"{target}:{status}",
        "occurred_at": datetime(2026, 11, 22, 12, 1, tzinfo=UTC),
        "target_external_id": target,
        "receipt": Receipt(status=status),
    }
    return InboundItem(**(fields | overrides))  # type: ignore[arg-type]  # tests give any field by name


def received(workspace: WorkspaceFacts, item: InboundItem, *, channel: str = "twilio_sms") -> ReceivedItem:
    """Say where an item came in."""
    account_id = workspace.sms_id if channel == "twilio_sms" else workspace.livechat_id
    return ReceivedItem(workspace_id=workspace.id, channel_account_id=account_id, channel=channel, item=item)
