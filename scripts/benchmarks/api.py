"""`api`: what 200 members wait for the HTTP API, with and without the memory of who calls, beside a bare floor."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg
import msgspec

from hub import clock
from hub.db import Database
from hub.envelope import Identity, InboundItem, ItemKind
from hub.inbox import actions
from hub.inbox.batch import ReceivedItem
from scripts.benchmarks.bed import Bed, made_bed
from scripts.benchmarks.cpu import Meter
from scripts.benchmarks.hub_processes import ROOT, free_port
from scripts.benchmarks.results import Figures, Result, percentile, summarise
from scripts.benchmarks.services import run_alone

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a member's browser asks for, as often as a day at work has it: the list, a thread, who it is, read, a note.
MIX: Final = (("list", 30), ("thread", 35), ("contact", 10), ("read", 15), ("note", 10))
WARM_UP_S: Final = 2.0
_FLOOR: Final = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
BODY = b'{"conversations":[' + b'{"id":"0190b0a0-0000-7000-8000-0000000000aa"},' * 20 + b'{}]}'
async def answer(request):
    await request.body()
    return Response(BODY, media_type="application/json")
app = Starlette(routes=[Route("/{rest:path}", answer, methods=["GET", "POST", "PUT"])])
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
"""


class ApiOptions(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to measure.

    Attributes:
        members: Each has a session and a connection of their own.
        think_s: Between two calls of one member, on average; a call that comes late has waited.
        conversations: That are there to be read.
    """

    runs: int = 3
    seconds: float = 15.0
    members: int = 200
    think_s: float = 1.0
    conversations: int = 300


class Crowd(msgspec.Struct, frozen=True):
    """Who calls, and about what."""

    workspace_id: int
    tokens: list[str]
    conversations: list[tuple[str, str]]


class Answers(msgspec.Struct):
    """What one run heard."""

    waits_ms: list[float]
    refused: int = 0


def api(options: ApiOptions) -> Iterator[Result]:
    """Measure the floor, then the hub with and without its memory, each over the same seeded workspace."""
    with made_bed(1) as bed:
        crowd = run_alone(_seed(bed, options))
        yield _case("floor_starlette", options, [_floor(options, crowd) for _ in range(options.runs)])
        for name, switch in (("cache_on", "on"), ("cache_off", "off")):
            bed.hub.environ["HUB_ACCESS_CACHE"] = switch
            bed.hub.start_serve()
            run_alone(_measure(bed.hub.port, options, crowd, WARM_UP_S))
            yield _case(name, options, [_of_hub(bed, options, crowd) for _ in range(options.runs)])
            bed.hub.stop("serve")


def _case(name: str, options: ApiOptions, runs: list[Figures]) -> Result:
    told: dict[str, float | str] = {
        "members": options.members,
        "think_s": options.think_s,
        "seconds": options.seconds,
        "conversations": options.conversations,
    }
    refused = int(sum(one["refused"] for one in runs))
    return Result(bench="api", case=name, options=told, median=summarise(runs), runs=runs, lost=refused)


def _of_hub(bed: Bed, options: ApiOptions, crowd: Crowd) -> Figures:
    meter = Meter(bed.pids())
    return _told(meter, run_alone(_measure(bed.hub.port, options, crowd, options.seconds)), options)


def _floor(options: ApiOptions, crowd: Crowd) -> Figures:
    port = free_port()
    server = subprocess.Popen([sys.executable, "-c", _FLOOR, str(port)], cwd=ROOT)
    try:
        run_alone(_listening(port))
        meter = Meter({"floor": server.pid})
        return _told(meter, run_alone(_measure(port, options, crowd, options.seconds)), options)
    finally:
        server.terminate()
        server.wait()


def _told(meter: Meter, answers: Answers, options: ApiOptions) -> Figures:
    waits = answers.waits_ms
    figures = meter.read(len(waits))
    return {
        "calls": len(waits),
        "calls_per_s": len(waits) / options.seconds,
        "refused": answers.refused,
        **{f"p{share}_ms": percentile(waits, share / 100) for share in (50, 95, 99)},
        **figures,
    }


async def _measure(port: int, options: ApiOptions, crowd: Crowd, seconds: float) -> Answers:
    answers = Answers([])
    ends_s = time.monotonic() + seconds
    members = [_member(port, options, crowd, number, (answers, ends_s)) for number in range(options.members)]
    await asyncio.gather(*members)
    return answers


async def _member(port: int, options: ApiOptions, crowd: Crowd, number: int, until: tuple[Answers, float]) -> None:
    """One member's browser: calls fall due by a clock, so that a slow answer is waited for and the next one is late."""
    answers, ends_s = until
    chance = random.Random(number)  # noqa: S311  # the same order in each run
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    due_s = time.monotonic() + chance.random() * options.think_s
    try:
        while True:
            if due_s >= ends_s:
                return
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            writer.write(request_of(crowd, number, chance))
            status = await _status(reader)
            answers.waits_ms.append((time.monotonic() - due_s) * 1000)
            answers.refused += not 200 <= status < 300
            due_s += chance.uniform(0.5, 1.5) * options.think_s
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def request_of(crowd: Crowd, number: int, chance: random.Random) -> bytes:
    """Write one call of a member, by ``MIX``."""
    what = chance.choices([name for name, _ in MIX], [share for _, share in MIX])[0]
    conversation, contact = crowd.conversations[chance.randrange(len(crowd.conversations))]
    base = f"/api/v1/workspaces/{crowd.workspace_id}"
    method, path, body = "GET", f"{base}/conversations/{conversation}/messages?limit=50", b""
    match what:
        case "list":
            path = f"{base}/conversations?limit=50"
        case "contact":
            path = f"{base}/contacts/{contact}"
        case "read":
            method, path, body = "PUT", f"{base}/conversations/{conversation}/read", b'{"seq":1}'
        case "note":
            # A new one in each run: a note sent again would be found and not written.
            said = {"client_message_id": str(clock.new_id()), "kind": "note", "text": "Seen."}
            method, path, body = "POST", f"{base}/conversations/{conversation}/messages", msgspec.json.encode(said)
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {crowd.tokens[number]}\r\n"
    if body:
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


async def _status(reader: asyncio.StreamReader) -> int:
    """Read one answer whole; returns its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    await reader.readexactly(length)
    return int(head[9:12])


async def _listening(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def _seed(bed: Bed, options: ApiOptions) -> Crowd:
    """Add members with a session each, and conversations, to the first workspace."""
    target = bed.targets[0]
    owner = await asyncpg.connect(bed.services.owner_url)
    try:
        tokens = await _add_members(owner, target.workspace_id, options.members)
        # The measure is what a call costs, not how many are allowed.
        await owner.execute(
            "INSERT INTO workspace_limits (workspace_id, workspace_calls_per_minute) VALUES ($1, 1000000)",
            target.workspace_id,
        )
    finally:
        await owner.close()
    database = await Database.open(bed.services.database_url, lambda _: None, max_size=2)
    try:
        for number in range(options.conversations):
            async with database.transaction([target.workspace_id]) as conn:
                await actions.receive(conn, _items(target.workspace_id, UUID(target.account_id), number))
        async with database.transaction([target.workspace_id]) as conn:
            rows = await conn.fetch(
                "SELECT id, contact_id FROM conversation WHERE workspace_id = $1", target.workspace_id
            )
    finally:
        await database.close()
    return Crowd(target.workspace_id, tokens, [(str(row["id"]), str(row["contact_id"])) for row in rows])


def _items(workspace_id: int, account_id: UUID, number: int) -> list[ReceivedItem]:
    phone = f"+1555{number:07d}"
    return [
        ReceivedItem(
            workspace_id=workspace_id,
            channel_account_id=account_id,
            channel="twilio_sms",
            item=InboundItem(
                kind=ItemKind.MESSAGE,
                key=f"bench-{number}-{part}",
                external_id=f"bench-{number}-{part}",
                occurred_at=clock.now(),
                thread_key=phone,
                sender=Identity("phone", phone),
                text=f"Message {part} of {number}: where is my order? It should have been here on Tuesday.",
            ),
        )
        for part in range(10)
    ]


async def _add_members(owner: asyncpg.Connection, workspace_id: int, count: int) -> list[str]:  # type: ignore[type-arg]  # of Record, which asyncpg's stubs cannot name here
    now = clock.now()
    tokens, logins, sessions, rows = [], [], [], []
    for number in range(count):
        login_id, member_id, session_id = clock.new_ids(3)
        token, email = clock.new_token(32), f"api{number}@bench.example"
        digest = hashlib.sha256(token.encode()).digest()
        tokens.append(token)
        logins.append((login_id, email, f"Member {number}", now))
        sessions.append((digest, session_id, login_id, now, now, now + timedelta(days=30)))
        rows.append((workspace_id, member_id, login_id, f"Member {number}", email, "agent", now))
    columns: Sequence[tuple[str, list[str], list[tuple[object, ...]]]] = (
        ("login", ["id", "email", "name", "created_at"], logins),
        ("login_session", ["token_hash", "id", "login_id", "created_at", "used_at", "expires_at"], sessions),
        ("member", ["workspace_id", "id", "login_id", "name", "email", "role", "created_at"], rows),
    )
    for table, names, records in columns:
        await owner.copy_records_to_table(table, columns=names, records=records)
    return tokens
