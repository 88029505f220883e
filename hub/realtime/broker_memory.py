"""A broker within one process: for tests, and the reference the Redis one is compared with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hub.events.model import LoggedEvent
    from hub.realtime.broker import Listener


class MemoryBus:
    """What several ``MemoryBroker`` share, as processes share a Redis; ``cut`` and ``mend`` stand for its outage."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.is_cut = False

    def cut(self) -> None:
        """Lose everything published from now on between brokers."""
        self.is_cut = True

    def mend(self) -> None:
        """Carry again, and tell every listener that it missed something."""
        self.is_cut = False
        for listener in self.listeners:
            listener.on_gap()


class MemoryBroker:
    """See ``Broker``."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._listener: Listener | None = None

    async def start(self, listener: Listener | None = None) -> None:
        """See ``Broker``."""
        self._listener = listener
        if listener is not None:
            self._bus.listeners.append(listener)

    async def stop(self) -> None:
        """See ``Broker``."""
        if self._listener is not None:
            self._bus.listeners.remove(self._listener)
            self._listener = None

    def publish(self, events: Sequence[LoggedEvent]) -> None:
        """See ``Broker``."""
        copies = tuple(events)
        self._pass_on(lambda listener: listener.on_events(copies))

    def publish_signal(self, workspace_id: int, data: bytes) -> None:
        """See ``Broker``."""
        self._pass_on(lambda listener: listener.on_signal(workspace_id, data))

    def _pass_on(self, call: Callable[[Listener], None]) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._bus.listeners:
            if listener is self._listener or not self._bus.is_cut:
                loop.call_soon(call, listener)
