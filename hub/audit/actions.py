"""Writes the audit log. Called by every action that somebody may have to answer for, in that action's transaction.

Chaining and signing come later, by jobs (``connectors/audit_jobs.py``): nobody who is audited waits for anybody else.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.audit import chain, heads_file, store
from hub.audit.behind import OPERATOR_BEHIND
from hub.audit.model import Entry
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hub.audit.chain import HeadKeys
    from hub.audit.model import Caller, Head
    from hub.db import Database, TenantConn

# Entries sealed in one transaction (measured: 500 take 0.1 s).
SEALED_AT_ONCE: Final = 500
# Heads read at a time when they are copied to the file.
HEADS_AT_ONCE: Final = 1_000

_log = get_logger("hub.audit")


async def record(conn: TenantConn, entry: Entry) -> None:
    """
    Note what was done; it holds exactly when the action's own transaction does.

    Args:
        conn: That transaction; it named the entry's workspace, or any for an entry of the installation.
        entry: Without secrets and message texts: it is kept when the person it is about is erased. What looks like an
            address or a number of a person is withheld.
    """
    details = entry.details
    operator_id = OPERATOR_BEHIND.get()
    if operator_id is not None:
        details = msgspec.json.encode({**msgspec.json.decode(details), "operator_id": str(operator_id)})
    kept = msgspec.structs.replace(
        entry, target_id=chain.withhold(entry.target_id), details=chain.clean_details(details)
    )
    await store.add_entry(conn, clock.new_id(), clock.now(), kept)


def made_by(
    caller: Caller,
    workspace_id: int,
    action: str,
    target: tuple[str, object],
    details: Mapping[str, object] | None = None,
) -> Entry:
    """
    Make the entry of something a caller did.

    Args:
        caller: Who, and from where.
        workspace_id: Tenant, or ``INSTALLATION``.
        action: Noun, dot, past tense.
        target: Kind and id of the row acted upon.
        details: What changed; JSON values.
    """
    return Entry(
        workspace_id=workspace_id,
        action=action,
        actor_kind=caller.kind,
        actor_id=caller.id,
        target_kind=target[0],
        target_id=str(target[1]),
        address=caller.address,
        details=msgspec.json.encode(details or {}),
    )


async def seal_some(conn: TenantConn, workspace_id: int) -> int:
    """
    Give the oldest waiting entries of a chain their places and hashes.

    Args:
        conn: A fresh transaction that named the workspace (or ``INSTALLATION``).
        workspace_id: Whose chain.

    Returns:
        How many were sealed; 0 while another process seals this chain.
    """
    if not await store.try_lock_chain(conn, workspace_id):
        return 0
    entries = await store.unsealed(conn, workspace_id, SEALED_AT_ONCE)
    if not entries:
        return 0
    position, before = await store.chain_end(conn, workspace_id) or (0, chain.FIRST_HASH)
    hashes = chain.chain_hashes(before, position + 1, entries)
    sealed = await store.seal(conn, workspace_id, position + 1, [one.id for one in entries], hashes)
    if sealed != len(entries):
        raise RuntimeError("somebody else gave places to entries of a chain that is locked")
    return sealed


async def sign_head(conn: TenantConn, keys: HeadKeys, workspace_id: int) -> Head | None:
    """
    Sign the newest sealed entry of a chain.

    Args:
        conn: A fresh transaction that named the workspace.
        keys: Of this installation.
        workspace_id: Whose chain.

    Returns:
        The head, which the caller copies out of the database; None where there is nothing sealed.
    """
    end = await store.chain_end(conn, workspace_id)
    if end is None:
        return None
    (entry,) = await store.links(conn, workspace_id, end[0], 1)
    head = keys.sign(entry, clock.now())
    await store.add_head(conn, head)
    return head


async def seal_all(database: Database, most: int) -> int:
    """
    Seal what waits, a chunk of each chain at a time.

    Args:
        database: The installation's.
        most: Chains looked at.

    Returns:
        How many entries were sealed.
    """
    sealed = 0
    for workspace_id in await store.unsealed_chains(database, most):
        try:
            async with database.transaction([workspace_id]) as conn:
                sealed += await seal_some(conn, workspace_id)
        except ValueError as error:
            # Somebody put in an entry the hub could not have written: it must not keep the other chains open.
            _log.error("audit_chain_not_sealed", workspace_id=workspace_id, error=type(error).__name__)
    return sealed


async def sign_heads(database: Database, keys: HeadKeys) -> list[Head]:
    """Sign every chain that grew since its last signed head; returns the new heads."""
    heads: list[Head] = []
    for one in await store.chains(database):
        if one.position > one.signed:
            async with database.transaction([one.workspace_id]) as conn:
                head = await sign_head(conn, keys, one.workspace_id)
            if head is not None:
                heads.append(head)
    return heads


async def copy_heads(database: Database, data_dir: Path, heads: Sequence[Head], public_key: bytes) -> None:
    """
    Add new heads to the file, and those before them that another machine signed: each file has all up to its newest.

    Args:
        database: The installation's.
        data_dir: The hub's data folder.
        heads: Just signed, the newest of each of their chains.
        public_key: The key that signed.
    """
    newest = await asyncio.to_thread(heads_file.newest_positions, data_dir)
    for head in heads:
        after = newest.get(head.workspace_id, 0)
        missing: list[Head] = []
        while not missing or missing[-1].position < head.position:
            first = missing[-1].position + 1 if missing else after + 1
            async with database.snapshot([head.workspace_id]) as conn:
                page = await store.heads(conn, head.workspace_id, first, HEADS_AT_ONCE)
            if not page:
                break
            missing.extend(page)
        heads_file.add_heads(data_dir, [one for one in missing if one.position <= head.position], public_key)
