"""Which operator is behind what is being done, for the audit log. Set by the edge, read where entries are written.

A variable of the task and not an argument: entries are made in every room, and one that forgot it would hide somebody.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final
from uuid import UUID

OPERATOR_BEHIND: Final[ContextVar[UUID | None]] = ContextVar("operator_behind", default=None)
