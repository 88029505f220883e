"""
The installation's keys by version, as the environment names them: one that writes, others that still open. No IO.

``HUB_SECRET_KEY`` is one key (version 1), or ``2:new,1:old``; ``HUB_SECRET_KEYS_OLD`` names more that only open. What
is derived from keys keeps saying which of them writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from hub.errors import ConfigurationError

# Between the keys that may write and those that only open, in one text: settings and files hold one.
_ONLY_OPEN: Final = "\n"
_HOW: Final = "Give each key its version: HUB_SECRET_KEY=2:new and HUB_SECRET_KEYS_OLD=1:old."

_Value = TypeVar("_Value")


class Keys(dict[int, _Value]):
    """Keys by version; ``writing`` is the version of the one that seals, wraps and signs."""

    def __init__(self, keys: Mapping[int, _Value], writing: int) -> None:
        super().__init__(keys)
        self.writing = writing


def writing_version(keys: Mapping[int, object]) -> int:
    """Return the version that writes: the one the environment says, else the highest."""
    return keys.writing if isinstance(keys, Keys) else max(keys)


def join_keys(text: str, only_open: str) -> str:
    """
    Put both variables into one text, for ``read_keys``.

    Args:
        text: ``HUB_SECRET_KEY``, or what this returned in the process that started us.
        only_open: ``HUB_SECRET_KEYS_OLD``.

    Raises:
        ConfigurationError: There are keys to open with and none that writes.
    """
    text, only_open = text.strip(), only_open.strip()
    if not only_open or _ONLY_OPEN in text:
        return text
    if not text:
        raise ConfigurationError("HUB_SECRET_KEYS_OLD needs HUB_SECRET_KEY beside it.", field="HUB_SECRET_KEYS_OLD")
    joined = f"{text}{_ONLY_OPEN}{only_open}"
    read_keys(joined)
    return joined


def read_keys(text: str) -> Keys[str]:
    """
    Read the installation's keys.

    Args:
        text: ``HUB_SECRET_KEY``, what ``join_keys`` made, or the content of the key file.

    Returns:
        Key material by version; a bare key is version 1. The highest version of ``HUB_SECRET_KEY`` writes.

    Raises:
        ConfigurationError: A version is not a number, or comes twice.
    """
    writing, _, only_open = text.strip().partition(_ONLY_OPEN)
    newest = _read(writing)
    if not newest:
        return Keys({}, 0)
    former = _read(only_open)
    if newest.keys() & former.keys() or ("," in only_open and ":" not in only_open):
        raise ConfigurationError(_HOW, field="HUB_SECRET_KEYS_OLD")
    return Keys({**newest, **former}, max(newest))


def _read(text: str) -> dict[int, str]:
    text = text.strip()
    if ":" not in text:
        return {1: text} if text else {}
    keys: dict[int, str] = {}
    for part in text.split(","):
        head, colon, rest = part.strip().partition(":")
        number, value = (head, rest) if colon else ("1", head)
        if not (number.isascii() and number.isdigit()) or int(number) in keys:
            raise ConfigurationError(
                f"HUB_SECRET_KEY must be one key, or keys with their versions: 2:new,1:old. {_HOW}",
                field="HUB_SECRET_KEY",
            )
        keys[int(number)] = value
    return keys
