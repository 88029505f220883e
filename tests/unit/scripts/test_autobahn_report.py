"""What of Autobahn|Testsuite's words counts as conforming."""

from __future__ import annotations

import json
import subprocess

import pytest

from scripts.autobahn import report
from scripts.autobahn.report import Case
from scripts.benchmarks.hub_processes import ROOT


@pytest.mark.parametrize(
    ("number", "behavior", "closing", "is_good"),
    [
        ("1.1.1", "OK", "OK", True),
        ("4.1.3", "NON-STRICT", "OK", True),
        ("7.13.1", "INFORMATIONAL", "INFORMATIONAL", True),
        ("12.1.1", "UNIMPLEMENTED", "OK", True),
        ("9.1.1", "UNIMPLEMENTED", "OK", False),
        ("5.6", "FAILED", "OK", False),
        ("7.1.5", "OK", "WRONG CODE", False),
        ("7.1.5", "OK", "UNCLEAN", False),
        ("7.1.5", "OK", "FAILED BY CLIENT", False),
        ("7.1.5", "NO_CLOSE", "OK", False),
    ],
)
def test_only_good_words_conform(number, behavior, closing, is_good):
    """Anything the suite calls otherwise is a failure, whichever word it finds."""
    assert Case("lane", number, behavior, closing, 1000).is_good is is_good


def test_table_counts_by_path_and_section(tmp_path):
    """An index as the suite writes it becomes one row a section, failures in the last column."""
    said = {"behavior": "OK", "behaviorClose": "OK", "remoteCloseCode": 1000}
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"lane": {"3.1": said, "3.2": said | {"behaviorClose": "UNCLEAN"}}}))
    assert report.table(report.read("lane", index)).endswith("| lane | 3 reserved bits | 2 | 1 | 0 | 0 | 0 | 1 |")


def test_command_says_how_where_the_suite_is_missing():
    """It installs nothing by itself and does not pass."""
    done = subprocess.run(
        [ROOT / "scripts" / "conformance"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "autobahntestsuite==25.10.1" in done.stderr
