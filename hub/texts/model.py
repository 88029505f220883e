"""What sealing the texts of a workspace is: how far it is, and what of it is left to do. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

# Data keys of texts begin here; those of credentials are 1.
FIRST_KEY_ID: Final = 1000
# A key that nothing is sealed with any more is kept for so long: what was overlooked would still open.
RETIRED_KEPT: Final = timedelta(days=7)
SEARCH: Final = "Search cannot look into sealed messages. It still finds contacts by name, address and number."


class Phase(StrEnum):
    MESSAGES = "messages"
    HTMLS = "htmls"
    VERSIONS = "versions"
    CONVERSATIONS = "conversations"
    ACTS = "acts"
    EVENTS = "events"
    DONE = "done"


PHASES: Final = tuple(Phase)


class SealingState(StrEnum):
    OPEN = "open"
    SEALING = "sealing"
    SEALED = "sealed"
    OPENING = "opening"


class Sealing(msgspec.Struct, frozen=True, kw_only=True):
    """
    How a workspace keeps the texts of its messages.

    Attributes:
        state: ``sealing`` and ``opening``: what comes is kept as wanted already, what is stored follows.
        done: Rows that are as wanted.
        total: Rows there were when it was asked for.
        started_at: When it was asked for last; None where it never was.
        finished_at: When everything was as wanted.
        key_made_at: Age of the key texts are sealed with.
        search: What search cannot do while texts are sealed, in words; empty where they are not.
    """

    state: SealingState
    done: int = 0
    total: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    key_made_at: datetime | None = None
    search: str = ""


class Work(msgspec.Struct, frozen=True):
    """A job's share: where it goes on."""

    workspace_id: int
    phase: Phase
    place: str
    until_seq: int


def state_of(*, is_sealed: bool, is_done: bool) -> SealingState:
    """Name a state."""
    if is_sealed:
        return SealingState.SEALED if is_done else SealingState.SEALING
    return SealingState.OPEN if is_done else SealingState.OPENING
