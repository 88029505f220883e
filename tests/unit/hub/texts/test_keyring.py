"""Keys of sealed texts at hand: read once, for minutes, and by everybody who asks at the same time."""

from __future__ import annotations

import asyncio

import pytest

from hub.channels.sealing import Sealer
from hub.texts.keyring import KEPT_S, MISSED_S, Keyring

SEALER = Sealer({1: "k" * 32})
NAME = (7, 1000)


class Conn:
    """Answers with the keys there are, after others had their turn."""

    def __init__(self, *keys):
        self.keys, self.asked = list(keys), 0

    async def fetch(self, _sql, workspaces, ids):
        self.asked += 1
        await asyncio.sleep(0)
        wanted = set(zip(workspaces, ids, strict=True))
        rows = [one for one in self.keys if (one.workspace_id, one.id) in wanted]
        return [
            {"workspace_id": one.workspace_id, "id": one.id, "key_version": one.key_version, "wrapped": one.wrapped}
            for one in rows
        ]


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def keyring(now):
    return Keyring(SEALER, lambda: now[0])


async def test_a_key_is_read_once_and_forgotten_after_minutes(keyring, now):
    """One that was thrown away opens nothing here any more once its time is over."""
    conn = Conn(SEALER.new_data_key(*NAME))
    for _ in range(3):
        assert set(await keyring.find(conn, {NAME})) == {NAME}
    assert conn.asked == 1
    conn.keys.clear()
    now[0] = KEPT_S
    assert await keyring.find(conn, {NAME}) == {}


async def test_a_key_that_is_not_there_is_not_asked_for_again_at_once(keyring, now):
    """Somebody may write many texts that name keys nobody has; a key that comes later is found soon."""
    conn = Conn()
    for _ in range(3):
        assert await keyring.find(conn, {NAME}) == {}
    assert conn.asked == 1
    conn.keys.append(SEALER.new_data_key(*NAME))
    now[0] = MISSED_S
    assert set(await keyring.find(conn, {NAME})) == {NAME}


async def test_who_asks_while_a_key_is_read_gets_it_too(keyring):
    """Not read yet is not the same as not there."""
    conn = Conn(SEALER.new_data_key(*NAME))
    found = await asyncio.gather(*(keyring.find(conn, {NAME}) for _ in range(3)))
    assert [set(one) for one in found] == [{NAME}] * 3
