"""scripts/unreachable.py: the registry is named from what the installer said, and only for a network fault."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("unreachable", Path(__file__).parents[3] / "scripts" / "unreachable.py")
unreachable = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(unreachable)


@pytest.mark.parametrize(
    ("tool", "log", "host"),
    [
        (
            "pip",
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(\"HTTPSConnection("
            "host='packages.example', port=443): Failed to establish a new connection: [Errno -3] Temporary failure "
            "in name resolution\")': /simple/uvloop/\nERROR: No matching distribution found for uvloop==0.23.0",
            "packages.example",
        ),
        (
            "npm",
            "npm error request to https://npm.example/vite failed, reason: getaddrinfo ENOTFOUND npm.example",
            "npm.example",
        ),
        ("npm", "npm error code E404\nnpm error 404 Not Found - GET https://npm.example/nope", None),
        ("pip", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", None),
    ],
)
def test_unreachable_host_is_read_from_the_log(tool, log, host):
    """A network fault names its host; a missing package or a wrong hash is no network fault."""
    assert unreachable.unreachable_host(tool, log) == host


def test_unreachable_host_falls_back_to_the_configuration(monkeypatch):
    """Where the log names no host, the tool's own configuration does."""
    monkeypatch.setitem(unreachable.CONFIGURED, "npm", (("echo", "https://mirror.example/npm/"),))

    assert unreachable.unreachable_host("npm", "npm error network ENETUNREACH") == "mirror.example"
