"""Django Channels on uvicorn: a consumer a socket, a group a topic, the Redis pub/sub layer between processes."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from urllib.parse import parse_qs

import django
from django.conf import settings

REDIS_PORT = int(sys.argv[2])
settings.configure(
    SECRET_KEY="only for a benchmark",  # noqa: S106  # signs nothing here
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [f"redis://127.0.0.1:{REDIS_PORT}"]},
        }
    },
)
django.setup()

import uvicorn  # noqa: E402  # Django wants its settings first
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402


class Consumer(AsyncWebsocketConsumer):
    """One socket."""

    async def connect(self) -> None:
        """Join the group that the address names."""
        self.group = "room_" + parse_qs(self.scope["query_string"].decode())["room"][0]
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:  # noqa: ARG002
        """Leave it."""
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def message(self, event: dict[str, Any]) -> None:
        """Pass a message on."""
        await self.send(text_data=event["text"])


async def emit() -> None:
    """Send one message to each topic, as any process beside the server would; the benchmark records it from Redis."""
    layer = get_channel_layer()
    for topic, text in enumerate(json.load(sys.stdin)):
        await layer.group_send(f"room_{topic}", {"type": "message", "text": text})


if __name__ == "__main__":
    if sys.argv[1] == "emit":
        asyncio.run(emit())
    else:
        uvicorn.run(
            ProtocolTypeRouter({"websocket": URLRouter([path("ws", Consumer.as_asgi())])}),
            host="127.0.0.1",
            port=int(sys.argv[1]),
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            ws_ping_interval=None,
            lifespan="off",
            backlog=4096,
            log_level="warning",
        )
