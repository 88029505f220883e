"""The form of what is remembered: who could forge, cut or move it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from hub.access.entry import LIFETIME_S, VERSION, Asked, Entry, EntryCodec, Found
from hub.accounts.model import Actor, Permission, Role, SignedIn

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOGIN, MEMBER, INBOX = UUID(int=1), UUID(int=2), UUID(int=3)
CODEC = EntryCodec(b"k" * 32)
TOKEN = "token-of-somebody"
GENERATIONS = (b"workspace", b"login")


def entry(*, version: int = VERSION) -> Entry:
    signed_in = SignedIn(UUID(int=9), LOGIN, "ann@example.com", "Ann", NOW + timedelta(days=1))
    actor = Actor(7, MEMBER, LOGIN, Role.AGENT, frozenset({INBOX}), 4, permissions=frozenset({Permission.INBOX_READ}))
    return Entry(version, NOW, GENERATIONS, Found(signed_in, actor))


def test_entry_comes_back_whole():
    """What is read is what was written, rights and inboxes included."""
    name = CODEC.name(Asked(TOKEN, 7))
    assert CODEC.decode(name, CODEC.encode(name, entry())) == entry()


def test_nothing_in_redis_tells_the_token():
    """Neither the name nor the value holds the token, and another hub's key makes another name."""
    name = CODEC.name(Asked(TOKEN, 7))
    assert TOKEN not in name
    assert TOKEN.encode() not in CODEC.encode(name, entry())
    assert EntryCodec(b"j" * 32).name(Asked(TOKEN, 7)) != name
    assert CODEC.name(Asked(TOKEN, 8)) != name


@pytest.mark.parametrize("at", range(0, 120, 7))
def test_cut_or_altered_value_is_none(at):
    """A value that is truncated, or has one bit turned, is no entry."""
    name = CODEC.name(Asked(TOKEN, 7))
    whole = CODEC.encode(name, entry())
    assert CODEC.decode(name, whole[:at]) is None
    turned = bytearray(whole)
    turned[at] ^= 1
    assert CODEC.decode(name, bytes(turned)) is None


def test_moved_value_is_none():
    """An entry put under another workspace's name, or made with another key, opens nothing."""
    here, there = CODEC.name(Asked(TOKEN, 7)), CODEC.name(Asked(TOKEN, 8))
    assert CODEC.decode(there, CODEC.encode(here, entry())) is None
    assert CODEC.decode(here, EntryCodec(b"j" * 32).encode(here, entry())) is None


def test_other_version_is_none():
    """What another version of the hub wrote is not read."""
    name = CODEC.name(Asked(TOKEN, 7))
    assert CODEC.decode(name, CODEC.encode(name, entry(version=VERSION + 1))) is None


@pytest.mark.parametrize(("age_s", "holds"), [(0, True), (LIFETIME_S, True), (LIFETIME_S + 1, False), (-60, False)])
def test_entry_holds_for_its_lifetime(age_s, holds):
    """Whatever Redis' own clock says, an entry is not answered when it is too old, or from the future."""
    assert entry().holds(GENERATIONS, NOW + timedelta(seconds=age_s)) is holds


def test_entry_ends_with_its_generations_and_its_session():
    """One changed generation, or the session's own end, and it does not hold."""
    assert not entry().holds((b"workspace", b"another"), NOW)
    assert not entry().holds((b"another", b"login"), NOW)
    short = msgspec.structs.replace(entry().found.signed_in, expires_at=NOW)
    ended = msgspec.structs.replace(entry(), found=Found(short))
    assert not ended.holds(GENERATIONS, NOW)
