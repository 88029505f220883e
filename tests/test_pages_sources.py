"""What the pages' own code may never do: build HTML from text, or run text as a program. React and textContent do it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parent.parent / "frontend"
SOURCES = sorted(
    path for folder in ("app/src", "widget") for path in (FRONTEND / folder).rglob("*.ts*") if "tests" not in path.parts
)
FORBIDDEN = re.compile(
    r"dangerouslySetInnerHTML|\b(?:inner|outer)HTML\b|insertAdjacentHTML|document\.write|\beval\(|new Function\(|"
    r"setTimeout\(\s*[\"'`]|javascript:|__proto__|\[[\"']constructor[\"']\]"
)


def test_pages_never_make_html_or_programs_of_text():
    """None of the ways by which text becomes markup or code stands in the sources."""
    assert len(SOURCES) > 150
    found = {path.name: FORBIDDEN.findall(path.read_text()) for path in SOURCES}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "line", ["box.innerHTML = text", "<p dangerouslySetInnerHTML={{ __html: text }} />", "eval(text)"]
)
def test_what_is_forbidden_would_be_found(line):
    """The rule can fail."""
    assert FORBIDDEN.search(line)


def test_every_password_field_masks_and_takes_password_managers():
    """Fields for passwords are of their type, say which password they want, and none keeps anybody from pasting."""
    texts = [path.read_text() for path in SOURCES]
    fields = [field for text in texts for field in re.findall(r"<TextField[^>]*type=\"password\"[^>]*", text)]
    assert len(fields) >= 8
    assert [one for one in fields if not re.search(r"autoComplete=\"(?:current|new)-password\"", one)] == []
    labelled = [one for text in texts for one in re.findall(r"<TextField label=\"[^\"]*[Pp]assword[^>]*", text)]
    assert [one for one in labelled if 'type="password"' not in one] == []
    assert not any(re.search(r"onPaste=\{[^}]*preventDefault", field) for field in fields)
