"""What only the stores know, measured when somebody asks: backlogs in Postgres and Redis. Belongs to no process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from prometheus_client.core import GaugeMetricFamily
from redis.exceptions import RedisError

from hub import clock
from hub.errors import HubError
from hub.streams import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record
    from prometheus_client.core import Metric
    from redis.asyncio import Redis

    from api.call import Resources
    from hub.db import Database
    from hub.streams import IngressStreams

_WITHIN_S: Final = 2.0
_BACKLOG_SQL: Final = "SELECT channel, state, amount, oldest_due_at FROM hub_delivery_backlog()"
_ACCOUNTS_SQL: Final = """
SELECT channel, status, count(*) AS amount FROM hub_channel_routes() WHERE NOT demo GROUP BY channel, status
"""
_COUNTS_SQL: Final = """
SELECT hub_dead_letter_count() AS dead_letters, hub_spool_count() AS spooled, hub_attachment_backlog() AS attachments,
       (SELECT count(*) FROM intake_worker WHERE live_until > clock_timestamp()) AS workers,
       (SELECT count(*) FROM partition_lease WHERE lease_until > clock_timestamp()) AS partitions
"""
_STATES: Final = ("queued", "sending", "unknown")


async def measured_families(resources: Resources) -> list[Metric]:
    """
    Measure all stores at once.

    Returns:
        Families; those of a store that is away are absent rather than zero (a zero would say that nothing waits), and
        its ``…_up`` is 0.
    """
    database, streams, durable, ephemeral = await asyncio.gather(
        _database_families(resources.database),
        _stream_families(resources.ingress),
        _redis_figures(resources.redis_durable),
        _redis_figures(resources.redis_ephemeral),
    )
    return [*database, *streams, *_redis_families({"durable": durable, "ephemeral": ephemeral})]


async def _database_families(database: Database) -> list[Metric]:
    up = GaugeMetricFamily("hub_database_up", "Whether the database answered just now.")
    try:
        async with asyncio.timeout(_WITHIN_S), database.across() as conn:
            backlog = await conn.fetch(_BACKLOG_SQL)
            accounts = await conn.fetch(_ACCOUNTS_SQL)
            counts = await conn.fetchrow(_COUNTS_SQL)
    except (HubError, TimeoutError):
        up.add_metric([], 0)
        return [up]
    up.add_metric([], 1)
    return [up, *_delivery_families(backlog), _account_family(accounts), *_count_families(counts)]


def _delivery_families(backlog: Sequence[Record]) -> list[Metric]:
    totals = GaugeMetricFamily("hub_deliveries", "Unfinished deliveries by state.", labels=["state"])
    amounts = GaugeMetricFamily("hub_delivery_backlog", "The same by channel too.", labels=["channel", "state"])
    overdue = GaugeMetricFamily(
        "hub_delivery_overdue_seconds", "How long the oldest one has been due.", labels=["channel", "state"]
    )
    total = dict.fromkeys(_STATES, 0)
    for row in backlog:
        total[row["state"]] += row["amount"]
        amounts.add_metric([row["channel"], row["state"]], row["amount"])
        age_s = (clock.now() - row["oldest_due_at"]).total_seconds()
        overdue.add_metric([row["channel"], row["state"]], max(0.0, age_s))
    for state in _STATES:
        totals.add_metric([state], total[state])
    return [totals, amounts, overdue]


def _account_family(accounts: Sequence[Record]) -> Metric:
    family = GaugeMetricFamily("hub_channel_accounts", "Connected instances.", labels=["channel", "status"])
    for row in accounts:
        family.add_metric([row["channel"], row["status"]], row["amount"])
    return family


def _count_families(counts: Record | None) -> list[Metric]:
    texts = {
        "dead_letters": ("hub_dead_letters", "Raw items nobody has dealt with."),
        "spooled": ("hub_spool_depth", "Items waiting in Postgres for the durable Redis."),
        "attachments": ("hub_attachments_pending", "Files of received messages still to be fetched."),
        "workers": ("hub_workers", "Work processes that are alive."),
        "partitions": ("hub_partitions_leased", "Ingress partitions somebody reads, of 16."),
    }
    return [
        GaugeMetricFamily(name, text, value=counts[column])
        for column, (name, text) in texts.items()
        if counts is not None
    ]


async def _stream_families(streams: IngressStreams | None) -> list[Metric]:
    if streams is None:
        return []
    length = GaugeMetricFamily("hub_ingress_length", "Entries on the stream.", labels=["partition"])
    lag = GaugeMetricFamily("hub_ingress_lag", "Items no worker has read yet.", labels=["partition"])
    pending = GaugeMetricFamily("hub_ingress_pending", "Items read and not yet stored.", labels=["partition"])
    try:
        async with asyncio.timeout(_WITHIN_S):
            backlogs = [await streams.backlog(partition) for partition in range(PARTITIONS)]
    except (HubError, TimeoutError):
        return []
    for partition, backlog in enumerate(backlogs):
        length.add_metric([str(partition)], backlog.length)
        lag.add_metric([str(partition)], backlog.undelivered or 0)
        pending.add_metric([str(partition)], backlog.pending)
    return [length, lag, pending]


async def _redis_figures(redis: Redis | None) -> dict[str, int] | None:
    """Return what a Redis says of its memory, None when it does not answer."""
    if redis is None:
        return None
    try:
        async with asyncio.timeout(_WITHIN_S):
            info = cast("dict[str, object]", await redis.info("memory"))
    except (RedisError, OSError, TimeoutError):
        return None
    return {name: int(str(info.get(name, 0))) for name in ("used_memory", "maxmemory")}


def _redis_families(figures: dict[str, dict[str, int] | None]) -> list[Metric]:
    up = GaugeMetricFamily("hub_redis_up", "Whether this Redis answered just now.", labels=["redis"])
    used = GaugeMetricFamily("hub_redis_memory_bytes", "Memory in use.", labels=["redis"])
    most = GaugeMetricFamily("hub_redis_maxmemory_bytes", "Memory it may use; 0: no limit.", labels=["redis"])
    for name, found in figures.items():
        up.add_metric([name], float(found is not None))
        if found is not None:
            used.add_metric([name], found["used_memory"])
            most.add_metric([name], found["maxmemory"])
    return [up, used, most]
