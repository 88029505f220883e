"""What a demo keeps in the data folder beside the database: how its owner signs in, and how often it ran."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

FILE = "demo.json"
# Live customers have the numbers below 1,000, those of the history the ones above.
CUSTOMERS_A_RUN = 60
CUSTOMERS = 900


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """
    One data folder's demo; does not show the password in text.

    Attributes:
        workspace_id: The workspace made for it, 0 where it is in somebody's own.
        email: Its owner's, with ``password``; empty where nobody was made.
        runs: How often the customers were started since the demo was made.
    """

    workspace_id: int = 0
    email: str = ""
    password: str = ""
    runs: int = 0

    @property
    def first_customer(self) -> int:
        """The number customers begin with: other people than last time, until all have been here."""
        return self.runs * CUSTOMERS_A_RUN % CUSTOMERS

    def __repr__(self) -> str:
        return f"Kept(workspace_id={self.workspace_id}, runs={self.runs})"


def read_kept(data_dir: Path) -> Kept:
    """Return what is kept, an empty one where nothing is."""
    try:
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=Kept)
    except (FileNotFoundError, msgspec.DecodeError):
        return Kept()


def write_kept(data_dir: Path, kept: Kept) -> None:
    """Replace what is kept, readable by the owner of the folder alone."""
    partial = data_dir / f"{FILE}.partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(kept))
    partial.replace(data_dir / FILE)
