"""What was acknowledged: written by whoever sends, one line an id, before anything else is believed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Acknowledged(msgspec.Struct, frozen=True, array_like=True):
    """One item that was answered 2xx (or whose append returned); ``item_id`` is also its text."""

    workspace_id: int
    item_id: str


class Ledger:
    """An append-only file; a line counts once it is there, so the process that writes it may be killed."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._encoder = msgspec.json.Encoder()

    def record(self, workspace_id: int, item_id: str) -> None:
        self._file.write(self._encoder.encode(Acknowledged(workspace_id, item_id)) + b"\n")

    def close(self) -> None:
        self._file.close()


def read_ledger(path: Path) -> Iterator[Acknowledged]:
    """Read every whole line; a last one without its end was never believed by anybody."""
    for line in path.read_bytes().split(b"\n")[:-1]:
        yield msgspec.json.decode(line, type=Acknowledged)
