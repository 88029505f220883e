"""What a channel takes when: windows, longer ones for people, templates, people only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.envelope import TemplateUse
from hub.errors import ErrorClass
from hub.inbox.windows import Rules, expiry_for, why_refused

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY, WEEK = 86_400, 7 * 86_400
META = Rules(window_s=DAY, human_window_s=WEEK, templates=True)
USE = TemplateUse(name="hello", language="en")


@pytest.mark.parametrize(
    ("rules", "left_s", "is_human", "template", "code"),
    [
        (Rules(), None, False, None, ""),
        (META, 1, False, None, ""),
        (META, 0, False, None, "window_closed"),
        (META, 0, True, None, ""),
        (META, -6 * DAY + 1, True, None, ""),
        (META, -6 * DAY, True, None, "window_closed"),
        (META, None, True, None, "window_closed"),
        (META, None, False, USE, ""),
        (META, -WEEK, True, USE, ""),
        (Rules(window_s=DAY), 5, True, USE, "no_templates"),
        (Rules(window_s=DAY), -5, True, None, "window_closed"),
        (Rules(human_only=True), None, False, None, "human_only"),
        (Rules(human_only=True), None, True, None, ""),
    ],
)
def test_what_is_taken_depends_on_window_author_and_template(rules, left_s, is_human, template, code):
    """Free text while the window is open, a person's longer; templates always, where the channel has them."""
    expires_at = None if left_s is None else NOW + timedelta(seconds=left_s)
    why = why_refused(rules, expires_at, is_human=is_human, template=template, now=NOW)
    assert (why.code if why else "") == code


def test_words_offer_templates_only_where_there_are_some():
    """A member reads what they can do."""
    with_templates = why_refused(META, None, is_human=True, template=None, now=NOW)
    without = why_refused(Rules(window_s=DAY), NOW, is_human=True, template=None, now=NOW)
    assert with_templates is not None
    assert without is not None
    assert "template" in with_templates.message
    assert "template" not in without.message
    assert without.klass is ErrorClass.WINDOW_CLOSED


def test_a_persons_window_is_longer_by_the_difference():
    """Seven days instead of one, counted from the same message."""
    assert expiry_for(META, NOW, is_human=True) == NOW + timedelta(days=6)
    assert expiry_for(META, NOW, is_human=False) == NOW
    assert expiry_for(Rules(), NOW, is_human=True) is None
