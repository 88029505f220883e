"""Every change of a contact that a person or their vendor's profile makes. Actions never commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub import clock
from hub.contacts import profiles, store
from hub.contacts.model import Contact, ContactChanged, ContactIdentity, LifecycleStage
from hub.envelope import clean_text
from hub.errors import InvalidInput
from hub.events import store as events
from hub.events.model import NewEvent

if TYPE_CHECKING:
    from uuid import UUID

    from hub.db import TenantConn

NAME_LIMIT_CHARS = 200


class ContactPatch(msgspec.Struct, frozen=True, kw_only=True):
    """What may be changed; None leaves a field as it is."""

    name: str | None = None
    lifecycle_stage: LifecycleStage | None = None


async def change_contact(
    conn: TenantConn, workspace_id: int, contact_id: UUID, patch: ContactPatch, *, actor_id: UUID | None
) -> Contact:
    """
    Change a contact's name or stage; no event when nothing changes.

    Returns:
        The contact afterwards.

    Raises:
        InvalidInput: The name is longer than 200 characters.
    """
    name = clean_text(patch.name).strip() if patch.name is not None else None
    if name is not None and len(name) > NAME_LIMIT_CHARS:
        raise InvalidInput("name", f"At most {NAME_LIMIT_CHARS} characters.")
    heads = await events.lock(conn, [workspace_id])
    contact = await store.get_contact(conn, workspace_id, contact_id)
    changed = msgspec.structs.replace(
        contact,
        name=contact.name if name is None else name,
        lifecycle_stage=patch.lifecycle_stage or contact.lifecycle_stage,
    )
    if changed == contact:
        return contact
    changed = msgspec.structs.replace(changed, version=heads[workspace_id] + 1)
    await store.write_contact(conn, workspace_id, changed)
    if changed.name != contact.name:
        await store.note_named(conn, workspace_id, contact_id)
    await _append(conn, heads, workspace_id, changed, actor_id=actor_id)
    return changed


async def add_identity(
    conn: TenantConn, workspace_id: int, contact_id: UUID, identity: ContactIdentity, *, actor_id: UUID | None
) -> bool:
    """Give a contact one more identity; False, and no event, where somebody has it already: nobody is merged here."""
    heads = await events.lock(conn, [workspace_id])
    if not await store.add_identity(conn, workspace_id, contact_id, identity, clock.now()):
        return False
    contact = await store.get_contact(conn, workspace_id, contact_id)
    changed = msgspec.structs.replace(contact, version=heads[workspace_id] + 1)
    await store.write_contact(conn, workspace_id, changed)
    await _append(conn, heads, workspace_id, changed, actor_id=actor_id)
    return True


async def take_profile(conn: TenantConn, workspace_id: int, contact_id: UUID, name: str, webp: bytes) -> Contact:
    """
    Keep what a contact's vendor says of them; a name somebody has or took away stays as it is.

    Args:
        conn: A transaction of this workspace.
        workspace_id: Tenant.
        contact_id: Whom it is about.
        name: As the vendor has it; empty where it says none.
        webp: A small picture; empty where there is none, and then an earlier one stays.

    Returns:
        The contact afterwards; no event when nothing changed.

    Raises:
        NotFound: The contact has gone.
    """
    heads = await events.lock(conn, [workspace_id])
    contact = await store.get_contact(conn, workspace_id, contact_id)
    shown, avatar = " ".join(clean_text(name).split())[:NAME_LIMIT_CHARS], contact.avatar
    if not shown or not await profiles.may_be_named(conn, workspace_id, contact_id):
        shown = contact.name
    if webp:
        avatar = await profiles.keep_avatar(conn, workspace_id, contact_id, webp, clock.now())
    changed = msgspec.structs.replace(contact, name=shown, avatar=avatar)
    if changed == contact:
        return contact
    changed = msgspec.structs.replace(changed, version=heads[workspace_id] + 1)
    await store.write_contact(conn, workspace_id, changed)
    await _append(conn, heads, workspace_id, changed, actor_id=None)
    return changed


async def show_pictures(conn: TenantConn, workspace_id: int, contact_id: UUID, *, shown: bool, member_id: UUID) -> None:
    """
    Show pictures of a contact's mails without being asked, to everybody in the workspace, or ask again.

    No event: it says nothing about the contact, and each mail is asked for anew when it is opened.

    Raises:
        NotFound: There is no such contact.
    """
    await store.get_contact(conn, workspace_id, contact_id)
    await store.set_pictures(conn, workspace_id, contact_id, (member_id, clock.now()) if shown else None)


async def _append(
    conn: TenantConn, heads: dict[int, int], workspace_id: int, contact: Contact, *, actor_id: UUID | None
) -> None:
    event = NewEvent(
        workspace_id=workspace_id,
        type="contact_changed",
        data=msgspec.json.encode(ContactChanged(contact)),
        occurred_at=clock.now(),
        contact_id=contact.id,
        actor_id=actor_id,
    )
    await events.append(conn, heads, [event])
