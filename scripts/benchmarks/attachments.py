"""
`attachments`: files up and down through one serve process, beside plain streaming to a disk in the same run.

The floor takes the same bytes over the same kind of HTTP (uvicorn, chunks to a file, fsync) and hands them out again,
and nothing else: what the hub adds is the object store, the check of what came, and Postgres.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import msgspec
import uvicorn

from scripts.benchmarks.bed import Bed, made_bed
from scripts.benchmarks.cpu import cpu_seconds
from scripts.benchmarks.hub_processes import free_port
from scripts.benchmarks.results import Figures, Result, summarise
from scripts.benchmarks.seed import EMAIL, PASSWORD

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PIECE_BYTES = 256 * 1024


class AttachmentOptions(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is sent.

    Attributes:
        megabytes: Size of each file, 1-100; above 8 it goes in parts.
        files: How many in a run.
        at_once: How many at the same time.
    """

    runs: int = 5
    megabytes: int = 32
    files: int = 8
    at_once: int = 2


def attachments(options: AttachmentOptions) -> Iterator[Result]:
    """Measure files up and down, and the floor after each run."""
    with made_bed(1) as bed:
        bed.hub.start_serve()
        runs = [asyncio.run(_run(bed, options)) for _ in range(options.runs)]
    median = summarise(runs)
    yield Result(
        bench="attachments",
        case="up_and_down",
        options={"megabytes": options.megabytes, "files": options.files, "at_once": options.at_once},
        median=median,
        runs=runs,
        lost=int(sum(run["wrong"] for run in runs)),
    )


async def _run(bed: Bed, options: AttachmentOptions) -> Figures:
    data = os.urandom(options.megabytes * 1_000_000)
    total_mb = options.megabytes * options.files
    base = f"http://127.0.0.1:{bed.hub.port}/api/v1"
    async with httpx.AsyncClient(timeout=120, trust_env=False) as http:
        signed = (
            await http.post(f"{base}/session", json={"email": EMAIL, "password": PASSWORD, "bearer": True})
        ).json()
        http.headers["authorization"] = f"Bearer {signed['token']}"
        url = f"{base}/workspaces/{bed.targets[0].workspace_id}/attachments"
        cpu_before = cpu_seconds(bed.hub.pids)["serve"]
        started = time.perf_counter()
        ids = await _at_once(options, [_upload(http, url, data) for _ in range(options.files)])
        up_s = time.perf_counter() - started
        cpu_up_s = cpu_seconds(bed.hub.pids)["serve"] - cpu_before
        started = time.perf_counter()
        sizes = await _at_once(options, [_download(http, f"{url}/{one}") for one in ids])
        down_s = time.perf_counter() - started
    floor_up_s, floor_down_s = await _floor(options, data)
    return {
        "up_mb_per_s": total_mb / up_s,
        "down_mb_per_s": total_mb / down_s,
        "floor_up_mb_per_s": total_mb / floor_up_s,
        "floor_down_mb_per_s": total_mb / floor_down_s,
        "up_share_of_floor": floor_up_s / up_s,
        "down_share_of_floor": floor_down_s / down_s,
        "serve_cpu_ms_per_mb_up": cpu_up_s * 1000 / total_mb,
        "wrong": float(sum(size != len(data) for size in sizes)),
    }


async def _at_once(options: AttachmentOptions, jobs: list[object]) -> list[object]:
    places = asyncio.Semaphore(options.at_once)

    async def one(job: object) -> object:
        async with places:
            return await job  # type: ignore[misc]  # each is a coroutine

    return list(await asyncio.gather(*(one(job) for job in jobs)))


async def _upload(http: httpx.AsyncClient, url: str, data: bytes) -> str:
    begun = (await http.post(url, json={"filename": "film.bin", "size_bytes": len(data)})).json()
    file_id, chunk_bytes = str(begun["attachment"]["id"]), int(begun["upload"]["chunk_bytes"])
    answer = begun
    for offset in range(0, len(data), chunk_bytes):
        part = data[offset : offset + chunk_bytes]
        sent = await http.patch(f"{url}/{file_id}/content", content=part, headers={"upload-offset": str(offset)})
        answer = sent.json()
    if answer["attachment"]["state"] != "ready":
        raise RuntimeError(f"an upload was not taken: {json.dumps(answer)[:300]}")
    return file_id


async def _download(http: httpx.AsyncClient, url: str) -> int:
    size_bytes = 0
    async with http.stream("GET", url, follow_redirects=True) as answer:
        async for piece in answer.aiter_bytes():
            size_bytes += len(piece)
    return size_bytes


async def _floor(options: AttachmentOptions, data: bytes) -> tuple[float, float]:
    """Send and fetch the same files with a server that only streams them to and from a folder."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-floor-") as folder:
        async with _plain_server(Path(folder)) as url, httpx.AsyncClient(timeout=120, trust_env=False) as http:

            async def put(number: int) -> None:
                await http.put(f"{url}/{number}", content=data)

            started = time.perf_counter()
            await _at_once(options, [put(number) for number in range(options.files)])
            up_s = time.perf_counter() - started
            started = time.perf_counter()
            await _at_once(options, [_download(http, f"{url}/{number}") for number in range(options.files)])
            return up_s, time.perf_counter() - started


@contextlib.asynccontextmanager
async def _plain_server(folder: Path) -> AsyncIterator[str]:
    """Run the floor in a process of its own, as the hub is."""
    port = free_port()
    code = f"from scripts.benchmarks.attachments import serve_plain; serve_plain({str(folder)!r}, {port})"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            for _ in range(200):
                with contextlib.suppress(httpx.HTTPError):
                    await http.get(f"http://127.0.0.1:{port}/ready")
                    break
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


def serve_plain(folder: str, port: int) -> None:
    """Serve PUT and GET of files in a folder until killed."""
    uvicorn.run(_Plain(Path(folder)), host="127.0.0.1", port=port, log_level="error", access_log=False, loop="uvloop")


class _Plain:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def __call__(self, scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
        if scope["type"] != "http":
            return
        path = self._folder / str(scope["path"]).strip("/")
        if scope["method"] == "PUT":
            await self._take(path, receive)
            await self._answer(send, 204)
        elif not path.is_file():
            await self._answer(send, 404)
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
            with path.open("rb") as file:
                while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})  # type: ignore[operator]
            await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    async def _take(self, path: Path, receive: object) -> None:
        with path.open("wb") as file:
            more = True
            while more:
                message = await receive()  # type: ignore[operator]
                await asyncio.to_thread(file.write, message.get("body", b""))
                more = message.get("more_body", False)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())

    async def _answer(self, send: object, status: int) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]
