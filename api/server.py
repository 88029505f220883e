"""Uvicorn's server as a serve worker runs it: its own listener, its own end. Made by ``serve.py``."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, cast

import uvicorn

from hub import clock
from hub.config import DEFAULT_DRAIN_S

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterator

    from api.listener import WorkerListener
    from api.ws_arrivals import Arrivals

# Sockets are sent away over this long, 2 % a second, where there is so much time.
SOCKETS_S: Final = 50.0
# Of the time to drain, kept for calls in flight once they have gone.
CALLS_S: Final = 5.0
LOOK_S: Final = 0.05


class DrainingServer(uvicorn.Server):
    """
    Uvicorn's server with signals, listening and the order of its end left to us.

    Its own signal handling ends the process before our parts are closed, and its end sends every socket away at once.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        listener: WorkerListener,
        *,
        on_started: Callable[[], object],
        arrivals: Arrivals | None = None,
        drain_sockets: Callable[[float], Awaitable[None]] | None = None,
        drain_s: float = DEFAULT_DRAIN_S,
    ) -> None:
        super().__init__(config)
        self._listener = listener
        self._on_started = on_started
        self._arrivals = arrivals
        self._drain_sockets = drain_sockets
        self._drain_s = drain_s

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    def drain(self) -> None:
        """Take no more connections, end those that wait, finish the calls in flight; a second time: at once."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, listen, and say so."""
        await super().startup(sockets)
        if self._arrivals is not None:
            self._arrivals.join(cast("set[object]", self.server_state.connections))
        await self._listener.start(self._make_protocol, self._arrivals)
        self._watching = asyncio.create_task(self._listener.watch())
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, send sockets away at the hub's pace while calls go on, then end what is left."""
        ends_at_s = clock.monotonic_s() + self._drain_s
        self._watching.cancel()
        self._listener.end()
        if self._drain_sockets is not None:
            within_s = max(0.0, min(SOCKETS_S, self._drain_s - CALLS_S))
            draining = asyncio.ensure_future(self._drain_sockets(within_s))
            while not (draining.done() or self.force_exit or clock.monotonic_s() > ends_at_s):
                await asyncio.wait((draining,), timeout=LOOK_S)
            draining.cancel()
            await asyncio.gather(draining, self._watching, return_exceptions=True)
        self.config.timeout_graceful_shutdown = max(1, round(ends_at_s - clock.monotonic_s()))
        await super().shutdown(sockets)

    def _make_protocol(self) -> asyncio.Protocol:
        """Make the protocol of one connection as uvicorn's own listener does."""
        make = cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class)
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
