"""Takes a demo away again: a chunk of conversations at a time, then its events' contents, at last its accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub import clock
from hub.accounts.store import bump_rights
from hub.audit import actions as audit
from hub.audit.model import OPERATOR, ActorKind, Caller
from hub.contacts.model import ContactsRemoved
from hub.demo import store
from hub.demo.model import DemoRemoved
from hub.errors import NotFound
from hub.events import store as events
from hub.events.model import NewEvent
from hub.inbox.model import ConversationRemoved

if TYPE_CHECKING:
    from uuid import UUID

    from hub.db import Database, TenantConn
    from hub.demo.model import DemoEvent, Leaving

# One transaction holds the workspace's lock for 200 conversations' time (measured: 30-60 ms), so that whoever writes
# meanwhile hardly waits.
CHUNK_CONVERSATIONS = 200
CHUNK_EVENTS = 2_000

_encode = msgspec.json.Encoder().encode


async def remove_demo(database: Database, workspace_id: int, caller: Caller = OPERATOR) -> int:
    """
    Remove a workspace's demo: accounts, conversations, messages, files, contacts, and what the log says of them.

    May be broken off at any moment and called again.

    Args:
        database: The installation's.
        workspace_id: Tenant.
        caller: Who does it; a member is named in the events.

    Returns:
        How many conversations went.

    Raises:
        NotFound: No such workspace, or no demo in it.
    """
    removed = 0
    actor_id = caller.id if caller.kind is ActorKind.MEMBER else None
    while True:
        async with database.transaction([workspace_id]) as conn:
            amount = await remove_some(conn, workspace_id, actor_id)
        if not amount:
            break
        removed += amount
    async with database.snapshot([workspace_id]) as conn:
        after, newest = await store.demo_span(conn, workspace_id)
    await _erase(database, workspace_id, after, newest)
    async with database.transaction([workspace_id]) as conn:
        # Something may have come in while the events were emptied.
        removed += await remove_some(conn, workspace_id, actor_id)
        head = await remove_accounts(conn, workspace_id, actor_id)
        details = {"conversations": removed}
        await audit.record(conn, audit.made_by(caller, workspace_id, "demo.removed", ("demo", ""), details))
    await _erase(database, workspace_id, newest, head)
    return removed


async def remove_some(conn: TenantConn, workspace_id: int, actor_id: UUID | None = None) -> int:
    """
    Remove up to 200 conversations of the demo, and the contacts that had no others.

    Args:
        conn: A fresh transaction of the workspace.
        workspace_id: Tenant.
        actor_id: The member who does it.

    Returns:
        How many conversations went; 0 when none are left.

    Raises:
        NotFound: No such workspace, or no demo in it.
    """
    heads = {workspace_id: await events.lock_one(conn, workspace_id)}
    account_ids = await store.demo_accounts(conn, workspace_id)
    if not account_ids:
        raise NotFound("demo")
    leaving = await store.some_conversations(conn, workspace_id, account_ids, CHUNK_CONVERSATIONS)
    if not leaving:
        return 0
    await store.delete_conversations(conn, workspace_id, [one.id for one in leaving])
    taking_part = sorted({contact_id for one in leaving for contact_id in one.contact_ids})
    gone = await store.delete_contacts(conn, workspace_id, taking_part)
    # Earlier events lose their contents soon: a client that missed some of them starts from a snapshot.
    await bump_rights(conn, workspace_id)
    told = [_conversation_removed(workspace_id, one, actor_id) for one in leaving]
    if gone:
        told.append(_event(workspace_id, "contacts_removed", ContactsRemoved(contact_ids=tuple(gone)), actor_id))
    await events.append(conn, heads, told)
    return len(leaving)


async def remove_accounts(conn: TenantConn, workspace_id: int, actor_id: UUID | None = None) -> int:
    """
    Remove the demo's channel accounts, which have no conversations any more.

    Returns:
        The seq of the event that says so.

    Raises:
        NotFound: No such workspace, or no demo in it.
    """
    heads = {workspace_id: await events.lock_one(conn, workspace_id)}
    account_ids = await store.demo_accounts(conn, workspace_id)
    if not account_ids:
        raise NotFound("demo")
    await store.delete_accounts(conn, workspace_id, account_ids)
    await bump_rights(conn, workspace_id)
    body = DemoRemoved(channel_account_ids=tuple(account_ids))
    (told,) = await events.append(conn, heads, [_event(workspace_id, "demo_removed", body, actor_id)])
    return told.seq


async def _erase(database: Database, workspace_id: int, after: int, until: int) -> None:
    """Empty the demo's events between two seqs, a chunk a transaction; no lock: nobody else writes old events."""
    for start in range(after, until, CHUNK_EVENTS):
        async with database.transaction([workspace_id]) as conn:
            await store.erase_events(conn, workspace_id, start, min(start + CHUNK_EVENTS, until))


def _conversation_removed(workspace_id: int, one: Leaving, actor_id: UUID | None) -> NewEvent:
    return NewEvent(
        workspace_id=workspace_id,
        type="conversation_removed",
        data=_encode(ConversationRemoved(conversation_id=one.id, previous_status=one.status)),
        occurred_at=clock.now(),
        inbox_id=one.inbox_id,
        actor_id=actor_id,
    )


def _event(workspace_id: int, type_: str, body: DemoEvent, actor_id: UUID | None) -> NewEvent:
    return NewEvent(
        workspace_id=workspace_id, type=type_, data=_encode(body), occurred_at=clock.now(), actor_id=actor_id
    )
