"""Signed heads outside the database: a file of JSON lines, only ever added to, and the public keys that signed them.

Copy both somewhere else: whoever can write the database and this folder can otherwise take both back to an older state.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from hub.audit.chain import moment
from hub.audit.model import Head
from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FOLDER: Final = "audit"
HEADS: Final = "heads.jsonl"
KEYS: Final = "public_keys.txt"


class HeadLine(msgspec.Struct, frozen=True):
    """A head as a line: bytes in hexadecimal, the time with six digits of its microseconds."""

    workspace_id: int
    position: int
    hash: str
    signed_at: str
    public_key: str
    signature: str


_decode = msgspec.json.Decoder(HeadLine).decode


def line_of(head: Head) -> HeadLine:
    """Return a head as it is written."""
    return HeadLine(
        head.workspace_id,
        head.position,
        head.hash.hex(),
        moment(head.signed_at),
        head.public_key.hex(),
        head.signature.hex(),
    )


def add_heads(data_dir: Path, heads: Sequence[Head], public_key: bytes) -> None:
    """
    Add signed heads to the file, safe on disk when this returns.

    Args:
        data_dir: The hub's data folder.
        heads: What was signed.
        public_key: The key that signed; written down the first time it does.
    """
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if public_key not in read_keys_file(data_dir):
        _append(folder / KEYS, [public_key.hex()])
    _append(folder / HEADS, [msgspec.json.encode(line_of(one)).decode() for one in heads])


def read_heads(path: Path) -> Iterator[Head]:
    """
    Read a file of heads, line by line.

    Args:
        path: It; one that does not exist has none.

    Raises:
        ConfigurationError: A line is no head; the text names it.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _head(path, number, line)


def newest_positions(data_dir: Path) -> dict[int, int]:
    """Return the newest position of each chain in the file."""
    newest: dict[int, int] = {}
    for one in read_heads(data_dir / FOLDER / HEADS):
        newest[one.workspace_id] = max(one.position, newest.get(one.workspace_id, 0))
    return newest


def read_keys_file(data_dir: Path) -> frozenset[bytes]:
    """Return the public keys that have ever signed here, as written down; keys of old heads stay known that way."""
    path = data_dir / FOLDER / KEYS
    if not path.exists():
        return frozenset()
    try:
        return frozenset(bytes.fromhex(line) for line in path.read_text().split())
    except ValueError as error:
        raise ConfigurationError(f"{path} must hold a public key in hexadecimal a line.") from error


def _head(path: Path, number: int, line: bytes) -> Head:
    try:
        read = _decode(line)
        return Head(
            workspace_id=read.workspace_id,
            position=read.position,
            hash=bytes.fromhex(read.hash),
            signed_at=datetime.fromisoformat(read.signed_at),
            public_key=bytes.fromhex(read.public_key),
            signature=bytes.fromhex(read.signature),
        )
    except (ValueError, msgspec.MsgspecError) as error:
        raise ConfigurationError(f"Line {number} of {path} is not a signed head.") from error


def _append(path: Path, lines: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in lines).encode()
    if not text:
        return
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        # One write: lines of two processes do not mix.
        os.write(handle, text)
        os.fsync(handle)
    finally:
        os.close(handle)
