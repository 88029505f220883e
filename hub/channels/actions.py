"""Every change of inboxes and channel accounts. Each takes the workspace's lock first and appends what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub import clock
from hub.accounts import store as accounts
from hub.audit import actions as audit
from hub.audit.model import ActorKind, Caller
from hub.channels import store
from hub.channels.connecting import store as tokens
from hub.channels.connecting.model import merge_credentials
from hub.channels.model import (
    TRANSITIONS,
    AccountChange,
    AccountStatus,
    ChannelAccount,
    ChannelAccountChanged,
    ChannelAccountConnected,
    Inbox,
    InboxChanged,
    NewAccount,
)
from hub.envelope import clean_text
from hub.errors import Conflict, InvalidInput, NotFound
from hub.events import store as events
from hub.events.model import NewEvent
from hub.limits import actions as limits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from hub.channels.sealing import DataKey, Sealer
    from hub.db import TenantConn

NAME_LIMIT_CHARS = 200
REASON_LIMIT_CHARS = 500
DEFAULT_INBOX_NAME = "Inbox"
DEFAULT_REOPEN_DAYS = 7

_encoder = msgspec.json.Encoder()


def check_name(name: str) -> str:
    """Return the name of an inbox or account as it is kept; raises ``InvalidInput`` unless 1-200 characters remain."""
    name = " ".join(clean_text(name).split())
    if not 1 <= len(name) <= NAME_LIMIT_CHARS:
        raise InvalidInput("name", f"A name has 1 to {NAME_LIMIT_CHARS} characters.")
    return name


# ── channel accounts ────────────────────────────────────────────────────────────────────────────────────────────────


async def connect(conn: TenantConn, sealer: Sealer, new: NewAccount) -> ChannelAccount:
    """
    Save a channel account whose keys the vendor has accepted.

    Args:
        conn: A fresh transaction of the workspace.
        sealer: The installation's keys.
        new: The account; without an inbox it feeds the workspace's first one.

    Raises:
        InvalidInput: The name is empty or too long.
        NotFound: No such workspace or inbox.
    """
    heads = await lock(conn, new.workspace_id)
    if not new.demo:
        await limits.require_account_room(conn, new.workspace_id)
    name = check_name(new.name)
    inbox = await _choose_inbox(conn, heads, new)
    account = ChannelAccount(
        id=new.id,
        inbox_id=inbox.id,
        channel=new.channel,
        name=name,
        status=AccountStatus.CONNECTED,
        status_reason="",
        settings=new.settings,
        created_at=clock.now(),
        version=heads[new.workspace_id] + 1,
        demo=new.demo,
    )
    sealed = await seal_credentials(conn, sealer, new.workspace_id, new.id, new.credentials)
    await store.insert_channel_account(conn, new.workspace_id, account, sealed, new.external_ref)
    if new.token is not None:
        await tokens.set_token(conn, new.workspace_id, new.id, new.token.expires_at, new.token.granted_at)
    details: dict[str, object] = {"channel": new.channel, "inbox_id": str(inbox.id)}
    await _record(conn, new, "connected", details | ({"demo": True} if new.demo else {}))
    event = ChannelAccountConnected(channel_account=account, inbox=inbox)
    await events.append(
        conn, heads, [make_event(new.workspace_id, "channel_account_connected", event, inbox.id, new.actor_id)]
    )
    return account


async def change(conn: TenantConn, sealer: Sealer, wanted: AccountChange) -> ChannelAccount:
    """
    Change a channel account's name, settings, credentials or status.

    Args:
        conn: A fresh transaction of the workspace.
        sealer: The installation's keys.
        wanted: What to change; new credentials must have been checked.

    Returns:
        The account afterwards; one event tells of all changes, none when there was nothing to change.

    Raises:
        InvalidInput: The name is empty or too long.
        NotFound: The workspace has no such account.
        Conflict: The account was removed.
    """
    heads = await lock(conn, wanted.workspace_id)
    old = await store.get_channel_account(conn, wanted.workspace_id, wanted.id)
    account = _apply(old, wanted)
    if wanted.credentials is not None:
        await _replace_credentials(conn, sealer, wanted, wanted.credentials)
    elif account == old:
        return old
    return await _write(conn, heads, (old, account), wanted)


async def pause(conn: TenantConn, workspace_id: int, account_id: UUID, actor_id: UUID | None = None) -> ChannelAccount:
    """Stop sending through an account; what comes in is still taken."""
    return await _set_status(conn, _to(workspace_id, account_id, AccountStatus.PAUSED, actor_id))


async def resume(conn: TenantConn, workspace_id: int, account_id: UUID, actor_id: UUID | None = None) -> ChannelAccount:
    """Take a paused account back into use."""
    return await _set_status(conn, _to(workspace_id, account_id, AccountStatus.CONNECTED, actor_id))


async def mark_connected(conn: TenantConn, workspace_id: int, account_id: UUID) -> ChannelAccount:
    """Note that the vendor accepts an account's keys again; a paused or removed account stays as it is."""
    return await _set_status(conn, _to(workspace_id, account_id, AccountStatus.CONNECTED), only_from=_SIGNED_OUT)


async def mark_needs_sign_in(conn: TenantConn, workspace_id: int, account_id: UUID, reason: str) -> ChannelAccount:
    """Note that the vendor refuses an account's keys; a paused or removed account stays as it is."""
    wanted = _to(workspace_id, account_id, AccountStatus.NEEDS_SIGN_IN)
    return await _set_status(conn, msgspec.structs.replace(wanted, status_reason=reason), only_from=_IN_USE)


async def mark_paused(conn: TenantConn, workspace_id: int, account_id: UUID, reason: str) -> ChannelAccount:
    """Note that the vendor takes nothing more for an account until somebody has looked: its endpoint has gone."""
    wanted = _to(workspace_id, account_id, AccountStatus.PAUSED)
    return await _set_status(conn, msgspec.structs.replace(wanted, status_reason=reason), only_from=_IN_USE)


async def merge_kept(
    conn: TenantConn,
    sealer: Sealer,
    account: tuple[int, UUID],
    settings: Mapping[str, str],
    credentials: Mapping[str, str],
) -> ChannelAccount:
    """
    Put what a vendor gave over what an account has; whatever a member changed meanwhile elsewhere stays.

    Args:
        conn: A fresh transaction of the workspace.
        sealer: The installation's keys.
        account: Workspace and id.
        settings: Only those that changed.
        credentials: Only those that changed.

    Returns:
        The account afterwards; one that was removed stays as it is.

    Raises:
        NotFound: The workspace has no such account.
    """
    workspace_id, account_id = account
    await lock(conn, workspace_id)
    old = await store.get_channel_account(conn, workspace_id, account_id)
    if old.status is AccountStatus.REMOVED:
        return old
    kept = await store.open_credentials(conn, sealer, workspace_id, account_id) if credentials else {}
    merged = {**old.settings, **settings}
    wanted = AccountChange(
        workspace_id=workspace_id,
        id=account_id,
        settings=merged if merged != old.settings else None,
        credentials={**kept, **credentials} if {**kept, **credentials} != kept else None,
        status=old.status,
        status_reason=old.status_reason,
    )
    return await change(conn, sealer, wanted)


async def remove(
    conn: TenantConn, workspace_id: int, account_id: UUID, actor_id: UUID | None = None, *, address: str = ""
) -> ChannelAccount:
    """Disconnect an account for good: its secrets are forgotten, its conversations stay."""
    wanted = _to(workspace_id, account_id, AccountStatus.REMOVED, actor_id)
    account = await _set_status(conn, msgspec.structs.replace(wanted, address=address))
    await store.update_credentials(conn, workspace_id, account_id, None, None)
    return account


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_SIGNED_OUT = frozenset({AccountStatus.NEEDS_SIGN_IN})
_STATUS_ACTIONS = {
    AccountStatus.CONNECTED: "resumed",
    AccountStatus.PAUSED: "paused",
    AccountStatus.NEEDS_SIGN_IN: "refused",
    AccountStatus.REMOVED: "removed",
}
_IN_USE = frozenset({AccountStatus.CONNECTED, AccountStatus.NEEDS_SIGN_IN})


async def lock(conn: TenantConn, workspace_id: int) -> dict[int, int]:
    """Lock a workspace before anything of it is read; ``NotFound`` where there is none."""
    heads = await events.lock(conn, [workspace_id])
    if workspace_id not in heads:
        raise NotFound("workspace")
    return heads


async def add_inbox(
    conn: TenantConn, heads: dict[int, int], workspace_id: int, name: str, actor_id: UUID | None
) -> Inbox:
    """Make an inbox that every member sees, under the lock that gave ``heads``; its name is checked."""
    inbox = Inbox(
        id=clock.new_id(),
        name=name,
        restricted=False,
        reopen_days=DEFAULT_REOPEN_DAYS,
        version=heads[workspace_id] + 1,
    )
    await store.insert_inbox(conn, workspace_id, inbox, clock.now())
    # Members with a list of visible inboxes do not have this one on it until their rights are read again.
    await accounts.bump_rights(conn, workspace_id)
    await events.append(conn, heads, [inbox_changed(workspace_id, inbox, actor_id)])
    return inbox


async def _choose_inbox(conn: TenantConn, heads: dict[int, int], new: NewAccount) -> Inbox:
    if new.inbox_id is not None:
        return await store.get_inbox(conn, new.workspace_id, new.inbox_id)
    first = await store.first_inbox(conn, new.workspace_id)
    return first or await add_inbox(conn, heads, new.workspace_id, DEFAULT_INBOX_NAME, new.actor_id)


async def seal_credentials(
    conn: TenantConn, sealer: Sealer, workspace_id: int, account_id: UUID, credentials: Mapping[str, str]
) -> bytes:
    """Seal credentials for the account they belong to; they open nowhere else."""
    key = await data_key(conn, sealer, workspace_id)
    return key.seal(store.credentials_place(workspace_id, account_id), _encoder.encode(credentials))


async def _replace_credentials(
    conn: TenantConn, sealer: Sealer, wanted: AccountChange, credentials: dict[str, str]
) -> None:
    """Write new credentials; of those made from older ones, what a renewal wrote meanwhile is kept."""
    if wanted.read_credentials is not None:
        await tokens.lock_tokens(conn, wanted.workspace_id, wanted.id)
        current = await store.open_credentials(conn, sealer, wanted.workspace_id, wanted.id)
        credentials = merge_credentials(wanted.read_credentials, credentials, current)
    sealed = await seal_credentials(conn, sealer, wanted.workspace_id, wanted.id, credentials)
    await store.update_credentials(conn, wanted.workspace_id, wanted.id, sealed, wanted.external_ref)
    if wanted.token is not None:
        granted = wanted.token
        await tokens.set_token(conn, wanted.workspace_id, wanted.id, granted.expires_at, granted.granted_at)


async def data_key(conn: TenantConn, sealer: Sealer, workspace_id: int) -> DataKey:
    """Return the key that seals new values; makes the first one, and re-wraps one of an older installation key."""
    wrapped = await store.newest_key(conn, workspace_id)
    if wrapped is None:
        wrapped = sealer.new_data_key(workspace_id, 1)
        await store.insert_key(conn, wrapped, clock.now())
    elif wrapped.key_version != sealer.version:
        wrapped = sealer.rewrap(wrapped)
        await store.update_key(conn, wrapped)
    return sealer.unwrap(wrapped)


def _to(workspace_id: int, account_id: UUID, status: AccountStatus, actor_id: UUID | None = None) -> AccountChange:
    return AccountChange(workspace_id=workspace_id, id=account_id, status=status, actor_id=actor_id)


async def _set_status(
    conn: TenantConn, wanted: AccountChange, *, only_from: frozenset[AccountStatus] | None = None
) -> ChannelAccount:
    heads = await lock(conn, wanted.workspace_id)
    old = await store.get_channel_account(conn, wanted.workspace_id, wanted.id)
    if only_from is not None and old.status not in only_from:
        return old
    account = _apply(old, wanted)
    return old if account == old else await _write(conn, heads, (old, account), wanted)


def _apply(old: ChannelAccount, wanted: AccountChange) -> ChannelAccount:
    status = wanted.status or old.status
    if wanted.credentials is not None and old.status is AccountStatus.NEEDS_SIGN_IN and wanted.status is None:
        status = AccountStatus.CONNECTED
    if status is not old.status and status not in TRANSITIONS[old.status]:
        raise Conflict(f"A channel account that is {old.status.value} cannot become {status.value}.")
    if old.status is AccountStatus.REMOVED and wanted.status is not AccountStatus.REMOVED:
        raise Conflict("This channel account was removed; connect it again.")
    reason = clean_text(wanted.status_reason)[:REASON_LIMIT_CHARS] if wanted.status else old.status_reason
    return msgspec.structs.replace(
        old,
        name=old.name if wanted.name is None else check_name(wanted.name),
        status=status,
        status_reason="" if status is AccountStatus.CONNECTED else reason,
        settings=old.settings if wanted.settings is None else wanted.settings,
    )


async def _write(
    conn: TenantConn, heads: dict[int, int], change_: tuple[ChannelAccount, ChannelAccount], wanted: AccountChange
) -> ChannelAccount:
    old, account = change_
    await _record_change(conn, old, account, wanted)
    account = msgspec.structs.replace(account, version=heads[wanted.workspace_id] + 1)
    await store.update_channel_account(conn, wanted.workspace_id, account)
    event = ChannelAccountChanged(channel_account=account)
    await events.append(
        conn,
        heads,
        [make_event(wanted.workspace_id, "channel_account_changed", event, account.inbox_id, wanted.actor_id)],
    )
    return account


async def _record_change(conn: TenantConn, old: ChannelAccount, account: ChannelAccount, wanted: AccountChange) -> None:
    """Tell which fields changed, never what they hold: a name or a setting may be somebody's address."""
    fields = [name for name in ("name", "settings") if getattr(old, name) != getattr(account, name)]
    fields += ["credentials"] if wanted.credentials is not None else []
    if fields:
        await _record(conn, wanted, "changed", {"fields": fields})
    if account.status is not old.status:
        await _record(
            conn, wanted, _STATUS_ACTIONS[account.status], {"status": [old.status.value, account.status.value]}
        )


async def _record(
    conn: TenantConn, wanted: NewAccount | AccountChange, verb: str, details: Mapping[str, object]
) -> None:
    kind = ActorKind.MEMBER if wanted.actor_id is not None else ActorKind.SYSTEM
    caller = Caller(kind, wanted.actor_id, wanted.address)
    target = ("channel_account", wanted.id)
    entry = audit.made_by(caller, wanted.workspace_id, f"channel_account.{verb}", target, details)
    await audit.record(conn, entry)


def inbox_changed(workspace_id: int, inbox: Inbox, actor_id: UUID | None) -> NewEvent:
    """Make the event of an inbox's new row."""
    return make_event(workspace_id, "inbox_changed", InboxChanged(inbox=inbox), inbox.id, actor_id)


def make_event(workspace_id: int, type_: str, body: msgspec.Struct, inbox_id: UUID, actor_id: UUID | None) -> NewEvent:
    """Make the event of a change in one inbox."""
    return NewEvent(
        workspace_id=workspace_id,
        type=type_,
        data=_encoder.encode(body),
        occurred_at=clock.now(),
        inbox_id=inbox_id,
        actor_id=actor_id,
    )
