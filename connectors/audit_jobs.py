"""Chains the audit log and signs its heads, in the background; made by ``connectors/work.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.audit import actions
from hub.jobs import DUE_LIMIT, TICK_S, Job

if TYPE_CHECKING:
    from pathlib import Path

    from hub.audit.chain import HeadKeys
    from hub.db import Database

SIGN_EVERY_S: Final = 3600.0


def audit_jobs(database: Database, keys: HeadKeys, data_dir: Path) -> list[Job]:
    """
    Make the jobs of the audit log: a place in the chain within a second or two, signed heads every hour.

    Args:
        database: The installation's.
        keys: Sign the heads.
        data_dir: Heads are copied to a file there.
    """

    async def seal() -> int:
        return await actions.seal_all(database, DUE_LIMIT)

    async def sign() -> int:
        heads = await actions.sign_heads(database, keys)
        await actions.copy_heads(database, data_dir, heads, keys.newest)
        # Not the number: so many heads do not mean that there are others.
        return min(len(heads), 1)

    return [Job("audit_seal", TICK_S, seal), Job("audit_sign", SIGN_EVERY_S, sign)]
