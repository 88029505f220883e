"""Lines of CSV files that people open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# A cell that begins like this is a formula to a spreadsheet.
# Source: owasp.org/www-community/attacks/CSV_Injection, read 2026-11-23.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_values(values: Sequence[str]) -> bytes:
    """
    Write one line.

    Args:
        values: Its cells; what a spreadsheet would take for a formula gets an apostrophe.

    Returns:
        UTF-8, every cell in quotes, ended by CRLF (RFC 4180).
    """
    text = io.StringIO()
    safe = [f"'{one}" if one.startswith(_FORMULA) else one for one in values]
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(safe)
    return text.getvalue().encode()
