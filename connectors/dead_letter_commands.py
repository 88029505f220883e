"""What ``hub dead-letters`` does: an operator lists, shows, replays and drops raw items of any workspace.

Called by the ``hub`` command. A body is private: it is shown only when it is asked for.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from connectors import dead_letters
from connectors.dead_letters import DeadLetter, Wanted
from connectors.ingress import IngressWriter
from hub import clock
from hub.db import Database
from hub.errors import Conflict, InvalidInput, NotFound
from hub.operator import reached
from hub.streams import IngressStreams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from hub.config import Settings
    from hub.operator import Stores

# Rows looked up, replayed and dropped at a time.
CHUNK: Final = 100
_AGO: Final = re.compile(r"([1-9][0-9]{0,3})([hd])")


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """
    Which dead letters a command is about.

    Attributes:
        ids: These; empty means all that fit the rest.
        workspace_id: Of one workspace, or of any.
    """

    ids: tuple[UUID, ...] = ()
    workspace_id: int | None = None
    wanted: Wanted = Wanted()


class Shown(msgspec.Struct, frozen=True):
    """A dead letter, and its body where that was asked for."""

    dead_letter: DeadLetter
    body_text: str | None = None
    is_binary: bool | None = None


class Done(msgspec.Struct, frozen=True):
    """What became of those that were to be replayed or dropped; skipped ones are gone or were dealt with before."""

    done: list[UUID]
    skipped: list[UUID]


def read_since(text: str) -> datetime:
    """
    Read how far back to look.

    Args:
        text: ``36h``, ``7d``, a day or a time in ISO 8601 (UTC unless it says otherwise).

    Raises:
        InvalidInput: It is none of these.
    """
    if ago := _AGO.fullmatch(text):
        return clock.now() - (timedelta(hours=int(ago[1])) if ago[2] == "h" else timedelta(days=int(ago[1])))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput("since", f"--since takes 36h, 7d, or a day like 2026-11-22, not {text!r}.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def list_chosen(settings: Settings, chosen: Chosen, limit: int) -> list[DeadLetter]:
    """Return the newest dead letters that fit, at most ``limit``."""
    async with reached(settings) as stores, _opened(stores) as database:
        return await _page(database, await _workspace_ids(database, chosen), chosen.wanted, None, limit)


async def show(settings: Settings, dead_letter_id: UUID, *, with_body: bool) -> Shown:
    """
    Return one dead letter.

    Raises:
        NotFound: No workspace has it.
    """
    async with reached(settings) as stores, _opened(stores) as database:
        workspace_ids = await _workspace_ids(database, Chosen())
        async with database.snapshot(workspace_ids) as conn:
            letter, head = await dead_letters.find(conn, workspace_ids, dead_letter_id)
    return Shown(letter, *dead_letters.read_body(head)) if with_body else Shown(letter)


async def replay(settings: Settings, chosen: Chosen) -> Done:
    """Take the chosen ones in again, oldest first, while the hub runs or not: what Redis cannot take is spooled."""
    async with reached(settings) as stores, _opened(stores) as database, _writer(stores, database) as writer:
        replayed, skipped = await dead_letters.replay_many(database, writer.append, await _choose(database, chosen))
    return Done(replayed, [*skipped, *_missing(chosen, replayed, skipped)])


async def drop(settings: Settings, chosen: Chosen) -> Done:
    """Mark the chosen ones as not wanted."""
    dropped: list[UUID] = []
    skipped: list[UUID] = []
    async with reached(settings) as stores, _opened(stores) as database:
        for workspace_id, dead_letter_id in await _choose(database, chosen):
            try:
                async with database.transaction([workspace_id]) as conn:
                    await dead_letters.drop(conn, workspace_id, dead_letter_id)
            except (NotFound, Conflict):
                skipped.append(dead_letter_id)
            else:
                dropped.append(dead_letter_id)
    return Done(dropped, [*skipped, *_missing(chosen, dropped, skipped)])


def describe_all(letters: Sequence[DeadLetter]) -> str:
    """Say them in lines: ids and reasons, never what was said."""
    lines = [
        f"{one.id}  {one.created_at:%Y-%m-%d %H:%M}  workspace {one.workspace_id:<4} {one.channel:<16}"
        f" {one.size_bytes:>9,} B  {one.error}"
        for one in letters
    ]
    return "\n".join(lines) or "None."


def describe(shown: Shown) -> str:
    """Say one in lines, with its body where that was asked for."""
    one = shown.dead_letter
    lines = [
        f"id               {one.id}",
        f"state            {one.state}",
        f"workspace        {one.workspace_id}",
        f"channel account  {one.channel_account_id} ({one.channel})",
        f"received         {one.received_at:%Y-%m-%d %H:%M:%S} UTC, kept {one.created_at:%Y-%m-%d %H:%M:%S} UTC",
        f"size             {one.size_bytes:,} bytes",
        f"error            {one.error}",
    ]
    if shown.body_text is not None:
        # A terminal obeys what it is shown: only line breaks and tabs of the control characters go through.
        safe = "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in shown.body_text)
        lines += ["", safe]
    return "\n".join(lines)


async def _choose(database: Database, chosen: Chosen) -> list[tuple[int, UUID]]:
    """Return (workspace, id) of every dead letter chosen, oldest first: the order they came in."""
    workspace_ids = await _workspace_ids(database, chosen)
    found: list[tuple[int, UUID]] = []
    if chosen.ids:
        for dead_letter_id in chosen.ids:
            try:
                async with database.snapshot(workspace_ids) as conn:
                    letter, _ = await dead_letters.find(conn, workspace_ids, dead_letter_id, 0)
            except NotFound:
                continue
            found.append((letter.workspace_id, letter.id))
        return sorted(found, key=lambda one: one[1])
    before: UUID | None = None
    while page := await _page(database, workspace_ids, chosen.wanted, before, CHUNK):
        found += [(one.workspace_id, one.id) for one in page]
        before = page[-1].id
    return found[::-1]


async def _page(
    database: Database, workspace_ids: Sequence[int], wanted: Wanted, before: UUID | None, limit: int
) -> list[DeadLetter]:
    if not workspace_ids:
        return []
    async with database.snapshot(workspace_ids) as conn:
        return await dead_letters.list_dead_letters(conn, workspace_ids, wanted, before, limit)


async def _workspace_ids(database: Database, chosen: Chosen) -> list[int]:
    if chosen.workspace_id is not None:
        return [chosen.workspace_id]
    return [row["workspace_id"] for row in await database.ask(dead_letters.QUERIES["dead_letter_workspaces"])]


def _missing(chosen: Chosen, *known: Sequence[UUID]) -> list[UUID]:
    """Those asked for by id that no workspace has."""
    return [one for one in chosen.ids if not any(one in some for some in known)]


@asynccontextmanager
async def _opened(stores: Stores) -> AsyncIterator[Database]:
    database = await Database.open(stores.database_url, lambda _: None, max_size=2)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _writer(stores: Stores, database: Database) -> AsyncIterator[IngressWriter]:
    streams = IngressStreams(stores.redis_url)
    writer = IngressWriter(streams, database)
    try:
        yield writer
    finally:
        await writer.close()
        await streams.close()
