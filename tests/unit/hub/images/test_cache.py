"""Images kept on the disk: found again, for whom, how long, how many, and readable for whom."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.images.cache import AGE_LIMIT_S, ImageCache, KeptImage

KEYS = {1: b"k" * 32}
URL = "https://pictures.example/a.png"
NOW_S = 1_800_000_000.0
IMAGE = KeptImage("image/png", b"\x89PNG the picture", "", int(NOW_S) + 100)


def cache(folder: Path, now_s: float = NOW_S, **more: int) -> ImageCache:
    return ImageCache(folder, KEYS, now_s=lambda: now_s, **more)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_an_image_is_found_in_its_workspace_until_it_ends(tmp_path: Path) -> None:
    """Another process finds it; another workspace, another address and a later day do not."""
    await cache(tmp_path).put(7, URL, IMAGE)

    assert await cache(tmp_path).get(7, URL) == IMAGE
    assert await cache(tmp_path).get(8, URL) is None
    assert await cache(tmp_path).get(7, URL + "?") is None
    assert await cache(tmp_path, NOW_S + 100).get(7, URL) is None


async def test_nobody_reads_it_without_the_address(tmp_path: Path) -> None:
    """Neither name nor contents say what it is; a changed file is none."""
    kept = cache(tmp_path)
    await kept.put(7, URL, IMAGE)
    (path,) = files(tmp_path)
    sealed = path.read_bytes()

    assert b"picture" not in sealed
    assert "pictures" not in str(path.relative_to(tmp_path))
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert await kept.get(7, URL) is None
    path.write_bytes(b"")
    assert await kept.get(7, URL) is None


async def test_what_is_old_or_too_much_is_swept(tmp_path: Path) -> None:
    """First whatever is past its age, then the oldest until it fits."""
    kept, seen = cache(tmp_path, limit_bytes=2500), set[Path]()
    for number in range(4):
        await kept.put(7, f"{URL}?{number}", KeptImage("image/png", b"x" * 1000, "", IMAGE.good_until_s))
        (path,) = set(files(tmp_path)) - seen
        seen.add(path)
        written_s = NOW_S - AGE_LIMIT_S - 1 if number == 0 else NOW_S - 10 + number
        os.utime(path, (written_s, written_s))

    await kept.sweep()

    found = [await kept.get(7, f"{URL}?{number}") is not None for number in range(4)]
    assert found == [False, False, True, True]


async def test_many_images_are_swept_without_waiting_for_the_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder cannot outgrow its bound by more than what is written between two sweeps."""
    monkeypatch.setattr("hub.images.cache._SWEEP_AFTER_BYTES", 3000)
    kept = cache(tmp_path, limit_bytes=2500)

    for number in range(20):
        await kept.put(7, f"{URL}?{number}", KeptImage("image/png", b"x" * 1000, "", IMAGE.good_until_s))

    assert sum(path.stat().st_size for path in files(tmp_path)) < 2500 + 3000 + 1100


async def test_a_folder_that_cannot_be_written_costs_no_answer(tmp_path: Path) -> None:
    """Nothing is kept, and nothing is raised."""
    (tmp_path / "images").write_text("not a folder")
    kept = cache(tmp_path / "images")

    await kept.put(7, URL, IMAGE)

    assert await kept.get(7, URL) is None
