"""docs/api.md: every shell example runs, in order, against a live server."""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from prometheus_client import CollectorRegistry

from api.app import create_app
from hub.inbox import actions as inbox
from tests.factories import make_item, received

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

GUIDE = (Path(__file__).parents[4] / "docs" / "api.md").read_text("utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
async def address(parts):
    """Where the hub is."""
    app = create_app(replace(parts, metrics=CollectorRegistry()))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="none", lifespan="off"))
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.01)
    (listener,) = server.servers
    port = listener.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await task


async def test_examples_run(address, parts, database, workspace):
    """A person who copies them gets what the page says: none fails, and the repeated note is one."""
    assert shutil.which("curl")
    async with database.transaction([workspace.id]) as conn:
        outcomes = await inbox.receive(
            conn, [received(workspace, make_item(thread_key=f"t{n}"), channel="livechat") for n in range(2)]
        )
        contact_id = await conn.fetchval("SELECT id FROM contact LIMIT 1")
        await conn.execute(
            "UPDATE login SET password_hash = $1 WHERE id = $2",
            await parts.passwords.make_hash("correct-otter-94"),
            workspace.login_id,
        )
    environ = {
        "PATH": "/usr/bin:/bin:/usr/local/bin",
        "HUB": address,
        "WORKSPACE": str(workspace.id),
        "EMAIL": f"{workspace.login_id.hex}@example.com",
        "PASSWORD": "correct-otter-94",
        "CONVERSATION": str(outcomes[0].conversation_id),
        "CONTACT": str(contact_id),
    }
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", "\n".join(EXAMPLES), env=environ, stdout=-1, stderr=-1
    )
    said, complaint = await process.communicate()

    assert process.returncode == 0, (said.decode(), complaint.decode())
    assert len(EXAMPLES) >= 6
    async with database.transaction([workspace.id]) as conn:
        notes = await conn.fetch("SELECT text FROM message WHERE kind = 'note' ORDER BY seq")
        stage = await conn.fetchval("SELECT lifecycle_stage FROM contact WHERE id = $1", contact_id)
    assert [row["text"] for row in notes] == ["Parcel 4711 left Leipzig.", "Delivered."]
    assert stage == "customer"


def test_scanner_pattern_in_the_guide_is_ours():
    """What the page tells scanners finds a key."""
    from hub import clock
    from hub.keys.token import new_token

    (pattern,) = re.findall(r"`(mh_live_\[.*?)`", GUIDE)
    assert re.fullmatch(pattern, new_token(clock.new_id()).text())
