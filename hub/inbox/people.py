"""Who an item is from and whom it names: contacts found or made, and who takes part in a conversation. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub.contacts.model import Contact, ContactChanged, ContactIdentity, LifecycleStage, ProfileWanted
from hub.envelope import Identity, clean_text
from hub.events.model import NewEvent
from hub.inbox.batch import ParticipantRow, ReceivedItem, named_people, sender_key
from hub.inbox.plan import Plan, encoder
from hub.inbox.rows import ConversationRow, IdentityRow, ThreadRow

if TYPE_CHECKING:
    from uuid import UUID

# A mailing list must not make a conversation that takes seconds to load.
PARTICIPANTS_PER_CONVERSATION = 500


def find_contact(plan: Plan, workspace_id: int, sender: Identity) -> Contact:
    """Find the contact by any of the identities in the item; else make one. New identities join the found one."""
    every = (sender, *sender.aliases)
    rows = [plan.known.identities.get(sender_key(workspace_id, one)) for one in every]
    found = next((row.contact for row in rows if row is not None), None)
    missing = [one for one, row in zip(every, rows, strict=True) if row is None]
    if found is not None and not missing and (found.name or not sender.display_name):
        return found
    contact = found or Contact(
        id=plan.new_id(),
        name="",
        lifecycle_stage=LifecycleStage.VISITOR,
        identities=(),
        created_at=plan.now,
        version=0,
    )
    added = tuple(ContactIdentity(one.scheme, one.value, one.scope, one.verified) for one in missing)
    contact = msgspec.structs.replace(
        contact,
        name=contact.name or clean_text(sender.display_name or "")[:200],
        identities=contact.identities + added,
        version=plan.coming_seq(workspace_id),
    )
    keep_contact(plan, workspace_id, contact)
    for one in missing:
        plan.writes.identities[sender_key(workspace_id, one)] = contact.id
    return contact


def want_profile(plan: Plan, received: ReceivedItem, contact: Contact, sender: Identity) -> None:
    """Note that a contact's vendor is to be asked what they are called, where it can be and nobody knows."""
    if received.asks_profile and not contact.name:
        plan.writes.profiles[contact.id] = ProfileWanted(
            workspace_id=received.workspace_id,
            contact_id=contact.id,
            channel_account_id=received.channel_account_id,
            scheme=sender.scheme,
            scope=sender.scope,
            value=sender.value,
        )


def keep_contact(plan: Plan, workspace_id: int, contact: Contact) -> None:
    """Make this a contact's newest state."""
    plan.writes.contacts[workspace_id, contact.id] = contact
    for one in contact.identities:
        key = (workspace_id, one.scheme, one.scope, one.value)
        plan.known.identities[key] = IdentityRow(workspace_id, one.scheme, one.scope, one.value, contact)


def find_named(plan: Plan, received: ReceivedItem) -> dict[UUID, Contact]:
    """Find or make the contacts a mail names besides its sender; our own addresses are nobody's."""
    found: dict[UUID, Contact] = {}
    for one in named_people(received.item):
        if one.value and not is_own(plan, received.workspace_id, one.value):
            contact = find_contact(plan, received.workspace_id, one)
            found[contact.id] = contact
    return found


def is_own(plan: Plan, workspace_id: int, address: str) -> bool:
    """Whether an address is one of the workspace's, with or without a plus tag (ours are signed into it)."""
    local, at, domain = address.lower().rpartition("@")
    own = plan.known.own_addresses
    return (workspace_id, f"{local}{at}{domain}") in own or (workspace_id, f"{local.split('+')[0]}{at}{domain}") in own


def add_participants(plan: Plan, conversation: ConversationRow, people: dict[UUID, Contact], contact: Contact) -> None:
    """
    Note who takes part in a conversation.

    Args:
        plan: The batch.
        conversation: Its newest state.
        people: Everybody the message names, its author too.
        contact: The conversation's own, who needs no row.
    """
    key = (conversation.workspace_id, conversation.id)
    thread = plan.known.conversations.get(key)
    before = thread.participants if thread else frozenset({contact.id})
    new = [one for one in people if one not in before][: max(0, PARTICIPANTS_PER_CONVERSATION - len(before))]
    for contact_id in new:
        plan.writes.participants[(*key, contact_id)] = ParticipantRow(
            workspace_id=conversation.workspace_id,
            conversation_id=conversation.id,
            contact_id=contact_id,
            added_at=plan.now,
        )
    plan.known.conversations[key] = ThreadRow(conversation, contact, before.union(new))


def newest_contact(plan: Plan, workspace_id: int, contact: Contact) -> Contact:
    """Return a contact as this batch leaves it."""
    return plan.writes.contacts.get((workspace_id, contact.id), contact)


def tell_contacts(plan: Plan, received: ReceivedItem, people: dict[UUID, Contact], told: UUID, since_seq: int) -> None:
    """
    Add an event for each contact this item made or changed, except the one its message's event carries.

    Args:
        plan: The batch.
        received: The item.
        people: Everybody it names.
        told: The contact in the message's event.
        since_seq: Newest seq before the item: whoever is newer was changed by it.
    """
    for one in people.values():
        if one.id == told or one.version <= since_seq:
            continue
        contact = msgspec.structs.replace(one, version=plan.next_seq(received.workspace_id))
        keep_contact(plan, received.workspace_id, contact)
        plan.writes.events.append(
            NewEvent(
                workspace_id=received.workspace_id,
                type="contact_changed",
                data=encoder.encode(ContactChanged(contact)),
                occurred_at=plan.now,
                contact_id=contact.id,
            )
        )
