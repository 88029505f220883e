"""
Fetches the images that mails name, for members who asked for them: once for each workspace, as nobody in particular.

Takes any address a signed token names; what is no plain raster image is no image. Called by ``api/images.py``.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import Counter
from contextlib import aclosing
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from connectors.downloads import GONE, PUBLIC, REFUSED, Reach, download_public
from hub import clock
from hub.attachments.kinds import HEAD_BYTES, SHOWN_IMAGES, sniff
from hub.errors import ConnectorError, ErrorClass
from hub.images.cache import AGE_LIMIT_S, KeptImage

if TYPE_CHECKING:
    from hub.images.cache import ImageCache

LIMIT_BYTES: Final = 5 * 1024 * 1024
TIMEOUT_S: Final = 10.0
# Each may hold 5 MiB. A workspace with a mail full of slow images leaves half of them to the others.
FETCHES_AT_ONCE: Final = 12
FETCHES_OF_WORKSPACE: Final = 6
WAIT_S: Final = 15.0
SHOWN: Final = SHOWN_IMAGES | {"image/avif"}
_ACCEPT: Final = "image/avif,image/webp,image/png,image/jpeg,image/gif"
_HTTPS_TIMEOUT_S: Final = 4.0


class Problem(StrEnum):
    """Why there is no image."""

    GONE = "gone"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    SLOW = "slow"
    TOO_LARGE = "too_large"
    NOT_AN_IMAGE = "not_an_image"
    BUSY = "busy"


# What another try might mend is asked again, though the sender may hear of it; the rest never.
_AGAIN_S: Final = {Problem.UNREACHABLE: 600, Problem.SLOW: 3600}


class ImageFetcher:
    """
    Fetches and keeps images; one per process.

    Attributes:
        counted: Fetches by outcome, ``cached`` for those that were not necessary; read by /metrics.
    """

    def __init__(self, cache: ImageCache, *, reach: Reach = PUBLIC, timeout_s: float = TIMEOUT_S) -> None:
        self._cache = cache
        self._reach = reach
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._places_of: weakref.WeakValueDictionary[int, asyncio.Semaphore] = weakref.WeakValueDictionary()
        self._running: dict[tuple[int, str], asyncio.Task[KeptImage]] = {}
        self.counted: Counter[str] = Counter()

    async def find(self, workspace_id: int, url: str) -> KeptImage | None:
        """Return what is known already, without asking anybody; None where nothing is."""
        kept = await self._cache.get(workspace_id, url)
        if kept is not None:
            self.counted["cached"] += 1
        return kept

    async def fetch(self, workspace_id: int, url: str) -> KeptImage:
        """
        Fetch an image; who asks for the same one meanwhile waits for the same answer.

        Args:
            workspace_id: For whom; the next one fetches it anew.
            url: Of a signed token.

        Returns:
            The image, or why there is none; both are kept, but for ``BUSY``: too many others are waiting.
        """
        name = (workspace_id, url)
        task = self._running.get(name)
        if task is None:
            task = asyncio.create_task(self._fetch(workspace_id, url))
            self._running[name] = task
            task.add_done_callback(lambda _: self._running.pop(name, None))
        # Whoever goes away does not take the image from the others.
        return await asyncio.shield(task)

    async def _fetch(self, workspace_id: int, url: str) -> KeptImage:
        own = self._places_of.setdefault(workspace_id, asyncio.Semaphore(FETCHES_OF_WORKSPACE))
        try:
            async with asyncio.timeout(WAIT_S):
                await own.acquire()
                try:
                    await self._places.acquire()
                except BaseException:
                    own.release()
                    raise
        except TimeoutError:
            self.counted[Problem.BUSY] += 1
            return KeptImage("", b"", Problem.BUSY, 0)
        try:
            image = await self._load(url)
        finally:
            self._places.release()
            own.release()
        self.counted[image.problem or "fetched"] += 1
        await self._cache.put(workspace_id, url, image)
        return image

    async def _load(self, url: str) -> KeptImage:
        parts = urlsplit(url)
        if parts.scheme == "http" and ":" not in parts.netloc:
            image = await self._load_from(parts._replace(scheme="https").geturl(), _HTTPS_TIMEOUT_S)
            if not image.problem:
                return image
        return await self._load_from(url, self._timeout_s)

    async def _load_from(self, url: str, timeout_s: float) -> KeptImage:
        data = bytearray()
        try:
            async with (
                asyncio.timeout(timeout_s),
                aclosing(download_public(url, accept=_ACCEPT, reach=self._reach)) as pieces,
            ):
                async for piece in pieces:
                    data += piece
                    if len(data) > LIMIT_BYTES:
                        return _without(Problem.TOO_LARGE)
        except TimeoutError:
            return _without(Problem.SLOW)
        except ConnectorError as error:
            return _without(_problem_of(error))
        mime = sniff(bytes(data[:HEAD_BYTES]))
        if mime not in SHOWN:
            return _without(Problem.NOT_AN_IMAGE)
        return KeptImage(mime, bytes(data), "", _until(AGE_LIMIT_S))


def _problem_of(error: ConnectorError) -> Problem:
    if error.info == REFUSED:
        return Problem.REFUSED
    if error.info == GONE or error.info.klass is not ErrorClass.RETRYABLE:
        return Problem.GONE
    return Problem.UNREACHABLE


def _without(problem: Problem) -> KeptImage:
    return KeptImage("", b"", problem, _until(_AGAIN_S.get(problem, AGE_LIMIT_S)))


def _until(age_s: int) -> int:
    return int(clock.now().timestamp()) + age_s
