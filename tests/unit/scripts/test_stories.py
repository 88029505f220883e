"""The demo's generator: a seed decides everything, nobody real is named, and every story can be told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from hub.demo.model import PastMessage
from scripts.emulators.callers import callers
from scripts.emulators.history import history
from scripts.emulators.people import FIRST_NAMES, person
from scripts.emulators.photos import draw_photo
from scripts.emulators.stories import CHANNELS, FIRST_FEW, arrivals, customer
from scripts.emulators.story_texts import CALLS, STORIES

ROOT = Path(__file__).parents[3]
UNTIL = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
# More than 5,000 conversations and a week of customers.
MANY = 6_600


def test_same_seed_tells_the_same_in_every_process():
    """People, texts, order and times do not depend on the process, its hash seed or its clock."""
    command = [sys.executable, "-m", "scripts.emulators.history", "--seed", "7", "--amount", "40"]
    command += ["--until", UNTIL.isoformat()]
    told = [
        subprocess.run(
            command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]
    assert [json.loads(line) for line in told[0].splitlines()] == history(7, 40, UNTIL, 3.0)


def test_same_seed_lets_the_same_customers_come():
    """Two runs have the same customers in the same order at the same moments; another seed has others."""

    def first(seed: int) -> list[dict[str, object]]:
        return [asdict(one) for one in islice(arrivals(seed), 60)]

    assert first(3) == first(3)
    assert first(3) != first(4)
    moments = [one["arrives_s"] for one in first(3)]
    assert moments == sorted(moments)
    assert moments[FIRST_FEW - 1] < 15


def test_first_customers_show_every_channel_and_story():
    """The first screen has every channel; the first customers tell every story once."""
    first = list(islice(arrivals(1), len(STORIES)))
    assert {one.channel for one in first[:FIRST_FEW]} == set(CHANNELS)
    assert {one.story for one in first} == {one.id for one in STORIES}


def test_nobody_real_is_named():
    """Every address is at .example, every number is one set aside for fiction, and no two customers share one."""
    people = [person(1, number, "en") for number in range(MANY)]
    assert all(re.fullmatch(r"[a-z0-9.]+@[a-z]+\.example", one.email) for one in people)
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d|\+447700900\d{3}", one.phone) for one in people)
    assert len({one.phone for one in people}) == len({one.visitor for one in people}) == MANY
    assert len({one.email for one in people}) == MANY


@pytest.mark.parametrize("language", FIRST_NAMES)
def test_names_of_every_script_make_an_address(language):
    """Also those that are not written in Latin letters."""
    for number in range(60):
        assert re.fullmatch(r"[a-z0-9.]+@[a-z]+\.example", person(1, number, language).email), language


def test_every_story_has_no_open_slots():
    """Texts, subjects, nudges and answers are filled in."""
    for number in range(400):
        one = customer(5, number)
        texts = [line.text for turn in one.turns for line in turn.lines]
        texts += [text for turn in one.turns for text in (turn.nudge, turn.answer)] + [one.subject]
        assert not [text for text in texts if re.search(r"[{}]", text)]
        assert all(line.text for turn in one.turns for line in turn.lines)


def test_history_is_in_order_and_before_its_end():
    """Messages come oldest first, none is from the future, and every key is used once."""
    rows = history(1, 200, UNTIL, 3.0)
    moments = [datetime.fromisoformat(str(row["at"])) for row in rows]
    assert moments == sorted(moments)
    assert moments[-1] <= UNTIL
    assert len({row["key"] for row in rows}) == len(rows)
    assert {row["channel"] for row in rows} == {*CHANNELS, CALLS}


def test_calls_of_the_history_end_after_they_began():
    """Answered ones say by whom and how long; both ends are there, so that the reports have something to count."""
    calls = [row for row in history(1, 200, UNTIL, 3.0) if row["channel"] == CALLS]
    told = msgspec.convert(calls, list[PastMessage])
    assert {one.call.outcome for one in told if one.call} == {"answered", "missed"}
    for one in told:
        assert one.call is not None
        assert one.call.ended_at is not None
        assert one.at < one.call.ended_at
        assert (one.call.member, one.call.talk_s is None) in {("Robin Vale", False), ("", True)}


def test_callers_come_the_same_with_the_same_seed():
    """The first one within seconds, some are answered and some leave a message, and no two share a number."""
    first = list(islice(callers(1), 40))
    assert first == list(islice(callers(1), 40))
    assert first[0].arrives_s < 10
    assert {one.talk_s > 0 for one in first} == {True, False}
    assert all(one.words and "{" not in one.words for one in first)
    assert len({one.person.phone for one in first}) == len(first)


def test_pictures_are_the_same_for_the_same_customer():
    """A JPEG, byte for byte; another customer's differs."""
    assert draw_photo("broken lamp", "1:8")[:2] == b"\xff\xd8"
    assert draw_photo("broken lamp", "1:8") == draw_photo("broken lamp", "1:8")
    assert draw_photo("broken lamp", "1:8") != draw_photo("broken lamp", "1:9")
