"""The chain on a real Postgres: sealed by a job, tampered with by the superuser, checked by the command."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import asyncpg
import pytest

from connectors.audit_jobs import audit_jobs
from hub import clock
from hub.audit import actions, heads_file, store
from hub.audit.chain import KEY_PURPOSE, HeadKeys
from hub.audit.model import INSTALLATION, SYSTEM, ActorKind, Caller
from hub.audit_commands import Wanted, sign, verify
from hub.channels.sealing import Sealer, read_keys
from hub.config import read_settings
from tests.factories import make_workspace

pytestmark = pytest.mark.postgres

SECRET = "s" * 40
KEYS = HeadKeys(Sealer(read_keys(SECRET)).derive_keys(KEY_PURPOSE))


@pytest.fixture
def environ(database_urls, tmp_path):
    return {
        "HOME": str(tmp_path),
        "HUB_DATA_DIR": str(tmp_path / "data"),
        "DATABASE_URL": database_urls.database_url,
        "HUB_SECRET_KEY": SECRET,
    }


@pytest.fixture
async def owner(database_urls):
    connection = await asyncpg.connect(database_urls.owner_url)
    yield connection
    await connection.close()


async def write(database, workspace_id: int, amount: int) -> None:
    caller = Caller(ActorKind.MEMBER, clock.new_id(), "192.0.2.7")
    for number in range(amount):
        async with database.transaction([workspace_id]) as conn:
            details = {"n": number}
            await actions.record(conn, actions.made_by(caller, workspace_id, "inbox.made", ("inbox", number), details))


async def checked(environ, wanted: Wanted | None = None) -> dict[int, list[tuple[str, int, int]]]:
    found = {}
    async for report in verify(read_settings(environ), wanted or Wanted()):
        found[report.workspace_id] = [(one.fault.value, one.position, one.last_position) for one in report.findings]
    return found


async def test_sealed_chains_are_whole(database, workspace, environ):
    """Every chain has its own places from 1, the installation's too, and heads are signed once."""
    other = await make_workspace(database)
    for workspace_id, amount in ((workspace.id, 3), (other.id, 2), (INSTALLATION, 1)):
        await write(database, workspace_id, amount)

    assert await actions.seal_all(database, 10) == 6
    assert await actions.seal_all(database, 10) == 0
    heads = await actions.sign_heads(database, KEYS)

    assert {one.workspace_id: one.position for one in heads} == {workspace.id: 3, other.id: 2, INSTALLATION: 1}
    assert await actions.sign_heads(database, KEYS) == []
    assert await checked(environ) == {workspace.id: [], other.id: [], INSTALLATION: []}


async def test_sealers_at_once_make_one_chain(database, workspace, environ, monkeypatch):
    """Four sealers, while entries are written: every entry gets one place."""
    monkeypatch.setattr(actions, "SEALED_AT_ONCE", 3)

    async def seal() -> None:
        for _ in range(15):
            await actions.seal_all(database, 10)

    await asyncio.gather(write(database, workspace.id, 25), seal(), seal(), seal(), seal())
    while await actions.seal_all(database, 10):
        pass

    async with database.snapshot([workspace.id]) as conn:
        entries = await store.links(conn, workspace.id, 1, 100)
    assert [one.position for one in entries] == list(range(1, 26))
    assert await checked(environ) == {workspace.id: []}


async def test_nobody_waits_for_the_sealer(database, workspace):
    """An entry is written while the chain is locked, and another sealer goes on to other things."""
    await write(database, workspace.id, 1)
    async with database.transaction([workspace.id]) as sealing:
        assert await actions.seal_some(sealing, workspace.id) == 1
        await write(database, workspace.id, 1)
        async with database.transaction([workspace.id]) as other:
            assert await actions.seal_some(other, workspace.id) == 0


TAMPERING = {
    "altered": ("UPDATE audit_entry SET address = '192.0.2.8' WHERE position = 4", [("altered", 4, 4)]),
    "altered details": (
        "UPDATE audit_entry SET details = '{\"n\": 9}' WHERE position = 4",
        [("altered", 4, 4)],
    ),
    "deleted": ("DELETE FROM audit_entry WHERE position = 4", [("deleted", 4, 4)]),
    "deleted, the others moved up": (
        "DELETE FROM audit_entry WHERE position = 4;"
        " UPDATE audit_entry SET position = position + 100 WHERE position > 4;"
        " UPDATE audit_entry SET position = position - 101 WHERE position > 100",
        [("deleted", 4, 4)],
    ),
    "inserted": (
        "UPDATE audit_entry SET position = position + 100 WHERE position > 4;"
        " UPDATE audit_entry SET position = position - 99 WHERE position > 100;"
        " INSERT INTO audit_entry (workspace_id, id, at, action, actor_kind, position, hash)"
        " SELECT workspace_id, gen_random_uuid(), at, 'inbox.removed', 'system', 5, hash"
        " FROM audit_entry WHERE position = 4",
        [("inserted", 5, 5)],
    ),
    "reordered": (
        "UPDATE audit_entry SET position = 100 WHERE position = 3;"
        " UPDATE audit_entry SET position = 3 WHERE position = 6;"
        " UPDATE audit_entry SET position = 6 WHERE position = 100",
        [("reordered", 3, 3), ("reordered", 6, 6)],
    ),
    "truncated": ("DELETE FROM audit_entry WHERE position = 8", [("truncated", 8, 8)]),
    "truncated, with the table of heads": (
        "DELETE FROM audit_entry; DELETE FROM audit_head",
        [("missing head", 8, 8), ("truncated", 1, 8)],
    ),
    "table of heads emptied": ("DELETE FROM audit_head", [("missing head", 8, 8)]),
    "head forged": (
        "UPDATE audit_head SET hash = sha256('x')",
        [("forged head", 8, 8)],
    ),
}


@pytest.mark.parametrize("name", TAMPERING)
async def test_tampering_is_named(database, workspace, owner, environ, name):
    """What the superuser did to one row is found by the command, with exit code 1; before, it was 0."""
    other = await make_workspace(database)
    await write(database, workspace.id, 8)
    await sign(read_settings(environ))
    await write(database, other.id, 2)
    await actions.seal_all(database, 10)
    assert await checked(environ) == {workspace.id: [], other.id: []}
    sql, expected = TAMPERING[name]

    async with owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        for statement in sql.split(";"):
            where = f" {'AND' if 'WHERE' in statement else 'WHERE'} workspace_id = {workspace.id}"
            await owner.execute(statement + where)

    assert await checked(environ) == {workspace.id: expected, other.id: []}


async def test_chain_written_anew_meets_its_signed_head(database, workspace, owner, environ):
    """Who can write the database makes a whole new chain; the copied head does not fit it."""
    await write(database, workspace.id, 5)
    await sign(read_settings(environ))
    await owner.execute("UPDATE audit_entry SET address = '', position = NULL, hash = NULL; DELETE FROM audit_head")
    await actions.seal_all(database, 10)

    assert await checked(environ) == {workspace.id: [("missing head", 5, 5), ("rewritten", 1, 5)]}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DELETE FROM audit_entry WHERE position > 5", ("truncated", 6, 8)),
        ("DELETE FROM audit_entry", ("truncated", 1, 8)),
        ("UPDATE audit_entry SET hash = sha256('x') WHERE position = 8", ("rewritten", 1, 8)),
    ],
)
async def test_end_that_no_head_knows_is_missed(database, workspace, owner, environ, sql, expected):
    """Entries younger than the newest signed head are held by the end noted beside the chain; a chain that is whole is."""
    await write(database, workspace.id, 8)
    await actions.seal_all(database, 10)
    assert await checked(environ) == {workspace.id: []}
    await owner.execute(sql)
    assert expected in (await checked(environ))[workspace.id]


async def test_file_that_misses_a_head_is_found(database, workspace, environ, tmp_path):
    """A line was taken out of the file; what another machine signed is copied when this one signs again."""
    settings = read_settings(environ)
    for _ in range(3):
        await write(database, workspace.id, 2)
        await sign(settings)
    path = tmp_path / "data" / "audit" / "heads.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    assert len(lines) == 3
    path.write_text(lines[0] + lines[2])
    assert await checked(environ) == {workspace.id: [("missing head", 4, 4)]}

    # Of three heads this machine knows the first: the others are not missed before it has signed itself.
    path.write_text(lines[0])
    assert await checked(environ) == {workspace.id: []}
    await write(database, workspace.id, 1)
    await sign(settings)
    assert [json.loads(line)["position"] for line in path.read_text().splitlines()] == [2, 4, 6, 7]
    assert await checked(environ) == {workspace.id: []}


async def test_since_begins_at_the_heads_of_a_copy(database, workspace, owner, environ, tmp_path):
    """What was before is trusted, what came after is checked; a copy without heads is refused."""
    await write(database, workspace.id, 4)
    heads = await sign(read_settings(environ))
    heads_file.add_heads(tmp_path / "copy", heads, KEYS.newest)
    copy = tmp_path / "copy" / "audit" / "heads.jsonl"
    await write(database, workspace.id, 4)
    await actions.seal_all(database, 10)
    await owner.execute("UPDATE audit_entry SET address = '' WHERE position IN (2, 7)")

    assert await checked(environ, Wanted(workspace.id, copy)) == {workspace.id: [("altered", 7, 7)]}
    with pytest.raises(heads_file.ConfigurationError):
        await checked(environ, Wanted(workspace.id, tmp_path / "none"))


async def test_application_cannot_seal_twice_nor_elsewhere(database, workspace):
    """Its role writes no place and no hash, and gives places only once and only to entries of tenants it named."""
    await write(database, workspace.id, 1)
    other = await make_workspace(database)
    async with database.snapshot([workspace.id]) as conn:
        (entry,) = await store.unsealed(conn, workspace.id, 1)
    async with database.transaction([other.id]) as conn:
        assert await store.seal(conn, workspace.id, 1, [entry.id], [b"x" * 32]) == 0
    for sealed in (1, 0):
        async with database.transaction([workspace.id]) as conn:
            assert await store.seal(conn, workspace.id, 1, [entry.id], [b"x" * 32]) == sealed
    for sql in (
        "UPDATE audit_entry SET position = 2",
        "INSERT INTO audit_entry (workspace_id, id, at, action, actor_kind, position, hash)"
        f" VALUES ({workspace.id}, gen_random_uuid(), now(), 'a.b', 'system', 9, sha256('x'))",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET position = 2",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction([workspace.id]) as conn:
                await conn.execute(sql)


async def test_personal_details_never_reach_the_table(database, workspace):
    """Whatever a caller passes."""
    entry = actions.made_by(SYSTEM, workspace.id, "login.refused", ("login", "ann@example.com"), {"email": "a@b.de"})
    async with database.transaction([workspace.id]) as conn:
        await actions.record(conn, entry)
    async with database.snapshot([workspace.id]) as conn:
        (kept,) = await store.page(conn, workspace.id)
    assert (kept.target_id, json.loads(kept.details)) == ("[withheld]", {"email": "[withheld]"})


async def test_command_says_what_it_found(database, workspace, owner, environ):
    """0 and "whole" first; then the row's id and 1; the public key can be had."""
    await write(database, workspace.id, 3)

    async def hub(*arguments: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub.cli", "audit", *arguments),
            env=os.environ | environ,
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    assert (await hub("sign"))[0] == 0
    assert await hub("key") == (0, f"{KEYS.newest.hex()}\n")
    assert await hub("verify") == (0, f"workspace {workspace.id}: whole; 3 entries, 1 signed heads\n")
    altered = await owner.fetchval("UPDATE audit_entry SET action = 'a.b' WHERE position = 2 RETURNING id")
    code, said = await hub("verify", "--workspace", str(workspace.id))
    assert code == 1
    assert str(altered) in said
    assert "altered" in said


async def test_entry_that_cannot_be_hashed_keeps_no_other_chain_open(database, workspace, owner):
    """A row nobody but the superuser can make is left; chains after it are sealed."""
    other = await make_workspace(database)
    await owner.execute(
        "INSERT INTO audit_entry (workspace_id, id, at, action, actor_kind, details)"
        " VALUES ($1, gen_random_uuid(), now(), 'a.b', 'system', jsonb_build_object('n', 1e5000::numeric))",
        workspace.id,
    )
    await write(database, other.id, 1)
    assert await actions.seal_all(database, 10) == 1


async def test_jobs_seal_sign_and_copy_the_heads(database, workspace, tmp_path):
    """What a work process does: entries get places, heads go to the table and the file, once."""
    seal, sign_ = audit_jobs(database, KEYS, tmp_path)
    await write(database, workspace.id, 2)

    assert [await seal.run(), await sign_.run(), await sign_.run()] == [2, 1, 0]

    async with database.snapshot([workspace.id]) as conn:
        heads = await store.heads(conn, workspace.id, 1, 10)
    assert list(heads_file.read_heads(tmp_path / "audit" / "heads.jsonl")) == heads
    assert [one.position for one in heads] == [2]
