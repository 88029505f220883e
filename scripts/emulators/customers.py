"""
Simulated customers: write by chat, SMS, mail and WhatsApp and telephone at a human pace, answer what they are
answered, go silent, come back.

Run by ``hub demo`` with ``HUB_DEMO`` in the environment, JSON: ``{"base_url", "accounts", "webhooks", "twilio_url",
"number", "mail_url", "address", "whatsapp_url", "voice_url", "seed", "speed", "first"}``. Prints one line a warning;
silent otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal

from scripts.emulators.photos import draw_photo
from scripts.emulators.stories import Customer, Line, Turn, arrivals
from scripts.emulators.story_texts import CALLS
from scripts.emulators.talk import Lines, Picture, Talk
from scripts.emulators.telephone import Telephone

# After the first word of an answer, how long a customer waits for the rest of it.
REST_OF_ANSWER_S = 6.0
# How long a customer who has said everything keeps the chat open.
LINGER_S = 120.0


class Crowd:
    """
    Everybody who writes.

    Args:
        lines: The ways to the shop.
        seed: Chooses people, texts, order and times.
        speed: How many seconds pass in one.
        first: Number of the first customer: other ones than at the start before.
    """

    def __init__(self, lines: Lines, seed: int, speed: float, first: int) -> None:
        self._lines, self._seed, self._speed, self._first = lines, seed, speed, first

    async def run(self) -> None:
        """Let customers come for ever."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lines.listen())
            if CALLS in self._lines.accounts:
                group.create_task(Telephone(self._lines, self._seed, self._speed, self._first).run())
            for one in arrivals(self._seed, self._first):
                if one.channel not in self._lines.accounts:
                    continue
                await asyncio.sleep(max(0.0, began_s + one.arrives_s / self._speed - loop.time()))
                group.create_task(self._live(one))

    async def _live(self, one: Customer) -> None:
        talk = self._lines.open(one.person, one.channel, one.subject)
        try:
            before: Turn | None = None
            for turn in one.turns:
                if before is not None and not await self._is_answered(talk, before, one):
                    return
                for line in turn.lines:
                    await self._say(talk, one, line)
                before = turn
            await self._sleep(LINGER_S)
        except Exception as error:
            self._lines.warn(f"{one.story} by {one.channel} broke off: {type(error).__name__}: {error}")
        finally:
            await talk.close()

    async def _say(self, talk: Talk, one: Customer, line: Line) -> None:
        await self._sleep(line.pause_s)
        picture = None
        if line.photo:
            seed = f"{self._seed}:{one.person.number}"
            picture = Picture(
                f"{line.photo.replace(' ', '-')}.jpg", await asyncio.to_thread(draw_photo, line.photo, seed)
            )
        await talk.type(line.typing_s / self._speed)
        await talk.say(line.text, picture)

    async def _is_answered(self, talk: Talk, turn: Turn, one: Customer) -> bool:
        """Wait for an answer, ask once more, and give up; or come back later all the same."""
        if await self._hears(talk, turn.patience_s):
            return True
        if turn.nudge:
            await talk.type(len(turn.nudge) / 6 / self._speed)
            await talk.say(turn.nudge, None)
            if await self._hears(talk, turn.patience_s):
                return True
        if one.comes_back_s:
            await self._hears(talk, one.comes_back_s)
        return one.comes_back_s > 0

    async def _hears(self, talk: Talk, patience_s: float) -> bool:
        try:
            await asyncio.wait_for(talk.answers.get(), patience_s / self._speed)
        except TimeoutError:
            return False
        with contextlib.suppress(TimeoutError):
            while True:
                await asyncio.wait_for(talk.answers.get(), REST_OF_ANSWER_S / self._speed)
        return True

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)


async def _run() -> None:
    given = json.loads(os.environ["HUB_DEMO"])
    lines = Lines(
        base_url=given["base_url"],
        accounts=given["accounts"],
        webhooks=given["webhooks"],
        twilio_url=given["twilio_url"],
        number=given["number"],
        mail_url=given["mail_url"],
        address=given["address"],
        whatsapp_url=given["whatsapp_url"],
        voice_url=given["voice_url"],
        warn=lambda text: print(f"warning: {text}", flush=True),
    )
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with lines.http:
        await Crowd(lines, int(given["seed"]), float(given["speed"]), int(given["first"])).run()


def main() -> None:
    """Write until told to stop."""
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(_run())


if __name__ == "__main__":
    main()
