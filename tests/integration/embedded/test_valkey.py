"""EmbeddedValkey over the wheel and over the Redis on PATH."""

from __future__ import annotations

import asyncio
import os
import signal
import stat

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub.embedded.process import is_alive
from hub.embedded.valkey import EmbeddedValkey, ValkeyOptions
from hub.errors import ConfigurationError, Unavailable
from tests.waiting import wait_until

pytestmark = [pytest.mark.redis, pytest.mark.processes]


@pytest.fixture
async def make(valkey_binary, place):
    """Make instances over one folder; each is stopped at the end."""
    made = []

    def make_one(**options):
        valkey = EmbeddedValkey(
            valkey_binary,
            place / "streams",
            place / "run",
            place / "logs" / "streams.log",
            ValkeyOptions(**{"is_durable": True, **options}),
        )
        made.append(valkey)
        return valkey

    yield make_one
    for valkey in made:
        await valkey.stop()


@pytest.fixture
async def connect():
    """Make clients; each is closed at the end."""
    clients = []

    def connect_one(url):
        client = Redis.from_url(url, decode_responses=True)
        clients.append(client)
        return client

    yield connect_one
    for client in clients:
        await client.aclose()


async def test_durable_instance_keeps_every_acknowledged_entry_over_kill(make, connect):
    """After kill -9 amid writes the same instance starts again with every entry that was acknowledged."""
    valkey = make()
    client = connect(await valkey.start())
    acked = []

    async def write():
        for number in range(100_000):
            await client.xadd("in:0", {"n": str(number)})
            acked.append(number)

    writer = asyncio.create_task(write())
    await wait_until(lambda: len(acked) >= 100)
    os.kill(valkey.process.pid, signal.SIGKILL)
    with pytest.raises((RedisError, OSError)):
        await writer

    client = connect(await valkey.start())

    kept = [int(fields["n"]) for _, fields in await client.xrange("in:0")]
    assert kept[: len(acked)] == acked
    assert len(kept) <= len(acked) + 1


async def test_ephemeral_instance_forgets_and_writes_no_file(make, connect, place):
    """Without persistence a clean stop leaves nothing on disk and nothing to read."""
    valkey = make(is_durable=False)
    client = connect(await valkey.start())
    await client.set("a", "1")
    await valkey.stop()

    assert list((place / "streams").iterdir()) == []
    client = connect(await make(is_durable=False).start())
    assert await client.get("a") is None


@pytest.mark.parametrize(
    ("is_durable", "policy", "appendonly"), [(True, "noeviction", "yes"), (False, "volatile-ttl", "no")]
)
async def test_start_sets_what_each_kind_promises(make, connect, is_durable, policy, appendonly):
    """The durable one refuses when full and syncs each write; the other evicts; neither cuts slow subscribers off."""
    client = connect(await make(is_durable=is_durable, maxmemory_bytes=50_000_000).start())

    settings = await client.config_get("append*", "maxmemory*", "save", "client-output-buffer-limit", "port")
    assert settings["maxmemory-policy"] == policy
    assert settings["appendonly"] == appendonly
    assert settings["appendfsync"] == "always"
    assert settings["maxmemory"] == "50000000"
    assert settings["save"] == ""
    assert settings["port"] == "0"
    assert settings["client-output-buffer-limit"].endswith("pubsub 0 0 0")


async def test_socket_is_private(make, place):
    """Only our own user may enter the socket."""
    await make().start()

    assert stat.S_IMODE((place / "run").stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "run" / "streams.sock").stat().st_mode) == 0o700


async def test_start_adopts_the_server_a_former_hub_left(make, connect):
    """A second start takes over the running server, same process and data, and can stop it."""
    first = make(dies_with_us=False)
    await connect(await first.start()).set("a", "1")
    pid, child = first.process.pid, first.process
    first.abandon()

    second = make()
    client = connect(await second.start())

    assert (second.process.pid, second.process.is_adopted) == (pid, True)
    assert await client.get("a") == "1"
    await second.stop()
    assert not is_alive(pid)
    assert await child.wait(5)
    assert child.exit_code == 0


async def test_start_replaces_a_leftover_with_other_promises(make, connect):
    """A leftover of other settings is stopped cleanly and its data read by the new one, never served as it is."""
    first = make(dies_with_us=False, maxmemory_bytes=50_000_000)
    await connect(await first.start()).set("a", "1")
    pid, child = first.process.pid, first.process
    first.abandon()

    second = make(maxmemory_bytes=60_000_000)
    client = connect(await second.start())

    assert second.process.pid != pid
    assert await child.wait(5)
    assert child.exit_code == 0
    assert await client.get("a") == "1"


async def test_start_waits_for_a_leftover_that_is_ending(make, connect):
    """A server that got its SIGTERM a moment ago still holds the files; the next one waits for it."""
    first = make(dies_with_us=False)
    client = connect(await first.start())
    await client.set("a", "1")
    os.kill(first.process.pid, signal.SIGTERM)
    child = first.process
    first.abandon()

    client = connect(await make().start())

    assert await child.wait(5)
    assert child.exit_code == 0
    assert await client.get("a") == "1"


async def test_start_refuses_a_folder_in_use(make, connect):
    """Two hubs never write one folder: the second is told who has it, the first goes on."""
    client = connect(await make().start())

    with pytest.raises(ConfigurationError, match=f"in use by process {os.getpid()}"):
        await make().start()

    assert await client.ping()


async def test_start_says_why_the_server_does_not_come_up(make, place):
    """A server that ends at once is reported with its own words."""
    first = make()
    await first.start()
    await first.stop()
    # A file damaged in its middle is not cut short silently, unlike a half-written last entry.
    for path in (place / "streams" / "appendonlydir").glob("*.incr.aof"):
        path.write_bytes(b"*3\r\n$3\r\nSET\r\nxx broken\r\n" * 3)

    with pytest.raises(Unavailable, match=r"(?i)bad file format"):
        await make().start()
