"""Pushes, from the notice to the browser: through a service on loopback that opens them as the browser would."""

from __future__ import annotations

import asyncio
import ssl
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec
import pytest

from hub import clock
from hub.errors import InvalidInput
from hub.net import AddressRefused
from hub.notices import actions, store
from hub.notices.model import Kind, Settings, Telling
from hub.notices.pushing import Payload, Pushing
from hub.push import store as subscriptions
from hub.push.keys import PushKey
from hub.push.model import NewSubscription, Push, Target
from hub.push.sending import Fate, PushSender, Route, ensure_key
from tests.certificates import make_certificate
from tests.integration.hub.notices.test_notices import assign, choose, write
from tests.push_service import PushService

pytestmark = pytest.mark.postgres

KEYS = {1: sha256(b"1").digest()}


class Clock:
    """Moves when told."""

    def __init__(self) -> None:
        self.ahead = timedelta(seconds=10)

    def __call__(self) -> datetime:
        return clock.now() + self.ahead


@pytest.fixture
async def service(tmp_path):
    started = PushService(*make_certificate(tmp_path, "push.example"))
    await started.start()
    yield started
    await started.stop()


def sender_to(service: PushService, now=clock.now) -> PushSender:
    async def here(host: str, port: int) -> list[str]:
        if host != "push.example":
            raise AddressRefused("not public")
        return ["127.0.0.1"]

    def check(url: str) -> str:
        if not url.startswith("https://"):
            raise InvalidInput("endpoint", "no")
        return url

    trust = ssl.create_default_context(cafile=str(service.certificate))
    return PushSender(PushKey.make(), "mailto:ops@hub.example", route=Route(here, check, trust), now=now)


async def subscribe(database, workspace, service, path="/a", host="push.example"):
    """A browser of the agent, with a session of its own; returns its session's id."""
    now, session_id = clock.now(), clock.new_id()
    async with database.snapshot([workspace.id]) as conn:
        login_id = await conn.fetchval("SELECT login_id FROM member WHERE id = $1", workspace.agent_id)
    new = NewSubscription(
        login_id=login_id,
        session_id=session_id,
        endpoint=f"https://{host}:{service.port}{path}",
        public_key=service.public_key,
        auth=service.auth,
    )
    async with database.across() as conn:
        await conn.execute(
            "INSERT INTO login_session (token_hash, id, login_id, created_at, used_at, expires_at)"
            " VALUES ($1, $2, $3, $4, $4, $5)",
            sha256(session_id.bytes).digest(),
            session_id,
            login_id,
            now,
            now + timedelta(days=1),
        )
        await subscriptions.keep_subscription(conn, clock.new_id(), new, now)
    return session_id


async def tell(database, workspace, subject="s", kind=Kind.SECURITY, **more):
    telling = Telling(kind=kind, subject=subject, at=clock.now(), member_ids=frozenset({workspace.agent_id}), **more)
    async with database.transaction([workspace.id]) as conn:
        return (await actions.tell(conn, workspace.id, [telling]))[0]


async def test_a_notice_reaches_the_browser(database, workspace, service):
    """Encrypted for it, with TTL, topic and a signed header; without names or text unless chosen."""
    await subscribe(database, workspace, service)
    conversation = await write(database, workspace, text="My card is 4111")
    now = Clock()
    pushing = Pushing(database, sender_to(service, now), now=now)
    more = {"conversation_id": conversation, "inbox_id": workspace.inbox_id}
    notice_id = await tell(database, workspace, "c", Kind.MESSAGE, **more)
    assert await pushing.run_due() == 1
    (taken,), (opened,) = service.taken, service.opened()
    payload = msgspec.json.decode(opened, type=Payload)
    assert payload == Payload(
        "New message in one of your conversations", "", f"/c/{conversation}", str(notice_id), workspace.id
    )
    assert taken.path == "/a"
    assert taken.headers["ttl"] == "86400"
    assert taken.headers["topic"] == notice_id.hex
    assert taken.headers["content-encoding"] == "aes128gcm"
    assert taken.headers["host"] == f"push.example:{service.port}"
    assert taken.headers["authorization"].startswith("vapid t=")
    assert b"4111" not in taken.body
    assert await pushing.run_due() == 0


async def test_text_is_shown_where_the_member_chose_so(database, workspace, service):
    """Then who wrote, and how the message begins."""
    await subscribe(database, workspace, service)
    await choose(database, workspace, workspace.agent_id, shows_text=True, language="de")
    conversation = await write(database, workspace, text="My card is 4111")
    now = Clock()
    more = {"conversation_id": conversation, "inbox_id": workspace.inbox_id}
    await tell(database, workspace, "c", Kind.MESSAGE, **more)
    await Pushing(database, sender_to(service, now), now=now).run_due()
    payload = msgspec.json.decode(service.opened()[0], type=Payload)
    assert payload.body == "My card is 4111"
    assert payload.title


async def test_what_was_seen_is_not_pushed(database, workspace, service):
    """The member sat in front of it."""
    await subscribe(database, workspace, service)
    await tell(database, workspace)
    async with database.transaction([workspace.id]) as conn:
        await actions.mark_seen(conn, workspace.id, workspace.agent_id)
    now = Clock()
    await Pushing(database, sender_to(service), now=now).run_due()
    assert service.taken == []


async def test_what_may_not_be_seen_any_more_is_not_pushed(database, workspace, service):
    """The inbox was closed to the member between the notice and the push."""
    await subscribe(database, workspace, service)
    conversation = await write(database, workspace)
    await tell(database, workspace, "c", Kind.MESSAGE, conversation_id=conversation, inbox_id=workspace.inbox_id)
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE inbox SET restricted = true WHERE id = $1", workspace.inbox_id)
    await Pushing(database, sender_to(service), now=Clock()).run_due()
    assert service.taken == []


async def test_quiet_hours_hold_pushes_back(database, workspace, service):
    """They come when the quiet hours end, if the notice is unread then."""
    await subscribe(database, workspace, service)
    here = clock.now()
    minute = here.hour * 60 + here.minute
    quiet = {"quiet_from": (minute - 60) % 1440, "quiet_until": (minute + 60) % 1440}
    await choose(database, workspace, workspace.agent_id, **quiet)
    await tell(database, workspace)
    now = Clock()
    pushing = Pushing(database, sender_to(service, now), now=now)
    assert await pushing.run_due() == 0
    now.ahead = timedelta(minutes=61)
    assert await pushing.run_due() == 1
    assert len(service.taken) == 1


async def test_an_ended_session_gets_nothing(database, workspace, service):
    """Signed out (on a lost phone, say): what is queued is not sent, and nothing more is queued."""
    session_id = await subscribe(database, workspace, service)
    await tell(database, workspace, "one")
    async with database.across() as conn:
        await conn.fetchval("SELECT hub_revoke_session($1)", sha256(session_id.bytes).digest())
    await tell(database, workspace, "two")
    now = Clock()
    assert await Pushing(database, sender_to(service), now=now).run_due() == 1
    assert service.taken == []


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
async def test_a_browser_that_is_gone_is_forgotten(database, workspace, service, status):
    """The service says so once; nothing is sent there again."""
    await subscribe(database, workspace, service)
    service.answers = [status]
    now = Clock()
    pushing = Pushing(database, sender_to(service, now), now=now)
    await tell(database, workspace, "one")
    await pushing.run_due()
    await tell(database, workspace, "two")
    assert await pushing.run_due() == 0
    assert len(service.taken) == 1


async def test_a_busy_service_is_left_alone_as_long_as_it_says(database, workspace, service):
    """429 with Retry-After; then it is sent."""
    await subscribe(database, workspace, service)
    service.answers = ["429 Too Many Requests\r\nretry-after: 120"]
    now = Clock()
    pushing = Pushing(database, sender_to(service, now), now=now)
    await tell(database, workspace)
    assert await pushing.run_due() == 1
    now.ahead = timedelta(seconds=120)
    assert await pushing.run_due() == 0
    now.ahead = timedelta(seconds=140)
    assert await pushing.run_due() == 1
    assert len(service.taken) == 2


async def test_a_service_that_stays_broken_is_given_up(database, workspace, service):
    """After some tries; the notice is in the list all the same."""
    await subscribe(database, workspace, service)
    service.answers = ["503 Unavailable"] * 20
    now = Clock()
    pushing = Pushing(database, sender_to(service, now), now=now)
    await tell(database, workspace)
    for hour in range(20):
        now.ahead = timedelta(hours=hour, seconds=10)
        await pushing.run_due()
    assert len(service.taken) == 5


async def test_two_workers_push_once(database, workspace, service):
    """They never claim the same one."""
    await subscribe(database, workspace, service)
    for number in range(6):
        await tell(database, workspace, f"n{number}")
    now = Clock()
    await asyncio.gather(*(Pushing(database, sender_to(service), now=now).run_due() for _ in range(3)))
    assert len({one.headers["topic"] for one in service.taken}) == len(service.taken) == 6


async def test_redirects_are_not_followed(service):
    """A service that sends us elsewhere is refused."""
    service.answers = ["307 Temporary Redirect\r\nlocation: https://push.example/other"]
    target = Target(f"https://push.example:{service.port}/a", service.public_key, service.auth)
    answer = await sender_to(service).send(target, Push(payload=b"x", topic="t"))
    assert (answer.fate, answer.code, len(service.taken)) == (Fate.REFUSED, "307", 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[64:ff9b::7f00:1]", "0.0.0.0"])
async def test_addresses_inside_are_never_asked(service, host):
    """Whatever a browser said: no connection, and the subscription is dropped."""
    target = Target(f"https://{host}/a", service.public_key, service.auth)
    sender = PushSender(PushKey.make(), "mailto:a@b.c")
    assert (await sender.send(target, Push(payload=b"x", topic="t"))).code == "not_public"
    other_port = Target(f"https://127.0.0.1:{service.port}/a", service.public_key, service.auth)
    assert (await sender.send(other_port, Push(payload=b"x", topic="t"))).code == "unusable"
    assert service.taken == []


async def test_a_foreign_certificate_is_refused(service):
    """The address is fixed, the name is checked."""
    sender = sender_to(service)
    sender._route = Route(sender._route.addresses, sender._route.check)
    target = Target(f"https://push.example:{service.port}/a", service.public_key, service.auth)
    assert (await sender.send(target, Push(payload=b"x", topic="t"))).fate is Fate.LATER
    assert service.taken == []


async def test_the_key_is_made_once(database):
    """Every process opens the same; another secret key makes another pair."""
    async with database.across() as conn:
        first, second = await ensure_key(conn, KEYS), await ensure_key(conn, KEYS)
        other = await ensure_key(conn, {1: sha256(b"other").digest()})
        assert await subscriptions.public_key(conn) == other.public_key
    assert first.public_key == second.public_key != other.public_key


async def test_a_browser_belongs_to_who_came_last(database, workspace, service):
    """The same endpoint under another session is the same row; twenty a login are kept."""
    for number in range(22):
        await subscribe(database, workspace, service, f"/{number}")
    await subscribe(database, workspace, service, "/21")
    async with database.snapshot([workspace.id]) as conn:
        login_id = await conn.fetchval("SELECT login_id FROM member WHERE id = $1", workspace.agent_id)
        rows = await conn.fetch("SELECT id FROM hub_push_subscriptions($1)", [login_id])
    assert len(rows) == 20


async def test_settings_default_for_whoever_chose_nothing(database, workspace):
    """A row made for the digest's sake says what no row says."""
    await assign(database, workspace, await write(database, workspace), workspace.agent_id)
    async with database.transaction([workspace.id]) as conn:
        await store.await_digest(conn, workspace.id, [(workspace.agent_id, clock.now())])
        kept = await store.get_settings(conn, workspace.id, workspace.agent_id)
    assert msgspec.structs.replace(kept, digest_due_at=None) == Settings()
