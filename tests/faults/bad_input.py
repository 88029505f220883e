"""Makes calls as broken as they come, byte by byte, and reads the answer; for tests."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any
from urllib.parse import quote_plus, urlsplit

import msgspec

from tests.emulators import ACCOUNT_SID, AUTH_TOKEN, NUMBER
from tests.faults.generator import sms_form

FORM = "application/x-www-form-urlencoded"
CHUNK = b"a" * 65_536
ANSWER_WITHIN_S = 15.0

Pairs = list[tuple[bytes, bytes]]


class Answer(msgspec.Struct, frozen=True):
    """One answer: status 0 when the connection was closed without one."""

    status: int
    body: bytes
    seconds: float

    def json(self) -> Any:
        return json.loads(self.body)


def new_sid() -> str:
    """Return an id as the vendor makes them."""
    return "SM" + secrets.token_hex(16)


def sms(sid: str, **changes: str | bytes | None) -> Pairs:
    """Return the fields of an incoming SMS as bytes; ``changes`` replaces or (None) removes some."""
    fields: dict[str, str | bytes] = {**sms_form(ACCOUNT_SID, sid, "+15550001111", NUMBER)}
    for name, value in changes.items():
        fields.pop(name, None)
        if value is not None:
            fields[name] = value
    return [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in fields.items()]


def signed_form(url: str, pairs: Pairs, key: str = AUTH_TOKEN) -> tuple[bytes, dict[str, str]]:
    """Return a form's body and its headers."""
    body = b"&".join(quote_plus(name).encode() + b"=" + quote_plus(value).encode() for name, value in pairs)
    text = url.encode() + b"".join(name + value for name, value in sorted(set(pairs)))
    return body, {"content-type": FORM, "x-twilio-signature": _signature(text, key)}


def signed_json(url: str, body: bytes) -> tuple[str, dict[str, str]]:
    """Return the address and headers of a JSON body, which is signed by its hash."""
    url = f"{url}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    return url, {"content-type": "application/json", "x-twilio-signature": _signature(url.encode(), AUTH_TOKEN)}


async def call(url: str, body: bytes, headers: dict[str, str], *, method: str = "POST") -> Answer:
    """Send one request and read the whole answer."""
    lines = {"host": urlsplit(url).netloc, "content-length": str(len(body)), "connection": "close"} | headers
    return await exchange(url, head_of(method, url, lines) + body)


def head_of(method: str, url: str, headers: dict[str, str]) -> bytes:
    """Return a request's head."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def exchange(url: str, *pieces: bytes) -> Answer:
    """Send bytes, however long they are refused for, while reading the answer."""
    started_s = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    sending = asyncio.create_task(_send(writer, pieces))
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = next(
                (int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")), 0
            )
            body = await reader.readexactly(length)
        return Answer(int(head.split()[1]), body, time.monotonic() - started_s)
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(0, b"", time.monotonic() - started_s)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, pieces: tuple[bytes, ...]) -> None:
    for piece in pieces:
        writer.write(piece)
        await writer.drain()


def large_call(url: str, size_bytes: int, *, is_chunked: bool) -> list[bytes]:
    """Return the pieces of a call with a body of that size, its length told or not."""
    _, headers = signed_form(url, sms(new_sid()))
    told = {"transfer-encoding": "chunked"} if is_chunked else {"content-length": str(size_bytes)}
    head = head_of("POST", url, {"host": urlsplit(url).netloc, **told} | headers)
    chunk = f"{len(CHUNK):x}\r\n".encode() + CHUNK + b"\r\n" if is_chunked else CHUNK
    return [head, *[chunk] * (size_bytes // len(CHUNK))]


def _signature(text: bytes, key: str) -> str:
    return base64.b64encode(hmac.digest(key.encode(), text, "sha1")).decode()
