"""The echo application that Autobahn|Testsuite speaks to: it must echo, and add nothing of its own."""

from __future__ import annotations

import os

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from scripts.autobahn.echo_hub import PATHS, echoing


@pytest.mark.parametrize("path", PATHS)
async def test_text_and_binary_are_echoed_whole_and_in_order(path):
    """Of any size, in fragments, many under way; a violation still ends with its code."""
    texts = ["", "é" * 100, "x" * 70_000, ["frag", "", "ments"], *map(str, range(300))]
    binaries = [b"", b"\xff\x00", os.urandom(3_000_000)]
    async with echoing(path) as port, connect(f"ws://127.0.0.1:{port}/ws", max_size=None) as ws:
        for one in (*binaries, *texts):
            await ws.send(one)
        for one in (*binaries, *texts):
            assert await ws.recv() == ("".join(one) if isinstance(one, list) else one)
        ws.transport.write(b"\x83\x80\0\0\0\0")
        with pytest.raises(ConnectionClosed) as closed:
            await ws.recv()
        assert closed.value.rcvd.code == 1002
