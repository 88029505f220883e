"""A broker within one process: for tests, and the reference the Redis one is compared with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.realtime.broker import LINGER_S, TOLD_TO_ALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.events.model import LoggedEvent
    from hub.realtime.broker import Listener


class MemoryBus:
    """What several ``MemoryBroker`` share, as processes share a Redis; ``cut`` and ``mend`` stand for its outage."""

    def __init__(self) -> None:
        self.brokers: list[MemoryBroker] = []
        self.is_cut = False

    def cut(self) -> None:
        """Lose everything published from now on between brokers."""
        self.is_cut = True

    def mend(self) -> None:
        """Carry again, and tell every listener that it missed something."""
        self.is_cut = False
        for broker in self.brokers:
            if broker.listener is not None:
                broker.listener.on_gap()


class MemoryBroker:
    """
    See ``Broker``.

    Attributes:
        listener: Who is told; None for a process that only publishes.
    """

    def __init__(self, bus: MemoryBus, *, linger_s: float = LINGER_S) -> None:
        self._bus = bus
        self._linger_s = linger_s
        self._hears_all = False
        self._wanted: dict[int, int] = {}
        self.listener: Listener | None = None

    async def start(self, listener: Listener | None = None, *, hears_all: bool = False) -> None:
        """See ``Broker``."""
        self.listener = listener
        self._hears_all = hears_all
        self._bus.brokers.append(self)

    async def stop(self) -> None:
        """See ``Broker``."""
        self.listener = None
        if self in self._bus.brokers:
            self._bus.brokers.remove(self)

    async def want(self, workspace_id: int) -> None:
        """See ``Broker``."""
        self._wanted[workspace_id] = self._wanted.get(workspace_id, 0) + 1

    def release(self, workspace_id: int) -> None:
        """See ``Broker``."""
        asyncio.get_running_loop().call_later(self._linger_s, self._forget, workspace_id)

    def publish(self, events: Sequence[LoggedEvent]) -> None:
        """See ``Broker``."""
        loop = asyncio.get_running_loop()
        for broker, listener in self._reached():
            heard = [
                one
                for one in events
                if broker is self or broker.hears(one.workspace_id) or one.type.startswith(TOLD_TO_ALL)
            ]
            if heard:
                loop.call_soon(listener.on_events, tuple(heard))

    def publish_signal(self, workspace_id: int, data: bytes) -> None:
        """See ``Broker``."""
        for broker, listener in self._reached():
            if broker is self or broker.hears(workspace_id):
                asyncio.get_running_loop().call_soon(listener.on_signal, workspace_id, data)

    def hears(self, workspace_id: int) -> bool:
        """Say whether the listener is told of a workspace's hints."""
        return self._hears_all or workspace_id in self._wanted

    def _reached(self) -> list[tuple[MemoryBroker, Listener]]:
        return [
            (broker, broker.listener)
            for broker in self._bus.brokers
            if broker.listener is not None and (broker is self or not self._bus.is_cut)
        ]

    def _forget(self, workspace_id: int) -> None:
        self._wanted[workspace_id] -= 1
        if not self._wanted[workspace_id]:
            del self._wanted[workspace_id]
