"""
ETag and If-Match with a merge by field: who changes one thing does not overwrite who changed another.

A version is the seq of the event that made it, and events carry whole rows (docs/decisions/0003): what a field was in
the version somebody saw is one look into the log by its key. Called by handlers of PATCH, inside their transaction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

import msgspec

from hub.errors import EditClash, InvalidInput, PreconditionFailed
from hub.events import store as events

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from hub.db import TenantConn

_VERSION: Final = re.compile(r'(?:W/)?"([0-9]{1,18})"')


def etag_of(version: int) -> str:
    """Write the ETag of a row's version."""
    return f'"{version}"'


def wanted_version(request: Request) -> int | None:
    """
    Read ``If-Match``.

    Returns:
        The version the caller saw; None where they did not say, or said ``*``: then the last write wins.

    Raises:
        InvalidInput: It is not an ETag of ours.

    Source:
        RFC 9110 section 13.1.1 (June 2022). We compare versions, so a weak mark changes nothing; where RFC 9110 has 412
        for every other version, we first try to merge.
    """
    text = request.headers.get("if-match", "*").strip()
    if text == "*":
        return None
    found = _VERSION.fullmatch(text)
    if found is None:
        raise InvalidInput("If-Match", 'Send the ETag as it was answered, e.g. "1234".')
    return int(found.group(1))


class Seen(msgspec.Struct, frozen=True):
    """
    What the caller of a change saw.

    Attributes:
        kind: What events call the row: ``conversation``, ``contact``, ``channel_account``, ``member``.
        version: From ``If-Match``; None: nothing to check.
    """

    workspace_id: int
    kind: str
    version: int | None


# What a caller wants, and what is there.
Pair = tuple[object, object]


async def require_mergeable(
    conn: TenantConn, seen: Seen, read: Callable[[], Awaitable[msgspec.Struct]], wanted: Mapping[str, object]
) -> None:
    """
    Refuse a change of fields that somebody else changed since the version the caller saw.

    Args:
        conn: The transaction of the change, before it writes.
        seen: What the caller saw.
        read: Reads the row as it is, with ``id`` and ``version``; called once nobody else can write.
        wanted: The fields to be changed, with their new values; ``settings.port`` is a key of a field.

    Raises:
        EditClash: The first such field, with both values.
        PreconditionFailed: The version was never this row's, or is not in the log any more.
    """
    if seen.version is None:
        return
    await events.lock(conn, [seen.workspace_id])
    current = cast("dict[str, object]", msgspec.to_builtins(await read()))
    if current["version"] == seen.version:
        return
    data = await events.event_row(conn, seen.workspace_id, seen.version, seen.kind)
    base = {} if data is None else msgspec.json.decode(data, type=dict[str, object])
    if (base.get("id"), base.get("version")) != (current["id"], seen.version):
        raise PreconditionFailed("This version is not known here. Read the row again.")
    for field, value in wanted.items():
        yours, theirs = msgspec.to_builtins(value), _value(current, field)
        if theirs not in (_value(base, field), yours):
            raise EditClash(field, yours, theirs)


async def require_unchanged(
    conn: TenantConn, seen: Seen, read: Callable[[], Awaitable[int]], field: str, values: Callable[[], Awaitable[Pair]]
) -> None:
    """
    Refuse to replace a list, which no event carries, that somebody else replaced since the caller saw the row.

    Args:
        conn: The transaction of the change, before it writes.
        seen: What the caller saw.
        read: Reads the row's version; called once nobody else can write.
        field: What the list is called.
        values: Reads what the caller wants and what is there.

    Raises:
        EditClash: The row moved on and the two differ.
    """
    if seen.version is None:
        return
    await events.lock(conn, [seen.workspace_id])
    if await read() == seen.version:
        return
    yours, theirs = (msgspec.to_builtins(one) for one in await values())
    if yours != theirs:
        raise EditClash(field, yours, theirs)


def fields_of(patch: msgspec.Struct) -> dict[str, object]:
    """Return the fields of a change that say something, where None leaves a field as it is."""
    return {name: value for name, value in msgspec.structs.asdict(patch).items() if value is not None}


def _value(row: Mapping[str, object], field: str) -> object:
    name, dot, key = field.partition(".")
    value = row.get(name)
    return value.get(key) if dot and isinstance(value, dict) else value
