"""What notices say, in every language, with and without names."""

from __future__ import annotations

from uuid import uuid4

import pytest

from hub import clock
from hub.mailer import letters
from hub.notices.model import Kind, News, NoticeRow
from hub.notices.phrases import LANGUAGES, SECURITY, say


def notice(kind=Kind.MESSAGE, **changes):
    now = clock.now()
    fields = dict.fromkeys(("conversation_id", "channel_account_id", "inbox_id", "actor_id", "seen_at", "read_at"))
    fields |= {"id": uuid4(), "kind": kind, "title": "Mia Lang", "preview": "secret words", "amount": 1, "detail": ""}
    return NoticeRow(**(fields | {"first_at": now, "at": now} | changes))


def test_every_kind_is_said_in_every_language():
    """The languages are those of the mails."""
    assert set(LANGUAGES) == set(letters.LANGUAGES)
    assert all(set(words) == set(Kind) for words in LANGUAGES.values())


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("kind", Kind)
def test_names_are_only_said_where_they_may_be(kind, language):
    """Without leave nobody is named; what they wrote is never in the line."""
    quiet, named = (say(notice(kind), language, names=names) for names in (False, True))
    assert "Mia" not in quiet
    assert "{" not in quiet + named
    assert "secret" not in quiet + named


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_news_of_an_account_are_said(language):
    """Each in every language, differently; an unknown one of a newer hub says that something happened."""
    said = {say(notice(Kind.SECURITY, title="", detail=one.value), language, names=False) for one in News}
    assert set(SECURITY[language]) == set(News)
    assert len(said) == len(News)
    unknown = say(notice(Kind.SECURITY, title="", detail="of_tomorrow"), language, names=False)
    assert unknown == LANGUAGES[language][Kind.SECURITY].plain


def test_amounts_are_said():
    """Three messages are three messages."""
    assert say(notice(amount=3), "en", names=True) == "Mia Lang wrote 3 messages"
    assert say(notice(amount=3), "sv", names=True) == "Mia Lang wrote 3 messages"


def test_a_title_is_one_line():
    """Line ends in a name do not make another line of the digest; a long one is cut; a place in it stays as it is."""
    assert say(notice(title="Mia\r\n- You won"), "en", names=True) == "Mia - You won wrote to you"
    assert len(say(notice(title="x" * 500), "en", names=True)) < 120
    assert say(notice(title="{amount}"), "en", names=True) == "{amount} wrote to you"
    assert say(notice(title=""), "en", names=True) == "New message in one of your conversations"
