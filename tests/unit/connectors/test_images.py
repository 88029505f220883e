"""Fetching what a mail names: once, bounded, and only what is an image; a hostile server gets nothing out of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connectors import images
from connectors.downloads import Reach
from connectors.images import FETCHES_OF_WORKSPACE, LIMIT_BYTES, ImageFetcher
from hub.images.cache import ImageCache
from tests.hostile_images import GIF, PNG, HostileImages, reach_of

KEYS = {1: b"k" * 32}


@pytest.fixture
async def server():
    """A sender's server that misbehaves by path."""
    async with HostileImages.running() as one:
        yield one


@pytest.fixture
def fetcher(tmp_path: Path, server: HostileImages) -> ImageFetcher:
    return ImageFetcher(ImageCache(tmp_path, KEYS), reach=reach_of(server))


@pytest.fixture
def hasty(tmp_path: Path, server: HostileImages) -> ImageFetcher:
    """One that does not wait long, for answers that never end."""
    return ImageFetcher(ImageCache(tmp_path, KEYS), reach=reach_of(server), timeout_s=0.4)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("svg", "not_an_image"),
        ("html", "not_an_image"),
        ("empty", "not_an_image"),
        ("compressed", "not_an_image"),
        ("endless", "too_large"),
        ("reset", "unreachable"),
        ("error", "unreachable"),
        ("gone", "gone"),
        ("forbidden", "gone"),
        ("inside", "refused"),
        ("metadata", "refused"),
        ("loop", "refused"),
        ("to-file", "refused"),
    ],
)
async def test_what_is_no_image_is_told_by_its_reason(
    fetcher: ImageFetcher, server: HostileImages, path: str, problem: str
):
    """A hostile answer becomes a word; it is not asked for again."""
    first = await fetcher.fetch(7, server.url(path))
    hits = len(server.heard)
    kept = await fetcher.find(7, server.url(path))

    assert (first.problem, first.data) == (problem, b"")
    assert kept == first
    assert len(server.heard) == hits
    assert fetcher.counted[problem] == 1


@pytest.mark.parametrize("path", ["slow", "silent"])
async def test_an_answer_that_does_not_end_is_given_up(hasty: ImageFetcher, server: HostileImages, path: str):
    """A body that trickles in, and a server that says nothing at all."""
    assert (await hasty.fetch(7, server.url(path))).problem == "slow"


@pytest.mark.parametrize(
    ("path", "mime"), [("png", "image/png"), ("gif-called-html", "image/gif"), ("avif", "image/avif")]
)
async def test_an_image_is_known_by_its_bytes(fetcher: ImageFetcher, server: HostileImages, path: str, mime: str):
    """What the server calls it does not count."""
    found = await fetcher.fetch(7, server.url(path))

    assert (found.mime, found.problem) == (mime, "")
    assert found.data.startswith((PNG[:8], GIF[:6], b"\0\0\0\x1cftypavif"))


async def test_the_sender_hears_of_the_first_look_only(fetcher: ImageFetcher, server: HostileImages):
    """Readers at the same moment share a fetch, later ones the kept image; another workspace asks for itself."""
    url = server.url("png")

    await asyncio.gather(*(fetcher.fetch(7, url) for _ in range(5)))
    later = await fetcher.find(7, url)
    before = len(server.heard)
    await fetcher.fetch(8, url)

    assert before == 1
    assert later is not None
    assert later.data == PNG
    assert len(server.heard) == 2


async def test_a_reader_who_goes_away_does_not_take_the_image_along(fetcher: ImageFetcher, server: HostileImages):
    """Who asked for the same image still gets it."""
    url = server.url("png")
    gone, stays = asyncio.create_task(fetcher.fetch(7, url)), asyncio.create_task(fetcher.fetch(7, url))
    await asyncio.sleep(0)
    gone.cancel()

    assert (await stays).data == PNG


async def test_slow_images_of_one_workspace_leave_room_for_others(
    tmp_path: Path, server: HostileImages, monkeypatch: pytest.MonkeyPatch
):
    """At most half of the places are one workspace's; who finds none in time is told to come back, and nothing is kept."""
    monkeypatch.setattr(images, "WAIT_S", 0.3)
    fetcher = ImageFetcher(ImageCache(tmp_path, KEYS), reach=reach_of(server), timeout_s=2)
    slow = [asyncio.create_task(fetcher.fetch(7, server.url(f"silent?{n}"))) for n in range(FETCHES_OF_WORKSPACE + 1)]
    await asyncio.sleep(0)

    other = await fetcher.fetch(8, server.url("png"))
    ended = [(await one).problem for one in slow]

    assert other.data == PNG
    assert sorted(ended) == ["busy", *["slow"] * FETCHES_OF_WORKSPACE]
    assert await fetcher.find(7, server.url(f"silent?{ended.index('busy')}")) is None


async def test_https_is_tried_first(tmp_path: Path):
    """A plain address is asked over TLS before it is asked in the open."""
    asked: list[int] = []

    async def addresses(host: str, port: int) -> list[str]:
        asked.append(port)
        raise OSError("no route")

    fetcher = ImageFetcher(ImageCache(tmp_path, KEYS), reach=Reach(addresses=addresses))

    found = await fetcher.fetch(7, "http://pictures.example/a.png")
    await fetcher.fetch(7, "https://pictures.example/a.png")

    assert found.problem == "unreachable"
    assert asked == [443, 80, 443]


async def test_memory_of_a_fetch_is_bounded(fetcher: ImageFetcher, server: HostileImages):
    """An endless body is dropped at the limit, not at its end."""
    await fetcher.fetch(7, server.url("endless"))

    assert LIMIT_BYTES <= server.sent_bytes < LIMIT_BYTES + 16 * 1024 * 1024
