"""
None, one or several connections in one field: a set of its own for each subject and conversation costs 200 bytes a
socket, and nearly all of them have one. Pure; used by ``roster.py`` and ``audience.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from hub.realtime.connections import Connection

    Few: TypeAlias = "Connection | dict[Connection, None] | None"


def with_one(few: Few, connection: Connection) -> Few:
    """Return what holds ``connection`` too; keep the result, a dict is changed in place."""
    if few is None or few is connection:
        return connection
    if isinstance(few, dict):
        few[connection] = None
        return few
    return {few: None, connection: None}


def without_one(few: Few, connection: Connection) -> Few:
    """Return what does not hold ``connection`` (any more); keep the result, a dict is changed in place."""
    if few is connection:
        return None
    if isinstance(few, dict):
        few.pop(connection, None)
        return few or None
    return few


def each_of(few: Few) -> list[Connection]:
    """Return them as a list that stays as it is, in the order they came."""
    if few is None:
        return []
    return list(few) if isinstance(few, dict) else [few]
