"""Builds the parts of one serve process, in the order they need each other, and closes them in reverse."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from api.call import Resources, required
from api.metrics import AccessMetrics, PresenceMetrics, SocketMetrics, ThrottleMetrics
from api.uploads import Uploads
from api.ws_ports import SocketPorts
from connectors import apps
from connectors.account_notes import AccountNotes
from connectors.images import ImageFetcher
from connectors.ingress import IngressWriter
from connectors.metrics import AppendMetrics, StoreMetrics, worker_name
from connectors.registry import ConnectorRegistry
from connectors.renewal import Renewals
from connectors.source_metrics import FileMetrics, ImageMetrics, IngressCollector
from hub import clock
from hub.access.cache import AccessCache
from hub.accounts.passwords import Passwords
from hub.attachments import links
from hub.attachments.keeping import Keeper
from hub.attachments.links import FileLinks
from hub.blobs import Blobs
from hub.channels.routes import ChannelRoutes
from hub.channels.sealing import Sealer, read_keys
from hub.db import Database
from hub.errors import ConfigurationError
from hub.events.model import LoggedEvent
from hub.images import cache as image_cache
from hub.images import links as image_links
from hub.images.cache import ImageCache
from hub.images.links import ImageLinks
from hub.installation.counting import UsageCounts
from hub.installation.flags import Flags
from hub.mailer import actions as mailer
from hub.mailer import vault
from hub.mailer.vault import Vault
from hub.metrics import MetricsExchange
from hub.metrics.process import LoopLag, register_process
from hub.migrations.head import head_revision
from hub.notices import digest
from hub.notices.digest import DigestLinks
from hub.push import keys as push_keys
from hub.push.sending import PushSender, contact_of, ensure_key
from hub.realtime.broker import publish_signals
from hub.realtime.broker_redis import RedisBroker
from hub.realtime.hub import RealtimeHub
from hub.realtime.limits import Limits
from hub.realtime.presence_redis import RedisPresence
from hub.realtime.tickets import SocketTickets
from hub.secret_keys import writing_version
from hub.signin.issuers.provider import Issuers
from hub.streams import IngressStreams
from hub.texts.keyring import Keyring
from hub.throttle import Throttle
from hub.tracing import open_tracer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence

    from hub.config import Settings
    from hub.db import CommitHook, Notice

_REDIS_TIMEOUT_S: Final = 2.0
_REDIS_CONNECTIONS: Final = 32


class Worker(msgspec.Struct, frozen=True):
    """
    What tells one serve process from the others.

    Attributes:
        name: In /metrics; the process id when left out.
        database_connections: Most it opens to Postgres.
    """

    name: str = ""
    database_connections: int = 10


@asynccontextmanager
async def composed(
    settings: Settings,
    *,
    setup_token: str = "",
    worker: Worker = Worker(),  # noqa: B008  # frozen
) -> AsyncIterator[Resources]:
    """
    Build every part this version has.

    Args:
        settings: Addresses of Postgres and both Redis are filled in.
        setup_token: What the set-up page must show; empty closes set-up over HTTP.
        worker: Which process this is.

    Yields:
        The parts, connected.

    Raises:
        ConfigurationError: An address is missing or cannot be used.
        Unavailable: Postgres does not answer. Redis may be away: parts that need it say so by themselves.
    """
    async with AsyncExitStack() as stack:
        tracer = open_tracer(settings, "serve")
        stack.push_async_callback(tracer.close)
        notices = CommittedNotices()
        database = await _open_database(settings, notices, stack, worker.database_connections)
        durable = await _open_redis(settings.redis_url, "REDIS_URL", stack)
        ephemeral = await _open_redis(settings.redis_ephemeral_url, "REDIS_EPHEMERAL_URL", stack)
        ingress = IngressStreams(settings.redis_url)
        stack.push_async_callback(ingress.close)
        writer = IngressWriter(ingress, database)
        stack.push_async_callback(writer.close)
        sealer = Sealer(read_keys(settings.secret_key))
        database.keyring = Keyring(sealer)
        async with database.across() as conn:
            await mailer.keep_key(conn, Vault(sealer.derive_keys(vault.PURPOSE)).newest)
            push_key = await ensure_key(conn, sealer.derive_keys(push_keys.PURPOSE))
        routes = ChannelRoutes(database, sealer)
        notices.listeners.append(routes.notice)
        await _run_beside(routes.run(), stack)
        resources = Resources(
            settings=settings,
            database=database,
            passwords=Passwords(),
            throttle=Throttle(ephemeral),
            frontend_dir=frontend_dir(),
            setup_token=setup_token,
            redis_durable=durable,
            redis_ephemeral=ephemeral,
            presence=RedisPresence(ephemeral),
            tickets=SocketTickets(ephemeral),
            registry=ConnectorRegistry.load(),
            ingress=ingress,
            ingress_writer=writer,
            routes=routes,
            renewals=Renewals(database, sealer, routes, settings),
            sealer=sealer,
            file_links=FileLinks(sealer.derive_keys(links.PURPOSE)),
            image_links=ImageLinks(sealer.derive_keys(image_links.PURPOSE)),
            tracer=tracer,
            issuers=Issuers(settings),
            push_sender=PushSender(push_key, contact_of(settings)),
            digest_links=DigestLinks(sealer.derive_keys(digest.PURPOSE), settings.base_url),
        )
        resources.notes = AccountNotes()
        await _run_beside(resources.notes.run(database), stack)
        apps.require_known(resources.registry, settings)
        _add_files(resources)
        await _add_images(resources, sealer, stack)
        resources.access = _open_access(resources, ephemeral, notices, stack)
        resources.metrics.register(IngressCollector(writer.metrics))
        resources.flags = Flags(database)
        resources.realtime = await _start_realtime(resources, notices, stack)
        resources.usage = UsageCounts(database, clock.new_id().hex, resources.realtime.members_by_workspace)
        await _run_beside(resources.usage.run(), stack)
        await _count(resources, worker.name or worker_name(), stack)
        yield resources


def _open_access(
    resources: Resources, ephemeral: Redis, notices: CommittedNotices, stack: AsyncExitStack
) -> AccessCache | None:
    if not resources.settings.access_cache:
        return None
    keys = required(resources.sealer, "secret key").derive_keys("access cache")
    access = AccessCache(ephemeral, keys[writing_version(keys)])
    notices.listeners.append(access.on_commit)
    stack.push_async_callback(access.endings.close)
    resources.metrics.register(AccessMetrics(access))
    return access


def _add_files(resources: Resources) -> None:
    keeper = Keeper(resources.database, Blobs.open(resources.settings))
    resources.keeper = keeper
    resources.uploads = Uploads(resources.database, keeper, resources.settings.max_file_bytes)
    resources.metrics.register(FileMetrics(keeper.metrics))


async def _add_images(resources: Resources, sealer: Sealer, stack: AsyncExitStack) -> None:
    folder = resources.settings.data_dir / "images"
    cache = ImageCache(folder, sealer.derive_keys(image_cache.PURPOSE))
    resources.images = ImageFetcher(cache)
    resources.metrics.register(ImageMetrics(resources.images))
    await _run_beside(cache.run(), stack)


async def _start_realtime(resources: Resources, notices: CommittedNotices, stack: AsyncExitStack) -> RealtimeHub:
    settings = resources.settings
    broker = RedisBroker(settings.redis_ephemeral_url)
    presence = RedisPresence(required(resources.redis_ephemeral, "ephemeral Redis"))
    keys = required(resources.sealer, "secret key").derive_keys("resume ticket")
    limits = Limits(settings.sockets.hellos_per_s, settings.sockets.ring_mib * 1024 * 1024)
    hub = ServeHub(
        SocketPorts(resources),
        broker,
        presence,
        secret_key=keys[writing_version(keys)],
        tracer=resources.tracer,
        limits=limits,
    )
    hub.routes = resources.routes
    resources.metrics.register(SocketMetrics(hub.counters))
    resources.metrics.register(PresenceMetrics(hub, broker))
    resources.metrics.register(StoreMetrics(resources.database, broker, required(resources.ingress, "ingress streams")))

    def publish(committed: Sequence[Notice]) -> None:
        broker.publish([one for one in committed if isinstance(one, LoggedEvent)])
        publish_signals(broker, committed)

    notices.listeners.append(publish)
    await hub.start()
    stack.push_async_callback(hub.stop)
    return hub


async def _count(resources: Resources, worker: str, stack: AsyncExitStack) -> None:
    """Register what every process counts, and leave it where whichever process is asked finds it."""
    lag = LoopLag()
    register_process(resources.metrics, lag, head_revision())
    resources.metrics.register(AppendMetrics(required(resources.ingress, "ingress streams").metrics))
    resources.metrics.register(ThrottleMetrics(resources.throttle))
    resources.exchange = MetricsExchange(resources.redis_ephemeral, resources.metrics, "serve", worker)
    await _run_beside(lag.run(), stack)
    await _run_beside(resources.exchange.run(), stack)


class ServeHub(RealtimeHub):
    """The hub of a serve process: what others committed reaches the cache of channel accounts too."""

    routes: ChannelRoutes | None = None

    def on_events(self, events: Sequence[LoggedEvent]) -> None:
        """See ``hub.realtime.broker.Listener``."""
        if self.routes is not None:
            self.routes.notice(events)
        super().on_events(events)


class CommittedNotices:
    """Where the database hands on what was committed: the parts that listen are built after it."""

    def __init__(self) -> None:
        self.listeners: list[CommitHook] = []

    def __call__(self, notices: Sequence[Notice]) -> None:
        """Pass committed notices on; listeners neither block nor raise."""
        for listener in self.listeners:
            listener(notices)


def frontend_dir() -> Path:
    """Return the folder of built pages: ``frontend/dist`` beside the code, or ``HUB_FRONTEND_DIR``."""
    return Path(os.environ.get("HUB_FRONTEND_DIR") or Path(__file__).resolve().parent.parent / "frontend" / "dist")


async def _run_beside(work: Coroutine[None, None, None], stack: AsyncExitStack) -> None:
    """Keep a part's own loop running until the parts are closed."""
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


async def _open_database(
    settings: Settings, notices: CommittedNotices, stack: AsyncExitStack, connections: int
) -> Database:
    if not settings.database_url:
        raise ConfigurationError("DATABASE_URL is missing. `hub up` brings its own database.", field="DATABASE_URL")
    database = await Database.open_patiently(settings.database_url, notices, max_size=connections)
    stack.push_async_callback(database.close)
    return database


async def _open_redis(url: str, name: str, stack: AsyncExitStack) -> Redis:
    if not url:
        raise ConfigurationError(f"{name} is missing. `hub up` brings its own.", field=name)
    try:
        redis = Redis.from_url(
            url,
            socket_timeout=_REDIS_TIMEOUT_S,
            socket_connect_timeout=_REDIS_TIMEOUT_S,
            max_connections=_REDIS_CONNECTIONS,
            # A command that is sent again may count twice; callers decide what a failure means.
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise ConfigurationError(f"{name} cannot be used: {error}", field=name) from error
    stack.push_async_callback(redis.aclose)
    return redis
