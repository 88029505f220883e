"""People over HTTP. Contacts belong to the whole workspace; their conversations only to who sees the inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from api.etag import Seen, fields_of, require_mergeable, wanted_version
from api.paging import decode_cursor, encode_cursor
from hub.contacts import actions, store
from hub.contacts.model import Contact, LifecycleStage
from hub.errors import InvalidInput
from hub.inbox import store as inbox
from hub.inbox.model import Conversation

if TYPE_CHECKING:
    from api.call import MemberCall


class ContactPage(msgspec.Struct, frozen=True):
    contacts: list[Contact]
    next: str | None


class ContactView(msgspec.Struct, frozen=True):
    """A contact and their conversations that the caller may see, newest activity first, at most 50."""

    contact: Contact
    conversations: list[Conversation]


class ContactRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str | None = None
    lifecycle_stage: LifecycleStage | None = None


class ContactChange(msgspec.Struct, frozen=True):
    contact: Contact
    seq: int


async def read_all(call: MemberCall) -> ContactPage:
    """List contacts, newest first, all or those a search finds."""
    limit = call.query_int("limit", 50, low=1, high=200)
    search = call.query.get("q", "").strip()[:200].replace("\x00", "")
    before = _read_before(call.query.get("before", ""))
    workspace_id = call.actor.workspace_id
    async with call.resources.database.snapshot([workspace_id]) as conn:
        found = await store.list_contacts(conn, workspace_id, search=search or None, before=before, limit=limit)
    return ContactPage(found, encode_cursor((str(found[-1].id),)) if len(found) == limit else None)


async def read(call: MemberCall) -> ContactView:
    """Return one contact with their conversations."""
    workspace_id, contact_id = call.actor.workspace_id, call.path_id("contact_id")
    visible = call.actor.visible_inboxes
    wanted = inbox.ConversationFilter(contact_id=contact_id, inbox_ids=None if visible is None else tuple(visible))
    async with call.resources.database.snapshot([workspace_id]) as conn:
        contact = await store.get_contact(conn, workspace_id, contact_id)
        rows = await inbox.list_conversations(conn, workspace_id, wanted)
    return ContactView(contact, [row.view() for row in rows])


async def change(call: MemberCall) -> ContactChange:
    """Change a contact's name or stage."""
    wanted = await call.decode(ContactRequest)
    workspace_id = call.actor.workspace_id
    patch = actions.ContactPatch(name=wanted.name, lifecycle_stage=wanted.lifecycle_stage)
    seen = Seen(workspace_id, "contact", wanted_version(call.request))
    async with call.resources.database.transaction([workspace_id]) as conn:
        contact_id = call.path_id("contact_id")
        await require_mergeable(conn, seen, lambda: store.get_contact(conn, workspace_id, contact_id), fields_of(patch))
        contact = await actions.change_contact(conn, workspace_id, contact_id, patch, actor_id=call.actor.member_id)
    return ContactChange(contact, contact.version)


def _read_before(text: str) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(decode_cursor(text, 1)[0])
    except ValueError:
        raise InvalidInput("before", "This is not a cursor of ours.") from None
