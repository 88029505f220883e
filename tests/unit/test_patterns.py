"""Regular expressions of ours: no text, however hostile, costs one of them more than a moment (ReDoS)."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time

import api
import connectors
import hub

# Longer texts reach few of them: fields and lines are cut before.
CHARS = 2_000
LIMIT_S = 0.1
PIECES = ("a", "1", " ", "-", "a.", "a@", "<a ", 'a="b" ', "&#", ": ", "> ", "Re: ", "0 1", "on x wrote:")
ENDS = ("!", "\x00", "\n")
# Only matched at the beginning of a text of 4,000 characters at most, which is quick; a search with it would not be.
MATCHED_ONLY = {"hub.html.quotes._FORWARDED"}


def patterns():
    found = {}
    for package in (hub, api, connectors):
        for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            last = one.name.rpartition(".")[2]
            if last.startswith(("test_", "m00", "env")) or ".migrations." in one.name:
                continue
            module = importlib.import_module(one.name)
            for name, value in vars(module).items():
                if isinstance(value, re.Pattern):
                    found[f"{one.name}.{name}"] = value
    return found


def slowest_s(pattern, *, is_searched: bool = True, chars: int = CHARS) -> float:
    """Return the longest processor time one text takes, searched and matched from its beginning."""
    longest_s = 0.0
    for piece in PIECES:
        for end in ENDS:
            text = piece * (chars // len(piece)) + end
            hostile = text if isinstance(pattern.pattern, str) else text.encode()
            taken_s = once_s(pattern, hostile, is_searched=is_searched)
            if taken_s > LIMIT_S:
                # The collector may have run meanwhile, over everything the suite holds: only a pattern is slow twice.
                taken_s = min(taken_s, once_s(pattern, hostile, is_searched=is_searched))
            longest_s = max(longest_s, taken_s)
            if longest_s > LIMIT_S:
                return longest_s
    return longest_s


def once_s(pattern, hostile, *, is_searched: bool) -> float:
    began_s = time.process_time()
    pattern.match(hostile)
    if is_searched:
        pattern.search(hostile)
    return time.process_time() - began_s


def test_no_pattern_of_ours_is_slow():
    """Every pattern kept in a module, against texts made to lead it astray."""
    known = patterns()
    assert len(known) > 60
    slow = {
        name: taken_s
        for name, pattern in known.items()
        if (taken_s := slowest_s(pattern, is_searched=name not in MATCHED_ONLY)) > LIMIT_S
    }
    assert slow == {}


def test_a_slow_pattern_would_be_seen():
    """Cubic is too much, and found."""
    assert slowest_s(re.compile(r"a*a*a*b"), is_searched=False, chars=1_300) > LIMIT_S
