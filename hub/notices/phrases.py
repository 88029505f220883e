"""What a notice says in a mail or on a lock screen, in the member's language: words.toml, security.toml. Pure."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from hub.mailer.letters import language_of
from hub.notices.model import Kind, News

if TYPE_CHECKING:
    from hub.notices.model import NoticeRow

TITLE_LIMIT_CHARS: Final = 80
_PLACE: Final = re.compile(r"\{(title|amount)\}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Phrase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind in one language; ``plain`` names nobody."""

    one: str
    many: str
    plain: str


LANGUAGES: Final[dict[str, dict[Kind, Phrase]]] = msgspec.convert(
    tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8")), dict[str, dict[Kind, Phrase]]
)
# What happened to somebody's account, named nobody.
SECURITY: Final[dict[str, dict[News, str]]] = msgspec.convert(
    tomllib.loads(Path(__file__).with_name("security.toml").read_text("utf-8")), dict[str, dict[News, str]]
)


def say(notice: NoticeRow, language: str, *, names: bool) -> str:
    """
    Put a notice into one line.

    Args:
        notice: Which.
        language: The member's.
        names: Whether it may say who or what it is about.
    """
    if notice.kind is Kind.SECURITY and notice.detail in set(News):
        return SECURITY[language_of(language)][News(notice.detail)]
    phrase = LANGUAGES[language_of(language)][notice.kind]
    title = _CONTROL.sub(" ", notice.title).strip()
    if len(title) > TITLE_LIMIT_CHARS:
        title = title[: TITLE_LIMIT_CHARS - 1].rstrip() + "…"
    if not names or not title:
        return phrase.plain
    parts = {"title": title, "amount": str(notice.amount)}
    return _PLACE.sub(lambda found: parts[found.group(1)], phrase.many if notice.amount > 1 else phrase.one)
