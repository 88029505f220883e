"""docs/asvs.md: its counts are those of its rows, and each test, file and place it names is there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
LINES = (ROOT / "docs/asvs.md").read_text().splitlines()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in LINES if re.match(r"\| \d+\.\d+\.\d+ \|", line)
]
# Of the standard itself: 70 requirements of level 1 and 183 of level 2.
LEVELS = {"1": 70, "2": 183}


def test_every_requirement_of_both_levels_has_one_row():
    """As many as the standard has, none twice, in its order."""
    numbers = [tuple(map(int, row[0].split("."))) for row in ROWS]
    assert numbers == sorted(set(numbers))
    assert Counter(row[1] for row in ROWS) == LEVELS


def test_counts_on_the_page_are_those_of_its_rows():
    """The summary is what the rows add up to."""
    (summary,) = [line for line in LINES if re.fullmatch(r"\| \d+ \| \d+ \| \d+ \| \d+ \| \d+ \|", line)]
    states = Counter(row[3] for row in ROWS)
    not_judged = sum(row[4] == "not judged yet" for row in ROWS)
    wanted = [states["met"], states["not applicable"], states["open"], not_judged, len(ROWS)]
    assert [int(one) for one in re.findall(r"\d+", summary)] == wanted
    assert states.keys() == {"met", "not applicable", "open"}


def test_every_requirement_was_judged():
    """No row is left for later."""
    assert [row[0] for row in ROWS if not row[4] or "not judged" in row[4]] == []


def test_what_is_met_names_what_shows_it():
    """A requirement is met by tests, files or a place in one that are there, not by a word."""
    there = {
        name
        for folder in ("tests", "connectors")
        for path in (ROOT / folder).rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    for row in ROWS:
        named = re.findall(r"`([^`]+)`", row[4])
        proofs = [one for one in named if one.startswith("test_") or "/" in one or one.endswith((".in", ".toml"))]
        wrong = [one for one in proofs if not (one in there if one.startswith("test_") else _is_there(one))]
        assert wrong == [], row
        assert proofs or row[3] != "met", row


def test_a_proof_that_is_not_there_would_be_seen():
    """Neither a file that is gone nor a place that is gone from its file counts."""
    assert _is_there("tests/test_asvs_page.py::LEVELS")
    assert not _is_there("tests/test_asvs_page.py::" + "LEVE" + "LLERS")
    assert not _is_there("docs/none.md")


def _is_there(proof: str) -> bool:
    path, _, place = proof.partition("::")
    return (ROOT / path).is_file() and place in (ROOT / path).read_text()
