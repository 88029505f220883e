"""What sealing promises: a ciphertext opens in its own place, with the right keys, and nowhere else."""

from __future__ import annotations

import msgspec
import pytest

from hub.channels.sealing import DataKey, Place, Sealer, WrappedKey, read_keys, sealed_key_id
from hub.errors import ConfigurationError

OLD, NEW = "o" * 32, "n" * 32
PLACE = Place(workspace_id=1, table="channel_account", column="credentials_sealed", row_id="row-a")


def open_key(sealer: Sealer, *, workspace_id: int = 1) -> tuple[WrappedKey, DataKey]:
    wrapped = sealer.new_data_key(workspace_id, 1)
    return wrapped, sealer.unwrap(wrapped)


def test_seal_opens_in_its_own_place():
    """What was sealed for a place comes back from it, and is not readable in between."""
    _, key = open_key(Sealer({1: OLD}))
    sealed = key.seal(PLACE, b"auth_token")
    assert b"auth_token" not in sealed
    assert key.open(PLACE, sealed) == b"auth_token"


@pytest.mark.parametrize(
    "change",
    [{"row_id": "row-b"}, {"column": "settings"}, {"table": "other"}],
    ids=["another row", "another column", "another table"],
)
def test_seal_does_not_open_elsewhere(change: dict[str, str]):
    """A ciphertext copied to another row, column or table of the same tenant does not open."""
    _, key = open_key(Sealer({1: OLD}))
    sealed = key.seal(PLACE, b"secret")
    with pytest.raises(ConfigurationError):
        key.open(msgspec.structs.replace(PLACE, **change), sealed)


def test_seal_does_not_open_for_another_tenant():
    """A ciphertext copied to another tenant opens neither with that tenant's key nor under its name."""
    sealer = Sealer({1: OLD})
    _, first = open_key(sealer, workspace_id=1)
    _, second = open_key(sealer, workspace_id=2)
    sealed = first.seal(PLACE, b"secret")
    theirs = msgspec.structs.replace(PLACE, workspace_id=2)
    for key, place in ((second, theirs), (second, PLACE), (first, theirs)):
        with pytest.raises(ConfigurationError):
            key.open(place, sealed)


@pytest.mark.parametrize("change", [{"workspace_id": 2}, {"id": 2}], ids=["another tenant", "another key id"])
def test_wrapped_key_does_not_open_elsewhere(change: dict[str, int]):
    """A wrapped data key copied to another tenant or number does not open."""
    sealer = Sealer({1: OLD})
    wrapped, _ = open_key(sealer)
    with pytest.raises(ConfigurationError):
        sealer.unwrap(msgspec.structs.replace(wrapped, **change))


def test_wrapped_key_names_the_version_it_is_bound_to():
    """Claiming another version of the installation's key does not open a data key, even with equal material."""
    sealer = Sealer({1: OLD, 2: OLD})
    wrapped = Sealer({1: OLD}).new_data_key(1, 1)
    with pytest.raises(ConfigurationError):
        sealer.unwrap(msgspec.structs.replace(wrapped, key_version=2))


@pytest.mark.parametrize("at", [0, 4, 5, 17, -1])
def test_seal_notices_any_changed_byte(at: int):
    """One flipped bit in the format, key id, nonce, text or tag is noticed."""
    _, key = open_key(Sealer({1: OLD}))
    sealed = bytearray(key.seal(PLACE, b"secret"))
    sealed[at] ^= 1
    with pytest.raises(ConfigurationError):
        key.open(PLACE, bytes(sealed))


@pytest.mark.parametrize("length", [0, 1, 5, 17])
def test_seal_refuses_a_cut_value(length: int):
    """A value cut short is refused, not read past its end."""
    _, key = open_key(Sealer({1: OLD}))
    with pytest.raises(ConfigurationError):
        key.open(PLACE, key.seal(PLACE, b"secret")[:length])


def test_rotation_reads_old_and_writes_new():
    """With both keys, old data keys open, new ones get the new key, re-wrapping keeps what was sealed."""
    wrapped, key = open_key(Sealer({1: OLD}))
    sealed = key.seal(PLACE, b"secret")
    both = Sealer({1: OLD, 2: NEW})
    assert both.unwrap(wrapped).open(PLACE, sealed) == b"secret"
    moved = both.rewrap(wrapped)
    assert moved.key_version == 2
    assert Sealer({2: NEW}).unwrap(moved).open(PLACE, sealed) == b"secret"
    with pytest.raises(ConfigurationError, match="version 1"):
        Sealer({2: NEW}).unwrap(wrapped)


def test_same_value_seals_differently():
    """Sealing twice does not show that two values are equal."""
    _, key = open_key(Sealer({1: OLD}))
    assert key.seal(PLACE, b"secret") != key.seal(PLACE, b"secret")
    assert sealed_key_id(key.seal(PLACE, b"secret")) == 1


def test_derived_keys_differ_by_purpose_and_version():
    """No purpose and no version shares a key with another."""
    sealer = Sealer({1: OLD, 2: NEW})
    derived = [*sealer.derive_keys("a").values(), *sealer.derive_keys("b").values()]
    assert len(set(derived)) == 4
    assert Sealer({1: OLD}).derive_keys("a")[1] == sealer.derive_keys("a")[1]


def test_repr_hides_keys():
    """Neither keys nor key material show in text."""
    sealer = Sealer({1: OLD})
    _, key = open_key(sealer)
    assert OLD not in f"{sealer!r}{key!r}"


@pytest.mark.parametrize("keys", [{}, {0: OLD}, {1: "short"}], ids=["none", "version 0", "short"])
def test_sealer_refuses_bad_keys(keys: dict[int, str]):
    """A missing, misnumbered or short key stops the start."""
    with pytest.raises(ConfigurationError):
        Sealer(keys)


@pytest.mark.parametrize(
    ("text", "keys"),
    [("", {}), (" abc \n", {1: "abc"}), ("2:new,1:old", {2: "new", 1: "old"}), ("3:a:b", {3: "a:b"})],
)
def test_read_keys_reads_one_or_several(text: str, keys: dict[int, str]):
    """One key is version 1; several carry their versions."""
    assert read_keys(text) == keys


@pytest.mark.parametrize("text", ["x:key", "1:a,1:b", ":a", "²:a"])
def test_read_keys_refuses_what_has_no_version(text: str):
    """A version that is no number or comes twice is refused."""
    with pytest.raises(ConfigurationError):
        read_keys(text)
