"""docs/security.md names tests: each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "security.md"


def test_every_test_named_on_the_security_page_exists():
    """A claim whose test was renamed or removed is a claim without proof."""
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    there = {
        name
        for folder in ("tests", "connectors")
        for path in (ROOT / folder).rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 60
    assert named - there == set()


def test_every_row_shows_a_test_or_says_what_is_open():
    """No row without a proof, and none that hides that there is none."""
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    for area, _, shown in rows:
        assert "`test_" in shown or "*Open" in shown, area
