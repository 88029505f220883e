"""Makes an anonymous live-chat visitor the user they proved to be: the same contact, the same conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from hub.contacts import store as contacts
from hub.contacts.actions import add_identity
from hub.contacts.model import ContactIdentity
from hub.envelope import Identity
from hub.events import store as events
from hub.inbox import store

if TYPE_CHECKING:
    from hub.contacts.model import Contact
    from hub.db import TenantConn


class Recognised(msgspec.Struct, frozen=True, kw_only=True):
    """
    A visitor who has just proved who they are.

    Attributes:
        visitor: Their identity until now.
        user: Their proved identity.
        visitor_thread: Thread of what they wrote until now.
        user_thread: Thread of what they write from now on.
    """

    workspace_id: int
    channel_account_id: UUID
    visitor: Identity
    user: Identity
    visitor_thread: str
    user_thread: str


async def recognise_visitor(conn: TenantConn, who: Recognised) -> bool:
    """
    Give a visitor's contact their proved identity, and move what they wrote out of anonymous reach.

    Args:
        conn: A fresh transaction of the workspace.
        who: The visitor and the user.

    Returns:
        True when visitor and user are now one, or the visitor had written nothing. False when they stay two: the user
        has a contact already, or the visitor's contact is another user; nothing was changed, contacts are never merged
        here.
    """
    await events.lock(conn, [who.workspace_id])
    contact_id = await _whose(conn, who.workspace_id, who.visitor)
    if contact_id is None:
        return True
    contact = await contacts.get_contact(conn, who.workspace_id, contact_id)
    if _is_a_user(contact, who.user) or await _whose(conn, who.workspace_id, who.user) is not None:
        return False
    identity = ContactIdentity(scheme=who.user.scheme, value=who.user.value, scope=who.user.scope, verified=True)
    await add_identity(conn, who.workspace_id, contact_id, identity, actor_id=contact_id)
    await store.move_thread(conn, who)
    return True


async def _whose(conn: TenantConn, workspace_id: int, identity: Identity) -> UUID | None:
    return await contacts.find_identity(conn, workspace_id, identity.scheme, identity.scope, identity.value)


def _is_a_user(contact: Contact, user: Identity) -> bool:
    return any(one.scheme == user.scheme and one.scope == user.scope for one in contact.identities)
