"""Runs one serve worker: builds its parts, listens, drains on SIGTERM. Called by the ``hub`` command."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
import uvicorn
import uvloop

from api import auth
from api.app import create_app
from api.compose import Worker, composed
from api.listener import OpenListeners, WorkerListener, make_http_protocol
from api.metrics import EdgeMetrics, ListenerMetrics
from api.server import DrainingServer
from api.staff import staff_of
from api.webhooks import WebhookDeps, WebhookGate, WebhookTiming
from api.ws import SocketEdge, make_ws_protocol
from api.ws_arrivals import Arrivals
from connectors.account_notes import AccountNotes
from connectors.accounts import account_of, app_account
from connectors.metrics import worker_name
from hub import log
from hub.descriptors import Room, raise_limit
from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from api.call import Resources
    from hub.config import Settings

ReadyHook = Callable[[str], None]

_BACKLOG: Final = 4096
# Most Postgres connections of a worker: more wait for locks rather than for connections.
_DATABASE_CONNECTIONS: Final = 10
_KEEP_ALIVE_S: Final = 75
# Objects made and not freed again before young ones are looked at: a few MB. Python's own figure is 700.
_COLLECT_AFTER: Final = 50_000


class Place(msgspec.Struct, frozen=True):
    """
    Which of the workers of a port one is.

    Attributes:
        index: 0 to ``count`` - 1; on each line of the log.
        count: With more than one, each has its own socket on the same port and the kernel spreads connections.
        listeners_fd: Inherited from the supervisor: who listens, see ``OpenListeners``; -1 for none.
    """

    index: int = 0
    count: int = 1
    listeners_fd: int = -1


def main(
    settings: Settings,
    place: Place = Place(),  # noqa: B008  # frozen
    *,
    setup_token: str | None = None,
    on_ready: ReadyHook | None = None,
) -> None:
    """
    Serve until SIGTERM or SIGINT; returns once sockets are sent away and calls answered (``drain_s`` at most).

    Args:
        settings: Addresses of Postgres and both Redis are filled in.
        place: Which worker this is.
        setup_token: What the set-up page must show, the same in all workers; ``HUB_SETUP_TOKEN`` of the environment
            when left out; empty closes set-up over HTTP.
        on_ready: Called with our address once connections are taken.

    Raises:
        ConfigurationError: An address cannot be used, or the port is taken; the text says what to change.
        Unavailable: Postgres does not answer.
    """
    log.configure(f"serve-{place.index}" if place.count > 1 else "serve")
    auth.edge_of(settings)
    token = os.environ.get("HUB_SETUP_TOKEN", "") if setup_token is None else setup_token
    open_port = partial(listen, settings.host, settings.port, shared=place.count > 1)
    listener = WorkerListener(
        open_port(),
        Room(raise_limit()),
        OpenListeners(place.listeners_fd, place.index, place.count),
        listen=open_port,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listener, place, token, on_ready))


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
    settings: Settings, listener: WorkerListener, place: Place, setup_token: str, on_ready: ReadyHook | None
) -> None:
    worker = Worker(worker_name(settings.port, place.index), connections_of_worker(settings, place.count))
    async with composed(settings, setup_token=setup_token, worker=worker) as resources:
        resources.metrics.register(ListenerMetrics(listener))
        hub = resources.realtime
        edge = _socket_edge(resources, listener)
        server = DrainingServer(
            _server_config(resources, listener, edge),
            listener,
            on_started=lambda: on_ready and on_ready(settings.base_url),
            arrivals=None if hub is None else Arrivals(hub, edge),
            drain_sockets=None if hub is None else hub.drain,
            drain_s=settings.drain_s,
        )
        collect_rarely()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.drain)
        await server.serve(sockets=[])


def collect_rarely() -> None:
    """
    Have the garbage collector leave what is there now alone, and look for cycles seldom.

    With 12,500 sockets the default thresholds took 8 % of an idle worker's time, and a whole collection stops it for
    60 ms. What sockets, events and frames are made of is freed without it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)


def connections_of_worker(settings: Settings, workers: int) -> int:
    """
    Return how many Postgres connections each of so many workers may have: 10, fewer where all together are too many.

    Raises:
        ConfigurationError: Not even two each.
    """
    if 2 * workers > settings.database_connections:
        raise ConfigurationError(
            f"{workers} workers need {2 * workers} Postgres connections or more: raise HUB_DATABASE_CONNECTIONS "
            f"(now {settings.database_connections}), and max_connections in Postgres where it is lower.",
            field="HUB_DATABASE_CONNECTIONS",
        )
    return min(_DATABASE_CONNECTIONS, settings.database_connections // workers)


def _server_config(resources: Resources, listener: WorkerListener, edge: SocketEdge) -> uvicorn.Config:
    return uvicorn.Config(
        with_webhooks(create_app(resources), resources),
        http=make_http_protocol(listener),
        ws="none" if resources.realtime is None else make_ws_protocol(resources.realtime, edge),
        loop="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )


def _socket_edge(resources: Resources, listener: WorkerListener) -> SocketEdge:
    edge = auth.edge_of(resources.settings)
    return SocketEdge(
        origins=lambda: edge.origins,
        cookie_name=edge.cookie_name,
        max_sockets=listener.room.most_sockets,
        address_of=lambda peer, forwarded: auth.caller_of(edge, peer, forwarded),
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
        notes=resources.notes or AccountNotes(),
        app_account=lambda channel: app_account(channel, settings),
        staff=staff_of(resources.database, resources.presence),
    )
    resources.metrics.register(EdgeMetrics(deps.metrics, deps.timing))
    return WebhookGate(app, deps)
