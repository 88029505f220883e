"""One entry of the audit log: who did what to which row, and from where. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

# Entries that belong to no workspace: sign-ins, and what the operator of the installation does.
INSTALLATION = 0


class ActorKind(StrEnum):
    """Who acted: ``actor_id`` is a member's id, a login's, an API key's; none for the other two."""

    MEMBER = "member"
    LOGIN = "login"
    KEY = "key"
    OPERATOR = "operator"
    SYSTEM = "system"


class Caller(msgspec.Struct, frozen=True):
    """
    Who makes an action happen, and from where; made by the edge, handed to the action.

    Attributes:
        id: A member's, a login's or an API key's; None for the operator and for jobs.
        address: As ``api.auth.caller_of`` returns it; empty for the command line and for jobs.
    """

    kind: ActorKind
    id: UUID | None = None
    address: str = ""


SYSTEM = Caller(ActorKind.SYSTEM)
OPERATOR = Caller(ActorKind.OPERATOR)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """
    Something that was done.

    Attributes:
        workspace_id: Tenant, or ``INSTALLATION``.
        action: Noun, dot, past tense: ``member.role_changed``, ``session.revoked``, ``api_key.made``.
        target_kind: What was acted upon: ``member``, ``inbox``, ``login``; empty where the action says it.
        target_id: Its id as text.
        address: Where the call came from; empty for the command line and for jobs.
        details: What changed, as a JSON object, never with secrets or message texts: ``{"role": ["agent", "admin"]}``.
            Names, addresses and numbers of people do not belong there: what looks like one is withheld.
    """

    workspace_id: int
    action: str
    actor_kind: ActorKind
    actor_id: UUID | None = None
    target_kind: str = ""
    target_id: str = ""
    address: str = ""
    details: bytes = b"{}"


class LoggedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """
    An entry as it is stored.

    Attributes:
        details: A JSON object.
        position: Its place in the chain of its workspace, from 1; None until it is sealed.
        hash: SHA-256 over the hash before it and this entry (``hub.audit.chain``), 32 bytes; None until it is sealed.
    """

    workspace_id: int
    id: UUID
    at: datetime
    action: str
    actor_kind: str
    actor_id: UUID | None
    target_kind: str
    target_id: str
    address: str
    details: str
    position: int | None = None
    hash: bytes | None = None


class Chain(msgspec.Struct, frozen=True):
    """A chain: its newest place and the newest one that was signed; 0 where there is none."""

    workspace_id: int
    position: int
    signed: int


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """
    A signed statement: at this time the entry at this place had this hash.

    Attributes:
        public_key: Ed25519, 32 bytes.
        signature: Ed25519 over ``chain.head_bytes``, 64 bytes.
    """

    workspace_id: int
    position: int
    hash: bytes
    signed_at: datetime
    public_key: bytes
    signature: bytes


class Unsealed(msgspec.Struct, frozen=True):
    """Entries that wait for their place: nothing protects them yet."""

    entries: int
    since: datetime | None


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """
    Which entries are wanted; None takes any.

    Attributes:
        action: How the action begins: ``member.`` or ``member.role_changed``.
        since: Not before.
        until: Before.
    """

    actor_id: UUID | None = None
    action: str | None = None
    target_kind: str | None = None
    target_id: str | None = None
    address: str | None = None
    since: datetime | None = None
    until: datetime | None = None
