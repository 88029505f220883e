"""Which addresses may be connected to when a stranger names the host."""

from __future__ import annotations

import pytest

from hub.net import AddressRefused, is_public, public_addresses


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.9", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.0.8", "198.18.0.1", "203.0.113.7", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.88.99.1", "::", "::1",
        "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::8", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1", "localhost", "", "1",
    ],
)  # fmt: skip
def test_is_public_refuses_what_leads_inside(address: str) -> None:
    """Loopback, private, link-local, metadata, translated and tunnelled addresses are not public."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_is_public_takes_the_internet(address: str) -> None:
    """Ordinary addresses are public."""
    assert is_public(address)


async def test_public_addresses_refuses_a_name_with_one_inside_answer() -> None:
    """One private answer among public ones refuses the name: the connection might take that one."""

    async def resolver(host: str, port: int) -> list[str]:
        return ["93.184.216.34", "10.0.0.1"]

    with pytest.raises(AddressRefused):
        await public_addresses("files.example", 443, resolver=resolver)


async def test_public_addresses_asks_once_and_returns_what_it_checked() -> None:
    """A resolver that changes its mind is asked once, so that the checked address is the one connected to."""
    asked: list[tuple[str, int]] = []

    async def resolver(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]

    found = await public_addresses("files.example", 443, resolver=resolver)

    assert found == ["93.184.216.34"]
    assert asked == [("files.example", 443)]


async def test_public_addresses_refuses_a_name_without_addresses() -> None:
    """No answer is no permission."""

    async def resolver(host: str, port: int) -> list[str]:
        return []

    with pytest.raises(AddressRefused):
        await public_addresses("files.example", 443, resolver=resolver)
