"""Actions of the audit log in words: every action the product writes has its own."""

from __future__ import annotations

import re
from pathlib import Path

from api.audit_words import WORDS, words_of

ROOT = Path(__file__).parents[3]
# The last word of an action is an event, past tense; what looks alike and is none is named here.
ACTION = re.compile(r'"([a-z_]+\.(?:[a-z_]+_)?(?:[a-z]+ed|made|set_up|sent|left|signed_in|signed_up))"')
NO_ACTIONS = {"hub.embedded"}


def test_every_action_written_in_the_product_has_words():
    """A name that is a literal in a room or in the edge is listed: the viewer shows words, not identifiers."""
    written = {
        name
        # A channel's folder writes no audit log; its vendor's events have names of this shape.
        for pattern in ("hub/**/*.py", "api/**/*.py", "connectors/*.py")
        for path in ROOT.glob(pattern)
        if path.name != "audit_words.py"
        for name in ACTION.findall(path.read_text("utf-8"))
    }
    assert written - NO_ACTIONS - WORDS.keys() == set()
    assert len(written) > 40


def test_unlisted_action_is_still_readable():
    """Whatever a later version writes is shown as its own name, spelled out."""
    assert words_of("team.split_up") == "Team split up"
