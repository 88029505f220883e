"""
Runs `hub serve` or `hub work` with one of our functions replaced: bugs that the auditor must find.

``python -m tests.faults.planted BUG serve|work``. The product has no switch for any of this.
"""

from __future__ import annotations

import asyncio
import sys

from connectors import batches
from hub.inbox import receive
from hub.realtime.broker_redis import RedisBroker
from hub.realtime.healing import Healing
from hub.streams import append
from hub.streams.model import FIELD

# Long enough for a kill to fall between acknowledgement and COMMIT.
COMMIT_DELAY_S = 0.3
MAXLEN = 20


def acknowledge_before_commit() -> None:
    """XACK, then COMMIT: what dies in between is gone."""
    honest = batches.BatchStore._commit_and_ack

    async def hasty(self: batches.BatchStore, group: list[batches.Parsed]) -> None:
        await self._ports.streams.ack(self._partition, [one.entry.id for one in group])
        await asyncio.sleep(COMMIT_DELAY_S)
        await honest(self, group)

    batches.BatchStore._commit_and_ack = hasty


class Forgetful(dict):
    """Finds nothing, whatever was put in."""

    def get(self, key, default=None):
        return default


def forget_what_was_received() -> None:
    """The planner takes every delivery for the first; the database's unique indexes are dropped by the test."""
    honest = receive.Planner.__init__

    def forgetful(self, known, heads, clockwork) -> None:
        honest(self, known, heads, clockwork)
        known.seen = Forgetful()
        known.targets = Forgetful()

    receive.Planner.__init__ = forgetful


def trim_by_length() -> None:
    """XADD MAXLEN: the stream forgets what nobody has stored yet."""

    async def send(self, batch):
        pipeline = self._client.pipeline(transaction=False)
        for one in batch:
            pipeline.execute_command("XADD", one.key, "MAXLEN", MAXLEN, "*", FIELD, one.payload)
        return await pipeline.execute(raise_on_error=False)

    append.Appender._send = send


def drop_hints() -> None:
    """Nothing that is committed is published."""
    RedisBroker.publish = lambda self, events: None


def never_heal() -> None:
    """Nobody asks the log what was missed."""

    async def tick(self) -> None:
        return None

    Healing.tick = tick
    drop_hints()


BUGS = {
    "ack_first": acknowledge_before_commit,
    "no_dedupe": forget_what_was_received,
    "maxlen": trim_by_length,
    "lost_hints": drop_hints,
    "no_healing": never_heal,
}


def main(bug: str, command: str) -> int:
    BUGS[bug]()
    from hub.cli import main as hub

    return hub([command])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
