"""Is this process alive, is it ready, what has it counted. Asked by supervisors, load balancers and Prometheus."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from redis.exceptions import RedisError
from starlette.responses import Response

from api.measured import measured_families
from hub.errors import HubError, NotFound
from hub.metrics import MetricsExchange
from hub.migrations.head import head_revision

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from api.call import Call
    from api.route import Route
    from hub.db import Database

_CHECK_TIMEOUT_S: Final = 2.0
_OK: Final = "ok"
_NO_MAIL: Final = "The hub's own mails are kept unsent: HUB_MAIL_URL is not set."

_SCHEMA_SQL: Final = "SELECT version_num FROM alembic_version"
_ROLE_SQL: Final = """
SELECT r.rolsuper, r.rolbypassrls,
       EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relowner = r.oid AND n.nspname = 'public' AND c.relkind IN ('r', 'p')) AS owns_tables
FROM pg_roles r WHERE r.rolname = current_user
"""


class Health(msgspec.Struct, frozen=True):
    ok: bool


class Readiness(msgspec.Struct, frozen=True):
    """
    Whether this process can do its work.

    Attributes:
        checks: ``ok``, or what is wrong, by part: ``postgres``, ``schema``, ``role``, ``redis``, ``redis_ephemeral``.
        warnings: What an operator should know though calls are answered.
    """

    ready: bool
    checks: dict[str, str]
    warnings: tuple[str, ...] = ()


class HttpMetrics:
    """Counts answers by route: never by path, which holds ids."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self._requests = Counter("hub_http_requests", "Answers by route and status.", labels, registry=registry)
        self._seconds = Histogram(
            "hub_http_request_seconds",
            "Time from the request's head to the answer's, by route.",
            ("method", "route"),
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=registry,
        )

    def note(self, route: Route, status: int, seconds: float) -> None:
        """Count one answer."""
        self._requests.labels(route.method, route.path, str(status)).inc()
        self._seconds.labels(route.method, route.path).observe(seconds)


async def alive(call: Call) -> Health:  # noqa: ARG001  every handler gets its call
    """Answer without asking anything else: restarting us mends nothing that is wrong elsewhere."""
    return Health(ok=True)


async def ready(call: Call) -> Response:
    """Answer 200 when every part this process needs is good, else 503 with what is not."""
    parts = call.resources
    database, durable, ephemeral = await asyncio.gather(
        _check_database(parts.database), _check_redis(parts.redis_durable), _check_redis(parts.redis_ephemeral)
    )
    checks = {**database, "redis": durable, "redis_ephemeral": ephemeral}
    warnings = () if parts.settings.mail is not None else (_NO_MAIL,)
    readiness = Readiness(ready=all(text == _OK for text in checks.values()), checks=checks, warnings=warnings)
    return Response(msgspec.json.encode(readiness), 200 if readiness.ready else 503, media_type="application/json")


async def metrics(call: Call) -> Response:
    """Answer the counters of every process, and what only the stores can count, as Prometheus reads it."""
    if "x-forwarded-for" in call.request.headers:
        # Figures are for whoever runs the machine, not for the internet behind the proxy.
        raise NotFound("page")
    parts = call.resources
    exchange = parts.exchange or MetricsExchange(None, parts.metrics, "serve", "this")
    return Response(await exchange.exposition(await measured_families(parts)), media_type=CONTENT_TYPE_LATEST)


async def _check_database(database: Database) -> dict[str, str]:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S), database.across() as conn:
            return {
                "postgres": _OK,
                "schema": _judge_schema(await conn.fetchval(_SCHEMA_SQL)),
                "role": _judge_role(dict(await conn.fetchrow(_ROLE_SQL) or {})),
            }
    except (HubError, TimeoutError):
        return {"postgres": "does not answer", "schema": "unknown", "role": "unknown"}


def _judge_schema(found: object) -> str:
    wanted = _head_revision()
    return _OK if found == wanted else f"is {found}, this version needs {wanted}: run `hub migrate`"


def _judge_role(role: dict[str, object]) -> str:
    """Row-level security does not hold for a role that is above it."""
    wrong = [
        words
        for column, words in (
            ("rolsuper", "is a superuser"),
            ("rolbypassrls", "bypasses row-level security"),
            ("owns_tables", "owns tables"),
        )
        if role.get(column, True)
    ]
    return " and ".join(wrong) or _OK


async def _check_redis(redis: Redis | None) -> str:
    if redis is None:
        return "is not configured"
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            await redis.echo(_OK)
    except (RedisError, OSError, TimeoutError):
        return "does not answer"
    return _OK


@lru_cache(maxsize=1)
def _head_revision() -> str:
    return head_revision()
