"""A plain Starlette endpoint on uvicorn, as its documentation shows: a task a socket, one awaited send a frame."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import defaultdict
from typing import TYPE_CHECKING

import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.websockets import WebSocket

topics: defaultdict[str, set[WebSocket]] = defaultdict(set)


async def endpoint(socket: WebSocket) -> None:
    """Hold one socket in its topic until it goes."""
    await socket.accept()
    sockets = topics[socket.query_params["room"]]
    sockets.add(socket)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        sockets.discard(socket)


async def pass_on(redis_port: int) -> None:
    """Send what comes on ``room:N`` to the sockets of topic N, one after the other."""
    redis = Redis(host="127.0.0.1", port=redis_port, protocol=2, socket_timeout=None)
    async with redis, redis.pubsub() as pubsub:
        await pubsub.psubscribe("room:*")
        async for message in pubsub.listen():
            if message["type"] != "pmessage":
                continue
            text = message["data"].decode()
            for socket in list(topics[message["channel"].decode()[5:]]):
                with contextlib.suppress(Exception):
                    await socket.send_text(text)


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """Listen to Redis while the application runs."""
    task = asyncio.create_task(pass_on(int(sys.argv[2])))
    yield
    task.cancel()


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=[WebSocketRoute("/ws", endpoint)], lifespan=lifespan),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        backlog=4096,
        log_level="warning",
    )
