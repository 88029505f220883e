"""Alive, ready, counted."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from hub.db import Database
from hub.errors import Unavailable
from tests.integration.api.conftest import browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


class AwayDatabase:
    """A database that does not answer."""

    def across(self) -> AwayDatabase:
        raise Unavailable("gone")


async def readiness(parts) -> tuple[int, dict[str, str]]:
    async with browser(parts) as client:
        answer = await client.get("/readyz")
        assert (await client.get("/healthz")).json() == {"ok": True}
    assert answer.json()["ready"] is (answer.status_code == 200)
    return answer.status_code, {name: text for name, text in answer.json()["checks"].items() if text != "ok"}


async def test_everything_in_place_is_ready(parts):
    """Postgres, schema, role and both Redis are good: 200 and nothing to say."""
    assert await readiness(parts) == (200, {})


async def test_lost_database_is_not_ready_but_alive(parts):
    """A load balancer takes us out; the supervisor does not restart what a restart cannot mend."""
    status, wrong = await readiness(replace(parts, database=AwayDatabase()))
    assert status == 503
    assert wrong == {"postgres": "does not answer", "schema": "unknown", "role": "unknown"}


@pytest.mark.parametrize("name", ["redis_durable", "redis_ephemeral"])
async def test_lost_redis_is_not_ready(parts, name):
    """Each Redis is asked by itself."""
    away = Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=1)
    key = {"redis_durable": "redis", "redis_ephemeral": "redis_ephemeral"}[name]
    assert await readiness(replace(parts, **{name: away})) == (503, {key: "does not answer"})
    assert await readiness(replace(parts, **{name: None})) == (503, {key: "is not configured"})
    await away.aclose()


async def test_other_schema_is_not_ready(parts, database_urls):
    """A database this version does not fit is said so, with the command."""
    owner = await asyncpg.connect(database_urls.owner_url)
    await owner.execute("UPDATE alembic_version SET version_num = '9999'")
    await owner.close()
    status, wrong = await readiness(parts)
    assert status == 503
    assert "hub migrate" in wrong["schema"]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("ALTER ROLE hub_app BYPASSRLS", "bypasses row-level security"),
        ("ALTER ROLE hub_app SUPERUSER", "is a superuser"),
        ("ALTER TABLE company OWNER TO hub_app", "owns tables"),
    ],
)
async def test_role_above_row_level_security_is_not_ready(parts, database_urls, statement, words):
    """A role for which tenancy does not hold must not serve."""
    owner = await asyncpg.connect(database_urls.owner_url)
    await owner.execute(statement)
    try:
        status, wrong = await readiness(parts)
    finally:
        # Roles belong to the whole cluster, which other tests share.
        await owner.execute("ALTER ROLE hub_app NOSUPERUSER NOBYPASSRLS")
        await owner.close()
    assert status == 503
    assert words in wrong["role"]


async def test_metrics_count_by_route_and_hold_no_ids(client, parts, tenant):
    """Prometheus can read it; labels are routes, never paths with ids."""
    await sign_in(client)
    await client.get(f"/api/v1/workspaces/{tenant.workspace_id}/members")
    await client.get("/api/v1/workspaces/999999/members")
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    counted = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for sample in families["hub_http_requests"].samples
        if sample.name == "hub_http_requests_total"
    }
    route = "/api/v1/workspaces/{workspace_id}/members"
    assert (counted[route, "200"], counted[route, "403"]) == (1, 1)
    assert "999999" not in answer.text
    assert {sample.labels["state"] for sample in families["hub_deliveries"].samples} == {"queued", "sending", "unknown"}
    assert families["hub_database_up"].samples[0].value == 1
    assert families["hub_dead_letters"].samples[0].value == 0


async def test_metrics_without_a_database_say_so(parts):
    """What cannot be counted is absent, not zero."""
    async with browser(replace(parts, database=AwayDatabase())) as client:
        text = (await client.get("/metrics")).text
    assert "hub_database_up 0.0" in text
    assert "hub_deliveries" not in text


async def test_lost_database_answers_503_and_not_500(database_urls, parts):
    """Calls during an outage are told to come back."""
    lost = await Database.open(database_urls.database_url, lambda notices: None)
    await lost.close()
    async with browser(replace(parts, database=lost)) as client:
        answer = await client.get("/api/v1/setup")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
