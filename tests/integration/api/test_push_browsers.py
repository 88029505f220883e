"""A person's browsers for push, over HTTP: listed, tried out, removed; nobody else's."""

from __future__ import annotations

import msgspec
import pytest

from hub.push.sending import Answer, Fate
from tests.integration.api.conftest import browser, sign_in
from tests.integration.api.test_notices import subscription

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

BROWSERS = "/api/v1/push-subscriptions"


class RecordingSender:
    """A push sender that remembers what it was given, and answers what the test wants."""

    def __init__(self) -> None:
        self.fate = Fate.SENT
        self.sent = []

    async def send(self, target, push):
        self.sent.append((target.endpoint, msgspec.json.decode(push.payload)))
        return Answer(self.fate)


async def keep(client, endpoint="https://push.example/abc"):
    return (await client.post(BROWSERS, json=subscription(endpoint=endpoint))).json()["id"]


async def test_own_browsers_are_listed_and_removed(parts, tenant):
    """Newest first, with which one asks; removing one again is fine."""
    async with browser(parts) as desk, browser(parts) as phone:
        await sign_in(desk)
        await sign_in(phone)
        first, second = await keep(desk), await keep(phone, "https://push.example/phone")
        listed = (await desk.get(BROWSERS)).json()["browsers"]
        assert [(one["id"], one["is_this"]) for one in listed] == [(second, False), (first, True)]
        assert all("endpoint" not in one for one in listed)
        for _ in range(2):
            assert (await desk.delete(f"{BROWSERS}/{second}")).status_code == 204
        assert [one["id"] for one in (await phone.get(BROWSERS)).json()["browsers"]] == [first]


async def test_trial_goes_to_the_browser_and_forgets_one_that_is_gone(parts, tenant):
    """What is sent says nothing of anybody; a browser its service does not know any more is removed."""
    parts.push_sender = sender = RecordingSender()
    async with browser(parts) as client:
        await sign_in(client)
        mine = await keep(client)
        assert (await client.post(f"{BROWSERS}/{mine}/test")).json() == {"fate": "sent"}
        ((endpoint, payload),) = sender.sent
        assert endpoint == "https://push.example/abc"
        assert set(payload) == {"title", "body", "path", "tag", "workspace_id"}
        sender.fate = Fate.GONE
        assert (await client.post(f"{BROWSERS}/{mine}/test")).json() == {"fate": "gone"}
        assert (await client.get(BROWSERS)).json() == {"browsers": []}


async def test_trials_are_limited(parts, tenant):
    """Ten in ten minutes: the hub is no hammer for other people's push services."""
    parts.push_sender = sender = RecordingSender()
    async with browser(parts) as client:
        await sign_in(client)
        mine = await keep(client)
        codes = [(await client.post(f"{BROWSERS}/{mine}/test")).status_code for _ in range(11)]
    assert (codes, len(sender.sent)) == ([200] * 10 + [429], 10)


async def test_nobody_reaches_anothers_browser(parts, tenant, foreign):
    """An id of somebody else's browser is as good as none: not listed, not pushed to, not removed."""
    parts.push_sender = sender = RecordingSender()
    async with browser(parts) as ann, browser(parts) as bob:
        await sign_in(ann)
        await sign_in(bob, foreign.email)
        hers = await keep(ann)
        assert (await bob.get(BROWSERS)).json() == {"browsers": []}
        assert (await bob.post(f"{BROWSERS}/{hers}/test")).status_code == 404
        assert (await bob.delete(f"{BROWSERS}/{hers}")).status_code == 204
        assert len((await ann.get(BROWSERS)).json()["browsers"]) == 1
    assert sender.sent == []


async def test_without_a_key_there_is_no_trial(parts, tenant):
    """A process that could not open the push key says so."""
    async with browser(parts) as client:
        await sign_in(client)
        mine = await keep(client)
        assert (await client.post(f"{BROWSERS}/{mine}/test")).status_code == 503
