"""Slack's names of emoji, as ``thumbsup``, and the characters they stand for; both ways. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

_TONES: Final = {"2": "🏻", "3": "🏼", "4": "🏽", "5": "🏾", "6": "🏿"}
_TONE: Final = re.compile(r"::skin-tone-([2-6])$")
_FLAG: Final = re.compile(r"flag-([a-z]{2})")
_NAME: Final = re.compile(r"[a-z0-9_+'-]{1,100}")
_IN_TEXT: Final = re.compile(r":([a-z0-9_+'-]{1,64}(?:::skin-tone-[2-6])?):")
_VARIATION: Final = "\ufe0f"
# Names of Slack's own, where the usual ones differ.
_OWN: Final = {
    "simple_smile": "🙂",
    "face_palm": "🤦",
    "shrug": "🤷",
    "large_green_circle": "🟢",
    "large_yellow_circle": "🟡",
    "large_orange_circle": "🟠",
    "large_purple_circle": "🟣",
    "large_brown_circle": "🟤",
    "large_red_square": "🟥",
    "the_horns": "🤘",
    "knife_fork_plate": "🍽️",
}


def to_character(name: str) -> str:
    """
    Write an emoji's name as the emoji.

    Args:
        name: Slack's, without colons, perhaps with ``::skin-tone-3``.

    Returns:
        The emoji; for one that only the team has, its name between colons.
    """
    tone = _TONE.search(name)
    plain = name[: tone.start()] if tone else name
    found = _characters().get(plain) or _characters().get(plain.replace("-", "_")) or _flag(plain)
    if not found:
        return f":{plain}:"
    return found.replace(_VARIATION, "") + _TONES[tone[1]] if tone else found


def to_names(character: str) -> Sequence[str]:
    """
    Write an emoji by the names Slack may know it by, the likeliest first.

    Args:
        character: One emoji, or a team's own as ``:name:``.

    Returns:
        Names without colons; empty for what is no emoji.
    """
    own = character.strip(":")
    if character.startswith(":") and _NAME.fullmatch(own):
        return (own,)
    tones = [digit for digit, tone in _TONES.items() if tone in character]
    suffix = f"::skin-tone-{tones[0]}" if len(tones) == 1 else ""
    plain = character.replace(_TONES[tones[0]], "") if suffix else character
    names = _names().get(plain.replace(_VARIATION, ""), ())
    return tuple(f"{name}{suffix}" for name in names)


def fill_in(text: str) -> str:
    """Write the names of emoji in a text as emoji; what is no emoji's name stays."""

    def write(match: re.Match[str]) -> str:
        found = to_character(match[1])
        return match[0] if found.startswith(":") else found

    return _IN_TEXT.sub(write, text) if ":" in text else text


def _flag(name: str) -> str:
    match = _FLAG.fullmatch(name)
    return "".join(chr(0x1F1E6 + ord(letter) - ord("a")) for letter in match[1]) if match else ""


@lru_cache(maxsize=1)
def _characters() -> Mapping[str, str]:
    """Name to character, of the names that chat programs share and of the standard's."""
    import emoji

    found: dict[str, str] = {}
    for character, facts in emoji.EMOJI_DATA.items():
        if facts["status"] > emoji.STATUS["fully_qualified"]:
            continue
        for name in (*facts.get("alias", ()), facts["en"]):
            found.setdefault(name.strip(":").lower(), character)
    return found | _OWN


@lru_cache(maxsize=1)
def _names() -> Mapping[str, tuple[str, ...]]:
    """Character, without variation selectors, to names: Slack's own, the shared ones, the standard's."""
    found: dict[str, list[str]] = {}
    for name, character in _characters().items():
        names = found.setdefault(character.replace(_VARIATION, ""), [])
        # Slack joins these with a hyphen: man-shrugging.
        names.append(re.sub(r"^(man|woman|person)_", r"\1-", name))
    for first in range(26):
        for second in range(26):
            flag = chr(0x1F1E6 + first) + chr(0x1F1E6 + second)
            if flag in found:
                found[flag].insert(0, f"flag-{chr(97 + first)}{chr(97 + second)}")
    return {character: tuple(names) for character, names in found.items()}
