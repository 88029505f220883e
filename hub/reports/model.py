"""What telephone calls came to, by day and member. Pure."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import msgspec


class CallSpan(msgspec.Struct, frozen=True, kw_only=True):
    """
    Which calls are counted.

    Attributes:
        since, until: Moments, UTC; the second one not included.
        time_zone: Whose days they are counted by, an IANA name.
        visible_inboxes: None means all of them.
    """

    workspace_id: int
    since: datetime
    until: datetime
    time_zone: str
    visible_inboxes: frozenset[UUID] | None


class CallCount(msgspec.Struct, frozen=True, kw_only=True):
    """
    Calls of one day that went alike, as the database counts them.

    Attributes:
        member: Who spoke, called or was called for, by name; empty where nobody's.
        answered_waits: Of how many answered ones it is known how long they waited; ``wait_s`` is all of theirs.
    """

    day: date
    inbound: bool
    answered: bool
    member: str
    amount: int
    answered_waits: int
    wait_s: int
    longest_wait_s: int
    talk_s: int


class CallFigures(msgspec.Struct, frozen=True, kw_only=True):
    """
    What some calls came to.

    Attributes:
        answered, missed: Calls that came in: a member took them, or nobody did.
        made, reached: Calls that members made, and those of them that the contact took.
        wait_s: How long callers waited until a member took the call, on average; null where nobody did.
        longest_wait_s: The longest of these waits; null as above.
        talk_s: How long was spoken in all, both ways.
    """

    answered: int = 0
    missed: int = 0
    made: int = 0
    reached: int = 0
    wait_s: int | None = None
    longest_wait_s: int | None = None
    talk_s: int = 0


class MemberCalls(msgspec.Struct, frozen=True, kw_only=True):
    """What one member's calls came to; without a name they are those nobody took."""

    member: str
    figures: CallFigures


class DayCalls(msgspec.Struct, frozen=True, kw_only=True):
    """What the calls of one day came to."""

    day: date
    figures: CallFigures


class MemberDayCalls(msgspec.Struct, frozen=True, kw_only=True):
    """What one member's calls of one day came to."""

    day: date
    member: str
    figures: CallFigures
