"""What a worker tells by itself, put together: an event becomes a notice, a mail goes out, keys are known."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis

from connectors.telling import make_telling
from hub import jobs
from hub.channels.sealing import Sealer
from hub.config import MailServer, read_settings
from hub.mailer import actions as mailer
from hub.mailer.model import Mail, Template
from hub.push import store as subscriptions
from tests.integration.hub.notices.test_notices import assign, told, write
from tests.mail_services import PASSWORD, SmtpSink
from tests.unit.hub.mailer.test_letters import fields_of

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
def sink():
    started = SmtpSink()
    yield started
    started.stop()


async def test_a_worker_tells(database, workspace, redis_ephemeral, sink, tmp_path):
    """With a mail server: mails, digests, pushes and reactions run from one place, under the worker's own key."""
    server = MailServer("127.0.0.1", sink.port, "none", "hub", PASSWORD, "hub@hub.example")
    settings = msgspec.structs.replace(read_settings({"HOME": str(tmp_path)}), mail=server)
    redis = Redis.from_url(redis_ephemeral)
    telling = await make_telling(settings, database, Sealer({1: "k" * 40}), redis)
    assert {one.name for one in telling.jobs} == {"pushes", "old_notices", "digests"}
    stop, metrics = asyncio.Event(), jobs.JobMetrics()
    loops = [
        asyncio.create_task(telling.reactor.run()),
        asyncio.create_task(jobs.run(telling.jobs, metrics)),
    ]
    postman = asyncio.create_task(telling.postman.run(stop))
    async with database.across() as conn:
        fields = fields_of(Template.INVITATION)
        await mailer.queue(conn, Mail(to="ann@example.com", template=Template.INVITATION, fields=fields))
    conversation = await write(database, workspace)
    await assign(database, workspace, conversation, workspace.agent_id)
    await telling.reactor.catch_up()
    assert len(await told(database, workspace, workspace.agent_id)) == 1
    await asyncio.to_thread(sink.wait_for, 1)
    stop.set()
    await asyncio.wait_for(postman, 10)
    for one in loops:
        one.cancel()
    await asyncio.gather(*loops, return_exceptions=True)
    await redis.aclose()
    assert metrics.failed == {}
    assert set(metrics.runs) == {"pushes", "old_notices", "digests"}


async def test_without_a_mail_server_no_digest_is_made(database, redis_ephemeral, tmp_path):
    """They would only wait and run out; pushes and notices go on."""
    redis = Redis.from_url(redis_ephemeral)
    telling = await make_telling(read_settings({"HOME": str(tmp_path)}), database, Sealer({1: "k" * 40}), redis)
    await redis.aclose()
    assert {one.name for one in telling.jobs} == {"pushes", "old_notices"}
    async with database.across() as conn:
        assert await subscriptions.public_key(conn) is not None
