"""Looks at how full the serve workers are, by what they left in the ephemeral Redis. Numbers only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hub.doctor.model import Finding, fault, ok, warning
from hub.metrics import live_pages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.metrics import Page

ANSWER_WITHIN_S = 4.0
FILLING = 0.8
_REFUSED = "hub_handshakes_refused_total"


class Fill(msgspec.Struct, frozen=True):
    """
    How full the workers are together.

    Attributes:
        held: Sockets open.
        most: Sockets they take; 0 where none runs that says so.
        full: Sockets refused since their start because there was no room, and connections sent away unread.
        closed: Workers that take no connections now.
    """

    workers: int = 0
    held: int = 0
    most: int = 0
    full: int = 0
    closed: int = 0


async def sockets(url: str) -> Finding:
    """Do the descriptors of all workers suffice for what is connected, and for what wants to be?"""
    redis = Redis.from_url(
        url,
        socket_timeout=ANSWER_WITHIN_S,
        socket_connect_timeout=ANSWER_WITHIN_S,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        return judge_fill(read_fill(await live_pages(redis)))
    finally:
        await redis.aclose()


def read_fill(pages: Iterable[Page]) -> Fill:
    """Add up what serve workers tell of themselves."""
    fill = Fill()
    for page in pages:
        if page.process != "serve":
            continue
        samples = [(sample.name, sample.labels, sample.value) for family in page.families for sample in family.samples]
        found = {name: value for name, labels, value in samples if not labels}
        refused = sum(
            v for name, on, v in samples if name.startswith("hub_handshakes_refused") and on["reason"] == "full"
        )
        fill = Fill(
            workers=fill.workers + 1,
            held=fill.held + int(sum(value for name, _, value in samples if name == "hub_connections")),
            most=fill.most + int(found.get("hub_socket_limit", 0)),
            full=fill.full + int(refused + found.get("hub_connections_refused_total", 0)),
            closed=fill.closed + int(found.get("hub_listener_open", 1) == 0),
        )
    return fill


def judge_fill(fill: Fill) -> Finding:
    """Judge how full the workers are."""
    if not fill.most:
        return ok("Sockets are counted while `hub serve` runs")
    each = fill.most // fill.workers
    detail = f"{fill.held} sockets, room for {fill.most} on {fill.workers} worker{'s' if fill.workers > 1 else ''}"
    wanted = int(max(fill.held, fill.most if fill.full else 0) / FILLING) // each + 1
    todo = f"Start more workers (`--workers {max(wanted, fill.workers + 1)}`), or raise `ulimit -n` (LimitNOFILE)."
    if fill.full and fill.held >= FILLING * fill.most:
        return fault("Sockets are refused: every worker is full", todo, f"{detail}; {fill.full} refused")
    if fill.held >= FILLING * fill.most:
        return warning("The workers are filling up", todo, detail)
    if fill.closed:
        return warning("A worker is full and takes no connections", todo, detail)
    return ok("The workers have room for more sockets", detail)
