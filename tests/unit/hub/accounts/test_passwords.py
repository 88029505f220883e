"""Rules of new passwords, and their verifiers."""

from __future__ import annotations

import asyncio

import pytest
from argon2 import PasswordHasher

from hub.accounts import passwords
from hub.accounts.passwords import Passwords, check_new
from hub.errors import InvalidInput, TooManyRequests


@pytest.fixture
def quick() -> Passwords:
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "at least 12"),
        ("eleven char", "at least 12"),
        ("x" * 257, "at most 256"),
        ("password1234", "attackers"),
        ("PassWord1234", "attackers"),
        ("ｐａｓｓｗｏｒｄ１２３４", "attackers"),
        ("P@ssw0rd2024!", "attackers"),
        ("$unshine-1987", "attackers"),
        ("trustno1trustno1", "attackers"),
        ("!!dragon!!2024", "attackers"),
        ("aaaaaaaaaaaa", "attackers"),
        ("abababababab", "attackers"),
        ("abcdabcdabcd", "attackers"),
        ("234567890123", "attackers"),
        ("bcdefghijklm", "attackers"),
        ("ann.smith@example.com", "your name"),
        ("ANN.SMITH@example.com", "your name"),
        ("ann.smith1@x.test", "your name"),
        ("Northwind Traders", "your name"),
        ("northwind-2026!", "your name"),
        ("SmithAnnSmith", "your name"),
        ("ClientContact-Hub1", "your name"),
        ("SupportInbox24", "your name"),
    ],
)
def test_weak_password_is_refused_with_its_reason(password, reason):
    """What attackers try first is refused, the field is named and the reason is told."""
    with pytest.raises(InvalidInput, match=reason) as caught:
        check_new(password, about=("ann.smith@example.com", "ann.smith1@x.test", "Northwind Traders"))
    assert caught.value.field == "password"


@pytest.mark.parametrize(
    "password",
    [
        "correct-otter-94",
        "пароль для почты",
        "twelve chars",
        "x1" + "y" * 254,
        "🦦🦦🦦🦦🦦 otters!",
        "hub of nine otters",
    ],
)
def test_good_password_is_taken(password):
    """Length is what counts: no rule of composition, any script."""
    check_new(password, about=("ann@example.com",))


def test_shipped_list_is_worth_its_name():
    """Every listed password is long enough that only the list catches it, beside those of leaks."""
    listed = passwords._common()
    assert len(listed) > 100
    assert all(len(one) >= passwords.MIN_CHARS and one == passwords._plain(one) for one in listed)


def test_shipped_list_of_leaked_passwords_is_of_real_size():
    """Sorted, so that it can be searched, tens of thousands, and not most of what there is."""
    listed = passwords._breached()
    size = len(passwords.breached_digest("x"))
    rows = [listed[at : at + size] for at in range(0, len(listed), size)]
    assert rows == sorted(set(rows))
    assert len(rows) > 45_000
    assert len(listed) < 1_000_000
    assert rows[0] == min(rows)
    assert all(passwords.is_breached(one) for one in ("123456", "password", "qwerty", "dragon", "zaq12wsx"))


@pytest.mark.parametrize("password", ["monkey-8493726154", "otter kettle violin", "a7f9-k2m4-x8q1", "19871987abc!"])
def test_long_additions_make_a_password_of_its_own(password):
    """A word of the list is no reason to refuse what is mostly something else."""
    assert not passwords.is_breached(password)


async def test_password_matches_its_verifier_only(quick):
    """The right password fits, another does not, and the verifier is argon2id without the password in it."""
    verifier = await quick.make_hash("a good long one")
    assert verifier.startswith("$argon2id$")
    assert "good" not in verifier
    assert await quick.matches(verifier, "a good long one")
    assert not await quick.matches(verifier, "a good long one ")


async def test_shipped_parameters_are_not_weakened():
    """The product's own verifier costs 64 MiB and three passes (RFC 9106, second choice)."""
    verifier = await Passwords().make_hash("a good long one")
    assert "m=65536,t=3,p=4" in verifier


async def test_same_keys_of_another_system_fit(quick):
    """Macs type é as two code points, others as one."""
    verifier = await quick.make_hash("cafe\u0301 au lait")
    assert await quick.matches(verifier, "caf\u00e9 au lait")


async def test_nobody_never_matches(quick):
    """Without a verifier nothing fits, not even the text the stand-in was made from."""
    assert not await quick.matches(None, "nobody's password")


async def test_damaged_verifier_never_matches(quick):
    """A row somebody mangled locks out, it does not let in or fail loudly."""
    assert not await quick.matches("not a verifier", "a good long one")


async def test_too_many_waiting_are_told_to_come_back(quick):
    """A flood of sign-ins is refused instead of queued without end; what was taken is answered."""
    results = await asyncio.gather(*(quick.matches(None, "x") for _ in range(200)), return_exceptions=True)
    refused = [one for one in results if isinstance(one, TooManyRequests)]
    assert len(refused) >= 100
    assert [one for one in results if one is False]
    assert not await quick.matches(None, "afterwards")


def test_old_parameters_are_noticed(quick):
    """A verifier made with other parameters is to be made anew at the next sign-in."""
    old = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("x")
    assert quick.is_outdated(old)
