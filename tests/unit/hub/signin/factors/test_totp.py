"""One-time codes by the clock."""

from __future__ import annotations

from base64 import b32decode, b32encode
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from hub.signin.factors import totp

SECRET = b32encode(b"12345678901234567890").decode()
# RFC 6238 appendix B, SHA-1, its last six of eight digits.
VECTORS = {
    59: "287082",
    1111111109: "081804",
    1111111111: "050471",
    1234567890: "005924",
    2000000000: "279037",
    20000000000: "353130",
}


@pytest.mark.parametrize(("at_s", "code"), VECTORS.items())
def test_codes_are_those_of_the_standard(at_s, code):
    """The vectors of RFC 6238 appendix B match, at their own time step."""
    assert totp.matching_step(SECRET, code, at_s=at_s, after_step=-1) == at_s // 30


@pytest.mark.parametrize(("steps", "fits"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_window_is_one_step_either_way(steps, fits):
    """A code of the step before or after is taken, one further away is not."""
    code = pyotp.TOTP(SECRET).generate_otp(1000 + steps)
    found = totp.matching_step(SECRET, code, at_s=1000 * 30 + 5, after_step=-1)
    assert found == (1000 + steps if fits else None)


def test_used_step_and_older_ones_never_match():
    """Once a step's code was used, that code and those before it are worth nothing (replay)."""
    older, used, newer = (pyotp.TOTP(SECRET).generate_otp(step) for step in (999, 1000, 1001))
    assert totp.matching_step(SECRET, used, at_s=30_000, after_step=1000) is None
    assert totp.matching_step(SECRET, older, at_s=30_000, after_step=1000) is None
    assert totp.matching_step(SECRET, newer, at_s=30_000, after_step=1000) == 1001


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "٠١٢٣٤٥", "²⁸⁷⁰⁸²", "28 70 8", "x" * 10_000])
def test_what_is_no_code_is_wrong(code):
    """Whatever is typed, the answer is no and no error."""
    assert totp.matching_step(SECRET, code, at_s=59, after_step=-1) is None


@pytest.mark.parametrize("typed", ["287 082", " 287082 ", "287-082"])
def test_spaces_are_ignored(typed):
    """Apps show codes in two groups; people type them so."""
    assert totp.matching_step(SECRET, typed, at_s=59, after_step=-1) == 1


def test_secrets_have_160_bits_and_differ():
    """RFC 4226 recommends 160 bits; no two are alike."""
    made = {totp.new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(b32decode(one)) for one in made} == {20}


def test_address_for_apps_names_account_and_issuer():
    """An authenticator app shows whose code this is and where it belongs."""
    url = urlsplit(totp.otpauth_url(SECRET, account="ann@example.com", issuer="hub.example.com"))
    assert (url.scheme, url.netloc) == ("otpauth", "totp")
    assert url.path == "/hub.example.com:ann%40example.com"
    assert parse_qs(url.query)["secret"] == [SECRET]
    assert parse_qs(url.query)["issuer"] == ["hub.example.com"]
