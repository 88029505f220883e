"""The word to stop a long-running command, as an event; used by every command that supervises."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopping:
    """The word to stop: from Ctrl-C, the system's SIGTERM or a closed terminal; a second one is impatient."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self._second: Callable[[], None] = lambda: None

    def on_second(self, action: Callable[[], None]) -> None:
        """Set what a second signal does."""
        self._second = action

    def receive(self) -> None:
        """Take one signal."""
        if self.event.is_set():
            self._second()
        self.event.set()


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[Stopping]:
    """Turn the signals that mean "stop" into an event while the block runs; needs a running loop."""
    stopping = Stopping()
    loop = asyncio.get_running_loop()
    numbers = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in numbers:
        loop.add_signal_handler(number, stopping.receive)
    try:
        yield stopping
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def until_stopped(work: Coroutine[None, None, None]) -> None:
    """
    Run work until it ends or a signal says stop; then cancel it and let it finish what it holds.

    Args:
        work: What a process does; it decides itself how long its end takes.

    Raises:
        Exception: Whatever the work raised.
    """
    with stopping_on_signals() as stopping:
        task = asyncio.ensure_future(work)
        waiting = asyncio.ensure_future(stopping.event.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            await task
            return
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
