"""Carries the trace of an action to the send it causes: hints of queued messages bring it, dispatch takes it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.events.model import LoggedEvent

# A send that waits for longer than so many others starts a trace of its own.
REMEMBERED: Final = 10_000


class _Message(msgspec.Struct, frozen=True):
    id: UUID


class _Queued(msgspec.Struct, frozen=True):
    message: _Message


_decoder = msgspec.json.Decoder(_Queued)


class OutboundTraces:
    """Traceparents of queued messages, by message; empty while tracing is off."""

    def __init__(self) -> None:
        self._by_message: dict[UUID, str] = {}

    def note(self, events: Iterable[LoggedEvent]) -> None:
        """Remember the traces of messages queued just now; neither blocks nor raises."""
        for event in events:
            if event.trace and event.type == "message_queued":
                self._remember(event)

    def of(self, message_id: UUID) -> str:
        """Return the traceparent of what queued a message, empty where it is not known."""
        return self._by_message.get(message_id, "")

    def _remember(self, event: LoggedEvent) -> None:
        try:
            message_id = _decoder.decode(event.data).message.id
        except msgspec.DecodeError:
            return
        self._by_message[message_id] = event.trace
        if len(self._by_message) > REMEMBERED:
            del self._by_message[next(iter(self._by_message))]
