"""API keys of workspaces, personal access tokens, and what a workspace may call. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from hub.accounts.model import Actor, Permission, Role
from hub.accounts.policy import allowed
from hub.keys.token import Verifier

LIFETIME: Final = timedelta(days=365)
# Both secrets open while programs are changed over to the new one.
OVERLAP: Final = timedelta(hours=24)
# A key that makes keys or roles would outlive its own revocation.
UNGRANTABLE: Final = frozenset({Permission.KEYS_MANAGE, Permission.ROLES_MANAGE})


class KeyKind(StrEnum):
    """Whose doing it is: ``workspace`` acts as itself, ``personal`` as its member."""

    WORKSPACE = "workspace"
    PERSONAL = "personal"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """
    A key as those who manage it see it.

    Attributes:
        hint: The last four characters of its newest token.
        member_id: Who answers for it: it never may more than they do at that moment.
        scopes: What it may do at most; null: whatever its member may (personal only).
        inbox_ids: The inboxes it may see at most; null: all that its member sees.
        expires_at: Null: never.
        former_until: While a rotation is under way: until when the token before it still opens.
        last_used_at: To the minute.
    """

    id: UUID
    kind: KeyKind
    name: str
    hint: str
    member_id: UUID
    scopes: tuple[Permission, ...] | None
    inbox_ids: tuple[UUID, ...] | None
    created_at: datetime
    expires_at: datetime | None
    former_until: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """
    A live key as a call finds it.

    Attributes:
        login_id: Of the member who answers for it.
        former: The verifier before the last rotation, while it still opens.
        is_noted: Whether its use was noted within the last minute.
    """

    id: UUID
    kind: KeyKind
    name: str
    login_id: UUID
    scopes: tuple[Permission, ...] | None
    inbox_ids: tuple[UUID, ...] | None
    verifier: Verifier
    former: Verifier | None
    expires_at: datetime | None
    is_noted: bool


class LiveKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that still holds, as the sweep over open sockets finds it."""

    workspace_id: int
    id: UUID
    kind: KeyKind
    name: str
    login_id: UUID
    scopes: tuple[Permission, ...] | None
    inbox_ids: tuple[UUID, ...] | None


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """
    A key to be made.

    Attributes:
        scopes: None only for a personal one: whatever its member may.
        expires_at: None: never.
    """

    kind: KeyKind
    name: str
    scopes: tuple[Permission, ...] | None
    inbox_ids: tuple[UUID, ...] | None
    expires_at: datetime | None


class MadeKey(msgspec.Struct, frozen=True):
    """A key with its token, which nobody can be shown again."""

    key: ApiKey
    token: str

    def __repr__(self) -> str:
        return f"MadeKey(id={self.key.id})"


class CallLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Calls a minute, over all processes."""

    workspace_calls_per_minute: int = 20_000
    member_calls_per_minute: int = 1_200
    key_calls_per_minute: int = 600


def acting(maker: Actor, key: StoredKey | LiveKey) -> Actor:
    """
    Say who acts when a key is used.

    Args:
        maker: The member who answers for it, as their rights are now.
        key: It.

    Returns:
        Never more than the maker: the permissions and inboxes both have. A workspace's key is nobody's member id.
    """
    own = allowed(maker) - UNGRANTABLE
    sees = maker.visible_inboxes
    if key.inbox_ids is not None:
        sees = frozenset(key.inbox_ids) if sees is None else sees & frozenset(key.inbox_ids)
    is_personal = key.kind is KeyKind.PERSONAL
    return msgspec.structs.replace(
        maker,
        member_id=maker.member_id if is_personal else key.id,
        login_id=maker.login_id if is_personal else key.id,
        # What asks for a role by its name ("only an owner") asks for the person, whole: a narrowed key is not that.
        role=maker.role if is_personal and key.scopes is None else Role.VIEWER,
        visible_inboxes=sees,
        permissions=own if key.scopes is None else own & frozenset(key.scopes),
        kind="member" if is_personal else "key",
        key_id=key.id,
        key_name=key.name,
    )
