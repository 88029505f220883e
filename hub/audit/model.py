"""One entry of the audit log: who did what to which row, and from where. Pure."""

from __future__ import annotations

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
    """

    workspace_id: int
    action: str
    actor_kind: ActorKind
    actor_id: UUID | None = None
    target_kind: str = ""
    target_id: str = ""
    address: str = ""
    details: bytes = b"{}"
