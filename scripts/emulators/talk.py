"""How the demo's customers write and hear: one class a channel, each over the path real customers use."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Protocol

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from scripts.emulators.people import Person
from scripts.emulators.story_texts import CHAT, MAIL, SMS, WHATSAPP
from scripts.emulators.whatsapp_talk import WhatsAppTalk, hear_whatsapp

LONG_POLL_S = 20.0
RETRY_S = 1.0
TYPING_EVERY_S = 3.0

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG a customer sends."""

    filename: str
    data: bytes


class Talk(Protocol):
    """One customer's conversation with the shop."""

    answers: asyncio.Queue[str]

    async def type(self, seconds: float) -> None:
        """Type for so long, as the shop sees it."""

    async def say(self, text: str, picture: Picture | None) -> None:
        """Send one message."""

    async def close(self) -> None:
        """Hang up."""


@dataclass(slots=True)
class Lines:
    """
    What every customer shares: the hub's address and the emulators, and the mail and SMS that come back.

    Attributes:
        accounts: Ids of the demo's channel accounts by channel.
        webhooks: Addresses of their webhooks, as signed.
    """

    base_url: str
    accounts: dict[str, str]
    webhooks: dict[str, str]
    twilio_url: str
    number: str
    mail_url: str
    address: str
    whatsapp_url: str
    voice_url: str
    warn: Warn
    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=40, trust_env=False))
    by_phone: dict[str, SmsTalk] = field(default_factory=dict)
    by_email: dict[str, MailTalk] = field(default_factory=dict)
    by_whatsapp: dict[str, WhatsAppTalk] = field(default_factory=dict)

    def open(self, person: Person, channel: str, subject: str) -> Talk:
        """Begin a conversation."""
        if channel == CHAT:
            return ChatTalk(self, person)
        if channel == SMS:
            return self.by_phone.setdefault(person.phone, SmsTalk(self, person))
        if channel == WHATSAPP:
            return self.by_whatsapp.setdefault(person.phone, WhatsAppTalk(self, person))
        return self.by_email.setdefault(person.email, MailTalk(self, person, subject))

    async def listen(self) -> None:
        """Hand what the shop answers to the customers it is for, for ever; a chat hears by itself."""
        async with asyncio.TaskGroup() as group:
            if SMS in self.accounts:
                group.create_task(self._poll(self.twilio_url, "messages", self._take_sms))
            if MAIL in self.accounts:
                group.create_task(self._poll(self.mail_url, "sent", self._take_mail))
            if WHATSAPP in self.accounts:
                group.create_task(hear_whatsapp(self))

    async def _poll(self, url: str, what: str, take: Callable[[dict[str, object]], None]) -> None:
        seen = 0
        while True:
            try:
                answer = await self.http.get(f"{url}/_control", params={f"{what}_after": seen, "wait_s": LONG_POLL_S})
                rows = answer.json()[what]
            except (httpx.HTTPError, ValueError, KeyError):
                await asyncio.sleep(RETRY_S)
                continue
            for row in rows:
                seen += 1
                take(row)

    def _take_sms(self, row: dict[str, object]) -> None:
        if (talk := self.by_phone.get(str(row["to"]))) is not None:
            talk.answers.put_nowait(str(row["body"]))

    def _take_mail(self, row: dict[str, object]) -> None:
        raw = base64.b64decode(str(row["raw"]))
        for recipient in row["to"]:  # type: ignore[attr-defined]  # JSON of our own emulator
            if (talk := self.by_email.get(str(recipient).lower())) is not None:
                talk.hear(raw)

    async def post(self, url: str, order: dict[str, object]) -> dict[str, object]:
        """Steer an emulator that answers with an object, trying again while it is away."""
        told = await self.order(url, order)
        return dict(told) if isinstance(told, dict) else {}

    async def order(self, url: str, order: dict[str, object]) -> object:
        """Steer an emulator, trying again while it is away; returns whatever it answers."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await self.http.post(f"{url}/_control", json=order)
                return answer.json()
            await asyncio.sleep(RETRY_S)


class SmsTalk:
    """By text message: the emulator calls the hub's webhook as Twilio does."""

    def __init__(self, lines: Lines, person: Person) -> None:
        self.answers: asyncio.Queue[str] = asyncio.Queue()
        self._lines, self._person = lines, person

    async def type(self, seconds: float) -> None:
        """Nobody sees it."""

    async def say(self, text: str, picture: Picture | None) -> None:
        """Send one SMS, or an MMS; again while the webhook does not take it, as Twilio would."""
        order: dict[str, object] = {
            "op": "inbound",
            "from": self._person.phone,
            "to": self._lines.number,
            "url": self._lines.webhooks[SMS],
            "body": text,
            "sid": "SM" + uuid.uuid4().hex,
        }
        if picture is not None:
            order["media"] = [{"url": await self._upload(picture), "content_type": "image/jpeg"}]
        while True:
            told = await self._lines.post(self._lines.twilio_url, dict(order))
            answers = told.get("answers")
            if isinstance(answers, list) and answers and 200 <= answers[0]["status"] < 300:
                return
            if isinstance(answers, list) and answers and answers[0]["status"] in (404, 405):
                return  # the account has gone
            await asyncio.sleep(RETRY_S)

    async def _upload(self, picture: Picture) -> str:
        """Lay a picture down at the emulator, where the hub fetches it as it does at Twilio."""
        order: dict[str, object] = {"op": "media", "content_type": "image/jpeg"}
        told = await self._lines.post(self._lines.twilio_url, order | {"body": base64.b64encode(picture.data).decode()})
        return f"{self._lines.twilio_url}{told['path']}"

    async def close(self) -> None:
        """Nothing to hang up."""
        self._lines.by_phone.pop(self._person.phone, None)


class MailTalk:
    """By mail: put into the shop's mailbox with the headers a mail program writes."""

    def __init__(self, lines: Lines, person: Person, subject: str) -> None:
        self.answers: asyncio.Queue[str] = asyncio.Queue()
        self._lines, self._person, self._subject = lines, person, subject
        self._references: list[str] = []
        self._quoted = ""
        self._reply_to = lines.address

    def hear(self, raw: bytes) -> None:
        """Read an answer of the shop."""
        message = message_from_bytes(raw, policy=policy.default)
        body = message.get_body(("plain",))
        text = body.get_content() if body is not None else ""
        self._references.append(str(message["Message-ID"] or ""))
        self._reply_to = str(message["Reply-To"] or message["From"] or self._lines.address)
        self._quoted = "".join(f"> {line}\n" for line in text.splitlines()[:12])
        self.answers.put_nowait(text)

    async def type(self, seconds: float) -> None:
        """Nobody sees it."""

    async def say(self, text: str, picture: Picture | None) -> None:
        """Send one mail; every later one is a reply to the newest."""
        person, message = self._person, EmailMessage()
        message["From"] = f'"{person.name}" <{person.email}>'
        message["To"] = self._reply_to
        message["Subject"] = f"Re: {self._subject}" if self._references else self._subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = make_msgid(domain=person.email.partition("@")[2])
        if self._references:
            message["In-Reply-To"] = self._references[-1]
            message["References"] = " ".join(self._references)
        quoted = f"\n\nOn {datetime.now(UTC):%d %b %Y}, Juniper & Oak wrote:\n{self._quoted}" if self._quoted else ""
        message.set_content(text + quoted + "\n")
        if picture is not None:
            message.add_attachment(picture.data, maintype="image", subtype="jpeg", filename=picture.filename)
        self._references.append(str(message["Message-ID"]))
        raw = base64.b64encode(message.as_bytes()).decode()
        await self._lines.post(self._lines.mail_url, {"op": "deliver", "to": self._lines.address, "raw": raw})

    async def close(self) -> None:
        """Nothing to hang up."""
        self._lines.by_email.pop(self._person.email, None)


class ChatTalk:
    """In the chat widget: the visitor's own HTTP calls and socket (docs/protocol.md section 6)."""

    def __init__(self, lines: Lines, person: Person) -> None:
        self.answers: asyncio.Queue[str] = asyncio.Queue()
        self._lines, self._person = lines, person
        self._token = ""
        self._cursor: dict[str, object] | None = None
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._acks: dict[str, asyncio.Future[bool]] = {}
        self._is_ready = asyncio.Event()

    async def type(self, seconds: float) -> None:
        """Show the shop that somebody types, every three seconds."""
        await self._connect()
        left_s = seconds
        while left_s > 0:
            await self._tell({"type": "typing", "on": True, "kind": "message"})
            await asyncio.sleep(min(left_s, TYPING_EVERY_S))
            left_s -= TYPING_EVERY_S

    async def say(self, text: str, picture: Picture | None) -> None:
        """Send one message and wait for its ack; again under the same id after a lost connection."""
        await self._connect()
        files = [file_id for file_id in [await self._upload(picture)] if file_id] if picture is not None else []
        client_message_id = str(uuid.uuid4())
        for _ in range(8):
            acked = asyncio.get_running_loop().create_future()
            self._acks[client_message_id] = acked
            frame = {"type": "send", "client_message_id": client_message_id, "kind": "message", "text": text}
            await self._tell(frame | {"attachments": files, "seen_seq": None})
            try:
                await asyncio.wait_for(acked, 10)
            except TimeoutError:
                await self._connect()
                continue
            return
        self._lines.warn("a chat message was not acknowledged")

    async def close(self) -> None:
        """Close the tab."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()

    async def _connect(self) -> None:
        if self._reading is None:
            self._reading = asyncio.create_task(self._keep_open())
        await self._is_ready.wait()

    async def _visit(self) -> None:
        person = self._person
        body = {"form": {"name": person.name}, "page_url": "https://www.juniperandoak.example/sofas"}
        body |= {"visitor_token": self._token} if self._token else {}
        url = f"{self._lines.base_url}/api/v1/livechat/{self._lines.accounts[CHAT]}/visitors"
        answer = await self._lines.http.post(url, json=body)
        answer.raise_for_status()
        visit = answer.json()
        self._token, self._cursor = visit["visitor_token"], visit["cursor"]

    async def _keep_open(self) -> None:
        pause_s = RETRY_S
        while True:
            try:
                await self._visit()
                url = self._lines.base_url.replace("http", "ws", 1) + "/ws"
                async with connect(url, compression=None, proxy=None) as socket:
                    self._socket = socket
                    hello = {"type": "hello", "protocol": 1, "visitor_token": self._token, "cursor": self._cursor}
                    await socket.send(json.dumps(hello | {"client": "demo-customer/1"}))
                    await self._read(socket)
            except (OSError, httpx.HTTPError, WebSocketException, KeyError):
                pass
            self._socket = None
            self._is_ready.clear()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 15.0)

    async def _read(self, socket: ClientConnection) -> None:
        pinging = asyncio.create_task(self._ping(socket))
        try:
            async for text in socket:
                self._take(json.loads(text))
        finally:
            pinging.cancel()

    async def _ping(self, socket: ClientConnection) -> None:
        with contextlib.suppress(WebSocketException):
            while True:
                await asyncio.sleep(20)
                await socket.send(json.dumps({"type": "ping", "cursor": (self._cursor or {}).get("seq", 0)}))

    def _take(self, frame: dict[str, object]) -> None:
        if frame["type"] == "welcome":
            self._is_ready.set()
        elif frame["type"] == "ack":
            acked = self._acks.pop(str(frame["client_message_id"]), None)
            if acked is not None and not acked.done():
                acked.set_result(True)
        # These two: the demo has just been removed.
        elif frame["type"] == "error" and frame["code"] not in ("not_found", "not_signed_in"):
            self._lines.warn(f"the hub refused a frame: {frame['code']}")
        elif frame["type"] == "event":
            self._cursor = {**(self._cursor or {}), "seq": frame["seq"]}
            event = frame["event"]
            if isinstance(event, dict) and event.get("type") == "message_added":
                message = event["message"]
                if message["author_kind"] != "contact":
                    self.answers.put_nowait(message["text"])

    async def _tell(self, frame: dict[str, object]) -> None:
        if self._socket is not None:
            with contextlib.suppress(WebSocketException, OSError):
                await self._socket.send(json.dumps(frame))

    async def _upload(self, picture: Picture) -> str:
        url = f"{self._lines.base_url}/api/v1/livechat/{self._lines.accounts[CHAT]}/attachments"
        answer = await self._lines.http.post(
            url,
            params={"filename": picture.filename, "mime": "image/jpeg"},
            content=picture.data,
            headers={"authorization": f"Bearer {self._token}", "content-type": "image/jpeg"},
        )
        if answer.status_code != 201:
            if answer.status_code != 404:
                self._lines.warn(f"a picture was not taken: {answer.status_code}")
            return ""
        return str(answer.json()["attachment"]["id"])
