"""
Who is here: the connections of this process by workspace, and within it by subject. One index for both.

Filled by ``fanout.py``; read by whoever asks "everybody of this workspace" or "this person's other tabs".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hub.realtime.few import each_of, with_one, without_one

if TYPE_CHECKING:
    from uuid import UUID

    from hub.realtime.connections import Connection
    from hub.realtime.few import Few
    from hub.realtime.ports import Grant

# An int of 60 bits is half the size of any other; who collides is told apart when asked for.
_KEY_BITS = (1 << 60) - 1


class Roster(Mapping[int, "list[Connection]"]):
    """Workspaces with connections here; ``roster[workspace_id]`` is a fresh list of them."""

    def __init__(self) -> None:
        self._workspaces: dict[int, dict[int, Few]] = {}

    def __getitem__(self, workspace_id: int) -> list[Connection]:
        return [connection for few in self._workspaces[workspace_id].values() for connection in each_of(few)]

    def __contains__(self, workspace_id: object) -> bool:
        return workspace_id in self._workspaces

    def __iter__(self) -> Iterator[int]:
        return iter(self._workspaces)

    def __len__(self) -> int:
        return len(self._workspaces)

    def of_subject(self, workspace_id: int, subject_id: UUID) -> list[Connection]:
        """Return the connections of one member or visitor."""
        subjects = self._workspaces.get(workspace_id)
        found = each_of(subjects.get(_key(subject_id))) if subjects is not None else []
        return [one for one in found if one.grant is not None and one.grant.subject_id == subject_id]

    def add(self, connection: Connection, grant: Grant) -> None:
        """Take in a connection whose grant this is."""
        subjects = self._workspaces.setdefault(grant.workspace_id, {})
        key = _key(grant.subject_id)
        subjects[key] = with_one(subjects.get(key), connection)

    def remove(self, connection: Connection, grant: Grant) -> None:
        """Forget a connection; one that is not here is fine."""
        subjects = self._workspaces.get(grant.workspace_id)
        if subjects is None:
            return
        key = _key(grant.subject_id)
        left = without_one(subjects.get(key), connection)
        if left is not None:
            subjects[key] = left
            return
        subjects.pop(key, None)
        if not subjects:
            del self._workspaces[grant.workspace_id]


def _key(subject_id: UUID) -> int:
    return subject_id.int & _KEY_BITS
