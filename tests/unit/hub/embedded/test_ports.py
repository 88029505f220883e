"""Choosing a port, and naming who holds one."""

from __future__ import annotations

import contextlib
import os
import socket
import sys

import pytest

from hub.embedded.ports import choose_port, is_free, port_holder
from hub.errors import ConfigurationError

HOST = "127.0.0.1"


@pytest.fixture
def taken():
    """A port somebody listens on."""
    with contextlib.closing(socket.create_server((HOST, 0))) as server:
        yield server.getsockname()[1]


def test_choose_port_goes_on_to_the_next_free_one(taken):
    """A taken default is not an error."""
    chosen = choose_port(HOST, taken, is_set=False)

    assert taken < chosen < taken + 20
    assert is_free(HOST, chosen)


def test_choose_port_refuses_a_chosen_one_that_is_taken(taken):
    """A port the operator set is never exchanged silently; the error names who holds it."""
    with pytest.raises(ConfigurationError, match=rf"HUB_PORT {taken} is taken by .* \(process {os.getpid()}\)"):
        choose_port(HOST, taken, is_set=True)


def test_choose_port_takes_a_chosen_one_that_is_free(taken):
    """A free port is used as it was set."""
    free = choose_port(HOST, taken, is_set=False)

    assert choose_port(HOST, free, is_set=True) == free


def test_port_with_only_old_connections_is_free():
    """The last connections of a server that ended (TIME_WAIT) do not push the hub to another port."""
    with contextlib.closing(socket.create_server((HOST, 0))) as server:
        port = server.getsockname()[1]
        with contextlib.closing(socket.create_connection((HOST, port))) as client:
            accepted, _ = server.accept()
            accepted.close()
            assert client.recv(1) == b""

    assert is_free(HOST, port)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows who listens")
def test_port_holder_is_empty_for_a_free_port(taken):
    """Nobody is blamed for a port nobody holds."""
    free = choose_port(HOST, taken, is_set=False)

    assert port_holder(free) == ""
    assert str(os.getpid()) in port_holder(taken)
