"""The walk along a chain: what was done to it is named, and where."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from hub.audit import chain
from hub.audit.model import LoggedEntry
from hub.audit.verify import ChainWalk, Fault

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
KEYS = chain.HeadKeys({1: b"1" * 32})
ENTRIES = 12


def unsealed(number: int) -> LoggedEntry:
    return LoggedEntry(
        workspace_id=1,
        id=UUID(int=number),
        at=AT + timedelta(seconds=number),
        action="member.added",
        actor_kind="member",
        actor_id=UUID(int=99),
        target_kind="member",
        target_id=str(number),
        address="192.0.2.7",
        details="{}",
    )


def sealed(entries: list[LoggedEntry], before: bytes = chain.FIRST_HASH, first: int = 1) -> list[LoggedEntry]:
    hashes = chain.chain_hashes(before, first, entries)
    return [
        msgspec.structs.replace(one, position=first + at, hash=hash_)
        for at, (one, hash_) in enumerate(zip(entries, hashes, strict=True))
    ]


def whole(count: int = ENTRIES) -> list[LoggedEntry]:
    return sealed([unsealed(number) for number in range(1, count + 1)])


def renumbered(entries: list[LoggedEntry]) -> list[LoggedEntry]:
    return [msgspec.structs.replace(one, position=at) for at, one in enumerate(entries, 1)]


def walked(entries: list[LoggedEntry], heads: tuple[LoggedEntry, ...] = (), start: int = 1):
    walk = ChainWalk(1, {one.position: KEYS.sign(one, AT) for one in heads}, start)
    for one in entries:
        if one.position >= start:
            walk.feed(one)
    return [(one.fault, one.position, one.last_position) for one in walk.finish()]


def test_whole_chain_has_no_fault():
    """Neither does an empty one."""
    entries = whole()
    assert walked(entries, (entries[3], entries[-1])) == []
    assert walked([]) == []
    assert walked(entries, (entries[3],), start=4) == []


@pytest.mark.parametrize("at", range(ENTRIES))
def test_altered_entry_is_named_alone(at):
    """One column of one entry, anywhere."""
    entries = whole()
    entries[at] = msgspec.structs.replace(entries[at], address="192.0.2.8")
    assert walked(entries) == [(Fault.ALTERED, at + 1, at + 1)]


@pytest.mark.parametrize("at", range(ENTRIES))
def test_altered_hash_is_named(at):
    """An entry whose hash was changed, not its contents."""
    entries = whole()
    entries[at] = msgspec.structs.replace(entries[at], hash=b"x" * 32)
    assert walked(entries) == [(Fault.ALTERED, at + 1, at + 1)]


@pytest.mark.parametrize("at", range(ENTRIES - 1))
def test_deleted_entry_is_named(at):
    """Its place is empty."""
    entries = whole()
    del entries[at]
    assert walked(entries) == [(Fault.DELETED, at + 1, at + 1)]


@pytest.mark.parametrize("at", range(ENTRIES - 2))
def test_deleted_entry_is_named_where_the_others_moved_up(at):
    """Nor do new numbers hide it, and signed heads behind it still fit."""
    entries = whole()
    newest = entries[-1]
    del entries[at]
    assert walked(renumbered(entries), (newest,)) == [(Fault.DELETED, at + 1, at + 1)]


@pytest.mark.parametrize("at", range(ENTRIES))
def test_inserted_entry_is_named(at):
    """The others moved down to make room; it has a hash that fits what it stands behind."""
    entries = whole()
    before = entries[at - 1].hash if at else chain.FIRST_HASH
    (one,) = sealed([unsealed(77)], before, at + 1)
    newest = entries[-1]
    entries.insert(at, one)
    found = walked(renumbered(entries), (newest,))
    assert found == [(Fault.INSERTED, at + 1, at + 1)]


@pytest.mark.parametrize("at", range(ENTRIES))
def test_inserted_entry_without_a_good_hash_is_named_alone(at):
    """Exactly it."""
    entries = whole()
    entries.insert(at, msgspec.structs.replace(unsealed(77), hash=b"x" * 32))
    assert walked(renumbered(entries)) == [(Fault.INSERTED, at + 1, at + 1)]


@pytest.mark.parametrize(("one", "other"), [(0, 1), (4, 5), (2, 7), (0, 11), (10, 11), (3, 5)])
def test_reordered_entries_are_named(one, other):
    """Two entries that changed places, neighbours or not."""
    entries = whole()
    entries[one], entries[other] = entries[other], entries[one]
    found = walked(renumbered(entries))
    assert {fault for fault, _, _ in found} == {Fault.REORDERED}
    places = {place for _, first, last in found for place in range(first, last + 1)}
    assert {one + 1, other + 1} == places


def test_truncated_chain_is_named_by_its_signed_head():
    """The newest entries are gone; the chain that is left is whole in itself."""
    entries = whole()
    assert walked(entries[:-3], (entries[5], entries[-1])) == [(Fault.TRUNCATED, 10, 12)]
    assert walked([], (entries[-1],)) == [(Fault.TRUNCATED, 1, 12)]


def test_chain_written_anew_is_named_by_its_signed_heads():
    """Whoever computes every hash again meets the next signed head; between which two it happened is said."""
    entries = whole()
    changed = [msgspec.structs.replace(one, address="192.0.2.8") if one.position == 7 else one for one in entries]
    assert walked(sealed(changed), (entries[3], entries[8], entries[-1])) == [(Fault.REWRITTEN, 5, 9)]


def test_walk_that_begins_at_a_head_looks_at_what_follows_it():
    """What was before it is trusted; the head's own entry and all later ones are not."""
    entries = whole()
    heads = (entries[5],)
    for at, expected in ((2, []), (8, [(Fault.ALTERED, 9, 9)])):
        changed = list(entries)
        changed[at] = msgspec.structs.replace(changed[at], address="192.0.2.8")
        assert walked(changed, heads, start=6) == expected
    entries[5] = msgspec.structs.replace(entries[5], hash=b"x" * 32)
    assert (Fault.REWRITTEN, 1, 6) in walked(entries, (whole()[5],), start=6)


def test_any_single_tampering_is_noticed():
    """Two hundred drawn at random, of every kind: never a chain called whole."""
    drawn = random.Random(5)
    for _ in range(200):
        entries = whole(30)
        at = drawn.randrange(29)
        kind = drawn.choice(["alter", "rehash", "delete", "close up", "insert", "swap"])
        if kind in ("alter", "rehash"):
            entries[at] = msgspec.structs.replace(entries[at], target_id="x")
        if kind == "rehash":
            before = entries[at - 1].hash if at else chain.FIRST_HASH
            (entries[at],) = sealed([entries[at]], before, at + 1)
        if kind in ("delete", "close up"):
            del entries[at]
        if kind == "insert":
            entries.insert(at, msgspec.structs.replace(unsealed(77), hash=drawn.randbytes(32)))
        if kind == "swap":
            other = drawn.randrange(at + 1, 30)
            entries[at], entries[other] = entries[other], entries[at]
        entries = entries if kind == "delete" else renumbered(entries)
        found = walked(entries)
        assert found, kind
        assert min(abs(place - (at + 1)) for _, place, _ in found) <= 1, (kind, at, found)
