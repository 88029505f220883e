"""Starts the load generator as a process of its own and takes its report."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scripts.benchmarks.load import Plan, Report

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parents[2]
SIGNED_WITHIN_S = 120.0
# A report names refused calls, one number each.
LINE_LIMIT_BYTES = 16 * 1024 * 1024


class GeneratorProcess:
    """A generator whose calls are signed and that waits for the word."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def run(self) -> Report:
        """Let it send, and wait for its report."""
        await self._say(b"go\n")
        return msgspec.json.decode(await self._hear(), type=Report)

    async def prepare(self, plan: Plan) -> None:
        """Hand over the plan and wait until everything is signed."""
        await self._say(msgspec.json.encode(plan) + b"\n")
        async with asyncio.timeout(SIGNED_WITHIN_S):
            await self._hear()

    async def _say(self, line: bytes) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(line)
            await self._process.stdin.drain()

    async def _hear(self) -> bytes:
        line = await self._process.stdout.readline() if self._process.stdout is not None else b""
        if not line:
            raise RuntimeError("the load generator ended early; what it said is above")
        return line


@contextlib.asynccontextmanager
async def prepared(plan: Plan) -> AsyncIterator[GeneratorProcess]:
    """Start a generator and let it get ready; it is gone at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.benchmarks.load"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE_LIMIT_BYTES,
    )
    try:
        generator = GeneratorProcess(process)
        await generator.prepare(plan)
        yield generator
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
