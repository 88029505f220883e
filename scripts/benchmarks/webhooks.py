"""
Webhooks a second of each channel on one process: checked, cut and on the stream's disk, beside bare appends.

The edge itself (``api/webhooks.py``) answers a recorded message of the channel, again and again, over a real Valkey
with appendfsync always. No sockets and no HTTP parser: the figure is the channel's, not the server's.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import msgspec
from redis.asyncio import Redis

import connectors
from api.webhooks import WebhookDeps, WebhookGate
from connectors.key_sets import KeySets
from connectors.registry import ConnectorRegistry
from hub.streams import IngressStreams
from scripts.benchmarks.floors import append_rate
from scripts.benchmarks.results import Figures, Result, summarise
from scripts.benchmarks.services import start_services
from scripts.connector_kit.cases import ACCOUNT_ID, Case, cases_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message

    from connectors.base import Account, Connector, WebhookReply, WebhookRequest
    from scripts.benchmarks.services import Services

_FOLDER = Path(connectors.__file__).parent


class WebhookOptions(msgspec.Struct, kw_only=True):
    """
    What to measure.

    Attributes:
        runs: The median of so many.
        seconds: Of calling, each run of each channel.
        at_once: Calls under way at the same time.
        channels: Some of the channels with webhooks; empty for all.
    """

    runs: int = 3
    seconds: float = 2.0
    at_once: int = 64
    channels: tuple[str, ...] = ()


def webhooks(options: WebhookOptions) -> Iterator[Result]:
    """
    Measure each channel that is called by its vendor.

    Yields:
        ``calls_per_s``, ``floor_xadd_per_s`` (the same bytes appended and nothing else) and ``ratio``.
    """
    services = start_services(fast=False)
    try:
        for case in _recorded(options.channels):
            runs = [asyncio.run(_run(services, case, options)) for _ in range(options.runs)]
            shape: dict[str, float | str] = {
                "recorded": case.name,
                "body_bytes": len(case.request().body),
                "at_once": options.at_once,
                "seconds": options.seconds,
            }
            yield Result(
                bench="webhooks", case=case.connector.manifest.id, options=shape, median=summarise(runs), runs=runs
            )
    finally:
        services.stop()


def _recorded(channels: tuple[str, ...]) -> Iterator[Case]:
    """Give the first recorded message of each channel with webhooks."""
    registry = ConnectorRegistry.load()
    for manifest in registry.manifests():
        connector = registry.get(manifest.id)
        if connector.split is None or (channels and manifest.id not in channels):
            continue
        cases = [case for case in cases_of(connector, _FOLDER / manifest.id) if case.is_call]
        yield next((one for one in cases if one.event == "message"), cases[0])


async def _run(services: Services, case: Case, options: WebhookOptions) -> Figures:
    streams = IngressStreams(services.redis_url)
    try:
        calls = await _call(_gate(case, streams), case, options)
    finally:
        await streams.close()
    async with Redis.from_url(services.redis_url, protocol=2) as redis:
        await redis.flushall()
    floor = await append_rate(services, case.raw_items()[0].body, options.at_once)
    return {"calls_per_s": calls, "floor_xadd_per_s": floor, "ratio": calls / floor}


def _gate(case: Case, streams: IngressStreams) -> WebhookGate:
    """Build the edge over the recorded account: its routes and keys are in memory, as in a running hub."""
    channel, account = case.connector.manifest.id, case.account()
    connector = _of_its_day(case)
    route = SimpleNamespace(
        workspace_id=1, id=UUID(ACCOUNT_ID), channel=channel, status="connected", external_ref="", settings={}
    )

    async def find(_account_id: UUID) -> SimpleNamespace:
        return route

    async def no_issuer(url: str) -> bytes:
        return account.keys[url]

    def named(_channel: str, external_ref: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(**{**vars(route), "external_ref": external_ref})]

    deps = WebhookDeps(
        base_url=account.webhook_url.partition("/webhooks/")[0],
        routes=cast("Any", SimpleNamespace(find=find, named=named)),
        connectors=cast("Any", SimpleNamespace(get=lambda _channel: connector)),
        streams=streams,
        account_of=lambda _route: account,
        keys=KeySets(no_issuer),
    )
    return WebhookGate(cast("Any", None), deps)


def _of_its_day(case: Case) -> Connector:
    """Let the channel take the recorded call for one of today: what is signed with a time is old by now."""
    verify, recorded_at = case.connector.verify, case.request().received_at
    if verify is None:
        return case.connector

    def verify_then(request: WebhookRequest, account: Account) -> WebhookReply | None:
        return verify(msgspec.structs.replace(request, received_at=recorded_at), account)

    return replace(case.connector, verify=verify_then)


async def _call(gate: WebhookGate, case: Case, options: WebhookOptions) -> float:
    """Return the calls a second that were answered 2xx."""
    request = case.request()
    path = f"/webhooks/{case.connector.manifest.id}/{ACCOUNT_ID}"
    query = request.url.partition("?")[2].encode()
    headers = [(name.encode(), value.encode("latin-1")) for name, value in request.headers.items()]
    scope = {"type": "http", "method": request.method, "path": path, "query_string": query, "headers": headers}
    message = {"type": "http.request", "body": request.body, "more_body": False}
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return message

    async def send(sent: Message) -> None:
        if sent["type"] == "http.response.start":
            statuses.append(sent["status"])

    async def caller(until_s: float) -> None:
        while time.perf_counter() < until_s:
            await gate(scope, cast("Any", receive), send)

    began_s = time.perf_counter()
    await asyncio.gather(*(caller(began_s + options.seconds) for _ in range(options.at_once)))
    elapsed_s = time.perf_counter() - began_s
    if refused := [one for one in statuses if not 200 <= one < 300]:
        raise RuntimeError(f"{case.connector.manifest.id}: {len(refused)} calls were answered {refused[0]}")
    return len(statuses) / elapsed_s
