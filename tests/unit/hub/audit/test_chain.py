"""What is hashed and signed: bytes somebody else can make again, and nothing private in them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from hub.audit import chain, heads_file
from hub.audit.model import LoggedEntry

AT = datetime(2026, 11, 23, 8, 0, 0, 120, UTC)
ENTRY = LoggedEntry(
    workspace_id=7,
    id=UUID("01900000-0000-7000-8000-000000000001"),
    at=AT,
    action="member.role_changed",
    actor_kind="member",
    actor_id=None,
    target_kind="member",
    target_id="9",
    address="192.0.2.7",
    details='{"b": "é\\n", "a": [1, true, null]}',
)
KEYS = chain.HeadKeys({1: b"1" * 32, 2: b"2" * 32})


def test_entry_hash_is_the_documented_one():
    """SHA-256 over the hash before and a JSON array, written out by hand as docs/audit.md says."""
    text = (
        '["hub-audit-1",7,3,"01900000-0000-7000-8000-000000000001","2026-11-23T08:00:00.000120Z",'
        '"member.role_changed","member",null,"member","9","192.0.2.7",{"a":[1,true,null],"b":"é\\n"}]'
    )
    before = b"\x01" * 32
    assert chain.entry_hash(before, ENTRY, 3) == hashlib.sha256(before + text.encode()).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"workspace_id": 8},
        {"id": UUID(int=1)},
        {"at": AT.replace(microsecond=121)},
        {"action": "member.added"},
        {"actor_kind": "key"},
        {"actor_id": UUID(int=1)},
        {"target_kind": ""},
        {"target_id": "8"},
        {"address": ""},
        {"details": "{}"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_column_counts(change):
    """An entry that differs in any column has another hash."""
    assert chain.entry_hash(chain.FIRST_HASH, ENTRY, 1) != chain.entry_hash(
        chain.FIRST_HASH, msgspec.structs.replace(ENTRY, **change), 1
    )


def test_columns_do_not_run_together():
    """Moving a letter from one column to the next changes the hash."""
    one = msgspec.structs.replace(ENTRY, target_kind="ab", target_id="c")
    other = msgspec.structs.replace(ENTRY, target_kind="a", target_id="bc")
    assert chain.entry_hash(chain.FIRST_HASH, one, 1) != chain.entry_hash(chain.FIRST_HASH, other, 1)


def test_details_the_hub_cannot_have_written_follow_nothing():
    """A number of five thousand digits is a fault of the entry, not of the verifier."""
    assert not chain.follows(chain.FIRST_HASH, msgspec.structs.replace(ENTRY, details=f'{{"a": 1{"0" * 5000}}}'), 1)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ({"role": ["agent", "admin"]}, {"role": ["agent", "admin"]}),
        ({"email": "x"}, {"email": "[withheld]"}),
        ({"to": ["ann@example.com"]}, {"to": ["[withheld]"]}),
        ({"who": {"number": "+49 30 901820"}}, {"who": {"number": "[withheld]"}}),
        ({"Password": 7}, {"Password": "[withheld]"}),
        ({"share": 0.5, "domain": "example.com"}, {"share": "0.5", "domain": "example.com"}),
        ({"id": "01900000-0000-7000-8000-000000000001"}, {"id": "01900000-0000-7000-8000-000000000001"}),
    ],
)
def test_personal_details_are_withheld(written, kept):
    """Values that look like a person's address or number, or are named like secrets, do not reach the log."""
    assert json.loads(chain.clean_details(json.dumps(written).encode())) == kept


def test_head_of_any_of_our_keys_is_known():
    """The newest key signs; heads of an older one stay good; changed ones and strangers' do not."""
    sealed = msgspec.structs.replace(ENTRY, position=3, hash=b"h" * 32)
    head = KEYS.sign(sealed, AT)
    old = chain.HeadKeys({1: b"1" * 32}).sign(sealed, AT)
    stranger = chain.HeadKeys({1: b"3" * 32}).sign(sealed, AT)

    assert [chain.is_signed(one, KEYS.public_keys) for one in (head, old, stranger)] == [True, True, False]
    for change in ({"position": 4}, {"hash": b"i" * 32}, {"workspace_id": 8}, {"signed_at": AT.replace(hour=9)}):
        assert not chain.is_signed(msgspec.structs.replace(head, **change), KEYS.public_keys)


def test_heads_file_gives_back_what_was_added(tmp_path):
    """Heads are added, never replaced, with the keys that signed them."""
    heads = [KEYS.sign(msgspec.structs.replace(ENTRY, position=n, hash=bytes([n]) * 32), AT) for n in (1, 2)]
    for one in heads:
        heads_file.add_heads(tmp_path, [one], KEYS.newest)

    path = tmp_path / "audit" / "heads.jsonl"
    assert list(heads_file.read_heads(path)) == heads
    assert heads_file.read_keys_file(tmp_path) == {KEYS.newest}
    assert path.stat().st_mode & 0o777 == 0o600


def test_heads_file_names_a_broken_line(tmp_path):
    """Which line cannot be read is said."""
    path = tmp_path / "heads.jsonl"
    path.write_text("\n{}\n")
    with pytest.raises(heads_file.ConfigurationError, match="Line 2"):
        list(heads_file.read_heads(path))
