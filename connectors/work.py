"""Builds and runs what ``hub work`` does: intake, dispatch and jobs in one process. Called by the ``hub`` command."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import redis.asyncio
import uvloop
from prometheus_client import CollectorRegistry
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from connectors import files, intake, raw_items
from connectors.account_notes import AccountNotes
from connectors.attempt import Attempts, OpenAccount
from connectors.audit_jobs import audit_jobs
from connectors.buckets import RedisBuckets
from connectors.counted import CountedDeliveries
from connectors.dispatch import Dispatcher, open_with
from connectors.drain import SpoolDrain
from connectors.entries import BatchPorts
from connectors.fetching import Fetcher
from connectors.hand_overs import hand_over_job
from connectors.intake import IntakeDeps
from connectors.leases import Leases
from connectors.maintaining import Maintaining
from connectors.metrics import AppendMetrics, DispatchCollector, IntakeCollector, JobCollector, StoreMetrics
from connectors.outbox import PostgresDeliveries
from connectors.polled_account import PollingPorts
from connectors.polling import Polling
from connectors.privacy_jobs import privacy_jobs
from connectors.profiles import Profiles
from connectors.raw_items import keep_large
from connectors.registry import ConnectorRegistry
from connectors.renewal import Renewals
from connectors.slots import worker_slot
from connectors.source_metrics import ChannelCollector, DrainCollector, FileMetrics, PollingCollector, RenewalCollector
from connectors.telling import make_telling
from connectors.telling_metrics import TellingMetrics
from connectors.text_jobs import text_job
from hub import jobs, log
from hub.attachments.keeping import Keeper
from hub.attachments.links import PURPOSE, FileLinks
from hub.audit.chain import KEY_PURPOSE, HeadKeys
from hub.blobs import Blobs
from hub.channels.routes import ChannelRoutes
from hub.channels.sealing import Sealer, read_keys
from hub.channels.signing import signing_key
from hub.db import Database
from hub.errors import ConfigurationError
from hub.events.model import LoggedEvent
from hub.inbox import actions, mail_store, store
from hub.inbox.deliveries import DeliveryQueued
from hub.keys import answers
from hub.metrics import MetricsExchange
from hub.metrics.process import LoopLag, register_process
from hub.migrations.head import head_revision
from hub.realtime.broker import publish_signals
from hub.realtime.broker_redis import RedisBroker
from hub.signin import store as sign_ins
from hub.streams import PARTITIONS, IngressStreams
from hub.texts.keyring import Keyring
from hub.tracing import Tracer, open_tracer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client.registry import Collector

    from hub.config import Settings
    from hub.db import Notice
    from hub.envelope import StreamItem
    from hub.reactor import Reactor

REDIS_TIMEOUT_S = 2.0
SWEEP_SIGN_INS_EVERY_S = 600.0
# Events after which something may be due: a reply, and a message somebody sends again.
WAKING = frozenset({"message_queued", "message_status_changed"})
# Events with which files may have come.
FILED = frozenset({"message_received", "message_echoed"})
# A receipt whose message has not come by then is about somebody else's.
EARLY_ITEMS_KEPT = timedelta(days=7)
# One connection a partition at most, and a few for renewals, dispatch and jobs.
DATABASE_CONNECTIONS = PARTITIONS + 8


def main(settings: Settings) -> None:
    """
    Work until SIGTERM or SIGINT; returns once the batches in hand are stored and the calls under way answered.

    Raises:
        ConfigurationError: An address is missing or cannot be used.
        Unavailable: Postgres does not answer.
    """
    log.configure("work")
    for name, value in (
        ("DATABASE_URL", settings.database_url),
        ("REDIS_URL", settings.redis_url),
        ("REDIS_EPHEMERAL_URL", settings.redis_ephemeral_url),
    ):
        if not value:
            raise ConfigurationError(f"{name} is missing. `hub up` brings its own.", field=name)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(settings))


class Hints:
    """Carries hints both ways: what this process committed to the broker, what others did to dispatch and routes."""

    def __init__(self) -> None:
        self.broker: RedisBroker | None = None
        self.dispatcher: Dispatcher | None = None
        self.routes: ChannelRoutes | None = None
        self.fetcher: Fetcher | None = None
        self.reactor: Reactor | None = None

    def __call__(self, notices: Sequence[Notice]) -> None:
        """Take what this process committed; neither blocks nor raises."""
        events = [one for one in notices if isinstance(one, LoggedEvent)]
        if self.broker is not None:
            self.broker.publish(events)
            publish_signals(self.broker, notices)
        if self.reactor is not None:
            self.reactor.note(events)
        if self.dispatcher is not None:
            self.dispatcher.attempts.traces.note(events)
        if self.dispatcher is not None and any(isinstance(one, DeliveryQueued) for one in notices):
            self.dispatcher.wake()
        if self.fetcher is not None and any(isinstance(one, LoggedEvent) and one.type in FILED for one in notices):
            self.fetcher.wake()

    def on_events(self, events: Sequence[LoggedEvent]) -> None:
        """See ``hub.realtime.broker.Listener``."""
        if self.routes is not None:
            self.routes.notice(events)
        if self.reactor is not None:
            self.reactor.note(events)
        if self.dispatcher is not None and any(one.type in WAKING for one in events):
            self.dispatcher.attempts.traces.note(events)
            self.dispatcher.wake()

    def on_signal(self, workspace_id: int, data: bytes) -> None:
        """See ``Listener``: typing and presence are for sockets."""

    def on_gap(self) -> None:
        """See ``Listener``: whatever was missed, the outbox is looked at."""
        if self.dispatcher is not None:
            self.dispatcher.wake()


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        tracer = open_tracer(settings, "work")
        stack.push_async_callback(tracer.close)
        hints = Hints()
        database = await Database.open_patiently(
            settings.database_url, hints, max_size=DATABASE_CONNECTIONS, keeps_plans=True
        )
        stack.push_async_callback(database.close)
        streams = IngressStreams(settings.redis_url)
        stack.push_async_callback(streams.close)
        registry = ConnectorRegistry.load()
        sealer = Sealer(read_keys(settings.secret_key))
        database.keyring = Keyring(sealer)
        routes = ChannelRoutes(database, sealer)
        hints.routes = routes
        slot = stack.enter_context(worker_slot(settings.data_dir))
        leases = Leases(database, slot, PARTITIONS)
        keeper = Keeper(database, Blobs.open(settings))
        renewals, notes = Renewals(database, sealer, routes, settings), AccountNotes()
        renewals.notes = notes
        readers = partial(files.make_reader, database, keeper.blobs)
        open_account = open_with(routes, registry, settings, readers, renewals)
        hints.fetcher = Fetcher(database, keeper, open_account, settings.max_file_bytes)
        hints.fetcher.notes = notes
        address = files.make_address(FileLinks(sealer.derive_keys(PURPOSE)), settings.base_url)
        sending = _sending(settings, PostgresDeliveries(database, address), stack)
        attempts = Attempts(sending.deliveries, sending.buckets, open_account, tracer=tracer)
        attempts.notes = notes
        dispatcher = Dispatcher(sending.deliveries, attempts)
        hints.dispatcher = dispatcher
        hints.broker = RedisBroker(settings.redis_ephemeral_url)
        await hints.broker.start(hints, hears_all=True)
        stack.push_async_callback(hints.broker.stop)
        ports_of_polling = dataclasses.replace(
            _polling_ports(database, streams, registry, open_account, tracer), notes=notes, named=routes.named
        )
        polling = Polling(ports_of_polling, routes, leases.holder)
        ports = BatchPorts(
            database=database,
            streams=streams,
            connectors=registry,
            routes=routes,
            receive=actions.receive,
            signing_key=partial(signing_key, settings.secret_key),
            tracer=tracer,
            hinted=polling.hint,
        )
        drain = SpoolDrain(database, streams, leases.held)
        counted, lag = jobs.JobMetrics(), LoopLag()
        telling = await make_telling(settings, database, sealer, sending.redis)
        hints.reactor = telling.reactor
        due = [*_due_jobs(settings, database, streams, leases, drain, keeper), *telling.jobs]
        due.append(Maintaining(database, routes, registry, open_account, sealer).job())
        due.append(Profiles(database, sending.buckets, open_account, keeper.draw_thumbnail).job())
        due += audit_jobs(database, HeadKeys(sealer.derive_keys(KEY_PURPOSE)), settings.data_dir)
        due.append(text_job(database))
        due += privacy_jobs(database, streams, keeper.blobs, sealer, sending.redis)
        collectors = (
            StoreMetrics(database, hints.broker, streams),
            AppendMetrics(streams.metrics),
            IntakeCollector(ports.metrics, streams.metrics, leases),
            DispatchCollector(dispatcher, sending.deliveries, sending.buckets),
            JobCollector(counted),
            DrainCollector(drain),
            FileMetrics(keeper.metrics),
            PollingCollector(polling),
            RenewalCollector(renewals.metrics),
            ChannelCollector(registry),
            TellingMetrics(telling),
        )
        exchange = MetricsExchange(sending.redis, _exported(collectors, lag), "work", slot)
        loops = [
            asyncio.create_task(routes.run(), name="routes"),
            asyncio.create_task(intake.run(IntakeDeps(streams=streams, leases=leases, ports=ports)), name="intake"),
            asyncio.create_task(jobs.run(due, counted), name="jobs"),
            asyncio.create_task(polling.run(), name="polling"),
            asyncio.create_task(telling.reactor.run(), name="reactor"),
            asyncio.create_task(lag.run(), name="loop_lag"),
            asyncio.create_task(exchange.run(), name="metrics"),
            asyncio.create_task(notes.run(database), name="account_notes"),
        ]
        finishing = [
            asyncio.create_task(dispatcher.run(stop), name="dispatch"),
            asyncio.create_task(hints.fetcher.run(stop), name="fetching"),
            asyncio.create_task(telling.postman.run(stop), name="postman"),
        ]
        await _until_stopped(stop, [*loops, *finishing])
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, *finishing, return_exceptions=True)


def _due_jobs(
    settings: Settings,
    database: Database,
    streams: IngressStreams,
    leases: Leases,
    drain: SpoolDrain,
    keeper: Keeper,
) -> list[jobs.Job]:
    return [
        jobs.due_snoozes_job(database, store.due_snoozes, actions.wake_snoozed),
        hand_over_job(database),
        jobs.trim_job(streams, leases.held),
        drain.job(),
        raw_items.sweep_job(database, settings.raw_days),
        *files.file_jobs(database, keeper.blobs),
        jobs.Job("sign_ins", SWEEP_SIGN_INS_EVERY_S, partial(_sweep_sign_ins, database)),
        jobs.expiry_job("kept_answers", database, answers.list_old, answers.drop_many, answers.KEPT),
        jobs.expiry_job("early_items", database, mail_store.old_pending, mail_store.drop_pending, EARLY_ITEMS_KEPT),
    ]


async def _sweep_sign_ins(database: Database) -> int:
    async with database.across() as conn:
        return await sign_ins.sweep(conn)


def _exported(collectors: Sequence[Collector], lag: LoopLag) -> CollectorRegistry:
    metrics = CollectorRegistry(auto_describe=False)
    for collector in collectors:
        metrics.register(collector)
    register_process(metrics, lag, head_revision())
    return metrics


class Sending(msgspec.Struct, frozen=True):
    """What dispatch stands on."""

    redis: redis.asyncio.Redis
    deliveries: CountedDeliveries
    buckets: RedisBuckets


def _sending(settings: Settings, outbox: PostgresDeliveries, stack: AsyncExitStack) -> Sending:
    ephemeral = redis.asyncio.Redis.from_url(
        settings.redis_ephemeral_url,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
    stack.push_async_callback(ephemeral.aclose)
    return Sending(ephemeral, CountedDeliveries(outbox), RedisBuckets(ephemeral))


def _polling_ports(
    database: Database, streams: IngressStreams, registry: ConnectorRegistry, open_account: OpenAccount, tracer: Tracer
) -> PollingPorts:
    async def append(item: StreamItem) -> None:
        # No spool here: while Redis is away the cursor waits, and the vendor keeps what is behind it.
        await streams.append(await keep_large(database, item))

    return PollingPorts(database=database, append=append, registry=registry, open_account=open_account, tracer=tracer)


async def _until_stopped(stop: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for the signal; a loop that ends by itself is a fault of ours, and the supervisor starts us again."""
    stopping = asyncio.create_task(stop.wait(), name="stop")
    done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    stop.set()
    for task in done:
        if task is not stopping and not task.cancelled() and (error := task.exception()) is not None:
            log.get_logger("connectors.work").error("loop_ended", loop=task.get_name(), error=type(error).__name__)
