"""Every change of sign-ins at vendors, and of tokens. Nothing is locked while a vendor is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import msgspec

from hub import clock
from hub.channels import actions as channels
from hub.channels import store as accounts
from hub.channels.connecting import store
from hub.channels.connecting.model import (
    ATTEMPT_LIFETIME,
    JUST_RENEWED,
    MOST_STATE_CHARS,
    RENEWING,
    Attempt,
    Filled,
    Tokens,
    digest,
    ends_soon,
    is_replaced,
)
from hub.channels.sealing import Place
from hub.errors import Conflict, NotFound
from hub.events import store as events

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from asyncpg import Record

    from hub.channels.sealing import Sealer
    from hub.db import TenantConn

SPENT: Final = "This sign-in took too long, was used already, or was begun in another browser. Begin again."


async def begin(conn: TenantConn, sealer: Sealer, attempt: Attempt, filled: Filled) -> str:
    """Note that a member's browser is sent to a vendor; returns the state it comes back with."""
    # A workspace's first data key may be made here: of two that are made at once one would be lost.
    await events.lock(conn, [attempt.workspace_id])
    state, at = clock.new_token(), clock.now()
    key = await channels.data_key(conn, sealer, attempt.workspace_id)
    sealed = key.seal(_place(attempt.workspace_id, attempt.id), msgspec.json.encode(filled))
    await store.add_attempt(conn, attempt, digest(state), sealed, (at, at + ATTEMPT_LIFETIME))
    return state


async def find(conn: TenantConn, channel: str, state: str, session_id: UUID) -> int:
    """
    Find the workspace a browser comes back to.

    Raises:
        Conflict: It was not sent by this session and for this channel, was used, or took longer than ten minutes.
    """
    if not 0 < len(state) <= MOST_STATE_CHARS:
        raise Conflict(SPENT)
    found = await store.find_attempt(conn, digest(state), session_id, channel)
    if found is None:
        raise Conflict(SPENT)
    return found


async def take(
    conn: TenantConn, sealer: Sealer, workspace_id: int, state: str, session_id: UUID
) -> tuple[Attempt, Filled]:
    """
    Use up an attempt; commit it whatever comes of the sign-in.

    Raises:
        Conflict: Another call was first.
    """
    found = await store.lock_attempt(conn, workspace_id, digest(state), session_id)
    if found is None:
        raise Conflict(SPENT)
    attempt, sealed = found
    await store.use_attempt(conn, attempt)
    opened = await accounts.open_value(conn, sealer, _place(workspace_id, attempt.id), sealed)
    return attempt, msgspec.json.decode(opened, type=Filled)


async def require_new(conn: TenantConn, attempt: Attempt, external_ref: str, vendor: str) -> None:
    """
    Refuse what would take messages in twice, or turn an account into another.

    Raises:
        Conflict: Another account of the workspace is the same one at the vendor; or, signing in again, this one is not.
        NotFound: The account that was to be signed in again was removed meanwhile.
    """
    if attempt.is_again:
        before = await store.external_ref(conn, attempt.workspace_id, attempt.account_id)
        if before and external_ref and before != external_ref:
            raise Conflict(
                f"You signed in to another account at {vendor} than the one connected here. "
                "Sign in with that one; or connect this one as a new channel account."
            )
    if external_ref:
        same = await store.find_same(conn, attempt.workspace_id, attempt.channel, external_ref, attempt.account_id)
        if same is not None:
            raise Conflict(f"This account is connected already, as “{same}”. Sign in again there.")


# ── renewals ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def claim_renewal(
    conn: TenantConn, sealer: Sealer, account: tuple[int, UUID], *, refused: bool, now: datetime
) -> Tokens | None:
    """
    Look at an account's tokens and, where they are to be renewed, promise to do it.

    Args:
        conn: A transaction of the workspace.
        sealer: The installation's keys.
        account: Workspace and channel account.
        refused: The vendor refused them, whatever their end.
        now: The wall clock.

    Returns:
        The tokens as they are; ``is_ours``: nobody else renews them for the next 45 s. None while somebody else does.

    Raises:
        NotFound: The account was removed.
    """
    row = await _lock(conn, account)
    held = await _tokens(conn, sealer, account, row)
    just_renewed = held.renewed_at is not None and now - held.renewed_at < JUST_RENEWED
    if not (ends_soon(held.expires_at, now) or (refused and not just_renewed)):
        return held
    if not row["is_free"]:
        return None
    await store.hold_renewal(conn, *account, RENEWING.total_seconds())
    return msgspec.structs.replace(held, is_ours=True)


async def keep_renewed(
    conn: TenantConn, sealer: Sealer, account: tuple[int, UUID], base: Tokens, granted: Tokens
) -> Tokens:
    """
    Write renewed tokens; they may be used once this has COMMITTED.

    Args:
        conn: A transaction of the workspace.
        sealer: The installation's keys.
        account: Workspace and channel account.
        base: What was renewed.
        granted: Only what the vendor gave anew.

    Returns:
        What is in force: the renewed ones, or those of a member who signed in again meanwhile.

    Raises:
        NotFound: The account was removed meanwhile.
    """
    row = await _lock(conn, account)
    current = await _tokens(conn, sealer, account, row)
    if is_replaced(base.credentials, current.credentials, granted.credentials):
        return current
    credentials = {**current.credentials, **granted.credentials}
    sealed = await channels.seal_credentials(conn, sealer, *account, credentials)
    await accounts.update_credentials(conn, *account, sealed, None)
    await store.set_token(conn, *account, granted.expires_at, granted.renewed_at)
    return msgspec.structs.replace(granted, credentials=credentials)


async def end_renewal(conn: TenantConn, account: tuple[int, UUID]) -> None:
    """Let others try at once: the vendor was not reached, or refused."""
    await store.end_renewal(conn, *account)


async def _lock(conn: TenantConn, account: tuple[int, UUID]) -> Record:
    row = await store.lock_tokens(conn, *account)
    if row is None:
        raise NotFound("channel account")
    return row


async def _tokens(conn: TenantConn, sealer: Sealer, account: tuple[int, UUID], row: Record) -> Tokens:
    opened = await accounts.open_value(
        conn, sealer, accounts.credentials_place(*account), cast("bytes", row["credentials_sealed"])
    )
    return Tokens(
        credentials=_credentials(opened), expires_at=row["token_expires_at"], renewed_at=row["token_renewed_at"]
    )


def _credentials(opened: bytes) -> dict[str, str]:
    return msgspec.json.decode(opened, type=dict[str, str])


def _place(workspace_id: int, attempt_id: UUID) -> Place:
    return Place(workspace_id, "connect_attempt", "form_sealed", str(attempt_id))


def as_granted(credentials: Mapping[str, str], expires_at: datetime | None) -> Tokens:
    """Return what a vendor gave anew, as of now."""
    return Tokens(credentials=dict(credentials), expires_at=expires_at, renewed_at=clock.now())
