"""Sealed TOTP secrets."""

from __future__ import annotations

from uuid import UUID

import pytest

from hub.errors import ConfigurationError
from hub.signin.factors.sealing import FactorSealer

LOGIN, OTHER, ROW, OTHER_ROW = (UUID(int=number) for number in range(1, 5))
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def test_secret_opens_where_it_was_sealed():
    """What was sealed comes back, differs each time, and does not show the secret."""
    sealer = FactorSealer({1: bytes(32)})
    first, second = sealer.seal(LOGIN, ROW, SECRET), sealer.seal(LOGIN, ROW, SECRET)
    assert sealer.open(LOGIN, ROW, first) == SECRET
    assert first != second
    assert SECRET.encode() not in first


@pytest.mark.parametrize(("login_id", "row"), [(OTHER, ROW), (LOGIN, OTHER_ROW)])
def test_secret_copied_elsewhere_does_not_open(login_id, row):
    """A ciphertext moved to another login or row is worth nothing: nobody plants their own secret by SQL."""
    sealer = FactorSealer({1: bytes(32)})
    with pytest.raises(ConfigurationError):
        sealer.open(login_id, row, sealer.seal(LOGIN, ROW, SECRET))


def test_changed_byte_does_not_open():
    """Each byte of a sealed secret matters."""
    sealer = FactorSealer({1: bytes(32)})
    sealed = sealer.seal(LOGIN, ROW, SECRET)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(ConfigurationError):
            sealer.open(LOGIN, ROW, changed)


def test_old_key_still_opens_and_the_new_one_seals():
    """While keys are changed both open; without the old one the text says what is missing."""
    old = FactorSealer({1: bytes(32)}).seal(LOGIN, ROW, SECRET)
    both = FactorSealer({1: bytes(32), 2: b"2" * 32})
    assert both.open(LOGIN, ROW, old) == SECRET
    newest = both.seal(LOGIN, ROW, SECRET)
    assert FactorSealer({2: b"2" * 32}).open(LOGIN, ROW, newest) == SECRET
    with pytest.raises(ConfigurationError, match="HUB_SECRET_KEY"):
        FactorSealer({2: b"2" * 32}).open(LOGIN, ROW, old)


def test_keys_do_not_show():
    """A sealer in a log line tells versions only."""
    assert repr(FactorSealer({1: b"k" * 32})) == "FactorSealer(versions=[1])"
