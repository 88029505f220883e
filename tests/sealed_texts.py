"""Has a workspace's texts sealed: the same test over both ways of keeping them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.channels.sealing import Sealer
from hub.texts import actions
from hub.texts.keyring import Keyring
from hub.texts.rewriting import Rewriting

if TYPE_CHECKING:
    from hub.db import Database
    from tests.factories import WorkspaceFacts

KEPT = ("open", "sealed")


async def keep_texts(database: Database, workspace: WorkspaceFacts, kept: str) -> None:
    """Seal what is stored and what comes, where ``kept`` is ``sealed``."""
    if kept == "sealed":
        sealer = Sealer({1: "k" * 32})
        database.keyring = Keyring(sealer)
        async with database.transaction([workspace.id]) as conn:
            await actions.set_sealed(conn, sealer, workspace.actor(), wanted=True)
        assert await Rewriting(database).run(workspace.id)
