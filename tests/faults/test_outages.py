"""One store away for seconds while vendors go on sending: everything is acknowledged, and arrives once."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.emulators import EmulatedTwilio
from tests.faults.bad_input import call, new_sid, signed_form, sms
from tests.faults.outages import OutageHub, Services, spool_depth
from tests.faults.rig import Rig, Verdict

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(300)]

WORKSPACES = 3


class Outage:
    """Services, processes, the rig over them, and one webhook address."""

    def __init__(self, services: Services, hub: OutageHub, rig: Rig) -> None:
        self.services, self.hub, self.rig = services, hub, rig

    @property
    def url(self) -> str:
        return next(iter(self.rig.urls.values()))

    async def post(self, sid: str, key: str | None = None):
        pairs = sms(sid)
        return await call(self.url, *(signed_form(self.url, pairs, key) if key else signed_form(self.url, pairs)))

    async def depth(self) -> int:
        return await spool_depth(self.hub.environ["DATABASE_OWNER_URL"])

    async def stored(self, sid: str) -> int:
        """Wait until spool and streams are empty; returns how many messages have the vendor's id."""
        await self.drained()
        owner = await asyncpg.connect(self.hub.environ["DATABASE_OWNER_URL"])
        try:
            await owner.execute("SET row_security = off")
            return int(await owner.fetchval("SELECT count(*) FROM message WHERE external_id = $1", sid))
        finally:
            await owner.close()

    async def finish(self) -> Verdict:
        """Wait until the spool and the streams are empty, then audit."""
        await self.drained()
        return await self.rig.audit()

    async def drained(self) -> None:
        deadline_s = time.monotonic() + 60
        while await self.depth():
            assert time.monotonic() < deadline_s, "the spool does not drain"
            await asyncio.sleep(0.1)
        await self.rig.wait_stored(60)


@pytest.fixture
async def outage(twilio_process: EmulatedTwilio, tmp_path):
    services = Services()
    hub = None
    try:
        environ = await services.start()
        hub = OutageHub(environ | {"HUB_VENDOR_URL_TWILIO_SMS": twilio_process.base_url})
        hub.start("serve")
        hub.start("work")
        await asyncio.to_thread(hub.wait_ready)
        await asyncio.to_thread(hub.set_up)
        rig = Rig(hub, tmp_path)
        await rig.make_workspaces(WORKSPACES)
        made = Outage(services, hub, rig)
        for url in rig.urls.values():
            await known(url)
        yield made
    finally:
        if hub is not None:
            for name in ("serve", "work"):
                (tmp_path / f"{name}.log").write_text(hub.log(name))  # pytest keeps it when the test fails
            await asyncio.to_thread(hub.stop)
        await services.stop()


async def known(url: str) -> None:
    """Wait until serve knows an account that was connected just now."""
    deadline_s = time.monotonic() + 10
    while (await call(url, *signed_form(url, sms(new_sid())))).status != 200:
        assert time.monotonic() < deadline_s, "serve does not know the account"
        await asyncio.sleep(0.05)


async def test_webhooks_are_taken_while_postgres_is_down(outage):
    """Verified and acknowledged from what is cached; a wrong signature is still refused; stored once afterwards."""
    await outage.services.postgres.stop()
    generating = asyncio.create_task(outage.rig.generate(60, 6))
    await asyncio.sleep(1)
    refused = await outage.post(new_sid(), key="another key")
    unknown = await call(outage.url[:-36] + "01890000-0000-7000-8000-0000000000ff", *signed_form(outage.url, []))
    sent = await generating
    await outage.services.postgres.start()

    verdict = await outage.finish()

    assert (sent.retries, sent.given_up) == (0, 0)
    assert sent.acknowledged >= 360
    assert sent.longest_ack_s < 2
    assert refused.status == 401
    assert unknown.status == 503
    assert verdict.exit_code == 0, verdict.text


async def test_killed_redis_and_processes_lose_nothing(outage, capsys):
    """Redis is killed; serve and work are killed while it is away and while the spool drains: lost 0, duplicated 0."""
    generating = asyncio.create_task(outage.rig.generate(100, 16))
    await asyncio.sleep(2)
    await outage.services.kill(outage.services.durable)
    await asyncio.sleep(2)
    for command in ("serve", "work"):
        outage.hub.kill(command)
        outage.hub.start(command)
    await asyncio.sleep(4)
    spooled = await outage.depth()
    await outage.services.durable.start()
    await asyncio.sleep(0.5)
    for command in ("work", "serve"):
        outage.hub.kill(command)
        outage.hub.start(command)
        await asyncio.sleep(0.7)
    sent = await generating

    verdict = await outage.finish()

    with capsys.disabled():
        print(
            f"\nRedis down: {sent.acknowledged} acks, {spooled} spooled at the end of the outage, {sent.retries} retries,"
            f" longest ack {sent.longest_ack_s:.1f} s; {verdict.text}"
        )
    assert spooled > 200
    assert sent.given_up == 0
    assert verdict.exit_code == 0, verdict.text


async def test_an_outage_of_redis_alone_is_not_noticed_by_vendors(outage):
    """Nobody is killed but Redis: no call is refused, none waits for more than a moment."""
    generating = asyncio.create_task(outage.rig.generate(60, 8))
    await asyncio.sleep(2)
    await outage.services.kill(outage.services.durable)
    await asyncio.sleep(3)
    await outage.services.durable.start()
    sent = await generating

    verdict = await outage.finish()

    assert (sent.retries, sent.given_up) == (0, 0)
    assert sent.longest_ack_s < 3
    assert verdict.exit_code == 0, verdict.text


async def test_both_stores_away_is_said_so(outage):
    """With neither store no call is acknowledged: 503 and when to come back, in a moment; then all is well again."""
    await outage.services.kill(outage.services.durable)
    await outage.services.postgres.stop()
    sid = new_sid()

    started_s = time.monotonic()
    answers = [await outage.post(sid) for _ in range(3)]
    assert [one.status for one in answers] == [503, 503, 503]
    assert answers[0].json()["retry_after_s"] >= 1
    assert time.monotonic() - started_s < 15
    await outage.services.durable.start()
    await outage.services.postgres.start()

    deadline_s = time.monotonic() + 20
    while (await outage.post(sid)).status != 200:
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.2)
    assert await outage.stored(sid) == 1


async def listening(url: str) -> None:
    """Wait until somebody takes connections at an address; how soon a process starts depends on the machine."""
    address = urlsplit(url)
    deadline_s = time.monotonic() + 60
    while True:
        try:
            _, writer = await asyncio.open_connection(address.hostname, address.port)
        except OSError:
            assert time.monotonic() < deadline_s, "serve does not listen"
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


async def test_serve_started_without_postgres_answers_once_it_is_there(outage):
    """It knows no account yet: calls wait in its backlog, and are taken when Postgres answers."""
    await outage.services.postgres.stop()
    outage.hub.kill("serve")
    outage.hub.start("serve")
    await listening(outage.url)
    sid = new_sid()
    posting = asyncio.create_task(outage.post(sid))
    await asyncio.sleep(1)
    assert not posting.done()
    await outage.services.postgres.start()

    assert (await posting).status == 200
    assert await outage.stored(sid) == 1


async def test_calls_under_way_are_finished_at_shutdown(outage):
    """Asked to end while calls are under way, serve answers each of them and then goes: none is cut off."""
    await outage.services.kill(outage.services.durable)
    calls = [asyncio.create_task(outage.post(new_sid())) for _ in range(100)]
    await asyncio.sleep(0.01)

    code = await asyncio.to_thread(outage.hub.terminate, "serve")
    answers = await asyncio.gather(*calls, return_exceptions=True)

    begun = [one for one in answers if not isinstance(one, OSError)]
    assert code == 0
    assert begun
    assert {one.status for one in begun} <= {200, 0}
    taken = [one for one in begun if one.status == 200]
    assert len(taken) == await outage.depth()
