"""A batch under decision: what is known, what it becomes, the numbers given out so far. Pure; the planners share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub.inbox.batch import Clockwork, Known, Writes

if TYPE_CHECKING:
    from uuid import UUID

encoder = msgspec.json.Encoder()


class Plan:
    """
    The state of one batch.

    Args:
        known: What the database says; kept at each row's newest state.
        heads: Newest seq of each workspace; moves on with each event, as ``events.append`` will give them out.
        clockwork: The time and ids of the batch.
    """

    def __init__(self, known: Known, heads: dict[int, int], clockwork: Clockwork) -> None:
        self.known = known
        self.heads = dict(heads)
        self.now = clockwork.now
        self._ids = iter(clockwork.ids)
        self.writes = Writes(now=clockwork.now)

    def new_id(self) -> UUID:
        """Use up an id."""
        return next(self._ids)

    def next_seq(self, workspace_id: int) -> int:
        """Give out the next number of a workspace."""
        self.heads[workspace_id] += 1
        return self.heads[workspace_id]

    def coming_seq(self, workspace_id: int) -> int:
        """Return the number the next event will get."""
        return self.heads[workspace_id] + 1
