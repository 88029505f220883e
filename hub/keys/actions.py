"""Every change to API keys, and finding who a key acts as. Called by the edge; actions never commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.accounts import policy
from hub.accounts import store as accounts
from hub.accounts.model import Permission
from hub.audit import actions as audit
from hub.audit.model import ActorKind, Entry
from hub.envelope import clean_text
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound, NotSignedIn
from hub.events import store as events
from hub.keys import store, token
from hub.keys.model import LIFETIME, OVERLAP, UNGRANTABLE, ApiKey, KeyKind, LiveKey, MadeKey, NewKey, acting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import timedelta
    from uuid import UUID

    from hub.accounts.model import Actor
    from hub.db import Database, TenantConn
    from hub.keys.model import StoredKey
    from hub.keys.token import KeyToken, Pepper

MOST_NAME_CHARS: Final = 100
MOST_KEYS: Final = {KeyKind.WORKSPACE: 200, KeyKind.PERSONAL: 50}
_UNKNOWN: Final = "This API key is not known here, was revoked or has expired."
_ORPHANED: Final = (
    "Whoever answers for this API key is not a member any more: somebody who manages keys must rotate it."
)


class Caller(msgspec.Struct, frozen=True):
    """Who manages keys: a person, and where they call from."""

    actor: Actor
    address: str = ""


async def find_actor(database: Database, pepper: Pepper, text: str, workspace_id: int) -> tuple[StoredKey, Actor]:
    """
    Find which key a token is and as whom it acts, with the rights of this moment.

    Args:
        database: The installation.
        pepper: Keys of the verifiers.
        text: From a bearer header or a ``hello``, unchecked.
        workspace_id: Tenant; a key of another workspace does not exist there.

    Raises:
        NotSignedIn: Mistyped, never made here, revoked or expired: the last three answer the same.
        Forbidden: Whoever answers for it left the workspace.
    """
    shown = token.read_token(text)
    async with database.transaction([workspace_id]) as conn:
        found = await store.find_key(conn, workspace_id, shown.id)
        if found is None or not _opens(pepper, shown, found):
            raise NotSignedIn(_UNKNOWN)
        try:
            maker = await accounts.load_actor(conn, workspace_id, found.login_id)
        except Forbidden:
            raise Forbidden(_ORPHANED) from None
        if not found.is_noted:
            await store.note_use(conn, workspace_id, found.id)
            await _renew(conn, pepper, workspace_id, shown, found)
    return found, acting(maker, found)


async def find_actors(conn: TenantConn, key_ids: Iterable[UUID]) -> Mapping[UUID, Actor]:
    """Find as whom keys act now, of any workspaces; whichever does not hold any more is left out."""
    live: Mapping[UUID, LiveKey] = await store.live_keys(conn, list(key_ids))
    makers = await accounts.load_actors(conn, list({(one.workspace_id, one.login_id) for one in live.values()}))
    return {
        one.id: acting(maker, one)
        for one in live.values()
        if (maker := makers.get((one.workspace_id, one.login_id))) is not None
    }


async def make_key(conn: TenantConn, pepper: Pepper, by: Caller, wanted: NewKey) -> MadeKey:
    """
    Make a key.

    Args:
        conn: A fresh transaction of the actor's workspace.
        pepper: Makes the verifier.
        by: Who makes it, and will answer for it.
        wanted: What.

    Returns:
        The key with its token, which is shown this once.

    Raises:
        Forbidden: The actor is a key, or may not manage keys of the workspace.
        InvalidInput: A field cannot be used; ``field`` names it.
        Conflict: There are too many already.
    """
    actor = by.actor
    _require_manager(actor, wanted.kind)
    workspace_id = actor.workspace_id
    await events.lock_one(conn, workspace_id)
    now = clock.now()
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise InvalidInput("expires_at", "Choose a time in the future, or null for never.")
    holder = actor.member_id if wanted.kind is KeyKind.PERSONAL else None
    if await store.count_keys(conn, workspace_id, wanted.kind, holder) >= MOST_KEYS[wanted.kind]:
        raise Conflict("There are too many keys already. Revoke those that are not used.")
    shown = token.new_token(clock.new_id())
    text = shown.text()
    key = ApiKey(
        id=shown.id,
        kind=wanted.kind,
        name=_clean_name(wanted.name),
        hint=text[-token.HINT_CHARS :],
        member_id=actor.member_id,
        scopes=_check_scopes(actor, wanted),
        inbox_ids=await _check_inboxes(conn, actor, wanted.inbox_ids),
        created_at=now,
        expires_at=wanted.expires_at,
        former_until=None,
        last_used_at=None,
        revoked_at=None,
    )
    await store.add_key(conn, workspace_id, key, pepper.verifier(shown))
    await _record(conn, by, key, "made", {"name": key.name, "kind": key.kind, "scopes": key.scopes})
    return MadeKey(key, text)


async def rename_key(conn: TenantConn, by: Caller, kind: KeyKind, key_id: UUID, name: str) -> ApiKey:
    """Call a key by another name; errors as ``revoke_key``."""
    key = await _managed(conn, by.actor, kind, key_id)
    renamed = msgspec.structs.replace(key, name=_clean_name(name))
    if renamed != key:
        await store.rename_key(conn, by.actor.workspace_id, key.id, renamed.name)
        await _record(conn, by, key, "renamed", {"name": [key.name, renamed.name]})
    return renamed


async def revoke_key(conn: TenantConn, by: Caller, kind: KeyKind, key_id: UUID) -> None:
    """
    End a key: at once for calls, within seconds for open sockets. Once more does nothing.

    Raises:
        Forbidden: The actor is a key, or may not manage keys of the workspace.
        NotFound: There is none, or it is somebody else's personal one.
    """
    key = await _managed(conn, by.actor, kind, key_id)
    if key.revoked_at is None:
        await store.revoke_key(conn, by.actor.workspace_id, key.id)
        await _record(conn, by, key, "revoked", {"name": key.name})


async def rotate_key(conn: TenantConn, pepper: Pepper, by: Caller, kind: KeyKind, key_id: UUID) -> MadeKey:
    """
    Give a key another token; the one before opens for 24 hours more, one before that no longer.

    Whoever rotates a workspace's key answers for it from then on, and it keeps only what they may do, too. Its life
    starts anew, as long as it was.

    Raises:
        Forbidden, NotFound: As ``revoke_key``.
        Conflict: It is revoked.
    """
    key = await _managed(conn, by.actor, kind, key_id)
    if key.revoked_at is not None:
        raise Conflict("This key is revoked. Make another one.")
    now = clock.now()
    shown = token.new_token(key.id)
    text = shown.text()
    # Never longer than the key itself would have lived: an expired secret must not open again.
    still = now + OVERLAP if key.expires_at is None else min(now + OVERLAP, max(key.expires_at, now))
    rotated = msgspec.structs.replace(
        key,
        hint=text[-token.HINT_CHARS :],
        member_id=by.actor.member_id,
        former_until=still,
        expires_at=None if key.expires_at is None else now + _life_of(key),
    )
    await store.rotate_key(conn, by.actor.workspace_id, rotated, pepper.verifier(shown))
    await _record(conn, by, key, "rotated", {"name": key.name})
    return MadeKey(rotated, text)


def _life_of(key: ApiKey) -> timedelta:
    return LIFETIME if key.expires_at is None else min(key.expires_at - key.created_at, LIFETIME)


def _opens(pepper: Pepper, shown: KeyToken, found: StoredKey) -> bool:
    if pepper.matches(shown, found.verifier):
        return True
    return found.former is not None and pepper.matches(shown, found.former)


async def _renew(conn: TenantConn, pepper: Pepper, workspace_id: int, shown: KeyToken, found: StoredKey) -> None:
    """After the secret key was changed: keys in use move to the new pepper before the old one is taken away."""
    if found.verifier.pepper_version != pepper.version and pepper.matches(shown, found.verifier):
        await store.renew_verifier(conn, workspace_id, found.id, found.verifier, pepper.verifier(shown))


def _require_manager(actor: Actor, kind: KeyKind) -> None:
    if actor.key_id is not None:
        raise Forbidden("API keys cannot manage API keys.")
    if kind is KeyKind.WORKSPACE:
        policy.require(actor, Permission.KEYS_MANAGE)


async def _managed(conn: TenantConn, actor: Actor, kind: KeyKind, key_id: UUID) -> ApiKey:
    _require_manager(actor, kind)
    await events.lock_one(conn, actor.workspace_id)
    key = await store.lock_key(conn, actor.workspace_id, key_id)
    if key.kind is not kind or (kind is KeyKind.PERSONAL and key.member_id != actor.member_id):
        raise NotFound("key")
    return key


def _clean_name(name: str) -> str:
    cleaned = " ".join(clean_text(name).split())
    if not cleaned or len(cleaned) > MOST_NAME_CHARS:
        raise InvalidInput("name", f"Use 1 to {MOST_NAME_CHARS} characters.")
    return cleaned


def _check_scopes(actor: Actor, wanted: NewKey) -> tuple[Permission, ...] | None:
    if wanted.scopes is None:
        if wanted.kind is KeyKind.WORKSPACE:
            raise InvalidInput("scopes", "Name what the key may do.")
        return None
    scopes = tuple(one for one in Permission if one in wanted.scopes)
    if not scopes:
        raise InvalidInput("scopes", "Name at least one permission.")
    if refused := sorted(UNGRANTABLE & set(scopes)):
        raise InvalidInput("scopes", f"No key may have {', '.join(refused)}.")
    if beyond := sorted(set(scopes) - policy.allowed(actor)):
        raise InvalidInput("scopes", f"You cannot give what you do not have: {', '.join(beyond)}.")
    return scopes


async def _check_inboxes(conn: TenantConn, actor: Actor, inbox_ids: Sequence[UUID] | None) -> tuple[UUID, ...] | None:
    if inbox_ids is None:
        return None
    if not inbox_ids:
        raise InvalidInput("inbox_ids", "Name at least one inbox, or leave it out for all of yours.")
    known = await store.known_inboxes(conn, actor.workspace_id, inbox_ids)
    if any(one not in known or not policy.sees(actor, one) for one in inbox_ids):
        raise InvalidInput("inbox_ids", "There is no such inbox.")
    return tuple(dict.fromkeys(inbox_ids))


async def _record(conn: TenantConn, by: Caller, key: ApiKey, what: str, details: Mapping[str, object]) -> None:
    entry = Entry(
        workspace_id=by.actor.workspace_id,
        action=f"api_key.{what}",
        actor_kind=ActorKind.MEMBER,
        actor_id=by.actor.member_id,
        target_kind="api_key",
        target_id=str(key.id),
        address=by.address,
        details=msgspec.json.encode(details),
    )
    await audit.record(conn, entry)
