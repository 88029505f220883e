"""How the demo's callers telephone: through the emulated exchange, which asks the hub as Twilio does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx

from scripts.emulators.callers import callers
from scripts.emulators.story_texts import CALLS

if TYPE_CHECKING:
    from scripts.emulators.callers import Caller
    from scripts.emulators.talk import Lines

LONG_POLL_S = 20.0
RETRY_S = 1.0
# Before a member takes the call they asked for themselves.
PICKS_UP_AFTER_S = 4.0
TALK_S = 48


class Telephone:
    """
    Everybody who calls, and those whom members call.

    Args:
        lines: Where the exchange and the hub are.
        seed: Chooses who calls and when.
        speed: How many seconds pass in one.
        first: Number of the first caller.
    """

    def __init__(self, lines: Lines, seed: int, speed: float, first: int) -> None:
        self._lines, self._seed, self._speed, self._first = lines, seed, speed, first
        self._webhook = lines.webhooks[CALLS]

    async def run(self) -> None:
        """Let people call for ever, and take the calls of members."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._come())
            group.create_task(self._pick_up())

    async def _come(self) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for one in callers(self._seed, self._first):
            await asyncio.sleep(max(0.0, began_s + one.arrives_s / self._speed - loop.time()))
            await self._call(one)

    async def _call(self, one: Caller) -> None:
        order: dict[str, object] = {"op": "call", "from": one.person.phone, "name": one.person.name}
        order |= {"url": self._webhook, "api": self._lines.voice_url, "message": one.message_s, "words": one.words}
        if one.talk_s:
            order["members"] = [{"does": "takes", "talk_s": one.talk_s}]
        await self._lines.post(self._lines.voice_url, order)

    async def _pick_up(self) -> None:
        """Take what members ask for, as the customer and as the member's own telephone."""
        asked = 0
        while True:
            try:
                query = {"requests_after": asked, "wait_s": LONG_POLL_S}
                answer = await self._lines.http.get(f"{self._lines.voice_url}/_control", params=query)
                facts: dict[str, Any] = answer.json()
                asked, waiting = len(facts["requests"]), list(facts["asked_for"])
            except (httpx.HTTPError, ValueError, KeyError):
                await asyncio.sleep(RETRY_S)
                continue
            for sid in waiting:
                await asyncio.sleep(PICKS_UP_AFTER_S / self._speed)
                takes = {"does": "takes", "talk_s": TALK_S}
                order: dict[str, object] = {"op": "outgoing", "call_sid": sid, "member": takes, "customer": takes}
                await self._lines.post(self._lines.voice_url, order | {"api": self._lines.voice_url})
