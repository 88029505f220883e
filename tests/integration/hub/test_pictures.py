"""The process that looks at untrusted pictures: what kills it kills nothing else."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from hub.attachments import keeping, pictures
from hub.attachments.keeping import look
from tests import pictures as made

pytestmark = pytest.mark.processes


def write(folder: Path, data: bytes) -> Path:
    source = folder / "in"
    source.write_bytes(data)
    return source


def huge_chunk_png() -> bytes:
    """A PNG whose one text chunk unpacks to a gigabyte."""
    bomb = zlib.compress(b"\0" * 50_000_000, 9) * 20
    body = b"key\0\0" + bomb
    head = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"zTXt", body)
        + chunk(b"IDAT", zlib.compress(b"\0" * 52)) + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (b"", "image/jpeg"),
        (b"\xff\xd8\xff" + b"\xff" * 100_000, "image/jpeg"),
        (made.photo()[:2000], "image/jpeg"),
        (b"GIF89a" + b"\xff" * 5000, "image/gif"),
        (b"RIFF\xff\xff\xff\xffWEBPVP8L" + b"\xff" * 5000, "image/webp"),
        (b"II*\0" + b"\xff" * 5000, "image/tiff"),
        (b"%PDF-1.7\n" + b"[" * 2_000_000, "application/pdf"),
        (b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 1 0 R/Kids[1 0 R]>>endobj trailer<</Root 1 0 R>>", "application/pdf"),
    ],
)
async def test_hostile_file_makes_no_picture(tmp_path, data, mime) -> None:
    """Broken, cut, nested and circular files are unreadable, in time."""
    looked = await look(write(tmp_path, data), tmp_path, mime)

    assert looked.outcome == "unreadable"


async def test_compressed_text_bomb_is_harmless(tmp_path) -> None:
    """What unpacks to a gigabyte beside the pixels is not unpacked, or kills only the child."""
    looked = await look(write(tmp_path, huge_chunk_png()), tmp_path, "image/png")

    assert looked.outcome in ("ok", "unreadable")
    if looked.outcome == "ok":
        assert (tmp_path / "original").stat().st_size < 10_000


async def test_too_many_pixels_are_refused_unseen(tmp_path) -> None:
    """The head alone decides: nothing is decoded."""
    looked = await look(write(tmp_path, made.bomb()), tmp_path, "image/png")

    assert looked.outcome == "too_large"


async def test_decoder_that_never_ends_is_killed(tmp_path, monkeypatch) -> None:
    """Time is up: the child is gone and the caller goes on."""
    monkeypatch.setattr(keeping, "_CHILD", "import time; time.sleep(60)")

    looked = await look(write(tmp_path, b"x"), tmp_path, "image/png", timeout_s=0.3)

    assert looked.outcome == "unreadable"


async def test_decoder_that_takes_all_memory_dies_alone(tmp_path, monkeypatch) -> None:
    """The memory limit holds in the child: an allocation beyond it fails there."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from hub.attachments import pictures as p; p._limit(); "
        f'x = bytearray({pictures.MEMORY_BYTES}); print(\'{{"outcome":"ok"}}\')'
    )
    monkeypatch.setattr(keeping, "_CHILD", code)

    looked = await look(write(tmp_path, b"x"), tmp_path, "image/png")

    assert looked.outcome == "unreadable"


async def test_child_has_none_of_our_environment(tmp_path, monkeypatch) -> None:
    """A decoder somebody took over finds no secrets there."""
    monkeypatch.setenv("HUB_SECRET_KEY", "planted")
    code = "import os, json; print(json.dumps({'outcome': 'ok', 'made': sorted(os.environ)}))"
    monkeypatch.setattr(keeping, "_CHILD", code)

    looked = await look(write(tmp_path, b"x"), tmp_path, "image/png")

    assert looked.outcome == "ok"
    assert "HUB_SECRET_KEY" not in looked.made
