"""API keys of a workspace and personal access tokens: made, listed, renamed, rotated, revoked. For people only."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import msgspec

from api.call import required
from api.feature_flags import is_on
from api.paging import decode_cursor, encode_cursor
from hub import clock
from hub.accounts.model import Permission
from hub.errors import Forbidden, InvalidInput
from hub.installation.model import Flag
from hub.keys import actions, store
from hub.keys.actions import Caller
from hub.keys.model import LIFETIME, ApiKey, KeyKind, NewKey
from hub.keys.token import PEPPER_PURPOSE, Pepper
from hub.mailer.model import SecurityChange
from hub.notices import security
from hub.notices.model import News
from hub.signin.factors.model import Person
from hub.signin.factors.telling import warn

if TYPE_CHECKING:
    from api.call import MemberCall
    from hub.db import TenantConn
    from hub.keys.model import MadeKey

_NEVER_WARNING = "This key never expires: whoever finds it can use it until somebody revokes it."


class KeyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A key to be made.

    Attributes:
        scopes: What it may do, none of it more than its maker may. A personal token without scopes may what its member
            may.
        inbox_ids: Only these inboxes; left out: all that its maker sees.
        expires_at: Left out: in a year. Null: never.
    """

    name: str
    scopes: Annotated[tuple[Permission, ...], msgspec.Meta(max_length=50)] | None = None
    inbox_ids: Annotated[tuple[UUID, ...], msgspec.Meta(max_length=200)] | None = None
    expires_at: datetime | msgspec.UnsetType | None = msgspec.UNSET


class KeyPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str


class KeyView(msgspec.Struct, frozen=True):
    key: ApiKey


class KeyPage(msgspec.Struct, frozen=True):
    keys: list[ApiKey]
    next: str | None


class MadeKeyView(msgspec.Struct, frozen=True):
    """
    A key and its token.

    Attributes:
        token: Shown this once: nobody can read it again.
        warnings: Sentences for whoever made it.
    """

    key: ApiKey
    token: str
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        return f"MadeKeyView(id={self.key.id})"


async def read_all(call: MemberCall) -> KeyPage:
    """List the workspace's API keys, newest first; revoked ones for thirty days."""
    return await _read_page(call, KeyKind.WORKSPACE)


async def create(call: MemberCall) -> MadeKeyView:
    """Make an API key of the workspace."""
    if not await is_on(call, Flag.API_KEYS, call.actor.workspace_id):
        raise Forbidden("New API keys cannot be made here now.")
    return await _create(call, KeyKind.WORKSPACE)


async def rename(call: MemberCall) -> KeyView:
    """Call an API key by another name."""
    return await _rename(call, KeyKind.WORKSPACE)


async def rotate(call: MemberCall) -> MadeKeyView:
    """Give an API key another token; the one before opens for 24 hours more."""
    return await _rotate(call, KeyKind.WORKSPACE)


async def revoke(call: MemberCall) -> None:
    """End an API key."""
    await _revoke(call, KeyKind.WORKSPACE)


async def read_own(call: MemberCall) -> KeyPage:
    """List the caller's personal access tokens, newest first; revoked ones for thirty days."""
    return await _read_page(call, KeyKind.PERSONAL)


async def create_own(call: MemberCall) -> MadeKeyView:
    """Make a personal access token, which acts as the caller."""
    if not await is_on(call, Flag.PERSONAL_TOKENS, call.actor.workspace_id):
        raise Forbidden("New personal tokens cannot be made here now.")
    return await _create(call, KeyKind.PERSONAL)


async def rename_own(call: MemberCall) -> KeyView:
    """Call a personal access token by another name."""
    return await _rename(call, KeyKind.PERSONAL)


async def rotate_own(call: MemberCall) -> MadeKeyView:
    """Give a personal access token another secret; the one before opens for 24 hours more."""
    return await _rotate(call, KeyKind.PERSONAL)


async def revoke_own(call: MemberCall) -> None:
    """End a personal access token."""
    await _revoke(call, KeyKind.PERSONAL)


async def _read_page(call: MemberCall, kind: KeyKind) -> KeyPage:
    limit = call.query_int("limit", 50, low=1, high=200)
    before = _read_before(call.query.get("before", ""))
    workspace_id = call.actor.workspace_id
    holder = call.actor.member_id if kind is KeyKind.PERSONAL else None
    async with call.resources.database.snapshot([workspace_id]) as conn:
        found = await store.list_keys(conn, workspace_id, kind, holder, (before, limit))
    return KeyPage(found, encode_cursor((str(found[-1].id),)) if len(found) == limit else None)


async def _create(call: MemberCall, kind: KeyKind) -> MadeKeyView:
    wanted = await call.decode(KeyRequest)
    expires_at = clock.now() + LIFETIME if isinstance(wanted.expires_at, msgspec.UnsetType) else wanted.expires_at
    if expires_at is not None and expires_at.tzinfo is None:
        raise InvalidInput("expires_at", "Give the time with its offset, e.g. 2027-11-23T09:00:00Z.")
    new = NewKey(kind=kind, name=wanted.name, scopes=wanted.scopes, inbox_ids=wanted.inbox_ids, expires_at=expires_at)
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        made = await actions.make_key(conn, _pepper(call), _by(call), new)
        await _tell(conn, call, made.key)
    return _shown(made)


async def _rename(call: MemberCall, kind: KeyKind) -> KeyView:
    wanted = await call.decode(KeyPatch)
    key_id = call.path_id("key_id", "key")
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return KeyView(await actions.rename_key(conn, _by(call), kind, key_id, wanted.name))


async def _rotate(call: MemberCall, kind: KeyKind) -> MadeKeyView:
    key_id = call.path_id("key_id", "key")
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        made = await actions.rotate_key(conn, _pepper(call), _by(call), kind, key_id)
        await _tell(conn, call, made.key)
    return _shown(made)


async def _tell(conn: TenantConn, call: MemberCall, key: ApiKey) -> None:
    """Whoever took a session over may have made it: its owner hears of it, of a workspace's those in charge as well."""
    of_all = key.kind is KeyKind.WORKSPACE
    who, workspace_id = call.signed_in, call.actor.workspace_id
    await security.tell_member(conn, workspace_id, call.actor.member_id, News.KEY_MADE, and_those_in_charge=of_all)
    what = SecurityChange.API_KEY_MADE if of_all else SecurityChange.PERSONAL_TOKEN_MADE
    await warn(conn, Person(who.login_id, who.email, who.name, call.address), what, key.name)


async def _revoke(call: MemberCall, kind: KeyKind) -> None:
    key_id = call.path_id("key_id", "key")
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await actions.revoke_key(conn, _by(call), kind, key_id)
    if call.resources.realtime is not None:
        call.resources.realtime.announce_revocation([call.actor.workspace_id])


def _shown(made: MadeKey) -> MadeKeyView:
    return MadeKeyView(made.key, made.token, (_NEVER_WARNING,) if made.key.expires_at is None else ())


def _by(call: MemberCall) -> Caller:
    return Caller(call.actor, call.address)


def _pepper(call: MemberCall) -> Pepper:
    return Pepper(required(call.resources.sealer, "secret key").derive_keys(PEPPER_PURPOSE))


def _read_before(text: str) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(decode_cursor(text, 1)[0])
    except ValueError:
        raise InvalidInput("before", "This is not a cursor of ours.") from None
