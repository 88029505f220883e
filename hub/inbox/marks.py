"""What a message gets after it was written: reactions, quotes, changes the vendor has not confirmed. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

EMOJI_LIMIT_CHARS = 32
# Marks a message keeps, taken back ones too; an event must fit a frame.
MARKS_LIMIT = 100


class Reaction(msgspec.Struct, frozen=True):
    """
    One reaction to a message.

    Attributes:
        author_id: Contact or member; None where the vendor's own app was used, or nobody we know reacted.
        author_name: Only where ``author_id`` is None.
        waiting: Ours, and the vendor has not confirmed it.
    """

    emoji: str
    author_kind: Literal["contact", "member"]
    author_id: UUID | None
    author_name: str = ""
    waiting: bool = False


class ReactionMark(msgspec.Struct, frozen=True):
    """A reaction as it is kept, with its time; ``emoji`` empty: everything of its author up to then was taken back."""

    emoji: str
    author_kind: Literal["contact", "member"]
    author_id: UUID | None
    at: datetime
    author_name: str = ""
    removed: bool = False
    waiting: bool = False

    @property
    def author(self) -> tuple[str, UUID | None, str]:
        """Who it is of."""
        return (self.author_kind, self.author_id, self.author_name)


class Quote(msgspec.Struct, frozen=True):
    """The message another answers, as it was then; whoever holds that message shows it as it is now."""

    message_id: UUID
    author_kind: str
    author_name: str
    text: str


class MessageChange(msgspec.Struct, frozen=True, kw_only=True):
    """
    Something a member does to a message at the vendor, that is not done.

    Attributes:
        id: Of the act.
        text: For ``edit``: what it is to say.
        error: For ``failed``: why, in words for members.
    """

    id: UUID
    kind: Literal["edit", "delete", "react", "unreact"]
    state: Literal["waiting", "failed"]
    text: str = ""
    error: str = ""


def with_mark(marks: Sequence[ReactionMark], new: ReactionMark) -> tuple[ReactionMark, ...]:
    """
    Add a reaction, or its end, to what is known; they come in any order.

    Args:
        marks: What is known.
        new: What was heard; with no emoji, everything its author had is taken back.

    Returns:
        All marks: of each author and emoji the latest, of two of one moment the one heard last.
    """
    floor = max((one.at for one in marks if one.author == new.author and not one.emoji), default=None)
    if floor is not None and new.at < floor:
        return tuple(marks)
    if not new.emoji:
        kept = [one for one in marks if one.author != new.author or (one.emoji and one.at > new.at)]
        return (*kept, new)
    held = next((one for one in marks if one.author == new.author and one.emoji == new.emoji), None)
    if held is not None and held.at > new.at:
        return tuple(marks)
    if held is None and len(marks) >= MARKS_LIMIT:
        return tuple(marks)
    return (*(one for one in marks if one is not held), new)


def shown(marks: Sequence[ReactionMark]) -> tuple[Reaction, ...]:
    """Return the reactions members see, in the order they were made."""
    present = sorted((one for one in marks if one.emoji and not one.removed), key=lambda one: (one.at, one.emoji))
    return tuple(Reaction(one.emoji, one.author_kind, one.author_id, one.author_name, one.waiting) for one in present)
