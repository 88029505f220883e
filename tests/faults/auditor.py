"""
Compares what was acknowledged with what is stored, and says what was lost, duplicated or gapped.

Shares no code with the product and asks Postgres alone. ``python -m tests.faults.auditor LEDGER OWNER_URL`` prints one
JSON line and exits 1 when anything is wrong.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from tests.faults.ledger import Acknowledged, read_ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Store(msgspec.Struct, kw_only=True):
    """
    What Postgres holds.

    Attributes:
        messages: (workspace, text, seq) of every inbound message.
        events: (workspace, seq) of every event, with its type.
        heads: The counter of each workspace.
        dead: (workspace, key) of dead letters: neither lost nor delivered.
    """

    messages: list[tuple[int, str, int]]
    events: dict[tuple[int, int], str]
    heads: dict[int, int]
    dead: set[tuple[int, str]] = set()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """
    The verdict; each list names what is wrong.

    Attributes:
        lost: Acknowledged and neither stored nor a dead letter.
        duplicated: Stored more than once.
        gapped: Workspaces whose events are not 1, 2, 3, … up to their counter.
        unlogged: Messages whose seq has no ``message_received`` event.
    """

    acknowledged: int
    stored: int
    dead: int
    lost: list[str]
    duplicated: list[str]
    gapped: list[int]
    unlogged: list[str]

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.duplicated or self.gapped or self.unlogged)


def audit(acknowledged: Iterable[Acknowledged], store: Store) -> Report:
    """Compare; repeats in the ledger count once."""
    wanted = {(one.workspace_id, one.item_id) for one in acknowledged}
    stored = Counter((workspace_id, text) for workspace_id, text, _ in store.messages)
    seqs: dict[int, list[int]] = defaultdict(list)
    for workspace_id, seq in store.events:
        seqs[workspace_id].append(seq)
    return Report(
        acknowledged=len(wanted),
        stored=len(stored),
        dead=len(wanted & store.dead),
        lost=sorted(_name(one) for one in wanted - stored.keys() - store.dead),
        duplicated=sorted(_name(one) for one, count in stored.items() if count > 1),
        gapped=sorted(
            workspace_id
            for workspace_id, head in store.heads.items()
            if sorted(seqs[workspace_id]) != list(range(1, head + 1))
        ),
        unlogged=sorted(
            _name((workspace_id, text))
            for workspace_id, text, seq in store.messages
            if store.events.get((workspace_id, seq)) != "message_received"
        ),
    )


def audit_frames(seqs: Sequence[int], visible: Iterable[int]) -> dict[str, list[int]]:
    """
    Compare what one client applied with what its audience may see.

    Args:
        seqs: In the order applied.
        visible: Every seq its audience may see, since its first cursor.

    Returns:
        ``lost``, ``duplicated`` and ``disordered`` seqs.
    """
    counts = Counter(seqs)
    return {
        "lost": sorted(set(visible) - counts.keys()),
        "duplicated": sorted(seq for seq, count in counts.items() if count > 1),
        "disordered": [later for earlier, later in pairwise(seqs) if later < earlier],
    }


async def read_store(owner_url: str) -> Store:
    """Read everything as the database's owner, past row-level security."""
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute("SET row_security = off")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            messages = await connection.fetch(
                "SELECT workspace_id, text, seq FROM message WHERE direction = 'inbound' ORDER BY workspace_id, seq"
            )
            events = await connection.fetch("SELECT workspace_id, seq, type FROM event")
            heads = await connection.fetch("SELECT id, event_seq FROM workspace")
            dead = await connection.fetch("SELECT workspace_id, key FROM dead_letter WHERE state = 'new'")
    finally:
        await connection.close()
    return Store(
        messages=[tuple(row) for row in messages],
        events={(row["workspace_id"], row["seq"]): row["type"] for row in events},
        heads={row["id"]: row["event_seq"] for row in heads},
        dead={tuple(row) for row in dead},
    )


def _name(one: tuple[int, str]) -> str:
    return f"{one[0]}:{one[1]}"


def main(ledger: str, owner_url: str) -> int:
    report = audit(read_ledger(Path(ledger)), asyncio.run(read_store(owner_url)))
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
