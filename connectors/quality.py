"""
What each channel answers to the quality rules: the ``[quality]`` table of its ``manifest.toml``.

Not read by the running hub, which takes any channel whose manifest is valid; ``scripts/check_connectors.py`` asks.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from connectors.manifest import FILENAME
from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

TABLE: Final = "quality"
_EXEMPT: Final = "exempt:"
# A reason of one word explains nothing to whoever reads the manifest next year.
_SHORTEST_WHY_CHARS: Final = 10

RULES: Final[Mapping[str, str]] = {
    "signature-verified": "A call that the vendor did not sign, or that was changed on its way, is refused.",
    "every-event-type-has-fixture": "Each event the manifest lists is shown by a recorded call and what it is read as.",
    "unknown-event-is-unsupported": "What the vendor may send and we do not handle is counted, not failed.",
    "rate-limit-honoured": "Sends take from the vendor's rate buckets, so that it never has to throttle us.",
    "retry-after-honoured": "When the vendor throttles us all the same, we wait as long as it says.",
    "credentials-checked-before-save": "The connect form asks the vendor whether the keys are good.",
    "reauth-path": "Keys that stop working stop the account and ask a person, with nothing lost.",
    "receipts": "What the vendor says of a message we sent reaches the conversation.",
    "media-in": "Files that customers send are fetched and kept.",
    "media-out": "Files that members send reach the customer.",
    "edits": "A message changed at the vendor changes here.",
    "deletes": "A message deleted at the vendor is deleted here.",
    "threads": "The vendor's threads are conversations of their own.",
    "text-limit-split": "A text of the longest allowed length goes out whole, in as many parts as the vendor needs.",
    "backfill": "What was missed, or was there before the account was connected, is fetched.",
    "log-once-when-down-once-when-up": "A vendor that is away is one line in the log, and so is its return.",
    "known-limits-documented": "The folder's README says what does not work.",
    "replay-safe": "The same call read again gives the same items under the same keys.",
}


class Answer(StrEnum):
    DONE = "done"
    TODO = "todo"
    EXEMPT = "exempt"


class Given(msgspec.Struct, frozen=True):
    """
    One rule's answer.

    Attributes:
        answer: Whether the channel keeps the rule.
        why: For ``EXEMPT``: why it does not apply to this channel; else empty.
    """

    answer: Answer
    why: str = ""


def read_quality(folder: Path) -> dict[str, Given]:
    """
    Read the answers of one channel.

    Args:
        folder: The channel's folder.

    Returns:
        An answer for each of ``RULES``, in their order.

    Raises:
        ConfigurationError: A rule is missing, unknown or answered otherwise than ``"done"``, ``"todo"`` or
            ``"exempt: why"``; ``field`` is the place in the manifest.
    """
    try:
        content = tomllib.loads((folder / FILENAME).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(folder, "", f"cannot be read: {error}") from error
    table = content.get(TABLE)
    if not isinstance(table, dict):
        raise _wrong(folder, TABLE, "is missing: it answers each quality rule, see docs/connectors.md")
    for name in table:
        if name not in RULES:
            raise _wrong(folder, f"{TABLE}.{name}", "is not a quality rule")
    return {name: _read_answer(folder, name, table.get(name)) for name in RULES}


def _read_answer(folder: Path, rule: str, text: object) -> Given:
    place = f"{TABLE}.{rule}"
    if text is None:
        raise _wrong(folder, place, 'is missing: answer "done", "todo" or "exempt: why"')
    if text in (Answer.DONE, Answer.TODO):
        return Given(Answer(str(text)))
    if isinstance(text, str) and text.startswith(_EXEMPT):
        why = text.removeprefix(_EXEMPT).strip()
        if len(why) < _SHORTEST_WHY_CHARS:
            raise _wrong(folder, place, "is exempt without a reason: say why the rule does not apply to this channel")
        return Given(Answer.EXEMPT, why)
    raise _wrong(folder, place, f'must be "done", "todo" or "exempt: why", not {text!r}')


def _wrong(folder: Path, field: str, reason: str) -> ConfigurationError:
    at = f", {field}" if field else ""
    return ConfigurationError(f"connectors/{folder.name}/{FILENAME}{at}: {reason}.", field=field or None)
