"""The state a client starts from, and the cursor it belongs to, read at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from api.feature_flags import names_on
from hub.accounts import people_store, policy
from hub.accounts import store as accounts
from hub.accounts.model import Actor, Member, Permission, Workspace
from hub.accounts.people import CustomRole, Team
from hub.channels import store as channels
from hub.channels.model import ChannelAccount, Inbox
from hub.contacts import store as contacts
from hub.contacts.model import Contact
from hub.events import store as events
from hub.inbox import store
from hub.inbox.model import Conversation, ConversationStatus, ReadMark

if TYPE_CHECKING:
    from api.call import MemberCall
    from hub.db import TenantConn


class Counts(msgspec.Struct, frozen=True):
    """How many visible conversations have each status."""

    open: int
    pending: int
    snoozed: int
    closed: int


class Snapshot(msgspec.Struct, frozen=True):
    """
    Everything the inbox shows at first.

    Attributes:
        epoch: With ``seq``: the cursor from which events continue this state.
        conversations: The newest open ones.
        contacts: Of these conversations.
        reads: The reader's own marks in these conversations.
        roles: The workspace's own; who has one is named by ``custom_role_id``.
        flags: Names of the features that are on.
    """

    epoch: int
    seq: int
    workspace: Workspace
    me: Member
    permissions: list[Permission]
    members: list[Member]
    inboxes: list[Inbox]
    channel_accounts: list[ChannelAccount]
    counts: Counts
    conversations: list[Conversation]
    contacts: list[Contact]
    reads: list[ReadMark]
    teams: list[Team]
    roles: list[CustomRole]
    flags: list[str] = []


async def read(call: MemberCall) -> Snapshot:
    """Return the state and its cursor."""
    limit = call.query_int("limit", 50, low=1, high=200)
    flags = await names_on(call, call.actor.workspace_id)
    async with call.resources.database.snapshot([call.actor.workspace_id]) as conn:
        snapshot = await read_snapshot(conn, call.actor, call.resources.database.epoch, limit)
    return msgspec.structs.replace(snapshot, flags=flags)


async def read_snapshot(conn: TenantConn, actor: Actor, epoch: int, limit: int) -> Snapshot:
    """
    Read the state as one member sees it.

    Args:
        conn: A transaction that sees one moment.
        actor: Whose view.
        epoch: The database's epoch.
        limit: Most conversations, 1 or more.
    """
    workspace_id, visible = actor.workspace_id, actor.visible_inboxes
    wanted = store.ConversationFilter(
        status=ConversationStatus.OPEN, inbox_ids=None if visible is None else tuple(visible), limit=limit
    )
    rows = await store.list_conversations(conn, workspace_id, wanted)
    counts = await store.count_conversations(conn, workspace_id, visible)
    return Snapshot(
        epoch=epoch,
        seq=await events.visible_head(
            conn, workspace_id, await events.workspace_head(conn, workspace_id), _list(visible)
        ),
        workspace=await accounts.get_workspace(conn, workspace_id),
        me=await _me(conn, actor),
        permissions=sorted(policy.allowed(actor)),
        members=await accounts.list_members(conn, workspace_id),
        inboxes=await channels.list_inboxes(conn, workspace_id, visible),
        channel_accounts=await channels.list_channel_accounts(conn, workspace_id, visible),
        counts=Counts(**{status.value: amount for status, amount in counts.items()}),
        conversations=[row.view() for row in rows],
        contacts=await contacts.contacts_by_id(conn, workspace_id, [row.contact_id for row in rows]),
        reads=await store.list_read_marks(conn, workspace_id, actor.member_id, [row.id for row in rows]),
        teams=await people_store.list_teams(conn, workspace_id),
        roles=await people_store.list_roles(conn, workspace_id),
    )


async def _me(conn: TenantConn, actor: Actor) -> Member:
    """A key of the workspace is no member: it stands here under its own id and name, without an address."""
    if actor.kind == "key":
        return Member(id=actor.member_id, name=actor.key_name, email="", role=actor.role, active=True, version=0)
    return await accounts.get_member(conn, actor.workspace_id, actor.member_id)


def _list(visible: frozenset[UUID] | None) -> list[UUID] | None:
    return None if visible is None else list(visible)
