"""The auditor finds each kind of wrong by itself, and nothing where nothing is wrong."""

from __future__ import annotations

import pytest

from tests.faults.auditor import Store, audit, audit_frames
from tests.faults.ledger import Acknowledged, Ledger, read_ledger

SENT = [Acknowledged(1, "a"), Acknowledged(1, "b"), Acknowledged(2, "a"), Acknowledged(1, "a")]


def make_store(**changes) -> Store:
    fields = {
        "messages": [(1, "a", 1), (1, "b", 2), (2, "a", 1)],
        "events": {(1, 1): "message_received", (1, 2): "message_received", (2, 1): "message_received"},
        "heads": {1: 2, 2: 1, 3: 0},
    }
    return Store(**(fields | changes))


def test_audit_passes_a_clean_store():
    """Everything once, everything numbered: nothing to say, repeats in the ledger count once."""
    report = audit(SENT, make_store())

    assert report.is_clean
    assert (report.acknowledged, report.stored) == (3, 3)


@pytest.mark.parametrize(
    ("changes", "field", "found"),
    [
        ({"messages": [(1, "a", 1), (2, "a", 1)]}, "lost", ["1:b"]),
        ({"messages": [(1, "a", 1), (1, "a", 2), (1, "b", 2), (2, "a", 1)]}, "duplicated", ["1:a"]),
        ({"heads": {1: 3, 2: 1}}, "gapped", [1]),
        (
            {"events": {(1, 1): "message_received", (1, 3): "message_received", (2, 1): "message_received"}},
            "gapped",
            [1],
        ),
        (
            {"events": {(1, 1): "note_added", (1, 2): "message_received", (2, 1): "message_received"}},
            "unlogged",
            ["1:a"],
        ),
    ],
)
def test_audit_finds(changes, field, found):
    """Each planted fault is named."""
    report = audit(SENT, make_store(**changes))

    assert getattr(report, field) == found
    assert not report.is_clean


def test_audit_does_not_call_a_dead_letter_lost():
    """A dead letter is kept: neither lost nor delivered."""
    report = audit(SENT, make_store(messages=[(1, "a", 1), (2, "a", 1)], dead={(1, "b")}))

    assert report.lost == []
    assert report.dead == 1


def test_audit_frames_compares_a_client_with_its_audience():
    """A client must apply every visible seq once and in order."""
    assert audit_frames([1, 3, 4], [1, 3, 4]) == {"lost": [], "duplicated": [], "disordered": []}
    assert audit_frames([1, 4, 3, 3], [1, 2, 3, 4]) == {"lost": [2], "duplicated": [3], "disordered": [3]}


def test_ledger_ignores_a_torn_line(tmp_path):
    """A line that was being written when its process died does not count."""
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    ledger.record(1, "a")
    ledger.close()
    with path.open("ab") as file:
        file.write(b'[1,"b')

    assert list(read_ledger(path)) == [Acknowledged(1, "a")]
