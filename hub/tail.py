"""
Shows events as they pass: kinds, ids and states, never contents. Called by the ``hub`` command.

Read from the log, so that nothing is skipped whatever happens to the broker, whose hints only say when to look.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.db import Database
from hub.embedded.runfile import is_running, read_run_file
from hub.errors import ConfigurationError, InvalidInput, Unavailable
from hub.events import store
from hub.events.model import PassingEvent
from hub.realtime.broker_redis import RedisBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from hub.config import Settings
    from hub.events.model import LoggedEvent

LOOK_EVERY_S: Final = 1.0
# Hints come in bursts: what they announce is shown together.
GATHER_S: Final = 0.05
# A transaction may commit so long after its events got their time.
LOOK_BACK: Final = timedelta(seconds=15)
PAGE: Final = 500

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_COLOURS: Final = {"message_received": "36", "message_queued": "32", "message_echoed": "32", "note_added": "33"}
_TROUBLE: Final = frozenset({"failed", "unknown"})


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is shown.

    Attributes:
        workspace_id: Only of this one.
        types: Only these; empty: all.
        conversation: Only of the one whose id ends with this (dashes do not matter); empty: all.
        since: Begin with events of this time; None begins now.
        follows: Go on with what comes.
    """

    workspace_id: int | None = None
    types: frozenset[str] = frozenset()
    conversation: str = ""
    since: datetime | None = None
    follows: bool = True

    def takes(self, event: PassingEvent) -> bool:
        """Whether an event is among them."""
        if self.workspace_id not in (None, event.workspace_id) or (self.types and event.type not in self.types):
            return False
        end = self.conversation.replace("-", "").lower()
        return not end or (event.conversation_id is not None and event.conversation_id.hex.endswith(end))


class Remark(msgspec.Struct, frozen=True):
    """What is said between events: that the database went away, and that it is back."""

    at: datetime
    text: str


Shown = PassingEvent | Remark


def read_since(text: str, now: datetime) -> datetime:
    """
    Read a point in time.

    Args:
        text: ``15m``, ``2h``, ``1d``, ``30s``, or ISO 8601; local time where it names no zone.
        now: The current time.

    Raises:
        InvalidInput: It is none of these.
    """
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is not None:
        return now - timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise InvalidInput("since", f"--since must be like 15m, 2h, 1d or 2026-11-22T18:00, not {text!r}.") from None


async def watch(settings: Settings, wanted: Wanted, show: Callable[[Shown], None]) -> None:
    """
    Show events, until cancelled or, without following, until all that were are shown.

    Raises:
        ConfigurationError: There is no database to read.
    """
    run = read_run_file(settings.data_dir / "hub.json")
    is_up = run is not None and is_running(run)
    url = settings.database_url or (run.database_url if run is not None and is_up else "")
    hints = settings.redis_ephemeral_url or (run.redis_ephemeral_url if run is not None and is_up else "")
    if not url:
        raise ConfigurationError("The hub does not run here. Start it with ./scripts/run, or set DATABASE_URL.")
    async with AsyncExitStack() as stack:
        database = await Database.open_patiently(url, lambda _: None, max_size=2)
        stack.push_async_callback(database.close)
        bell = _Bell()
        if hints and wanted.follows:
            broker = RedisBroker(hints)
            stack.push_async_callback(broker.stop)
            await broker.start(bell, hears_all=True)
        await _Reader(database, wanted, show).run(bell)


class _Bell:
    """A broker's listener that only says that there is something to read."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def on_events(self, events: Sequence[LoggedEvent]) -> None:  # noqa: ARG002  the listener's signature
        """See ``hub.realtime.broker.Listener``."""
        self._rung.set()

    def on_signal(self, workspace_id: int, data: bytes) -> None:
        """See ``Listener``: typing and presence leave nothing in the log."""

    def on_gap(self) -> None:
        """See ``Listener``."""
        self._rung.set()

    async def wait(self) -> None:
        """Return when there may be something new, a second later at most."""
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._rung.wait()
                await asyncio.sleep(GATHER_S)
        except TimeoutError:
            return
        finally:
            self._rung.clear()


class _Reader:
    """Reads the log on from where it was."""

    def __init__(self, database: Database, wanted: Wanted, show: Callable[[Shown], None]) -> None:
        self._database = database
        self._wanted = wanted
        self._show = show
        self._since = wanted.since or clock.now()
        self._looked_at = self._since
        self._last: dict[int, int] = {}
        self._is_away = False

    async def run(self, bell: _Bell) -> None:
        while True:
            began_at = clock.now()
            try:
                await self._look()
            except Unavailable:
                self._remark_once("Postgres does not answer; waiting")
            else:
                self._looked_at = began_at
                if self._is_away:
                    self._is_away = False
                    self._show(Remark(clock.now(), "Postgres is back; nothing was skipped"))
                if not self._wanted.follows:
                    return
            await bell.wait()

    async def _look(self) -> None:
        """Show everything new, in the order it was appended."""
        async with self._database.across() as conn:
            heads = await store.recent_heads(conn, self._looked_at - LOOK_BACK)
        behind = [one for one in sorted(heads) if heads[one] > self._last.get(one, 0) and self._may_show(one)]
        while behind:
            pages = {one: await self._page(one, heads[one]) for one in behind}
            for event in sorted((one for page in pages.values() for one in page), key=lambda one: one.appended_at):
                if self._wanted.takes(event):
                    self._show(event)
            behind = [one for one, page in pages.items() if len(page) == PAGE]

    async def _page(self, workspace_id: int, head: int) -> list[PassingEvent]:
        async with self._database.snapshot([workspace_id]) as conn:
            last = self._last.get(workspace_id)
            if last is None:
                first = await store.first_since(conn, workspace_id, self._since)
                last = head if first is None else first - 1
            page = await store.passing_events(conn, workspace_id, last, PAGE)
        self._last[workspace_id] = page[-1].seq if page else last
        return page

    def _may_show(self, workspace_id: int) -> bool:
        return self._wanted.workspace_id in (None, workspace_id)

    def _remark_once(self, text: str) -> None:
        if not self._is_away:
            self._is_away = True
            self._show(Remark(clock.now(), text))


def as_json(shown: Shown) -> str:
    """Write one JSON object."""
    return msgspec.json.encode(shown).decode()


def line_writer(*, in_colour: bool) -> Callable[[Shown], str]:
    """
    Make what writes a line a person can read down.

    Args:
        in_colour: Whether kinds and trouble stand out by colour.
    """

    def write(shown: Shown) -> str:
        if isinstance(shown, Remark):
            return _paint(f"{_local(shown.at)}  -- {shown.text} --", "33", in_colour=in_colour)
        kind = _paint(f"{shown.type:<24}", _COLOURS.get(shown.type, ""), in_colour=in_colour)
        status = shown.status or ""
        columns = (
            _local(shown.appended_at),
            f"workspace {shown.workspace_id:<4}",
            kind,
            f"conversation {short(shown.conversation_id):<8}",
            f"{_who(shown):<16}",
            f"{shown.channel or '-':<12}",
            _paint(status, "31" if status in _TROUBLE else "", in_colour=in_colour),
        )
        return "  ".join(columns).rstrip()

    return write


def short(one: UUID | None) -> str:
    """Return the end of an id: its beginning is the time, the same for all that came within a minute."""
    return one.hex[-8:] if one is not None else "-"


def _who(event: PassingEvent) -> str:
    if event.author_kind:
        return f"{event.author_kind} {short(event.actor_id)}"
    return f"by {short(event.actor_id)}" if event.actor_id is not None else "-"


def _local(at: datetime) -> str:
    return f"{at.astimezone():%H:%M:%S}"


def _paint(text: str, colour: str, *, in_colour: bool) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if in_colour and colour else text
