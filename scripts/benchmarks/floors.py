"""The least that the two durable writes of a message cost: one XADD, one INSERT. Nothing of the hub runs."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
from redis.asyncio import Redis

from hub.streams.model import FIELD, stream_key

if TYPE_CHECKING:
    from scripts.benchmarks.services import Services

FLOOR_SECONDS = 2.0
INSERT_BATCH = 200
_INSERT = """
INSERT INTO message (workspace_id, id, conversation_id, channel_account_id, seq, version, kind, direction, author_kind,
                     author_id, text, external_id, conversation_seq, occurred_at, created_at)
VALUES ($1, $2, $3, $4, $5, $5, 'message', 'inbound', 'contact', $6, $7, $8, $5, $9, $9)
"""


async def measure_floors(services: Services, payload: bytes, concurrency: int) -> dict[str, float]:
    """
    Measure on the services of the run itself.

    Args:
        services: Durable ones; at least one message is in the database.
        payload: What the hub would put on the stream.
        concurrency: Appends under way at once, as many as the load generator has calls.

    Returns:
        ``floor_xadd_per_s`` (redis-py), ``floor_xadd_c_per_s`` (redis-benchmark, where installed) and
        ``floor_insert_per_s``.
    """
    figures = {"floor_xadd_per_s": await append_rate(services, payload, concurrency)}
    if (by_c := await asyncio.to_thread(_xadd_in_c, services, payload, concurrency)) is not None:
        figures["floor_xadd_c_per_s"] = by_c
    figures["floor_insert_per_s"] = await _insert(services)
    return figures


async def append_rate(services: Services, payload: bytes, concurrency: int) -> float:
    """Pipelines of ``concurrency`` appends, one after the other: what coalescing all callers would reach."""
    async with Redis.from_url(services.redis_url, protocol=2) as redis:
        started = time.perf_counter()
        count = 0
        while time.perf_counter() - started < FLOOR_SECONDS:
            pipeline = redis.pipeline(transaction=False)
            for number in range(concurrency):
                pipeline.execute_command("XADD", f"floor:{stream_key(number % 16)}", "*", FIELD, payload)
            await pipeline.execute()
            count += concurrency
        elapsed = time.perf_counter() - started
        await redis.delete(*[f"floor:{stream_key(one)}" for one in range(16)])
    return count / elapsed


def _xadd_in_c(services: Services, payload: bytes, concurrency: int) -> float | None:
    program = shutil.which("redis-benchmark") or shutil.which("valkey-benchmark")
    if program is None:
        return None
    socket_path = services.redis_url.removeprefix("unix://")
    command = [program, "-s", socket_path, "-c", str(concurrency), "-n", "20000", "-q"]
    command += ["XADD", "floor:c", "*", "item", "x" * len(payload)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    subprocess.run([program, "-s", socket_path, "-n", "1", "-q", "DEL", "floor:c"], capture_output=True, check=True)
    found = re.findall(r"([\d.]+) requests per second", done.stdout)
    return float(found[-1]) if found else None


async def _insert(services: Services) -> float:
    """Batches of 200 message rows, one COMMIT each, with every index and constraint, and nothing else."""
    connection = await asyncpg.connect(services.owner_url)
    try:
        known = await connection.fetchrow(
            "SELECT workspace_id, id, channel_account_id, contact_id FROM conversation LIMIT 1"
        )
        if known is None:
            raise RuntimeError("the floor needs a conversation to insert messages into")
        started = time.perf_counter()
        count = 0
        while time.perf_counter() - started < FLOOR_SECONDS:
            async with connection.transaction():
                await connection.executemany(_INSERT, [_row(known, count + one) for one in range(INSERT_BATCH)])
            count += INSERT_BATCH
        elapsed = time.perf_counter() - started
        await connection.execute("DELETE FROM message WHERE external_id LIKE 'floor%'")
    finally:
        await connection.close()
    return count / elapsed


def _row(known: asyncpg.Record, number: int) -> tuple[object, ...]:
    now = datetime.now(UTC)
    text = f"Hi, is the blue one back in stock? I asked before. {number}"
    workspace_id, conversation_id, account_id, contact_id = (known[at] for at in range(4))
    sid: UUID = uuid4()
    return (workspace_id, sid, conversation_id, account_id, 10**9 + number, contact_id, text, f"floor{sid.hex}", now)
