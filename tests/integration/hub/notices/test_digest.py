"""Digests: what is unread, mailed once to who is away, when they chose."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid4

import pytest

from hub import clock
from hub.errors import NotFound
from hub.notices import actions, store
from hub.notices.digest import DigestLinks, Digests
from hub.notices.model import Digest, Kind, Telling
from tests.integration.hub.notices.test_notices import choose
from tests.system_mails import queued_mails

pytestmark = pytest.mark.postgres

LINKS = DigestLinks({1: sha256(b"k").digest()}, "https://hub.example")


class Rig:
    """Digests with a clock and a list of who is online."""

    def __init__(self, database) -> None:
        self.ahead = timedelta()
        self.online: tuple | None = ()
        self.digests = Digests(database, LINKS, self._online, now=self.now)

    def now(self) -> datetime:
        return clock.now() + self.ahead

    async def _online(self, workspace_id):
        return self.online


@pytest.fixture
def rig(database):
    return Rig(database)


async def tell(database, workspace, subject="s", kind=Kind.SECURITY):
    telling = Telling(kind=kind, subject=subject, at=clock.now(), member_ids=frozenset({workspace.agent_id}))
    async with database.transaction([workspace.id]) as conn:
        return (await actions.tell(conn, workspace.id, [telling]))[0]


async def test_unread_notices_are_mailed_once(database, workspace, rig):
    """After the hour, to the member's address, with a way out; never the same one twice, not by two workers either."""
    await tell(database, workspace)
    assert await rig.digests.run_due() == 0
    rig.ahead = timedelta(minutes=61)
    other = Digests(database, LINKS, rig._online, now=rig.now)
    await asyncio.gather(rig.digests.run_due(), other.run_due())
    ((to, kind, fields),) = await queued_mails(database)
    assert (to, kind) == ("priya@example.com", "digest")
    assert fields["lines"] == "Something about your account's security changed"
    assert fields["unsubscribe_url"] == LINKS.unsubscribe_url(workspace.id, workspace.agent_id)
    rig.ahead = timedelta(minutes=200)
    await rig.digests.run_due()
    assert len(await queued_mails(database)) == 1
    await tell(database, workspace, "new")
    rig.ahead = timedelta(minutes=300)
    await rig.digests.run_due()
    assert len(await queued_mails(database)) == 2


async def test_who_is_online_is_not_mailed(database, workspace, rig):
    """They are asked again later; what they did not read until they left is mailed."""
    await tell(database, workspace)
    rig.ahead = timedelta(minutes=61)
    rig.online = (workspace.agent_id,)
    assert await rig.digests.run_due() == 1
    assert await rig.digests.run_due() == 0
    rig.online = None
    rig.ahead = timedelta(minutes=80)
    await rig.digests.run_due()
    assert len(await queued_mails(database)) == 1


async def test_what_was_read_is_not_mailed(database, workspace, rig):
    """And nothing is due until they are told something again."""
    await tell(database, workspace)
    async with database.transaction([workspace.id]) as conn:
        await actions.mark_read(conn, workspace.id, workspace.agent_id, None)
    rig.ahead = timedelta(minutes=61)
    assert await rig.digests.run_due() == 1
    assert await queued_mails(database) == []
    async with database.snapshot([workspace.id]) as conn:
        assert (await store.get_settings(conn, workspace.id, workspace.agent_id)).digest_due_at is None


async def test_quiet_hours_hold_digests_back(database, workspace, rig):
    """Nobody's phone buzzes at night for a mail of ours."""
    minute = clock.now().hour * 60 + clock.now().minute
    quiet = {"quiet_from": (minute - 60) % 1440, "quiet_until": (minute + 180) % 1440}
    await choose(database, workspace, workspace.agent_id, **quiet)
    await tell(database, workspace)
    rig.ahead = timedelta(minutes=61)
    await rig.digests.run_due()
    assert await queued_mails(database) == []
    rig.ahead = timedelta(minutes=181)
    await rig.digests.run_due()
    assert len(await queued_mails(database)) == 1


async def test_digest_off_is_off(database, workspace, rig):
    """No mail, whatever happens; and who left gets none."""
    await choose(database, workspace, workspace.agent_id, digest=Digest.OFF)
    await tell(database, workspace)
    rig.ahead = timedelta(days=2)
    assert await rig.digests.run_due() == 0
    await choose(database, workspace, workspace.agent_id, digest=Digest.HOURLY)
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE member SET active = false WHERE id = $1", workspace.agent_id)
    rig.ahead = timedelta(days=3)
    assert await rig.digests.run_due() == 1
    assert await queued_mails(database) == []


async def test_many_notices_are_cut(database, workspace, rig):
    """A mail nobody would read to its end ends earlier."""
    for number in range(25):
        await tell(database, workspace, f"n{number}")
    rig.ahead = timedelta(minutes=61)
    await rig.digests.run_due()
    ((_, _, fields),) = await queued_mails(database)
    assert fields["lines"].count("\n") == 20
    assert fields["lines"].endswith("…")


def test_links_name_their_member():
    """Only ours are read; another member, workspace or key is another signature."""
    member = uuid4()
    token = LINKS.unsubscribe_url(7, member).partition("token=")[2]
    assert LINKS.read(token) == (7, member)
    parts = token.split(".")
    forged = [
        "",
        "a.b.c.d",
        ".".join([*parts[:3], "0" * 64]),
        ".".join([parts[0], "8", *parts[2:]]),
        ".".join([*parts[:2], uuid4().hex, parts[3]]),
        ".".join(["2", *parts[1:]]),
        ".".join([*parts[:3], "é"]),
        token + ".x",
    ]
    for one in forged:
        with pytest.raises(NotFound):
            LINKS.read(one)
