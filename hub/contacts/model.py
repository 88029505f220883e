"""People we talk to, as members see them. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class LifecycleStage(StrEnum):
    VISITOR = "visitor"
    LEAD = "lead"
    QUALIFIED = "qualified"
    OPPORTUNITY = "opportunity"
    CUSTOMER = "customer"
    FORMER = "former"


class ContactIdentity(msgspec.Struct, frozen=True):
    """One address of a contact; ``verified`` says that somebody proved it is theirs."""

    scheme: str
    value: str
    scope: str = ""
    verified: bool = False


class Contact(msgspec.Struct, frozen=True):
    """
    A person, one row for ever.

    Attributes:
        name: What to call them; empty until known.
        identities: Their addresses, oldest first.
        version: ``seq`` of the event that last changed this row; a client keeps the higher one.
        avatar: Their picture is at ``/avatars/{avatar}``; empty where there is none.
    """

    id: UUID
    name: str
    lifecycle_stage: LifecycleStage
    identities: tuple[ContactIdentity, ...]
    created_at: datetime
    version: int
    avatar: str = ""


class ProfileWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A contact without a name, and by which identity its vendor knows it."""

    workspace_id: int
    contact_id: UUID
    channel_account_id: UUID
    scheme: str
    scope: str
    value: str


class ContactChanged(msgspec.Struct, frozen=True, tag_field="type", tag="contact_changed"):
    contact: Contact


class ContactsRemoved(msgspec.Struct, frozen=True, tag_field="type", tag="contacts_removed"):
    """Contacts that are no more: erased, or part of a demo that went; at most 200 an event."""

    contact_ids: tuple[UUID, ...]
