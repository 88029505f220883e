"""The TCP port the hub listens on: a chosen one or a free one, and who holds a taken one."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from hub.errors import ConfigurationError

PORTS_TRIED = 20
LISTENING = "0A"


def choose_port(host: str, port: int, *, is_set: bool) -> int:
    """
    Choose where to listen.

    Args:
        host: Address we shall listen on.
        port: Port to try first.
        is_set: Whether the operator chose that port; then no other is tried.

    Returns:
        A port that was free a moment ago.

    Raises:
        ConfigurationError: The chosen port, or all of the twenty tried, are taken; the text names the holder.
    """
    tried = [port] if is_set else list(range(port, min(port + PORTS_TRIED, 65536)))
    for candidate in tried:
        if is_free(host, candidate):
            return candidate
    holder = port_holder(port)
    if is_set:
        by = f" by {holder}" if holder else ""
        raise ConfigurationError(f"HUB_PORT {port} is taken{by}. Stop it, or choose another port.", field="HUB_PORT")
    raise ConfigurationError(
        f"The ports {tried[0]} to {tried[-1]} are all taken. Choose a free one with HUB_PORT.", field="HUB_PORT"
    )


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens on ``port``; connections of a server that ended do not count."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def port_holder(port: int) -> str:
    """Return who listens on ``port`` as ``"name (process 123)"``, empty where that cannot be seen (not Linux)."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _listening_inodes(Path("/proc/net") / table, port)}
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(descriptor.readlink()) in wanted for descriptor in (folder / "fd").iterdir()):
                return f"{(folder / 'comm').read_text().strip()} (process {folder.name})"
        except OSError:
            continue
    return ""


def _listening_inodes(table: Path, port: int) -> list[str]:
    """Read the inodes of sockets listening on a port from /proc/net/tcp or tcp6 (fields 1, 3 and 9, proc(5))."""
    if not table.exists():
        return []
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    return [row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]
