"""Runs a vendor's blocking SDK call in a thread of its own, so that a slow vendor takes no thread from anybody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[[], T]) -> T:
    """
    Call a blocking function and wait for its answer.

    Args:
        function: Sets its own timeouts; it runs on even when the waiting task is cancelled.

    Returns:
        What the function returns; what it raises is raised here.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # T may itself be None

    def run() -> None:
        result, error = None, None
        try:
            result = function()
        except BaseException as raised:  # edge: whatever it is, it belongs to the waiting task
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            return  # The loop was closed meanwhile: nobody waits any more.

    # A daemon: a call that hangs must not keep the process from stopping (its delivery becomes "unknown").
    threading.Thread(target=run, name="vendor-call", daemon=True).start()
    return await future
