"""What every file store does the same: a folder of this machine and an S3-compatible one."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.blobs import Blobs, new_key
from hub.config import read_settings
from hub.errors import ConfigurationError, InvalidInput, NotFound, Unavailable


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(blobs: Blobs, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in blobs.read(key, start, end)])


async def test_put_and_read_give_the_same_bytes(blobs: Blobs) -> None:
    """A stream in pieces of any size, over several parts, comes back whole; so does each range of it."""
    data = bytes(range(256)) * 50_000
    key = new_key(7)

    size_bytes = await blobs.put(key, pieces(data[:10], b"", data[10:7_000_000], data[7_000_000:]))

    assert size_bytes == len(data) == await blobs.size(key)
    assert await read(blobs, key) == data
    assert await read(blobs, key, 6_999_990, 7_000_010) == data[6_999_990:7_000_010]
    assert await read(blobs, key, len(data) - 5) == data[-5:]


async def test_put_that_fails_in_the_middle_stores_nothing(blobs: Blobs) -> None:
    """What the stream raises comes out, and no half file can be read."""
    key = new_key(7)

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 6_000_000
        raise InvalidInput("body", "gone")

    with pytest.raises(InvalidInput):
        await blobs.put(key, broken())
    with pytest.raises(NotFound):
        await read(blobs, key)
    assert await blobs.keys(7) == []


async def test_put_file_stores_a_file(blobs: Blobs, tmp_path: Path) -> None:
    """A file of this machine is stored with its size."""
    source = tmp_path / "source"
    source.write_bytes(b"y" * 6_000_000)
    key = new_key(7)

    assert await blobs.put_file(key, source) == 6_000_000
    assert await read(blobs, key, 0, 3) == b"yyy"


async def test_delete_removes_and_a_second_time_does_nothing(blobs: Blobs) -> None:
    """A sweep that runs twice harms nothing."""
    key, other = new_key(7), new_key(8)
    await blobs.put(key, pieces(b"a"))
    await blobs.put(other, pieces(b"b"))

    await blobs.delete(key)
    await blobs.delete(key)

    assert (await blobs.keys(7), await blobs.keys(8)) == ([], [other])


async def test_missing_blob_is_not_found(blobs: Blobs) -> None:
    """Reading and asking the size of what is not there say the same."""
    with pytest.raises(NotFound):
        await blobs.size(new_key(7))
    with pytest.raises(NotFound):
        await read(blobs, new_key(7))


async def test_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Other users of the machine cannot look into the folder of files."""
    Blobs.open(read_settings({"HOME": str(tmp_path), "HUB_DATA_DIR": str(tmp_path / "data")}))

    assert stat.S_IMODE((tmp_path / "data" / "files").stat().st_mode) == 0o700


async def test_store_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    """A dead endpoint is an outage to wait for, not a missing file."""
    environ = {
        "HOME": str(tmp_path), "HUB_FILES_URL": "s3://b/p", "HUB_FILES_ENDPOINT": "http://127.0.0.1:9",
        "HUB_FILES_ACCESS_KEY": "a", "HUB_FILES_SECRET_KEY": "b",
    }  # fmt: skip
    with pytest.raises(Unavailable):
        await Blobs.open(read_settings(environ), retries=0).size(new_key(7))


@pytest.mark.parametrize(
    "environ",
    [
        {"HUB_FILES_URL": "https://bucket"},
        {"HUB_FILES_URL": "s3://b", "HUB_FILES_ACCESS_KEY": "a"},
        {"HUB_MAX_FILE_BYTES": "12"},
        {"HUB_MAX_FILE_BYTES": "ten"},
    ],
)
def test_settings_that_cannot_work_are_refused(environ: dict[str, str], tmp_path: Path) -> None:
    """An operator's slip ends the start, with the variable's name."""
    with pytest.raises(ConfigurationError) as refused:
        read_settings({"HOME": str(tmp_path), **environ})
    assert refused.value.field in (*environ, "HUB_FILES_ACCESS_KEY")
