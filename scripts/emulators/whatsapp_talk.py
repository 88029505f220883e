"""How the demo's customers write by WhatsApp: the emulator calls the hub's webhook as Meta does."""

from __future__ import annotations

import asyncio
import base64
import time
import uuid
from typing import TYPE_CHECKING, Any

import httpx

from scripts.emulators.story_texts import WHATSAPP

if TYPE_CHECKING:
    from scripts.emulators.people import Person
    from scripts.emulators.talk import Lines, Picture

LONG_POLL_S = 20.0
RETRY_S = 1.0
# From one state of an answer to the next: sent, delivered, read.
STATE_AFTER_S = 1.5
# Every third customer puts a heart below an answer.
_FONDNESS = 3
_TEMPLATES = (
    ("delivery_day", "en", "Hello {{1}}, your order {{2}} arrives on {{3}}. Does that suit you?"),
    ("still_there", "en", "Hello {{1}}, is there anything else we can do for you?"),
)


class WhatsAppTalk:
    """One customer's chat on WhatsApp."""

    def __init__(self, lines: Lines, person: Person) -> None:
        self.answers: asyncio.Queue[str] = asyncio.Queue()
        self._lines, self._person = lines, person

    async def type(self, seconds: float) -> None:
        """Nobody sees it."""

    async def say(self, text: str, picture: Picture | None) -> None:
        """Send a message, or a picture with words."""
        message: dict[str, object] = {"type": "text", "text": {"body": text}}
        if picture is not None:
            order = {"op": "file", "mime": "image/jpeg", "body": base64.b64encode(picture.data).decode()}
            kept = await self._lines.post(self._lines.whatsapp_url, order)
            image = {"id": kept["id"], "mime_type": "image/jpeg", "sha256": "x", "caption": text}
            message = {"type": "image", "image": image}
        await self._deliver(message)

    async def hear(self, told: dict[str, Any]) -> None:
        """Read an answer of the shop; some like it."""
        self.answers.put_nowait(str(told["text"]) or "(a file)")
        if self._person.number % _FONDNESS == 0:
            await self._deliver({"type": "reaction", "reaction": {"message_id": told["id"], "emoji": "❤️"}})

    async def close(self) -> None:
        """Nothing to hang up."""
        self._lines.by_whatsapp.pop(self._person.phone, None)

    async def _deliver(self, message: dict[str, object]) -> None:
        """Say it again while the webhook does not take it, as Meta would."""
        digits = self._person.phone.removeprefix("+")
        head = {"from": digits, "id": f"wamid.{uuid.uuid4().hex}", "timestamp": str(int(time.time()))}
        contact = {"profile": {"name": self._person.name}, "wa_id": digits}
        order: dict[str, object] = {"op": "deliver", "items": [{"message": head | message, "contact": contact}]}
        order["url"] = self._lines.webhooks[WHATSAPP]
        while True:
            made = await self._lines.order(self._lines.whatsapp_url, order)
            status = made[0]["status"] if isinstance(made, list) and made else 0
            # 404 and 405: the account has gone.
            if 200 <= status < 300 or status in (404, 405):
                return
            await asyncio.sleep(RETRY_S)


async def hear_whatsapp(lines: Lines) -> None:
    """Give the emulator its templates and states, and hand the shop's answers to whom they are for, for ever."""
    for name, language, text in _TEMPLATES:
        template = {"name": name, "language": language, "status": "APPROVED", "category": "UTILITY"}
        body = {"type": "BODY", "text": text}
        await lines.post(lines.whatsapp_url, {"op": "template", "template": template | {"components": [body]}})
    await lines.post(lines.whatsapp_url, {"op": "webhook", "url": lines.webhooks[WHATSAPP]})
    states = {"op": "statuses", "order": ["sent", "delivered", "read"], "delay_s": STATE_AFTER_S}
    await lines.post(lines.whatsapp_url, states)
    asked = heard = 0
    while True:
        try:
            query = {"requests_after": asked, "wait_s": LONG_POLL_S}
            answer = await lines.http.get(f"{lines.whatsapp_url}/_control", params=query)
            facts = answer.json()
            asked, sent = len(facts["requests"]), facts["sent"]
        except (httpx.HTTPError, ValueError, KeyError):
            await asyncio.sleep(RETRY_S)
            continue
        for told in sent[heard:]:
            heard += 1
            if (talk := lines.by_whatsapp.get(f"+{told['to']}")) is not None:
                await talk.hear(told)
