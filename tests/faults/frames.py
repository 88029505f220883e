"""What a socket client was sent: one line a frame, as it came, so that the auditor can apply the protocol by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One line.

    Attributes:
        kind: ``snapshot``: the state as of ``seq`` was fetched; ``welcome``: the hub answers a hello, and goes on
            after the cursor; ``event``: a frame of the hub's.
        seq: The frame's, or the cursor's.
        prev: Of an event.
        type: Of an event.
        text: Of the message an event carries; the id its sender gave it.
    """

    kind: Literal["snapshot", "welcome", "event"]
    seq: int
    prev: int = 0
    type: str = ""
    text: str = ""


class Recording(msgspec.Struct, frozen=True):
    """Everything one client of a member who sees every inbox was sent, in order."""

    workspace_id: int
    frames: list[Frame]


class FrameLog:
    """An append-only file, one a client; its first line names the workspace."""

    def __init__(self, path: Path, workspace_id: int) -> None:
        self._file = path.open("ab", buffering=0)
        self._encoder = msgspec.json.Encoder()
        self._file.write(self._encoder.encode(workspace_id) + b"\n")

    def record(self, frame: Frame) -> None:
        self._file.write(self._encoder.encode(frame) + b"\n")

    def close(self) -> None:
        self._file.close()


def read_recording(path: Path) -> Recording:
    """Read every whole line of a client's file."""
    lines: Iterator[bytes] = iter(path.read_bytes().split(b"\n")[:-1])
    workspace_id = msgspec.json.decode(next(lines), type=int)
    return Recording(workspace_id, [msgspec.json.decode(line, type=Frame) for line in lines])
