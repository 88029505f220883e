"""Rules for choosing a password, and its verifier (argon2id). Knows no database; called by the actions and sign-in."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import string
import unicodedata
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from hub.errors import InvalidInput, TooManyRequests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MIN_CHARS: Final = 12
BREACHED_FILE: Final = Path(__file__).with_name("breached_passwords.bin")
# One in 2**40: that somebody's good password has the digest of a bad one does not happen.
_DIGEST_BYTES: Final = 5
# What people add to a password they know to make it longer: a year, a date, a few signs.
_MOST_ADDED_CHARS: Final = 8
_LEAST_CORE_CHARS: Final = 4
# Words of this product and of what it is for; docs/security-inventory.md lists them (a test compares).
CONTEXT_WORDS: Final = (
    "clientcontact", "unified", "messaging", "message", "inbox", "hub", "livechat", "conversation", "support",
    "contact", "workspace", "channel", "member", "owner", "operator", "admin", "agent", "viewer", "sales", "customer",
)  # fmt: skip
_LEAST_WORD_CHARS: Final = 3
_AROUND: Final = string.digits + string.punctuation + " "
_WORD: Final = re.compile(r"[^\W\d_]+")
_LOOKALIKES: Final = str.maketrans("@4301!$57", "aaeoiisst")
# Longer ones cost memory and no attacker time; the limit is far above what people and password safes make.
MAX_CHARS: Final = 256
# Each check takes 64 MiB and about 50 ms of a core: more at once would only make all of them slow.
_AT_ONCE: Final = 2
_MOST_WAITING: Final = 40
_LONGEST_REPEATED_CHARS: Final = 4


def check_new(password: str, *, field: str = "password", about: tuple[str, ...] = ()) -> None:
    """
    Refuse a password that an attacker would try early.

    Args:
        password: As typed.
        field: Name for the error.
        about: The person's address and name, the workspace: a password must not be made of these and ``CONTEXT_WORDS``.

    Raises:
        InvalidInput: Too short, too long, one of leaks or a little longer than one, one pattern, or about the person.

    Source:
        NIST SP 800-63B-4 section 3.1.1.2 (2025): length and a blocklist, no rules of composition. OWASP ASVS 5.0 6.2.4
        and 6.2.12 (May 2025): breached passwords.
    """
    if len(password) < MIN_CHARS:
        raise InvalidInput(field, f"Use at least {MIN_CHARS} characters. Three or four words make a good password.")
    if len(password) > MAX_CHARS:
        raise InvalidInput(field, f"Use at most {MAX_CHARS} characters.")
    plain = _plain(password)
    if _is_about(plain, about):
        raise InvalidInput(
            field, "Do not make the password of your name, address, workspace or what this hub is called."
        )
    if plain in _common() or _is_pattern(plain) or is_breached(password):
        raise InvalidInput(field, "This password is one of the first that attackers try. Choose another.")


def _is_about(plain: str, about: tuple[str, ...]) -> bool:
    """Say whether little is left of a password without the words somebody would think of who knows whose it is."""
    if plain in {_plain(part) for text in about for part in (text, text.partition("@")[0])}:
        return True
    words = {*CONTEXT_WORDS, *(word for text in about for word in _WORD.findall(_plain(text)))}
    rest = plain
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "") if len(word) >= _LEAST_WORD_CHARS else rest
    return rest != plain and len(rest) <= _MOST_ADDED_CHARS


def is_breached(password: str) -> bool:
    """
    Say whether a password turned up in leaks, or is one that did with a few digits and signs around it.

    Args:
        password: As typed.

    Returns:
        True for ``password``, ``Password2024!`` and ``P@ssw0rd2024!`` alike.
    """
    plain = _plain(password)
    read = {plain} | {
        one for one in (plain.strip(_AROUND), plain.rstrip(_AROUND)) if len(plain) - len(one) <= _MOST_ADDED_CHARS
    }
    # Written twice it is no longer to guess.
    read |= {one[: len(one) // 2] for one in read if one == one[: len(one) // 2] * 2}
    read |= {one.translate(_LOOKALIKES) for one in read}
    return any(_is_listed(breached_digest(one)) for one in read if len(one) >= _LEAST_CORE_CHARS)


def breached_digest(password: str) -> bytes:
    """Return what stands for a password in the shipped list; case does not count."""
    return hashlib.sha256(_plain(password).encode("utf-8", "surrogatepass")).digest()[:_DIGEST_BYTES]


def _is_listed(digest: bytes) -> bool:
    listed = _breached()
    low, high = 0, len(listed) // _DIGEST_BYTES
    while low < high:
        middle = (low + high) // 2
        found = listed[middle * _DIGEST_BYTES : (middle + 1) * _DIGEST_BYTES]
        if found == digest:
            return True
        if found < digest:
            low = middle + 1
        else:
            high = middle
    return False


def _plain(password: str) -> str:
    return unicodedata.normalize("NFKC", password).casefold().strip()


def _is_pattern(plain: str) -> bool:
    """One short piece repeated (``abcabcabcabc``), or a run of neighbours (``2345678901``)."""
    # A text found in itself doubled, shifted by n, is a piece of n characters repeated.
    if (plain + plain).find(plain, 1) <= _LONGEST_REPEATED_CHARS:
        return True
    steps = {ord(after) - ord(before) for before, after in itertools.pairwise(plain)}
    return steps <= {1, -9} or steps <= {-1, 9}


@lru_cache(maxsize=1)
def _breached() -> bytes:
    return BREACHED_FILE.read_bytes()


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    text = Path(__file__).with_name("common_passwords.txt").read_text("utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


class Passwords:
    """Makes and checks verifiers in threads, a few at a time; one per process."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        # Checked for logins that do not exist, so that the answer takes as long.
        self._nobody = self._hasher.hash("nobody's password")
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def make_hash(self, password: str) -> str:
        """Return the verifier of a password that passed ``check_new``."""
        async with self._turn():
            return await asyncio.to_thread(self._hasher.hash, _typed(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """
        Check a password.

        Args:
            password_hash: The verifier; None for a login that does not exist or has no password yet.
            password: As typed, any length.

        Returns:
            Whether it fits; always False, after the same time, without a verifier.

        Raises:
            TooManyRequests: Too many checks are waiting already.
        """
        async with self._turn():
            fits = await asyncio.to_thread(self._verify, password_hash or self._nobody, _typed(password))
        return fits and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Say whether a verifier was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= _MOST_WAITING:
            raise TooManyRequests(5, "Many people are signing in just now. Try again in a few seconds.")
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def _typed(password: str) -> str:
    """The same keys give other code points on other systems; and a very long text is cut, not hashed."""
    return unicodedata.normalize("NFC", password[: MAX_CHARS + 1])
