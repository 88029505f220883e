"""What the socket benchmarks make of their counts: what is lost, what is due, what grows."""

from __future__ import annotations

import argparse
from uuid import UUID

import pytest

from scripts.benchmarks.sockets.churn import slope
from scripts.benchmarks.sockets.command import add_to
from scripts.benchmarks.sockets.crowd import Crowd, CrowdPlan, Seat, Voice
from scripts.benchmarks.sockets.hold import HoldOptions, HoldResult, frames_a_message
from scripts.benchmarks.sockets.ledger import Due, judge
from scripts.benchmarks.sockets.loaders import Report, Row, built_wsload, percentile_of

WORKSPACE = 7
SOME_ID = UUID(int=1)


def row(*, live=True, cursor=12, applied=2, duplicated=0, gapped=0, snapshots=0) -> Row:
    return Row(live, cursor, applied, duplicated, gapped, snapshots)


def test_judge_counts_every_event_that_did_not_arrive():
    """Two sockets lack events, one of them is behind; a third has all."""
    dues = [Due(events=2, last=12)] * 3

    verdict = judge(dues, [row(), row(applied=1), row(applied=0, cursor=10)])

    assert (verdict.expected, verdict.lost, verdict.behind) == (6, 3, 1)


def test_judge_does_not_make_up_for_a_loss_with_another_sockets_surplus():
    """Events that came twice here do not hide events that did not come there."""
    dues = [Due(events=2, last=12)] * 2

    verdict = judge(dues, [row(applied=3, duplicated=1), row(applied=1)])

    assert (verdict.lost, verdict.duplicated) == (1, 1)


def test_judge_takes_a_snapshot_for_what_it_is():
    """Whoever fetched a snapshot received its events there, but must still be at the end."""
    dues = [Due(events=2, last=12)] * 2

    verdict = judge(dues, [row(applied=0, snapshots=1), row(applied=0, snapshots=1, cursor=11)])

    assert (verdict.lost, verdict.behind) == (0, 1)


def test_judge_leaves_out_sockets_that_never_came_in():
    """They are counted as failed, once, and not again as lost frames."""
    dues = [Due(events=2, last=12)] * 2
    before = [row(), row(live=False)]

    verdict = judge(dues, [row(), row(live=False, applied=0, cursor=0)], before=before)

    assert (verdict.expected, verdict.lost, verdict.behind) == (2, 0, 0)


def test_frames_a_message_counts_members_who_see_the_inbox_and_the_visitor(tmp_path):
    """Of three members two see the second inbox; each visitor hears their own message."""
    members = [Seat(WORKSPACE, audience, None, 0) for audience in (0, 1, 2)]
    visitors = [Seat(WORKSPACE, None, SOME_ID, 1) for _ in range(2)]
    voices = [Voice(WORKSPACE, SOME_ID, SOME_ID, inbox) for inbox in (0, 1)]
    crowd = Crowd(members + visitors, voices, {}, tmp_path / "hellos")

    assert frames_a_message(crowd) == ((3 + 1) + (2 + 1)) / 2


def test_percentile_of_is_the_edge_of_the_bucket_in_which_it_lies():
    """Edges are compared as numbers, though they come as JSON's names."""
    histogram = {"9": 50, "10": 49, "1000": 1}

    assert [percentile_of(histogram, share) for share in (0.5, 0.99, 1.0)] == [9, 10, 1000]
    assert percentile_of({}, 0.5) == 0


def test_reports_of_processes_are_added_up():
    """Counts and histograms alike."""
    total = Report(live=2, latency_us={"10": 1}, reasons={"HTTP 503": 1})

    total.add(Report(live=3, latency_us={"10": 2, "20": 1}, reasons={"bye": 1}))

    assert (total.live, total.latency_us, total.reasons) == (5, {"10": 3, "20": 1}, {"HTTP 503": 1, "bye": 1})


def test_slope_finds_steady_growth_and_none():
    """3 kB a second, and a flat line; a single sample says nothing."""
    assert slope([(0, 100), (1, 103), (2, 106)]) == pytest.approx(3)
    assert slope([(0, 5), (1, 5), (2, 5)]) == 0
    assert slope([(0, 5)]) == 0


def test_hold_plans_a_hundred_sockets_a_workspace():
    """The full run has more than a thousand workspaces, and never fewer than one."""
    assert HoldOptions().crowd() == CrowdPlan(100_002, 1_001)
    assert HoldOptions(sockets=3).crowd().workspaces == 1


def test_hold_says_the_figures_that_the_goals_name():
    """The keys of the JSON line are a promise."""
    promised = {"sockets", "failed", "bytes_per_socket", "connect_cpu_ms", "frames_expected", "frames_received"}
    promised |= {"p50_ms", "p99_ms", "server_cpu_s", "rss_mb"}

    assert promised <= set(HoldResult.__struct_fields__)


def test_load_generator_says_what_to_install_where_there_is_no_compiler(tmp_path, monkeypatch):
    """Nothing was compiled before, and nothing can compile it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RuntimeError, match="install a compiler"):
        built_wsload()


def test_every_option_is_explained():
    """Each scenario's options can be asked for."""
    scenarios = argparse.ArgumentParser().add_subparsers()
    add_to(scenarios, lambda parser: parser)

    assert set(scenarios.choices) == {"hold", "storm", "slow", "churn"}
    assert all("default" in parser.format_help() for parser in scenarios.choices.values())
