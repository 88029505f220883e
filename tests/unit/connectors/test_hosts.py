"""Which addresses a server named by a member may have."""

from __future__ import annotations

import socket

import pytest

from connectors import hosts
from hub.errors import ConnectorError

PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8"]
PRIVATE = ["10.0.0.5", "172.16.3.4", "192.168.1.9", "100.64.0.1", "fd00::1", "::ffff:10.0.0.5"]
LOOPBACK = ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]
NEVER = ["169.254.169.254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "::ffff:169.254.169.254"]
DISGUISED = [
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fec0::1",
    "::127.0.0.1",
    "2001::1",
    "64:ff9b:1::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address):
    """What everybody can reach, members can name."""
    assert hosts.may_reach(address, "public")
    assert not hosts.may_reach(address, "loopback")


@pytest.mark.parametrize("address", [*PRIVATE, *LOOPBACK, *NEVER, *DISGUISED])
def test_private_addresses_are_not_reached(address):
    """Nothing behind the operator's back: private, this computer, the metadata service, and their disguises."""
    assert not hosts.may_reach(address, "public")


@pytest.mark.parametrize("address", LOOPBACK)
def test_demo_reaches_this_computer_only(address):
    """The demo's servers are here; nothing else is."""
    assert hosts.may_reach(address, "loopback")
    assert not any(hosts.may_reach(one, "loopback") for one in (*PUBLIC, *PRIVATE, *NEVER, *DISGUISED))


@pytest.mark.parametrize("address", [*PUBLIC, *PRIVATE, *LOOPBACK])
def test_operator_may_allow_private_networks(address):
    """A company's own mail server is in its own network; the metadata service still is not a mail server."""
    assert hosts.may_reach(address, "any")
    assert not any(hosts.may_reach(one, "any") for one in NEVER)


def test_connect_refuses_a_name_with_one_private_address(monkeypatch):
    """All of a name's addresses count, so that the second cannot be the real one."""
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 993)) for one in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: answers)
    monkeypatch.setattr(socket, "create_connection", lambda *_args: pytest.fail("connected"))
    with pytest.raises(ConnectorError) as caught:
        hosts.connect("mail.example", 993, "public", 1.0)

    assert caught.value.info.code == "host_refused"


def test_connect_goes_to_the_address_that_was_checked(monkeypatch):
    """The name is asked for once: a second answer, the rebinding one, is never used."""
    asked: list[str] = []

    def answer(host, *_args, **_kwargs):
        asked.append(host)
        address = "8.8.8.8" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 993))]

    connected: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.setattr(socket, "create_connection", lambda place, _timeout: connected.append(place))
    hosts.connect("mail.example", 993, "public", 1.0)

    assert asked == ["mail.example"]
    assert connected == [("8.8.8.8", 993)]


def test_connect_says_what_is_wrong_with_a_name():
    """A name that does not exist is told from a server that does not answer."""
    with pytest.raises(ConnectorError) as unknown:
        hosts.connect("nowhere.invalid", 993, "public", 1.0)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ConnectorError) as silent:
        hosts.connect("127.0.0.1", port, "loopback", 1.0)

    assert unknown.value.info.code == "host_unknown"
    assert silent.value.info.code == "no_connection"
