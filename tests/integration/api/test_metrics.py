"""/metrics of a running hub: what operations look at first."""

from __future__ import annotations

import httpx
import pytest

from api.app import create_app
from api.compose import composed
from api.serve import with_webhooks
from hub.config import read_settings

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


async def test_metrics_hold_what_operations_need(database_urls, redis_durable, redis_ephemeral):
    """Lag, dead letters, connections, frames and deliveries are there; behind a proxy the page does not exist."""
    settings = read_settings(
        {
            "DATABASE_URL": database_urls.database_url,
            "REDIS_URL": redis_durable,
            "REDIS_EPHEMERAL_URL": redis_ephemeral,
            "HUB_SECRET_KEY": "0123456789abcdef0123456789abcdef",
        }
    )
    async with composed(settings) as resources:
        app = with_webhooks(create_app(resources), resources)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            missing = await client.post("/webhooks/twilio_sms/00000000-0000-7000-8000-000000000001")
            page = (await client.get("/metrics")).text
            outside = await client.get("/metrics", headers={"x-forwarded-for": "203.0.113.9"})

    names = {line.split("{")[0].split(" ")[0] for line in page.splitlines() if not line.startswith("#")}
    wanted = {
        "hub_ingress_lag",
        "hub_spool_depth",
        "hub_ingress_pending",
        "hub_dead_letters",
        "hub_socket_frames_out_total",
        "hub_webhook_calls_total",
        "hub_database_up",
    }
    assert wanted <= names
    assert 'hub_webhook_calls_total{outcome="unknown_account",process="serve"' in page
    assert (missing.status_code, outside.status_code) == (404, 404)
