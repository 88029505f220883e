"""The audit log of a workspace: a page of it, all of it as a file, and the signed heads of its chain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

import msgspec
from starlette.responses import StreamingResponse

from api.audit_export import csv_header, csv_line, json_line
from api.audit_words import WORDS, words_of
from api.paging import decode_cursor, encode_cursor
from hub import clock
from hub.audit import actions, heads_file, store
from hub.audit.heads_file import HeadLine
from hub.audit.model import Filters, LoggedEntry
from hub.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.audit_export import Line
    from api.call import MemberCall
    from hub.db import Database

# Entries read at a time for an export.
CHUNK: Final = 1_000
_MOST_CHARS: Final = 200
_FILTERS: Final = ("actor_id", "action", "target_kind", "target_id", "address", "since", "until")


class ActorView(msgspec.Struct, frozen=True):
    """Who acted; ``name`` as it is now, empty where there is none (any more)."""

    kind: Literal["member", "login", "key", "operator", "system"]
    id: UUID | None
    name: str


class AuditEntryView(msgspec.Struct, frozen=True, kw_only=True):
    """
    An entry as members see it.

    Attributes:
        action: Noun, dot, past tense; ``words`` says it in English.
        target_name: Where it is a member, as they are called now; else empty.
        address: Where the call came from: an IPv4 address or the /64 of an IPv6 one; empty for commands and jobs.
        details: What changed.
        position: Its place in the workspace's chain; none in its first second or two.
        hash: In hexadecimal, with ``position``.
    """

    id: UUID
    at: datetime
    action: str
    words: str
    actor: ActorView
    target_kind: str
    target_id: str
    target_name: str
    address: str
    details: msgspec.Raw
    position: int | None
    hash: str | None


class AuditPage(msgspec.Struct, frozen=True):
    """Newest first."""

    entries: list[AuditEntryView]
    next: str | None


class ActionView(msgspec.Struct, frozen=True):
    action: str
    words: str


class ActionsView(msgspec.Struct, frozen=True):
    """Actions known by name, for a filter; the log may hold others."""

    actions: list[ActionView]


class HeadsPage(msgspec.Struct, frozen=True):
    """Signed heads of the chain, oldest first; ``docs/audit.md`` says how to check them."""

    heads: list[HeadLine]
    next: str | None


async def read_all(call: MemberCall) -> AuditPage:
    """List entries, newest first."""
    limit = call.query_int("limit", 50, low=1, high=200)
    filters, before = read_filters(call), _read_before(call.query.get("before", ""))
    workspace_id = call.actor.workspace_id
    async with call.resources.database.snapshot([workspace_id]) as conn:
        entries = await store.page(conn, workspace_id, filters, before, limit)
        names = await store.member_names(conn, workspace_id, _people(entries))
    after = encode_cursor((str(entries[-1].id),)) if len(entries) == limit else None
    return AuditPage([_view(one, names) for one in entries], after)


async def read_actions(call: MemberCall) -> ActionsView:  # noqa: ARG001  the signature of handlers
    """List the actions known by name."""
    return ActionsView([ActionView(action, words) for action, words in sorted(WORDS.items())])


async def read_heads(call: MemberCall) -> HeadsPage:
    """List the signed heads of the workspace's chain: whoever keeps a copy notices when entries are cut off."""
    limit = call.query_int("limit", 50, low=1, high=200)
    after = call.query_int("after", 0, low=0, high=999_999_999)
    workspace_id = call.actor.workspace_id
    async with call.resources.database.snapshot([workspace_id]) as conn:
        heads = await store.heads(conn, workspace_id, after + 1, limit)
    more = str(heads[-1].position) if len(heads) == limit else None
    return HeadsPage([heads_file.line_of(one) for one in heads], more)


async def export(call: MemberCall) -> StreamingResponse:
    """Send all entries that fit as a file, newest first; that it was done is an entry itself, made first."""
    kind = call.query.get("format", "") or "csv"
    if kind not in ("csv", "jsonl"):
        raise InvalidInput("format", "Use csv or jsonl.")
    filters, workspace_id = read_filters(call), call.actor.workspace_id
    named = sorted(name for name in _FILTERS if call.query.get(name))
    details = {"format": kind, "filters": named}
    async with call.resources.database.transaction([workspace_id]) as conn:
        entry = actions.made_by(call.caller, workspace_id, "audit.exported", ("workspace", workspace_id), details)
        await actions.record(conn, entry)
    name = f"audit-{workspace_id}-{clock.now():%Y-%m-%d}.{kind}"
    return StreamingResponse(
        _lines(call.resources.database, workspace_id, filters, csv_line if kind == "csv" else json_line),
        media_type="text/csv; charset=utf-8" if kind == "csv" else "application/jsonl",
        headers={"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"},
    )


def read_filters(call: MemberCall) -> Filters:
    """
    Read the filters of the query.

    Raises:
        InvalidInput: One cannot be read; ``field`` names it.
    """
    texts = {name: call.query.get(name, "") for name in _FILTERS}
    for name, text in texts.items():
        if len(text) > _MOST_CHARS or "\x00" in text:
            raise InvalidInput(name, f"Use at most {_MOST_CHARS} characters.")
    return Filters(
        actor_id=_read_id(texts["actor_id"]),
        action=texts["action"] or None,
        target_kind=texts["target_kind"] or None,
        target_id=texts["target_id"] or None,
        address=texts["address"] or None,
        since=_read_moment("since", texts["since"]),
        until=_read_moment("until", texts["until"]),
    )


async def _lines(database: Database, workspace_id: int, filters: Filters, line: Line) -> AsyncIterator[bytes]:
    """A short snapshot a chunk: a slow reader holds no transaction open."""
    if line is csv_line:
        yield csv_header()
    before: UUID | None = None
    while True:
        async with database.snapshot([workspace_id]) as conn:
            entries = await store.page(conn, workspace_id, filters, before, CHUNK)
            names = await store.member_names(conn, workspace_id, _people(entries))
        yield b"".join(line(one, names) for one in entries)
        if len(entries) < CHUNK:
            return
        before = entries[-1].id


def _people(entries: list[LoggedEntry]) -> list[UUID]:
    ids = {one.actor_id for one in entries if one.actor_id is not None}
    return sorted(ids | {id_ for one in entries if (id_ := _target_member(one)) is not None})


def _target_member(entry: LoggedEntry) -> UUID | None:
    if entry.target_kind not in ("member", "login"):
        return None
    try:
        return UUID(entry.target_id)
    except ValueError:
        return None


def _view(entry: LoggedEntry, names: dict[UUID, str]) -> AuditEntryView:
    target = _target_member(entry)
    actor = {
        "kind": entry.actor_kind,
        "id": entry.actor_id,
        "name": names.get(entry.actor_id, "") if entry.actor_id is not None else "",
    }
    return AuditEntryView(
        id=entry.id,
        at=entry.at,
        action=entry.action,
        words=words_of(entry.action),
        actor=msgspec.convert(actor, ActorView),
        target_kind=entry.target_kind,
        target_id=entry.target_id,
        target_name=names.get(target, "") if target is not None else "",
        address=entry.address,
        details=msgspec.Raw(entry.details.encode()),
        position=entry.position,
        hash=entry.hash.hex() if entry.hash is not None else None,
    )


def _read_id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise InvalidInput("actor_id", "This is no id.") from None


def _read_moment(name: str, text: str) -> datetime | None:
    """Read a time, or a day: its beginning. A ``+`` that a client forgot to encode arrives as a space."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(name, "Use a day or a time like 2026-11-23 or 2026-11-23T08:00:00Z.") from None


def _read_before(text: str) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(decode_cursor(text, 1)[0])
    except ValueError:
        raise InvalidInput("before", "This is not a cursor of ours.") from None
