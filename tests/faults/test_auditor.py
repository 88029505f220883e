"""The auditor finds each kind of wrong by itself, and nothing where nothing is wrong."""

from __future__ import annotations

import pytest

from tests.faults.auditor import Store, audit
from tests.faults.frames import Frame, FrameLog, Recording, read_recording
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

    assert report.faults == {}
    assert (report.acknowledged, report.stored) == (3, 3)


@pytest.mark.parametrize(
    ("changes", "field", "found"),
    [
        ({"messages": [(1, "a", 1), (2, "a", 1)]}, "lost", ["1:b"]),
        ({"messages": [(1, "a", 1), (1, "a", 2), (1, "b", 2), (2, "a", 1)]}, "duplicated", ["1:a"]),
        ({"external_ids": [(1, "account", "a"), (1, "account", "a"), (2, "account", "a")]}, "duplicated", ["1:a"]),
        ({"heads": {1: 3, 2: 1}}, "gapped", ["1"]),
        (
            {
                "messages": [(1, "a", 1), (1, "b", 3), (2, "a", 1)],
                "events": {(1, 1): "message_received", (1, 3): "message_received", (2, 1): "message_received"},
            },
            "gapped",
            ["1"],
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

    assert report.faults == {field: found}
    assert field.upper() in report.describe()


def test_audit_does_not_call_a_dead_letter_lost():
    """A dead letter is kept: neither lost nor delivered."""
    report = audit(SENT, make_store(messages=[(1, "a", 1), (2, "a", 1)], dead={(1, "b")}))

    assert report.lost == []
    assert report.dead == 1


A = Frame("event", 1, 0, "message_received", "a")
B = Frame("event", 2, 1, "message_received", "b")
WELCOME = Frame("welcome", 0)


@pytest.mark.parametrize(
    "frames",
    [
        [Frame("snapshot", 0), WELCOME, A, B],
        [Frame("snapshot", 1), Frame("welcome", 1), B],
        [Frame("snapshot", 2), Frame("welcome", 2)],
        [Frame("snapshot", 0), WELCOME, A, Frame("welcome", 1), A, B],
        [Frame("snapshot", 0), WELCOME, B, WELCOME, A, B],
    ],
    ids=["live", "after a snapshot", "all in the snapshot", "sent again after a resume", "a hole, then resumed"],
)
def test_audit_passes_a_client_that_applied_everything(frames):
    """Whatever way the events came, the protocol's rules give each once and in order."""
    assert audit(SENT, make_store(), [Recording(1, frames)]).faults == {}


@pytest.mark.parametrize(
    ("frames", "faults"),
    [
        ([Frame("snapshot", 0), WELCOME, A], {"unseen": ["1:2"]}),
        ([Frame("snapshot", 0), WELCOME, B], {"unseen": ["1:1", "1:2"]}),
        ([Frame("snapshot", 0), WELCOME, A, A, B], {"repeated": ["1:1 message_received after 0"]}),
        (
            [Frame("snapshot", 0), WELCOME, A, Frame("event", 2, 1, "message_received", "c")],
            {"mistold": ["1:2 message_received after 1"]},
        ),
        (
            [Frame("snapshot", 0), WELCOME, A, Frame("event", 2, 0, "message_received", "b")],
            {"mistold": ["1:2 message_received after 0"]},
        ),
        (
            [Frame("snapshot", 0), WELCOME, A, B, Frame("event", 3, 2, "message_received", "d")],
            {"mistold": ["1:3 message_received after 2"]},
        ),
    ],
    ids=["the last is missing", "a hole", "sent twice", "another text", "a wrong prev", "not in the log"],
)
def test_audit_finds_what_a_client_was_not_told_rightly(frames, faults):
    """A missing, repeated or invented event is named by its workspace and seq."""
    assert audit(SENT, make_store(), [Recording(1, frames)]).faults == faults


def test_recording_is_read_as_it_was_written(tmp_path):
    """Frames survive the file; a torn last line does not count."""
    path = tmp_path / "frames"
    log = FrameLog(path, 7)
    log.record(WELCOME)
    log.record(A)
    log.close()
    with path.open("ab") as file:
        file.write(b'{"kind"')

    assert read_recording(path) == Recording(7, [WELCOME, A])


def test_ledger_ignores_a_torn_line(tmp_path):
    """A line that was being written when its process died does not count."""
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    ledger.record(1, "a")
    ledger.close()
    with path.open("ab") as file:
        file.write(b'[1,"b')

    assert list(read_ledger(path)) == [Acknowledged(1, "a")]
