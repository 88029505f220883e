"""Recovery codes."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from hub.signin.factors import recovery

LOGIN = UUID("0192f000-0000-7000-8000-000000000001")
OTHER = UUID("0192f000-0000-7000-8000-000000000002")


def test_ten_codes_of_120_bits():
    """Ten different codes, each 24 characters of an alphabet of 32."""
    codes = recovery.new_codes()
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}", one) for one in codes)
    assert not set(codes) & set(recovery.new_codes())


def test_code_is_read_as_people_write_it():
    """Case, hyphens, and letters that look like digits do not matter."""
    stored = recovery.code_hash(LOGIN, "AB10-CDEF-GHJK-MNPQ")
    for typed in ("ab10cdefghjkmnpq", " AB1O CDEF GHJK MNPQ ", "ABIO-CDEF-GHJK-MNPQ", "abl0-cdef-ghjk-mnpq"):
        assert recovery.code_hash(LOGIN, typed) == stored


def test_code_of_before_is_still_read():
    """Codes on paper had 16 characters; they stay good until they are used or renewed."""
    assert recovery.code_hash(LOGIN, "AB10-CDEF-GHJK-MNPQ-RSTV-WXYZ") is not None
    assert recovery.code_hash(LOGIN, "AB10-CDEF-GHJK-MNPQ") is not None
    assert recovery.code_hash(LOGIN, "AB10-CDEF-GHJK-MNPQ-RSTV") is None


def test_hash_is_of_one_login():
    """The same code of another login is stored as something else, and the code itself is not in it."""
    code = recovery.new_codes()[0]
    assert recovery.code_hash(LOGIN, code) != recovery.code_hash(OTHER, code)
    assert len(recovery.code_hash(LOGIN, code)) == 32


@pytest.mark.parametrize("typed", ["", "123456", "AB10-CDEF-GHJK-MNPU", "AB10-CDEF-GHJK-MNP", "é" * 16, "A" * 10_000])
def test_what_is_no_code_has_no_hash(typed):
    """A text that cannot be a code is refused before the database is asked."""
    assert recovery.code_hash(LOGIN, typed) is None
