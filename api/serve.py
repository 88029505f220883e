"""Runs one serve worker: builds its parts, listens, drains on SIGTERM. Called by the ``hub`` command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import uvicorn
import uvloop

from api import auth
from api.app import create_app
from api.compose import composed
from api.metrics import EdgeMetrics
from api.webhooks import WebhookDeps, WebhookGate, WebhookTiming
from api.ws import SocketEdge, SocketHttp, make_ws_protocol
from connectors.accounts import account_of
from connectors.metrics import worker_name
from hub import log
from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from api.call import Resources
    from hub.config import Settings
    from hub.realtime.hub import RealtimeHub

ReadyHook = Callable[[str], None]

_BACKLOG: Final = 4096
_KEEP_ALIVE_S: Final = 75
# Supervisors kill after 30 s; calls in flight get most of that.
_DRAIN_S: Final = 20


def main(
    settings: Settings,
    worker_index: int = 0,
    worker_count: int = 1,
    *,
    setup_token: str | None = None,
    on_ready: ReadyHook | None = None,
) -> None:
    """
    Serve until SIGTERM or SIGINT; returns once calls in flight are answered (at most 20 s).

    Args:
        settings: Addresses of Postgres and both Redis are filled in.
        worker_index: 0 to ``worker_count`` - 1; on each line of the log.
        worker_count: With more than one, each has its own socket on the same port and the kernel spreads connections.
        setup_token: What the set-up page must show, the same in all workers; ``HUB_SETUP_TOKEN`` of the environment
            when left out; empty closes set-up over HTTP.
        on_ready: Called with our address once connections are taken.

    Raises:
        ConfigurationError: An address cannot be used, or the port is taken; the text says what to change.
        Unavailable: Postgres does not answer.
    """
    log.configure(f"serve-{worker_index}" if worker_count > 1 else "serve")
    auth.edge_of(settings)
    token = os.environ.get("HUB_SETUP_TOKEN", "") if setup_token is None else setup_token
    listener = listen(settings.host, settings.port, shared=worker_count > 1)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listener, token, worker_name(settings.port, worker_index), on_ready))


def listen(host: str, port: int, *, shared: bool) -> socket.socket:
    """
    Open the listening socket.

    Args:
        host: A name or address of this machine.
        port: 0-65535; 0 takes any free one.
        shared: Whether other workers listen on the same port (SO_REUSEPORT).

    Raises:
        ConfigurationError: The port is taken, or the host is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigurationError(f"HUB_HOST {host!r} cannot be used: {error.strerror}.", field="HUB_HOST") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(f"Cannot listen on {host}:{port}: {error.strerror}.", field="HUB_PORT") from error
    listener.settimeout(0)
    return listener


async def _serve(
    settings: Settings, listener: socket.socket, setup_token: str, worker: str, on_ready: ReadyHook | None
) -> None:
    async with composed(settings, setup_token=setup_token, worker=worker) as resources:
        server = DrainingServer(_server_config(resources), on_started=lambda: on_ready and on_ready(settings.base_url))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.drain)
        await server.serve(sockets=[listener])


def _server_config(resources: Resources) -> uvicorn.Config:
    return uvicorn.Config(
        with_webhooks(create_app(resources), resources),
        http=SocketHttp,
        ws="none" if resources.realtime is None else _sockets(resources.realtime, resources),
        loop="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_DRAIN_S,
    )


def _sockets(hub: RealtimeHub, resources: Resources) -> type[asyncio.Protocol]:
    edge = auth.edge_of(resources.settings)
    return make_ws_protocol(
        hub,
        SocketEdge(
            origins=lambda: edge.origins,
            cookie_name=edge.cookie_name,
            address_of=lambda peer, forwarded: auth.caller_of(edge, peer, forwarded),
        ),
    )


def with_webhooks(app: ASGIApp, resources: Resources) -> ASGIApp:
    """Put the webhooks before the application, where this process has somewhere to put what they bring."""
    if resources.ingress_writer is None or resources.routes is None or resources.registry is None:
        return app
    routes, settings = resources.routes, resources.settings
    deps = WebhookDeps(
        base_url=settings.base_url,
        routes=routes,
        connectors=resources.registry,
        streams=resources.ingress_writer,
        timing=WebhookTiming(one.id for one in resources.registry.manifests()),
        tracer=resources.tracer,
        account_of=lambda route: account_of(route, routes.open(route).credentials, settings),
    )
    resources.metrics.register(EdgeMetrics(deps.metrics, deps.timing))
    return WebhookGate(app, deps)


class DrainingServer(uvicorn.Server):
    """Uvicorn's server, with signals left to us: its own handling ends the process before our parts are closed."""

    def __init__(self, config: uvicorn.Config, *, on_started: Callable[[], object]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    def drain(self) -> None:
        """Take no more connections, end those that wait, finish the calls in flight; a second time: at once."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._on_started()
