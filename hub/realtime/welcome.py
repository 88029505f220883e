"""The frame that opens a session, for members and visitors alike. Called by catching up and by the lobby."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.realtime.protocol import Welcome
from hub.realtime.session import Phase

if TYPE_CHECKING:
    from hub.realtime.connections import Connection, Counters
    from hub.realtime.ports import Ports
    from hub.realtime.resume import ResumeTickets


class Welcoming:
    """Says welcome, with a resume ticket."""

    def __init__(self, ports: Ports, tickets: ResumeTickets, counters: Counters) -> None:
        self._ports = ports
        self._tickets = tickets
        self._counters = counters

    def epoch(self) -> int:
        """Return the installation's epoch: cursors of others are void."""
        return self._ports.epoch()

    def welcome(self, connection: Connection, head: int, *, recovered: bool) -> None:
        """
        Queue ``welcome`` where the connection still waits for it.

        Args:
            connection: Its grant is known.
            head: The newest seq its subject may see.
            recovered: Whether the events after its cursor follow; else it waits for the next hello.
        """
        grant = connection.grant
        if grant is None or connection.phase is not Phase.OPENING:
            return  # closed, or a gap went out meanwhile: the client says hello again
        self._counters.resumes["recovered" if recovered else "snapshot"] += 1
        if not recovered:
            connection.phase = Phase.WAITING
        connection.is_welcomed = True
        is_member = grant.kind == "member"
        epoch = self._ports.epoch()
        connection.send(
            Welcome(
                connection_id=connection.id,
                epoch=epoch,
                head=head,
                recovered=recovered,
                resume_ticket=self._tickets.issue(grant, epoch),
                member_id=grant.subject_id if is_member else None,
                conversation_id=None if is_member else grant.conversation_id,
            )
        )
