"""
Sends items at a steady rate, logs each acknowledged one, sends some of them again; by itself, signed SMS webhooks.

Shares no code with the product. ``python -m tests.faults.generator ORDER LEDGER`` reads a ``WebhookOrder`` and prints
its totals as one JSON line.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlsplit

import msgspec

from tests.faults.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

# As long as Twilio waits for an answer.
ANSWER_WITHIN_S = 15.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to send.

    Attributes:
        rate_per_s: Items a second, all workspaces together.
        duration_s: For how long; what was due while nothing answered is sent afterwards.
        workspace_ids: Taken in turn; the same ids are used in each, and must not meet.
        connections: Most items under way at once.
        repeat_share: Share of acknowledged items sent a second time, as vendors do.
        give_up_s: An item that is not acknowledged within this is left alone, unlogged.
        seed: Makes the ids and the choice of repeats the same again.
    """

    rate_per_s: float
    duration_s: float
    workspace_ids: list[int]
    connections: int = 32
    repeat_share: float = 0.1
    give_up_s: float = 60.0
    seed: int = 1


class Sent(msgspec.Struct):
    """Totals: acknowledged (repeats too), tries that were not, items given up, repeats; the longest wait for an ack."""

    acknowledged: int = 0
    retries: int = 0
    given_up: int = 0
    repeated: int = 0
    longest_ack_s: float = 0.0
    seconds: float = 0.0


async def generate(load: Load, send: Callable[[int, str], Awaitable[bool]], ledger: Ledger) -> Sent:
    """
    Send everything, each item until it is acknowledged.

    Args:
        load: How much.
        send: Sends one item (workspace, id); True once it is acknowledged. False, ``OSError``, ``EOFError`` and a
            timeout mean: the same id again.
        ledger: Takes every acknowledged id.

    Returns:
        The totals, after the last answer.
    """
    sent = Sent()
    started_s = time.monotonic()
    due = iter(range(round(load.rate_per_s * load.duration_s)))
    async with asyncio.TaskGroup() as group:
        for number in range(load.connections):
            group.create_task(_send_due(load, due, send, _Worker(ledger, sent, started_s, number)))
    sent.seconds = time.monotonic() - started_s
    return sent


class _Worker(msgspec.Struct):
    ledger: Ledger
    sent: Sent
    started_s: float
    number: int


async def _send_due(
    load: Load, due: Iterator[int], send: Callable[[int, str], Awaitable[bool]], worker: _Worker
) -> None:
    chance = random.Random(f"{load.seed}-{worker.number}")
    workspaces = len(load.workspace_ids)
    for number in due:
        await asyncio.sleep(max(0.0, worker.started_s + number / load.rate_per_s - time.monotonic()))
        workspace_id = load.workspace_ids[number % workspaces]
        item_id = f"SM{load.seed:08x}{number // workspaces:024x}"
        if await _send_one(load, workspace_id, item_id, send, worker) and chance.random() < load.repeat_share:
            worker.sent.repeated += 1
            await _send_one(load, workspace_id, item_id, send, worker)


async def _send_one(
    load: Load, workspace_id: int, item_id: str, send: Callable[[int, str], Awaitable[bool]], worker: _Worker
) -> bool:
    sent = worker.sent
    first_s = time.monotonic()
    pause_s = FIRST_PAUSE_S
    while time.monotonic() - first_s < load.give_up_s:
        try:
            is_acknowledged = await send(workspace_id, item_id)
        except (OSError, EOFError, TimeoutError):
            is_acknowledged = False
        if is_acknowledged:
            worker.ledger.record(workspace_id, item_id)
            sent.acknowledged += 1
            sent.longest_ack_s = max(sent.longest_ack_s, time.monotonic() - first_s)
            return True
        sent.retries += 1
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
    sent.given_up += 1
    return False


class WebhookOrder(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where to, and how much.

    Attributes:
        urls: Webhook address by workspace, as it is signed; called on 127.0.0.1 at its port.
        auth_token: Signs the forms.
        account_sid: Part of each form.
        number: Our number, the same in every workspace.
        senders: How many customers write, in turn.
    """

    load: Load
    urls: dict[int, str]
    auth_token: str
    account_sid: str
    number: str
    senders: int = 50


class WebhookSender:
    """Posts signed forms over kept-alive connections, as many as there are callers at once."""

    def __init__(self, order: WebhookOrder) -> None:
        self._order = order
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __call__(self, workspace_id: int, item_id: str) -> bool:
        """Send one message; True for a 2xx. A connection that failed is not used again."""
        order = self._order
        url = order.urls[workspace_id]
        fields = sms_form(order.account_sid, item_id, sender_of(item_id, order.senders), order.number)
        call = webhook_call(url, fields, order.auth_token)
        async with asyncio.timeout(ANSWER_WITHIN_S):
            reader, writer = self._idle.pop() if self._idle else await self._connect(url)
            try:
                writer.write(call)
                status, is_kept = await _read_answer(reader)
            except BaseException:
                writer.transport.abort()
                raise
        if is_kept:
            self._idle.append((reader, writer))
        else:
            writer.close()
        return 200 <= status < 300

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()

    async def _connect(self, url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", urlsplit(url).port)


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Read one answer with a Content-Length; the status, and whether the connection may be used again."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    await reader.readexactly(int(headers.get("content-length", "0")))
    return int(head[0].split()[1]), headers.get("connection", "").lower() != "close"


def sender_of(item_id: str, senders: int) -> str:
    """Choose the customer who writes an item: the same one each time the item is sent."""
    return f"+1555{int(item_id[-12:], 16) % senders:07d}"


def sms_form(account_sid: str, sid: str, sender: str, number: str, **changes: str) -> dict[str, str]:
    """Make the fields of an incoming SMS whose text is its own id; ``changes`` replaces fields or adds some."""
    fields = {
        "ToCountry": "US",
        "SmsMessageSid": sid,
        "NumMedia": "0",
        "FromZip": "",
        "SmsSid": sid,
        "SmsStatus": "received",
        "Body": sid,
        "To": number,
        "NumSegments": "1",
        "MessageSid": sid,
        "AccountSid": account_sid,
        "From": sender,
        "ApiVersion": "2010-04-01",
    }
    return fields | changes


def sign(url: str, fields: dict[str, str], auth_token: str) -> str:
    """
    Sign a form as Twilio does: HMAC-SHA1 over the address and the sorted fields, in base64.

    Source: twilio.com/docs/usage/webhooks/webhooks-security, read 2026-11-22.
    """
    signed = url + "".join(name + value for name, value in sorted(fields.items()))
    return base64.b64encode(hmac.digest(auth_token.encode(), signed.encode(), "sha1")).decode()


def webhook_call(url: str, fields: dict[str, str], auth_token: str) -> bytes:
    """Return the bytes of one signed call."""
    body = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in fields.items()).encode()
    parts = urlsplit(url)
    head = (
        f"POST {parts.path}{'?' + parts.query if parts.query else ''} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        f"X-Twilio-Signature: {sign(url, fields, auth_token)}\r\nUser-Agent: TwilioProxy/1.1\r\n\r\n"
    )
    return head.encode() + body


async def _main(order: WebhookOrder, ledger: Ledger) -> Sent:
    sender = WebhookSender(order)
    try:
        return await generate(order.load, sender, ledger)
    finally:
        sender.close()


def main(order_path: str, ledger_path: str) -> int:
    order = msgspec.json.decode(Path(order_path).read_bytes(), type=WebhookOrder)
    ledger = Ledger(Path(ledger_path))
    try:
        sent = asyncio.run(_main(order, ledger))
    finally:
        ledger.close()
    print(msgspec.json.encode(sent).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
