"""What is done to a connected socket that is only a descriptor. Called by ``lane.py`` and whoever brings it sockets."""

from __future__ import annotations

import socket
from typing import Final

# The kernel doubles it and would let a slow reader pin 4 MiB otherwise; idle sockets hold none of it.
SEND_BUFFER_BYTES: Final = 64 * 1024


def bound_send_buffer(fd: int) -> None:
    """Let the kernel keep no more than ``SEND_BUFFER_BYTES`` for a slow reader."""
    peer = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fd)
    try:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    finally:
        peer.detach()


def end_sending(fd: int) -> None:
    """
    End our side only and read on until the peer ends its own.

    Closing at once with unread bytes would reset the connection, and the peer would never see the close frame.
    """
    peer = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fd)
    try:
        peer.shutdown(socket.SHUT_WR)
    finally:
        peer.detach()
