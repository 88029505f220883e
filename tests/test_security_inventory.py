"""docs/security-inventory.md: what it lists is what the code has, as far as that can be compared."""

from __future__ import annotations

import re
from pathlib import Path

from hub.accounts.passwords import CONTEXT_WORDS, MIN_CHARS
from hub.config import DEFAULT_MAX_FILE_BYTES

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/security-inventory.md").read_text()
SOURCES = "\n".join(
    path.read_text() for folder in ("api", "hub", "connectors") for path in (ROOT / folder).rglob("*.py")
)


def test_page_is_short_enough_to_be_read():
    """A list nobody reads is renewed by nobody."""
    assert len(PAGE.splitlines()) <= 150


def test_words_of_no_password_are_those_of_the_code():
    """The documented list and the list that is asked are one."""
    (listed,) = re.findall(r"^Words no password is made of.*?: (.+)\.$", PAGE, re.MULTILINE)
    assert tuple(listed.split(", ")) == CONTEXT_WORDS
    assert all(len(word) < MIN_CHARS + 4 for word in CONTEXT_WORDS)


def test_events_named_are_written_somewhere():
    """Each event of a log that the page names stands in the code as a text."""
    (logs,) = re.findall(r"^## Logs\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    events = set(re.findall(r"`([a-z]+(?:[_.][a-z]+)+)`", logs)) - {"audit.read"}
    assert {"call_refused", "calls_refused", "dependency_lost", "login.refused", "unexpected_error"} <= events
    assert {one for one in events if f'"{one}"' not in SOURCES} == set()


def test_files_and_commands_named_are_there():
    """Paths, modules and variables on the page exist."""
    for path in re.findall(r"`((?:api|hub|connectors|scripts|docs)/[\w./]+)`", PAGE):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`(?:\w+=)?((?:HUB|DATABASE|REDIS)_[A-Z_]+)", PAGE):
        if not name.startswith("HUB_ISSUER_") and name != "HUB_TLS_DIR":
            assert f'"{name}"' in SOURCES, name
    assert f"{DEFAULT_MAX_FILE_BYTES // 1024 // 1024} MiB" in PAGE


def test_every_kind_of_derived_key_has_one_purpose():
    """No two purposes of the root key share their word, so that no key opens what another made."""
    words = re.findall(r"^(?:_?\w*PURPOSE): Final(?:\[str\])? = \"([^\"]+)\"", SOURCES, re.MULTILINE)
    words += re.findall(r"derive_keys\(\"([^\"]+)\"\)", SOURCES)
    assert len(words) >= 10
    assert len(words) == len(set(words)), sorted(words)
