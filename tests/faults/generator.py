"""Sends items at a steady rate through whatever ``send`` is, logs each acknowledged one, sends some of them again."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tests.faults.ledger import Ledger


@dataclass(frozen=True, kw_only=True)
class Load:
    """
    What to send.

    Attributes:
        rate_per_s: Items a second, all workspaces together.
        duration_s: For how long.
        workspace_ids: Taken in turn.
        repeat_share: Share of acknowledged items sent a second time, as vendors do.
        seed: Makes the choice of repeats the same again.
    """

    rate_per_s: float
    duration_s: float
    workspace_ids: Sequence[int]
    repeat_share: float = 0.1
    seed: int = 1


@dataclass
class Sent:
    """Totals: acknowledged, refused (to be sent again by a vendor, so none of our business), repeated on purpose."""

    acknowledged: int = 0
    refused: int = 0
    repeated: int = 0


async def generate(load: Load, send: Callable[[int, str], Awaitable[bool]], ledger: Ledger) -> Sent:
    """
    Send for ``duration_s``, each item in a task of its own, so that a slow answer holds up nobody.

    Args:
        load: How much.
        send: Sends one item (workspace, id); True once it is acknowledged. Raising counts as refused.
        ledger: Takes every acknowledged id.

    Returns:
        The totals, after the last answer.
    """
    sent = Sent()
    chance = random.Random(load.seed)

    async def send_one(workspace_id: int, item_id: str, *, again: bool) -> None:
        try:
            is_acknowledged = await send(workspace_id, item_id)
        except Exception:
            is_acknowledged = False
        if not is_acknowledged:
            sent.refused += 1
            return
        ledger.record(workspace_id, item_id)
        sent.acknowledged += 1
        if again:
            sent.repeated += 1
            await send_one(workspace_id, item_id, again=False)

    loop = asyncio.get_running_loop()
    started_s = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(round(load.rate_per_s * load.duration_s)):
            await asyncio.sleep(max(0.0, started_s + number / load.rate_per_s - loop.time()))
            workspace_id = load.workspace_ids[number % len(load.workspace_ids)]
            again = chance.random() < load.repeat_share
            group.create_task(send_one(workspace_id, f"item-{load.seed}-{number}", again=again))
    return sent
