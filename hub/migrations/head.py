"""The newest schema revision this version has, without loading Alembic: a serve process asks, and must start fast."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from hub.errors import SchemaMismatch

_STEP: Final = re.compile(r"m(\d{4})_\w+\.py")


def head_revision() -> str:
    """
    Return the newest revision, as it stands in ``alembic_version``.

    Returns:
        The number in the name of the newest migration file, four digits; migrations are one line without branches.

    Raises:
        SchemaMismatch: There are no migrations beside this module.
    """
    folder = Path(__file__).with_name("versions")
    numbers = [found.group(1) for path in folder.iterdir() if (found := _STEP.fullmatch(path.name))]
    if not numbers:
        raise SchemaMismatch("This version carries no migrations.")
    return max(numbers)
