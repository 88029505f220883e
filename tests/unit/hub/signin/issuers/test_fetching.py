"""HTTPS to issuers, against a TLS server on loopback: which addresses, how much, and no redirect."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import pytest

from hub.net import AddressRefused
from hub.signin.issuers import fetching
from hub.signin.issuers.fetching import IssuerHttp, Reach, addresses_of_ours
from hub.signin.issuers.model import IssuerRefused, Refusal
from tests.certificates import make_certificate


class Server:
    """Answers every request with the same bytes and remembers their heads."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()
        writer.close()


@pytest.fixture
async def serving(tmp_path):
    """Starts a server with an answer; returns it, and what reaches it."""
    certificate, key = make_certificate(tmp_path, "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    tls = ssl.create_default_context(cafile=str(certificate))
    servers = []

    async def start(answer: bytes) -> tuple[Server, IssuerHttp]:
        server = Server(answer)
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
        server.port = listening.sockets[0].getsockname()[1]
        servers.append(listening)
        return server, IssuerHttp(Reach(addresses=addresses_of_ours, tls=tls))

    yield start
    for one in servers:
        one.close()
        await one.wait_closed()


def answer(status: str, body: bytes = b"{}", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{more}\r\n".encode() + body


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.1]/x",
        "http://accounts.google.com/x",
        "https://user:password@accounts.google.com/x",
        "file:///etc/passwd",
    ],
)
async def test_address_that_is_no_issuers_is_not_connected_to(url):
    """Whatever a document of an issuer names: private, local, without TLS, with a password in it."""
    with pytest.raises(IssuerRefused) as refused:
        await IssuerHttp().get(url)
    assert refused.value.refusal is Refusal.UNREACHABLE


async def test_private_issuers_are_reached_where_the_operator_says_so_but_never_a_clouds_own():
    """HUB_ALLOW_PRIVATE_HOSTS opens networks of ours, not the address that hands out credentials."""
    assert await addresses_of_ours("10.0.0.1", 443) == ["10.0.0.1"]
    for metadata in ("169.254.169.254", "::ffff:169.254.169.254", "224.0.0.1"):
        with pytest.raises(AddressRefused):
            await addresses_of_ours(metadata, 443)


async def test_answer_is_read_and_named_host_is_kept(serving):
    """The connection goes to the checked address, the Host and the certificate are those of the name."""
    server, http = await serving(answer("200 OK", b'{"a":1}'))
    assert await http.get(f"https://localhost:{server.port}/x") == b'{"a":1}'
    assert f"host: localhost:{server.port}".encode() in server.heads[0].lower()


async def test_redirect_is_not_followed(serving):
    """A redirect could lead inside; no document of an issuer needs one."""
    server, http = await serving(answer("302 Found", b"", "location: https://localhost/elsewhere\r\n"))
    with pytest.raises(IssuerRefused) as refused:
        await http.get(f"https://localhost:{server.port}/x")
    assert refused.value.refusal is Refusal.ISSUER
    assert len(server.heads) == 1


async def test_endless_answer_is_cut_off(serving, monkeypatch):
    """A document is some kilobytes."""
    server, http = await serving(answer("200 OK", b"x" * (fetching.ANSWER_LIMIT_BYTES + 1)))
    with pytest.raises(IssuerRefused, match="issuer"):
        await http.get(f"https://localhost:{server.port}/x")


@pytest.mark.parametrize(
    ("status", "refusal"),
    [("400 Bad Request", Refusal.ISSUER), ("503 Away", Refusal.UNREACHABLE), ("429 Slow", Refusal.UNREACHABLE)],
)
async def test_refusal_and_outage_are_told_apart(serving, status, refusal):
    """A person is told to try again only where that may help."""
    server, http = await serving(answer(status))
    with pytest.raises(IssuerRefused) as refused:
        await http.post(f"https://localhost:{server.port}/token", {"code": "x"})
    assert refused.value.refusal is refusal


async def test_stranger_with_another_certificate_is_not_talked_to(serving):
    """Whoever sits on the address but not behind the name gets no code and no secret."""
    server, _ = await serving(answer("200 OK"))
    with pytest.raises(IssuerRefused):
        await IssuerHttp(Reach(addresses=addresses_of_ours)).post(f"https://localhost:{server.port}/token", {})
    assert server.heads == []
