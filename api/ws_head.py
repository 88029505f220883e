"""
An upgrade request read in one go, from the bytes a connection began with. No IO; ``ws_arrivals.py`` calls.

Takes what browsers and our clients send and nothing else; whatever it does not take, uvicorn reads from its first byte
and answers, so that nothing is refused here.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, NamedTuple

import httptools

_BEGIN: Final = b"GET /ws"
_WHITE_SPACE: Final = b" \t"
_KEY_CHARS: Final = 24
_KEY_BYTES: Final = 16
# Each at most once: what is there twice is for the ordinary path to judge.
_ONCE: Final = frozenset({b"connection", b"upgrade", b"sec-websocket-key", b"sec-websocket-version", b"origin"})
_MANY: Final = frozenset({b"cookie", b"user-agent", b"x-forwarded-for"})
# A socket's request has no body; these speak of one.
_NEVER: Final = frozenset({b"content-length", b"transfer-encoding", b"expect", b"trailer"})
_LOOKED_AT: Final = _ONCE | _MANY | _NEVER


class UpgradeHead(NamedTuple):
    """
    A request that may become a socket, as far as its bytes tell.

    Attributes:
        key: The value of Sec-WebSocket-Key.
        origin: None where there is none.
        cookies: The values of all Cookie headers.
        user_agent: Empty where there is none.
        forwarded: The values of all X-Forwarded-For headers, joined by commas.
        size_bytes: How long the request is; what follows are frames.
    """

    key: str
    origin: str | None
    cookies: list[str]
    user_agent: str
    forwarded: str
    size_bytes: int


def read_head(path: bytes, data: bytes) -> UpgradeHead | None:
    """
    Read a WebSocket's opening request by the parser that serves HTTP.

    Args:
        path: Where sockets open; a query may follow it.
        data: The first bytes of a connection.

    Returns:
        None where the request is not whole, not well-formed, or not one for a socket.

    Source:
        RFC 6455 section 4.2.1 (the request), RFC 9110 section 5.5 (white space around values).
    """
    if not data.startswith(_BEGIN):
        return None
    fields = _Fields()
    parser = httptools.HttpRequestParser(fields)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade as upgrade:
        size_bytes = int(upgrade.args[0])
    except httptools.HttpParserError:
        return None
    else:
        return None
    if parser.get_method() != b"GET" or parser.get_http_version() != "1.1" or fields.url.partition(b"?")[0] != path:
        return None
    return _judge(fields, size_bytes)


class _Fields:
    """What the parser is told to call: keeps the headers that are looked at."""

    __slots__ = ("is_odd", "many", "once", "url")

    def __init__(self) -> None:
        self.url = b""
        self.once: dict[bytes, bytes] = {}
        self.many: dict[bytes, list[bytes]] = {}
        self.is_odd = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name not in _LOOKED_AT:
            return
        value = value.strip(_WHITE_SPACE)
        if name in _ONCE and name not in self.once:
            self.once[name] = value
        elif name in _MANY:
            self.many.setdefault(name, []).append(value)
        else:
            self.is_odd = True


def _judge(fields: _Fields, size_bytes: int) -> UpgradeHead | None:
    once, many = fields.once, fields.many
    options = once.get(b"connection", b"").lower()
    if fields.is_odd or not (options == b"upgrade" or b"upgrade" in [one.strip() for one in options.split(b",")]):
        return None
    if once.get(b"upgrade", b"").lower() != b"websocket" or once.get(b"sec-websocket-version") != b"13":
        return None
    key = once.get(b"sec-websocket-key", b"")
    if not _is_key(key):
        return None
    origin, agents = once.get(b"origin"), many.get(b"user-agent")
    return UpgradeHead(
        key=key.decode("ascii"),
        origin=None if origin is None else origin.decode("latin-1"),
        cookies=[one.decode("latin-1") for one in many.get(b"cookie", ())],
        user_agent=agents[0].decode("latin-1") if agents else "",
        forwarded=b",".join(many.get(b"x-forwarded-for", ())).decode("latin-1"),
        size_bytes=size_bytes,
    )


def _is_key(key: bytes) -> bool:
    try:
        return len(key) == _KEY_CHARS and len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False
