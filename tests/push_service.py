"""A push service on loopback, with TLS, that opens what it is sent as the browser would."""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from pathlib import Path


def open_payload(sealed: bytes, private: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """Open one aes128gcm record as RFC 8291 says a browser does."""

    def hkdf(secret: bytes, salt: bytes, info: bytes, size: int) -> bytes:
        return HKDF(algorithm=SHA256(), length=size, salt=salt, info=info).derive(secret)

    salt, size = sealed[:16], sealed[20]
    point, text = sealed[21 : 21 + size], sealed[21 + size :]
    own = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    secret = hkdf(private.exchange(ec.ECDH(), sender), auth, b"WebPush: info\x00" + own + point, 32)
    key = hkdf(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = hkdf(secret, salt, b"Content-Encoding: nonce\x00", 12)
    padded = AESGCM(key).decrypt(nonce, text, None).rstrip(b"\x00")
    assert padded[-1:] == b"\x02"
    return padded[:-1]


@dataclass
class Taken:
    """A push that came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class PushService:
    """
    Takes POSTs until stopped.

    Attributes:
        answers: What to answer next, each a status line and headers; 201 when there is none left.
    """

    certificate: Path
    key: Path
    taken: list[Taken] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.auth = os.urandom(16)
        self._server: asyncio.Server | None = None

    @property
    def public_key(self) -> bytes:
        """The browser's point."""
        return self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    async def start(self) -> None:
        """Listen."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def opened(self) -> list[bytes]:
        """Everything that came, as the browser reads it."""
        return [open_payload(one.body, self.private, self.auth) for one in self.taken]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.taken.append(Taken(head[0].split()[1], headers, body))
        answer = self.answers.pop(0) if self.answers else "201 Created"
        writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()
