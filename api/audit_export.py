"""Entries of the audit log as lines of a file: JSON to check the chain with, CSV for spreadsheets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from api.audit_words import words_of
from api.csv_lines import csv_values
from hub.audit.chain import moment
from hub.audit.model import LoggedEntry

if TYPE_CHECKING:
    pass

Line = Callable[[LoggedEntry, Mapping[UUID, str]], bytes]

COLUMNS: Final = (
    "time",
    "action",
    "words",
    "actor_kind",
    "actor_id",
    "actor_name",
    "target_kind",
    "target_id",
    "address",
    "details",
    "position",
    "hash",
    "id",
    "workspace_id",
)


def csv_header() -> bytes:
    """Return the line of the columns' names."""
    return csv_values(COLUMNS)


def csv_line(entry: LoggedEntry, names: Mapping[UUID, str]) -> bytes:
    """
    Write an entry so that no spreadsheet takes a value for a formula.

    Source:
        OWASP, "CSV Injection" (2024): a value that begins with = + - @ TAB or CR gets an apostrophe, all are quoted.
    """
    return csv_values(
        (
            moment(entry.at),
            entry.action,
            words_of(entry.action),
            entry.actor_kind,
            str(entry.actor_id or ""),
            _name(entry, names),
            entry.target_kind,
            entry.target_id,
            entry.address,
            entry.details,
            str(entry.position or ""),
            (entry.hash or b"").hex(),
            str(entry.id),
            str(entry.workspace_id),
        )
    )


def json_line(entry: LoggedEntry, names: Mapping[UUID, str]) -> bytes:
    """Write an entry with exactly the values that are hashed, and the actor's name, which is not."""
    value = {
        "workspace_id": entry.workspace_id,
        "position": entry.position,
        "id": str(entry.id),
        "at": moment(entry.at),
        "action": entry.action,
        "actor_kind": entry.actor_kind,
        "actor_id": str(entry.actor_id) if entry.actor_id is not None else None,
        "target_kind": entry.target_kind,
        "target_id": entry.target_id,
        "address": entry.address,
        "details": msgspec.Raw(entry.details.encode()),
        "hash": entry.hash.hex() if entry.hash is not None else None,
        "actor_name": _name(entry, names),
    }
    return msgspec.json.encode(value) + b"\n"


def _name(entry: LoggedEntry, names: Mapping[UUID, str]) -> str:
    return names.get(entry.actor_id, "") if entry.actor_id is not None else ""
