"""The program printed in docs/api-channel.md works: it takes our call and answers one that our channel accepts."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.api import CONNECTOR
from connectors.base import Account, WebhookRequest
from hub.envelope import Identity, OutboundMessage
from scripts.connector_kit.vendor import StubVendor

PAGE = Path(__file__).parents[3] / "docs" / "api-channel.md"
SECRET = "whsec_" + "bWFkZS11cC1zZWNyZXQtb2YtdGhlLXBhZ2U="

pytestmark = pytest.mark.processes


async def test_program_of_the_page_answers_what_it_is_told(tmp_path):
    """A newcomer who copies the page's program has both directions working, signatures included."""
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "program.py").write_text(program)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with StubVendor(200) as hub:
        environ = os.environ | {"SECRET": SECRET, "WEBHOOK": f"{hub.base_url}/webhooks/api/x", "PORT": str(port)}
        running = await asyncio.create_subprocess_exec(sys.executable, str(tmp_path / "program.py"), env=environ)
        try:
            await asyncio.to_thread(wait_for, port)
            account = Account(
                id="a", workspace_id=1, credentials={"signing_secret": SECRET},
                settings={"url": f"http://127.0.0.1:{port}/"}, webhook_url="", reach="loopback",
            )  # fmt: skip
            message = OutboundMessage(
                message_id="0190b0a0-1111-7000-8000-000000000001", to=Identity("external", "c-1", "api"),
                thread_key="t-1", text="Hello there",
            )  # fmt: skip
            for _ in range(2):
                await CONNECTOR.send(account, message, CONNECTOR.render(message, account))
        finally:
            running.kill()
            await running.wait()

    (asked,) = hub.asked
    request = WebhookRequest(
        method="POST", url="", headers=asked.headers, body=asked.body, received_at=datetime.now(UTC)
    )  # fmt: skip
    assert CONNECTOR.verify is not None
    assert CONNECTOR.split is not None
    assert CONNECTOR.verify(request, account) is None
    assert [raw.key for raw in CONNECTOR.split(request)] == [f"m:echo-{message.message_id}"]


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            probe.settimeout(0.1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the program does not listen")
