"""
Mails and hostile HTML written for our tests, with what must come out of them.

``mails()`` are Python cases (``tests/corpus/mail``), ``hostile_html()`` are files (``tests/corpus/xss/*.html``), which
the Python tests clean and the browser tests render.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class HostileHtml:
    """One file: its name says the family (``xss-``, ``mxss-``, ``track-``, ``layout-``)."""

    name: str
    html: str


def mails():
    """Return all mail cases, by name."""
    from tests.corpus.mail import cases

    return cases()


def hostile_html() -> list[HostileHtml]:
    """Return all hostile pieces of HTML, by name."""
    return [
        HostileHtml(path.stem, path.read_bytes().decode("utf-8", "replace"))
        for path in sorted((_FOLDER / "xss").glob("*.html"))
    ]
