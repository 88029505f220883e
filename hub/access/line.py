"""
A way to Redis that never costs a call much: commands of one loop turn go together, answers are waited for briefly.

After a failure nobody asks for a second; then one turn tries alone. Called by the cache.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

from redis.exceptions import RedisError

from hub import clock
from hub.log import Dependency, get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

Command = Sequence[str | bytes | int]

# Under 200 calls at once a loop turn itself takes some 20 ms: a shorter wait would call a healthy Redis away.
PATIENCE_S: Final = 0.05
REST_S: Final = 1.0


class _Turn:
    """Commands of one loop turn, and their answers."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.answers: asyncio.Future[list[object] | None] = asyncio.get_running_loop().create_future()


class Line:
    """
    One process's line.

    Attributes:
        redis: Whether it answers; read by /metrics.
    """

    def __init__(
        self, redis: Redis, *, patience_s: float = PATIENCE_S, monotonic_s: Callable[[], float] = clock.monotonic_s
    ) -> None:
        self._client = redis
        self._patience_s = patience_s
        self._monotonic_s = monotonic_s
        self._turn: _Turn | None = None
        self._rests_until_s = 0.0
        self._is_trying = False
        self._has_failed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.redis = Dependency("access_redis", get_logger("hub.access"))

    async def ask(self, *commands: Command) -> list[object] | None:
        """
        Send commands.

        Returns:
            Their answers, in order; None when Redis is away, slow, or refuses one of them.
        """
        turn = self._turn
        if turn is None:
            if self._is_trying or self._monotonic_s() < self._rests_until_s:
                return None
            self._is_trying = self._has_failed
            turn = self._turn = _Turn()
            asyncio.get_running_loop().call_soon(self._leave, turn)
        first = len(turn.commands)
        turn.commands.extend(commands)
        # Who asks may be cancelled; the others of this turn still wait.
        answers = await asyncio.shield(turn.answers)
        if answers is None:
            return None
        own = answers[first : first + len(commands)]
        return None if any(isinstance(one, Exception) for one in own) else own

    def _leave(self, turn: _Turn) -> None:
        self._turn = None
        task = asyncio.get_running_loop().create_task(self._run(turn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, turn: _Turn) -> None:
        answers: list[object] | None = None
        try:
            async with asyncio.timeout(self._patience_s):
                answers = await self._send(turn.commands)
        except (RedisError, OSError, TimeoutError) as error:
            self._has_failed = True
            self._rests_until_s = self._monotonic_s() + REST_S
            self.redis.lost(error=type(error).__name__)
        else:
            self._has_failed = False
            self.redis.found()
        finally:
            self._is_trying = False
            if not turn.answers.done():
                turn.answers.set_result(answers)

    async def _send(self, commands: Sequence[Command]) -> list[object]:
        # Not one transaction: the keys may lie on different nodes, and no command depends on another.
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return cast("list[object]", await pipeline.execute(raise_on_error=False))
