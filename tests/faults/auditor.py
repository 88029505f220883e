"""
Compares what was acknowledged with what is stored and with what clients were sent, and says what is wrong.

Shares no code with the product: reads the ledger, the clients' recorded frames and Postgres alone.
``python -m tests.faults.auditor LEDGER OWNER_URL [FRAMES …]`` prints a report, its last line
as JSON ({kind of wrong: [what]}), and exits 1 when anything is wrong.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from tests.faults.frames import Frame, Recording, read_recording
from tests.faults.ledger import Acknowledged, read_ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHOWN = 10


class Store(msgspec.Struct, kw_only=True):
    """
    What Postgres holds.

    Attributes:
        messages: (workspace, text, seq) of every inbound message.
        events: (workspace, seq) of every event, with its type.
        heads: The counter of each workspace.
        external_ids: (workspace, channel account, external id) of every message that has one.
        dead: (workspace, key) of dead letters: neither lost nor delivered.
    """

    messages: list[tuple[int, str, int]]
    events: dict[tuple[int, int], str]
    heads: dict[int, int]
    external_ids: list[tuple[int, str, str]] = []
    dead: set[tuple[int, str]] = set()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """
    The verdict; each list names what is wrong.

    Attributes:
        lost: Acknowledged and neither stored nor a dead letter.
        duplicated: Stored more than once, by text or by external id.
        gapped: Workspaces whose events are not 1, 2, 3, … up to their counter.
        unlogged: Messages whose seq has no ``message_received`` event.
        unseen: Events that a client should have applied and did not.
        repeated: Events that a client was made to apply twice, or out of order.
        mistold: Frames that say something else than the log: another type, text or ``prev``.
    """

    acknowledged: int
    stored: int
    dead: int
    applied: int
    lost: list[str]
    duplicated: list[str]
    gapped: list[str]
    unlogged: list[str]
    unseen: list[str]
    repeated: list[str]
    mistold: list[str]

    @property
    def faults(self) -> dict[str, list[str]]:
        """The kinds of wrong that were found."""
        kinds = ("lost", "duplicated", "gapped", "unlogged", "unseen", "repeated", "mistold")
        return {kind: found for kind in kinds if (found := getattr(self, kind))}

    def describe(self) -> str:
        """Say it in lines for a person: the figures, and the first few of each kind of wrong."""
        figures = f"acknowledged {self.acknowledged}, stored {self.stored}, dead letters {self.dead}"
        lines = [f"{figures}, applied by clients {self.applied}"]
        for kind, found in self.faults.items():
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            lines.append(f"{kind.upper()} {len(found)}: {', '.join(found[:SHOWN])}{more}")
        return "\n".join([*lines, "WRONG" if self.faults else "clean: lost 0, duplicated 0, gapped 0, unseen 0"])


def audit(acknowledged: Iterable[Acknowledged], store: Store, recordings: Sequence[Recording] = ()) -> Report:
    """Compare; repeats in the ledger count once."""
    wanted = {(one.workspace_id, one.item_id) for one in acknowledged}
    stored = Counter((workspace_id, text) for workspace_id, text, _ in store.messages)
    known = Counter(store.external_ids)
    twice = {one for one, count in stored.items() if count > 1}
    twice |= {(workspace_id, external_id) for (workspace_id, _, external_id), count in known.items() if count > 1}
    seqs: dict[int, list[int]] = defaultdict(list)
    for workspace_id, seq in store.events:
        seqs[workspace_id].append(seq)
    clients = [_audit_client(one, store) for one in recordings]
    return Report(
        acknowledged=len(wanted),
        stored=len(stored),
        dead=len(wanted & store.dead),
        applied=sum(one.applied for one in clients),
        lost=sorted(_name(one) for one in wanted - stored.keys() - store.dead),
        duplicated=sorted(_name(one) for one in twice),
        gapped=sorted(
            str(workspace_id)
            for workspace_id in store.heads.keys() | seqs.keys()
            if sorted(seqs[workspace_id]) != list(range(1, store.heads.get(workspace_id, 0) + 1))
        ),
        unlogged=sorted(
            _name((workspace_id, text))
            for workspace_id, text, seq in store.messages
            if store.events.get((workspace_id, seq)) != "message_received"
        ),
        unseen=[one for client in clients for one in client.unseen],
        repeated=[one for client in clients for one in client.repeated],
        mistold=[one for client in clients for one in client.mistold],
    )


class _Client(msgspec.Struct):
    """What one client made of its frames."""

    applied: int = 0
    unseen: list[str] = []
    repeated: list[str] = []
    mistold: list[str] = []


def _audit_client(recording: Recording, store: Store) -> _Client:
    """
    Apply the rules of docs/protocol.md §5 to the frames and compare what comes out with the log.

    The client sees every inbox, so every event of the workspace is visible to it and ``prev`` is always ``seq - 1``.
    """
    workspace_id = recording.workspace_id
    texts = {(one, seq): text for one, text, seq in store.messages}
    wrong = _Client()
    covered: set[int] = set()
    sent: list[int] = []
    cursor = 0
    for frame in recording.frames:
        if frame.kind == "snapshot":
            covered.update(range(1, frame.seq + 1))
            cursor = frame.seq
            sent.clear()
        elif frame.kind == "welcome":
            sent.clear()
        else:
            place = (workspace_id, frame.seq)
            if (
                store.events.get(place) != frame.type
                or frame.text != texts.get(place, "")
                or frame.prev != frame.seq - 1
            ):
                wrong.mistold.append(_frame_name(workspace_id, frame))
            # On one connection the hub itself keeps the order; only after a welcome may it begin anew.
            if sent and frame.seq <= sent[-1]:
                wrong.repeated.append(_frame_name(workspace_id, frame))
            sent.append(frame.seq)
            if frame.prev <= cursor < frame.seq:
                cursor = frame.seq
                covered.add(frame.seq)
                wrong.applied += 1
    missing = [seq for one, seq in store.events if one == workspace_id and seq not in covered]
    wrong.unseen += [f"{workspace_id}:{seq}" for seq in sorted(missing)]
    return wrong


async def read_store(owner_url: str) -> Store:
    """Read everything as the database's owner, past row-level security."""
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute("SET row_security = off")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            messages = await connection.fetch(
                "SELECT workspace_id, text, seq FROM message WHERE direction = 'inbound' ORDER BY workspace_id, seq"
            )
            external_ids = await connection.fetch(
                "SELECT workspace_id, channel_account_id::text, external_id FROM message WHERE external_id IS NOT NULL"
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
        external_ids=[tuple(row) for row in external_ids],
        dead={tuple(row) for row in dead},
    )


def _name(one: tuple[int, str]) -> str:
    return f"{one[0]}:{one[1]}"


def _frame_name(workspace_id: int, frame: Frame) -> str:
    return f"{workspace_id}:{frame.seq} {frame.type} after {frame.prev}"


def main(ledger: str, owner_url: str, *recordings: str) -> int:
    clients = [read_recording(Path(one)) for one in recordings]
    report = audit(read_ledger(Path(ledger)), asyncio.run(read_store(owner_url)), clients)
    print(report.describe())
    print(msgspec.json.encode(report.faults).decode())
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
