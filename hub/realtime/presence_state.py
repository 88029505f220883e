"""What one worker knows and has shown of one workspace's presence. No IO; kept by ``presence_rounds.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.realtime.presence import ID_BYTES, Here, unpack_ids
from hub.realtime.protocol import PresenceChanged, PresenceShown, encode

if TYPE_CHECKING:
    from uuid import UUID

    from hub.realtime.connections import Connection

# Up to this many online, a change is told as the whole list, as simple clients expect; above it, as who came and went.
SMALL = 100
# More than this many are not told one by one: 10,000 members who each get 10,000 ids are 4 GB. A list of this many has
# 40 KB, less than the 64 KiB that clients need to take.
MOST_SHOWN = 1_000


class Screen:
    """One conversation that somebody here has on screen."""

    __slots__ = ("inbox_id", "is_shown", "newcomers", "until_s", "viewers")

    def __init__(self, inbox_id: UUID) -> None:
        self.inbox_id = inbox_id
        # Until when each connection is believed to show it.
        self.until_s: dict[Connection, float] = {}
        # Those who were not yet told who else does.
        self.newcomers: dict[Connection, None] = {}
        self.viewers: tuple[UUID, ...] | None = None
        self.is_shown = False


class Workspace:
    """
    One workspace with members here.

    Attributes:
        members: Online on this worker.
        leaving: Gone from here, still shown until that moment.
        newcomers: Connections that are owed the whole list.
        screens: By conversation.
        is_changed: Whether ``members`` or ``leaving`` changed since the others were told.
        changed_screens: Conversations that came on or went from a screen here since then.
        rests_until_s: No round before this.
    """

    __slots__ = (
        "_frame",
        "_shown",
        "changed_screens",
        "is_changed",
        "is_shown",
        "leaving",
        "members",
        "newcomers",
        "rests_until_s",
        "screens",
    )

    def __init__(self) -> None:
        self.members: set[UUID] = set()
        self.leaving: dict[UUID, float] = {}
        self.newcomers: dict[Connection, None] = {}
        self.screens: dict[UUID, Screen] = {}
        self.is_changed = False
        self.changed_screens: set[UUID] = set()
        self.rests_until_s = 0.0
        self.is_shown = False
        # Packed, see ``Present``.
        self._shown: bytes | None = None
        self._frame: bytes | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it is left here."""
        return not (self.members or self.leaving or self.screens or self.newcomers)

    def here(self, now_s: float) -> Here:
        """Forget what is over and return what is to be said of this workspace."""
        for member_id in [one for one, until_s in self.leaving.items() if until_s <= now_s]:
            del self.leaving[member_id]
            self.is_changed = True
        views: set[tuple[UUID, UUID]] = set()
        for conversation_id, screen in list(self.screens.items()):
            for connection in [one for one, until_s in screen.until_s.items() if until_s <= now_s]:
                self.take_from_screen(conversation_id, connection)
                if connection.viewing == conversation_id:
                    connection.viewing = None
            views.update(
                (conversation_id, connection.grant.subject_id)
                for connection in screen.until_s
                if connection.grant is not None
            )
        return Here((*self.members, *self.leaving), tuple(views))

    def take_changes(self) -> tuple[bool, tuple[UUID, ...]] | None:
        """Return what other workers are to look at again; None where there is nothing."""
        if not self.is_changed and not self.changed_screens:
            return None
        changes = (self.is_changed, tuple(self.changed_screens))
        self.is_changed = False
        self.changed_screens = set()
        return changes

    def take_from_screen(self, conversation_id: UUID, connection: Connection) -> bool:
        """Forget that a connection shows a conversation; returns whether it did."""
        screen = self.screens.get(conversation_id)
        if screen is None or screen.until_s.pop(connection, None) is None:
            return False
        screen.newcomers.pop(connection, None)
        if not screen.until_s:
            del self.screens[conversation_id]
        self.changed_screens.add(conversation_id)
        return True

    def show(self, online: bytes | None) -> bytes | None:
        """
        Take note of who is online.

        Args:
            online: Their ids, packed; None where that is unknown.

        Returns:
            The frame for those who were shown the last list, None if it is that.
        """
        if online is not None and len(online) > MOST_SHOWN * ID_BYTES:
            online = None
        if self.is_shown and online == self._shown:
            # Made again for whoever comes: kept, it would be a kilobyte in each worker for each workspace.
            self._frame = None
            return None
        before, self._shown = self._shown, online
        was_shown, self.is_shown = self.is_shown, True
        self._frame = None
        if not was_shown or before is None or online is None or len(online) <= SMALL * ID_BYTES:
            return self.frame()
        return _change(unpack_ids(before), unpack_ids(online)) or self.frame()

    def frame(self) -> bytes:
        """Return the frame that says who is online to somebody who was not told; made once a round."""
        if self._frame is None:
            self._frame = encode(PresenceShown(None if self._shown is None else unpack_ids(self._shown)))
        return self._frame


def _change(before: tuple[UUID, ...], online: tuple[UUID, ...]) -> bytes | None:
    """Write who came and who went; None where that is longer than the list."""
    known, now = set(before), set(online)
    came = tuple(one for one in online if one not in known)
    went = tuple(one for one in before if one not in now)
    return encode(PresenceChanged(came, went)) if len(came) + len(went) < len(online) else None
