"""Recovery codes: what is left when every device is gone. Pure but for the random source."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from uuid import UUID

CODES: Final = 10
# Crockford's base32: no I, L, O and U, so that a code read from paper is not misread. 24 characters are 120 bits,
# which a plain hash may stand for (OWASP ASVS 5.0 6.5.2, May 2025: 112 or more); codes of before had 16.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_CHARS: Final = 24
_OLD_CODE_CHARS: Final = 16
_GROUP_CHARS: Final = 4
_MISREAD: Final = str.maketrans("ILO", "110")


def new_codes() -> tuple[str, ...]:
    """Make ten codes of 120 random bits, written ``ABCD-EFGH-JKMN-PQRS-TVWX-YZ01``."""
    return tuple(_grouped("".join(secrets.choice(_ALPHABET) for _ in range(_CODE_CHARS))) for _ in range(CODES))


def code_hash(login_id: UUID, typed: str) -> bytes | None:
    """
    Return what is stored of a code.

    Args:
        login_id: Whose it is: the same code of another login has another hash.
        typed: As typed, in any case, with or without hyphens.

    Returns:
        SHA-256, enough for 120 random bits (NIST SP 800-63B-4 section 3.1.2.2, 2025); None where it cannot be a code.
    """
    plain = "".join(one for one in typed[:64].upper() if one not in "- \t").translate(_MISREAD)
    if len(plain) not in (_CODE_CHARS, _OLD_CODE_CHARS) or any(one not in _ALPHABET for one in plain):
        return None
    return hashlib.sha256(login_id.bytes + plain.encode("ascii")).digest()


def _grouped(code: str) -> str:
    return "-".join(code[at : at + _GROUP_CHARS] for at in range(0, _CODE_CHARS, _GROUP_CHARS))
