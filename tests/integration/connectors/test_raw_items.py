"""Raw items on a real Postgres: large bodies leave their stream items, per workspace, and are forgotten."""

from __future__ import annotations

from uuid import UUID

import pytest

from connectors import raw_items
from connectors.raw_items import INLINE_LIMIT_BYTES, keep_large
from tests import factories
from tests.integration.connectors.conftest import make_raw

pytestmark = pytest.mark.postgres


async def read(database, workspace_id: int, item):
    async with database.transaction([workspace_id]) as conn:
        return await raw_items.read(conn, item.workspace_id, UUID(item.reference))


async def test_keep_large_leaves_small_items_alone(database, workspace):
    """What fits on a stream is not written to Postgres: the same object comes back."""
    item = make_raw(workspace, 1, b"x" * INLINE_LIMIT_BYTES)

    assert await keep_large(database, item) is item


async def test_keep_large_keeps_every_byte(database, workspace):
    """One byte too many for a stream: the entry gets a reference, the row every byte."""
    body = bytes(range(256)) * 256 + b"\x00"
    item = make_raw(workspace, 1, body)

    kept = await keep_large(database, item)

    assert (kept.body, kept.key, kept.received_at_ms) == (b"", item.key, item.received_at_ms)
    assert await read(database, workspace.id, kept) == body


async def test_raw_items_are_private_to_their_workspace(database, workspace):
    """Another workspace can neither read nor delete them, whatever it asks for."""
    other = await factories.make_workspace(database, name="Contoso")
    kept = await keep_large(database, make_raw(workspace, 1, b"x" * (INLINE_LIMIT_BYTES + 1)))

    async with database.transaction([other.id]) as conn:
        await raw_items.forget(conn, [(workspace.id, UUID(kept.reference))])
    assert await read(database, other.id, kept) is None
    assert await read(database, workspace.id, kept) is not None


async def test_forget_deletes_those_it_is_told(database, workspace):
    """Forgotten rows are gone, their neighbours stay, and a second time is no error."""
    first, second = [
        await keep_large(database, make_raw(workspace, number, b"x" * (INLINE_LIMIT_BYTES + 1))) for number in (1, 2)
    ]

    for _ in range(2):
        async with database.transaction([workspace.id]) as conn:
            await raw_items.forget(conn, [(workspace.id, UUID(first.reference))])

    assert await read(database, workspace.id, first) is None
    assert await read(database, workspace.id, second) is not None


async def test_sweep_deletes_what_is_old_and_nobody_waits_for(database, workspace):
    """Thirty days on a raw item goes, in every workspace; young ones and those a file is still cut out of stay."""
    other = await factories.make_workspace(database, name="Contoso")
    items = {
        name: await keep_large(database, make_raw(place, number, b"x" * (INLINE_LIMIT_BYTES + 1)))
        for number, (name, place) in enumerate(
            [("old", workspace), ("old elsewhere", other), ("waited for", workspace), ("young", workspace)]
        )
    }
    for name, item in items.items():
        async with database.transaction([item.workspace_id]) as conn:
            if name != "young":
                await conn.execute(
                    "UPDATE raw_item SET created_at = now() - interval '31 days' WHERE id = $1", UUID(item.reference)
                )
            if name == "waited for":
                await conn.execute(
                    "INSERT INTO attachment (workspace_id, id, state, kind, filename, mime, raw_item_id, created_at)"
                    " VALUES ($1, gen_random_uuid(), 'pending', 'file', 'a.pdf', 'application/pdf', $2, now())",
                    item.workspace_id,
                    UUID(item.reference),
                )

    assert await raw_items.sweep_job(database, 30).run() == 2

    left = {name for name, item in items.items() if await read(database, item.workspace_id, item) is not None}
    assert left == {"waited for", "young"}
