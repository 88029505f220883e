"""Fetching a vendor's file: which addresses are asked, and who gets the keys."""

from __future__ import annotations

import pytest

from connectors.downloads import download, is_allowed
from hub.errors import ConnectorError, ErrorClass
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
    asked: list[tuple[str, bool]] = []

    async def handler(request: Request) -> Answer:
        asked.append((request.path, "authorization" in request.headers))
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
        body = await fetch(f"{base}/media", auth=("user", "secret"), base_url=base)
        for path in ("/loop", "/away"):
            with pytest.raises(ConnectorError) as refused:
                await fetch(f"{base}{path}", base_url=base)
            assert refused.value.info.klass is ErrorClass.PERMANENT

    assert body == b"the file"
    assert asked[:2] == [("/media", True), ("/stored", False)]
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
