"""
What a failed batch means: whether the data or the system is to blame, whether to wait or to cut it. Pure.

Called by ``connectors/batches.py``, which acts on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.errors import HubError, Unavailable

if TYPE_CHECKING:
    from connectors.entries import Parsed

# SQLSTATE classes in which the data is to blame; every other database error is the system's and is waited out.
_DATA_ERROR_CLASSES = frozenset({"21", "22", "23", "P0"})
# A lock, or a statement, that took too long.
_LOCK_NOT_AVAILABLE = "55P03"
_QUERY_CANCELED = "57014"
FOREIGN_KEY_VIOLATION = "23503"


def split(group: list[Parsed], error: Exception) -> list[list[Parsed]]:
    """
    Cut a failed group into smaller ones to try; nothing when it cannot be cut any more.

    A group that waited too long for a lock is cut by workspace: one that is locked must not hold up the others.
    """
    if _sqlstate(error) == _LOCK_NOT_AVAILABLE:
        by_workspace: dict[int, list[Parsed]] = {}
        for one in group:
            by_workspace.setdefault(one.item.workspace_id, []).append(one)
        return list(by_workspace.values()) if len(by_workspace) > 1 else []
    middle = len(group) // 2
    return [group[:middle], group[middle:]] if middle else []


def must_wait(error: Exception) -> bool:
    """Whether the same group must be tried again as it is: the database is away, or broken for everybody."""
    return is_systemic(error) and _sqlstate(error) not in (_LOCK_NOT_AVAILABLE, _QUERY_CANCELED)


def is_systemic(error: BaseException) -> bool:
    """Whether the system is to blame, not the data: an error of ours to wait, or one of Postgres outside the data's."""
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(sqlstate, str):
        return sqlstate[:2] not in _DATA_ERROR_CLASSES
    return isinstance(error, (Unavailable, OSError, MemoryError))


def _sqlstate(error: BaseException) -> object:
    """Return the SQLSTATE of what an Unavailable was made from, None where there is none."""
    return getattr(error.__cause__, "sqlstate", None) if isinstance(error, Unavailable) else None


def describe(error: BaseException) -> str:
    """Name the error for an operator; only our own texts are known to hold nothing private."""
    return f"{error.code}: {error.message}" if isinstance(error, HubError) else type(error).__name__
