"""Changes one message outside a batch, by the planners a batch uses. Called by ``acts`` and ``deliveries``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hub import clock
from hub.contacts.store import get_contact
from hub.events import store as events
from hub.inbox import change_store, mail_store, store
from hub.inbox.batch import Clockwork, Known, Outcome, ReceivedItem
from hub.inbox.changes import plan_change
from hub.inbox.plan import Plan
from hub.inbox.rows import ConversationRow, IdentityRow, MessageRow, TargetRow
from hub.inbox.targets import note_seen

if TYPE_CHECKING:
    from hub.db import TenantConn

Decide = Callable[[Plan, TargetRow], Outcome]


async def change(
    conn: TenantConn, heads: dict[int, int], message: MessageRow, row: ConversationRow, decide: Decide
) -> MessageRow:
    """
    Change one message and write what that comes to.

    Args:
        conn: A transaction that holds the workspace's lock.
        heads: What ``events.lock`` returned; moved on.
        message: Its newest state.
        row: Its conversation.
        decide: Plans the change.

    Returns:
        The message afterwards.
    """
    return await _run(conn, heads, message, _known(message, row), decide)


async def apply_early(conn: TenantConn, heads: dict[int, int], message: MessageRow, early: ReceivedItem) -> MessageRow:
    """Apply a change that came before we knew how the vendor calls the message; returns it as it is then."""
    row = await store.get_conversation(conn, message.workspace_id, message.conversation_id)
    known = _known(message, row)
    who = early.item.sender
    if who is not None and (who.scheme, who.scope, who.value) == (
        row.identity_scheme,
        row.identity_scope,
        row.identity_value,
    ):
        contact = await get_contact(conn, row.workspace_id, row.contact_id)
        known.identities[row.workspace_id, who.scheme, who.scope, who.value] = IdentityRow(
            row.workspace_id, who.scheme, who.scope, who.value, contact
        )

    def decide(plan: Plan, target: TargetRow) -> Outcome:  # noqa: ARG001  the item names its target itself
        outcome = plan_change(plan, early)
        note_seen(plan, early, outcome)
        return outcome

    return await _run(conn, heads, message, known, decide)


def _known(message: MessageRow, row: ConversationRow) -> Known:
    target = TargetRow(message, row.inbox_id, row.contact_id)
    here = (message.workspace_id, message.channel_account_id)
    names = [name for name in (str(message.id), message.external_id) if name]
    return Known(targets={(*here, name): target for name in names}, rows={(row.workspace_id, row.id): row})


async def _run(
    conn: TenantConn, heads: dict[int, int], message: MessageRow, known: Known, decide: Decide
) -> MessageRow:
    plan = Plan(known, heads, Clockwork(clock.now(), []))
    key = (message.workspace_id, message.channel_account_id, str(message.id))
    decide(plan, known.targets[key])
    await store.write_batch(conn, plan.writes)
    await change_store.write_changes(conn, plan.writes)
    await mail_store.write_mail(conn, plan.writes)
    await events.append(conn, heads, plan.writes.events)
    await change_store.erase_deleted(conn, plan.writes)
    return known.targets[key].message
