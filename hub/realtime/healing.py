"""
Healing: asks the log for its newest seqs, so that no event stays unseen because a hint of it was lost.

Every 2 s the workspaces with events of the last 15 s; after a longer outage, of the log or of the broker, every
workspace with local connections, in slices. Run by ``hub.py``.
"""

from __future__ import annotations

import asyncio
import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hub.errors import HubError
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub.realtime.connections import Counters
    from hub.realtime.feed import Feed, Feeds
    from hub.realtime.ports import Ports

INTERVAL_S = 2.0
LOOK_BACK_S = 15.0
# The last look back must reach over this; the margin to 15 s allows for clocks and for transactions that commit late.
OUTAGE_S = 8.0
SLICE = 500
IDLE_FEED_S = 30.0
# How often feeds, audiences and streams are looked through for those nobody uses: with a thousand workspaces and nine
# thousand visitors that takes 3 ms.
TIDY_EVERY_S = 10.0

_log = get_logger("realtime")


class Healing:
    """The one that asks; ``tick`` is one round of it."""

    def __init__(  # its neighbours, all of them
        self,
        ports: Ports,
        feeds: Feeds,
        counters: Counters,
        *,
        now: Callable[[], datetime],
        monotonic_s: Callable[[], float],
        on_void: Callable[[Feed], None],
        is_used: Callable[[int], bool],
    ) -> None:
        self._ports = ports
        self._feeds = feeds
        self._counters = counters
        self._now = now
        self._monotonic_s = monotonic_s
        self._on_void = on_void
        self._is_used = is_used
        self._healed_at_s = monotonic_s()
        self._tidied_at_s = -math.inf
        self._epoch = ports.epoch()
        self._all_wanted = False
        self._wake = asyncio.Event()

    def want_all(self) -> None:
        """Ask every head soon: the broker may have dropped hints for longer than the look back."""
        self._all_wanted = True
        self._wake.set()

    async def run(self) -> None:
        """Tick for ever, every two seconds or when woken."""
        while True:
            try:
                async with asyncio.timeout(INTERVAL_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                await self.tick()
            except HubError as error:
                _log.debug("healing_put_off", code=error.code)
            except Exception:  # loop: the next round asks again
                _log.exception("healing_failed")

    async def tick(self) -> None:
        """
        Compare the feeds with the log once.

        Raises:
            Unavailable: The log could not be asked; the next tick that can will ask for every head.
        """
        self._drop_unused()
        started_s = self._monotonic_s()
        known = {feed.workspace_id: feed for feed in self._feeds.all()}
        seen = {workspace_id: feed.last for workspace_id, feed in known.items()}
        if known:
            if self._all_wanted or started_s - self._healed_at_s > OUTAGE_S:
                await self._ask_all(known, seen)
                self._all_wanted = False
            else:
                since = self._now() - timedelta(seconds=LOOK_BACK_S)
                self._compare(known, seen, await self._ports.recent_heads(since))
        self._healed_at_s = started_s
        self._check_epoch()
        for feed in self._feeds.all():
            if self._feeds.lacks(feed):
                self._feeds.read_missing(feed)

    async def _ask_all(self, known: dict[int, Feed], seen: dict[int, int]) -> None:
        self._counters.heals += 1
        ids = list(known)
        for start in range(0, len(ids), SLICE):
            heads = await self._ports.heads(ids[start : start + SLICE])
            self._compare(known, seen, {one: facts.head for one, facts in heads.items()})

    def _compare(self, known: dict[int, Feed], seen: dict[int, int], heads: Mapping[int, int]) -> None:
        for workspace_id, head in heads.items():
            feed = known.get(workspace_id)
            if feed is None or feed.is_void:
                continue
            if head > feed.last:
                self._feeds.expect(feed, head)
            elif head < seen[workspace_id]:
                # Applied before we asked, and not in the log: it went back in time.
                self._void(feed)

    def _check_epoch(self) -> None:
        epoch = self._ports.epoch()
        if epoch != self._epoch:
            _log.warning("epoch_changed", epoch=epoch)
            self._epoch = epoch
            for feed in self._feeds.all():
                self._void(feed)

    def _void(self, feed: Feed) -> None:
        self._feeds.void(feed)
        self._on_void(feed)

    def _drop_unused(self) -> None:
        now_s = self._monotonic_s()
        if now_s - self._tidied_at_s < TIDY_EVERY_S:
            return
        self._tidied_at_s = now_s
        for feed in self._feeds.all():
            if self._is_used(feed.workspace_id):
                feed.idle_since_s = None
                _drop_unused_audiences(feed, now_s)
            elif feed.idle_since_s is None:
                feed.idle_since_s = now_s
            elif now_s - feed.idle_since_s > IDLE_FEED_S:
                self._feeds.void(feed)


def _drop_unused_audiences(feed: Feed, now_s: float) -> None:
    for key, audience in list(feed.audiences.items()):
        if audience.connections:
            audience.idle_since_s = None
        elif audience.idle_since_s is None:
            audience.idle_since_s = now_s
        elif now_s - audience.idle_since_s > IDLE_FEED_S:
            del feed.audiences[key]
    feed.drop_unused_streams()
