"""Fetching a vendor's file: which addresses are asked, and who gets the keys."""

from __future__ import annotations

import base64

import pytest

from connectors.downloads import PUBLIC, Reach, download, download_public, is_allowed
from hub.errors import ConnectorError, ErrorClass
from hub.net import AddressRefused
from scripts.emulators.http1 import Answer, Request, listen

HOSTS = ("api.vendor.example", ".cdn.vendor.example")


async def fetch(url: str, **more: object) -> bytes:
    return b"".join([piece async for piece in download(url, hosts=HOSTS, **more)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("api.vendor.example", True),
        ("a.cdn.vendor.example", True),
        ("cdn.vendor.example", False),
        ("xapi.vendor.example", False),
        ("api.vendor.example.evil.example", False),
        ("", False),
    ],
)
def test_only_named_hosts_are_allowed(host: str, allowed: bool) -> None:
    """An exact name, or a name below one with a dot in front."""
    assert is_allowed(host, HOSTS) is allowed


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fd00::1"])
async def test_vendor_s_name_that_leads_inside_is_refused(address: str) -> None:
    """DNS that points a good name at our own network is not believed."""

    async def resolver(host: str, port: int) -> list[str]:
        return [address]

    with pytest.raises(ConnectorError) as refused:
        await fetch("https://api.vendor.example/a", resolver=resolver)
    assert refused.value.info.klass is ErrorClass.PERMANENT


async def test_name_that_does_not_resolve_is_tried_again_later() -> None:
    """A resolver that fails is an outage."""

    async def resolver(host: str, port: int) -> list[str]:
        raise OSError("no answer")

    with pytest.raises(ConnectorError) as refused:
        await fetch("https://api.vendor.example/a", resolver=resolver)
    assert refused.value.info.klass is ErrorClass.RETRYABLE


async def test_keys_stay_with_the_first_address_and_redirects_end() -> None:
    """The redirect's target gets no keys; an endless chain is refused; another origin is never asked."""
    asked: list[tuple[str, str]] = []

    async def handler(request: Request) -> Answer:
        asked.append((request.path, request.headers.get("authorization", "")))
        match request.path:
            case "/media":
                return Answer(307, b"", headers={"Location": "/stored"})
            case "/loop":
                return Answer(302, b"", headers={"Location": "/loop"})
            case "/away":
                return Answer(302, b"", headers={"Location": "http://127.0.0.1:1/x"})
        return Answer(200, b"the file")

    async with listen(handler) as listener:
        base = f"http://127.0.0.1:{listener.port}"
        bodies = [
            await fetch(f"{base}/media", auth=("user", "secret"), base_url=base),
            await fetch(f"{base}/media", bearer="token-1", base_url=base),
        ]
        for path in ("/loop", "/away"):
            with pytest.raises(ConnectorError) as refused:
                await fetch(f"{base}{path}", base_url=base)
            assert refused.value.info.klass is ErrorClass.PERMANENT

    assert bodies == [b"the file", b"the file"]
    basic = base64.b64encode(b"user:secret").decode()
    assert asked[:2] == [("/media", f"Basic {basic}"), ("/stored", "")]
    assert asked[2:4] == [("/media", "Bearer token-1"), ("/stored", "")]
    assert len([path for path, _ in asked if path == "/loop"]) == 4


@pytest.mark.parametrize(
    ("status", "klass"),
    [
        (404, ErrorClass.PERMANENT),
        (410, ErrorClass.PERMANENT),
        (401, ErrorClass.AUTH),
        (403, ErrorClass.AUTH),
        (429, ErrorClass.RETRYABLE),
        (503, ErrorClass.RETRYABLE),
        (418, ErrorClass.PERMANENT),
    ],
)
async def test_answers_become_our_words(status: int, klass: ErrorClass) -> None:
    """Gone is final, keys and outages are tried again."""

    async def handler(request: Request) -> Answer:
        return Answer(status, b"")

    async with listen(handler) as listener:
        base = f"http://127.0.0.1:{listener.port}"
        with pytest.raises(ConnectorError) as refused:
            await fetch(f"{base}/x", base_url=base)
    assert refused.value.info.klass is klass


async def fetch_public(url: str, reach: Reach = PUBLIC) -> bytes:
    return b"".join([piece async for piece in download_public(url, accept="image/png", reach=reach)])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.png",
        "http://2130706433/a.png",
        "http://[::1]/a.png",
        "http://[::ffff:10.0.0.1]/a.png",
        "http://169.254.169.254/latest/meta-data",
        "http://93.184.216.34:22/a.png",
        "http://93.184.216.34:6379/a.png",
        "http://user@93.184.216.34/a.png",
        "ftp://93.184.216.34/a.png",
        "file:///etc/passwd",
        "http:///a.png",
        "http://[/a.png",
        "http://93.184.216.34:99999/a.png",
        "",
    ],
)
async def test_strangers_addresses_lead_to_public_websites_only(url: str) -> None:
    """Inside addresses in any writing, other ports, other schemes, names and passwords: nothing is connected to."""
    with pytest.raises(ConnectorError) as refused:
        await fetch_public(url)
    assert refused.value.info.klass is ErrorClass.PERMANENT


async def test_a_stranger_s_server_learns_nothing_of_the_reader() -> None:
    """No cookies (not even its own from the answer before), no referrer, no address; each redirect is checked anew."""
    asked: list[tuple[str, int]] = []
    heard: list[dict[str, str]] = []

    async def handler(request: Request) -> Answer:
        heard.append(dict(request.headers))
        if request.path == "/a.png":
            location = f"http://other.example:{listener.port}/b.png"
            return Answer(302, b"", headers={"Location": location, "Set-Cookie": "reader=1; Path=/"})
        if request.path == "/away":
            return Answer(302, b"", headers={"Location": "http://inside.example/b.png"})
        return Answer(200, b"the picture")

    async def addresses(host: str, port: int) -> list[str]:
        asked.append((host, port))
        if host == "inside.example":
            raise AddressRefused("inside")
        return ["127.0.0.1"]

    reach = Reach(addresses=addresses, ports=None)
    async with listen(handler) as listener:
        body = await fetch_public(f"http://a.example:{listener.port}/a.png#part", reach)
        with pytest.raises(ConnectorError) as refused:
            await fetch_public(f"http://a.example:{listener.port}/away", reach)

    assert body == b"the picture"
    assert refused.value.info.klass is ErrorClass.PERMANENT
    assert [host for host, _ in asked] == ["a.example", "other.example", "a.example", "inside.example"]
    assert {name for one in heard for name in one} == {"accept", "accept-encoding", "host", "connection", "user-agent"}
    assert heard[1]["host"] == f"other.example:{listener.port}"
