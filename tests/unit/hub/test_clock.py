"""Ids: version 7, sortable by time, never twice."""

from __future__ import annotations

import base64
import time
from uuid import RFC_4122

from hub import clock


def test_new_ids_are_version_7_of_this_moment():
    """The first 48 bits are the millisecond, version and variant stand where RFC 9562 puts them."""
    before_ms = time.time_ns() // 1_000_000

    made = clock.new_ids(100)

    after_ms = time.time_ns() // 1_000_000
    assert all(before_ms <= one.int >> 80 <= after_ms for one in made)
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}


def test_ids_made_one_after_the_other_sort_in_that_order():
    """Even within a millisecond: whatever lists rows by their ids lists them as they came in."""
    made = []
    for _ in range(200):
        made.append(clock.new_id())
        time.sleep(0.000_02)

    assert made == sorted(made)


def test_new_ids_of_one_moment_differ_in_all_random_places():
    """Each of the 62 random bits takes both values within a few hundred ids: none is lost in putting them together."""
    made = [one.int for one in clock.new_ids(400)]

    assert len(set(made)) == 400
    always, never = made[0], ~made[0]
    for one in made:
        always &= one
        never &= ~one
    assert ((always | never) & ((1 << 62) - 1)) == 0


def test_new_id_is_one_of_them():
    """A single id is made the same way."""
    assert clock.new_id().version == 7
    assert clock.new_id() != clock.new_id()


def test_tokens_have_256_bits_of_the_systems_randomness():
    """What stands for a session or a link is 32 bytes unless somebody asks for others, and no two are alike."""
    made = {clock.new_token() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(base64.urlsafe_b64decode(one + "=")) for one in made} == {32}
    assert len({one[:6] for one in made}) > 990
