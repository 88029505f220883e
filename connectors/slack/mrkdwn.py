"""
Slack's markup, "mrkdwn", both ways: to text and HTML, and from what members write. Pure.

Slack escapes ``& < >`` in every text and puts what it knows between ``<`` and ``>``: people, channels, links.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Final

from connectors.slack.emojis import fill_in

_CODE: Final = re.compile(r"```(.+?)```|`([^`\n]+)`", re.DOTALL)
_TOKEN: Final = re.compile(r"<([^<>\n\x00]{1,4000})>")
_LINK: Final = re.compile(r"(https?|mailto|tel):\S+", re.IGNORECASE)
_QUOTE: Final = re.compile(r"^&gt; ?", re.MULTILINE)
# A marker stands at the edges of words and never beside white space on its inner side.
_MARKS: Final = (
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+)(?<=\S)\*(?![\w*])"), "b"),
    (re.compile(r"(?<!\w)_(?=\S)([^_\n]+)(?<=\S)_(?!\w)"), "i"),
    (re.compile(r"(?<![\w~])~(?=\S)([^~\n]+)(?<=\S)~(?![\w~])"), "s"),
)
_OUT_LINK: Final = re.compile(r"\[([^\[\]\n\x00]{1,500})\]\((https?://[^\s()<>|]{1,2000})\)")
_OUT_MARKS: Final = (
    (re.compile(r"(?<!\*)\*\*(?=\S)([^*\n]+)(?<=\S)\*\*(?!\*)"), r"*\1*"),
    (re.compile(r"(?<!~)~~(?=\S)([^~\n]+)(?<=\S)~~(?!~)"), r"~\1~"),
)
# Where a piece that is done stands until the rest is: no text has NUL, and nothing between two of them is read again.
_KEPT: Final = re.compile("\x00(\\d+)\x00")


def to_text(source: str) -> str:
    """
    Read mrkdwn as plain text: markers go, links and names stay readable.

    Args:
        source: As Slack sent it, without NUL.
    """
    done = _Pieces()
    text = _CODE.sub(lambda match: done.keep(_plain(match[1] or match[2])), source)
    text = _TOKEN.sub(lambda match: done.keep(_token_text(match[1])), text)
    text = fill_in(text)
    for pattern, _ in _MARKS:
        text = pattern.sub(r"\1", text)
    return done.put_back(_unescape(text))


def to_html(source: str) -> str | None:
    """
    Read mrkdwn as HTML.

    Args:
        source: As Slack sent it, without NUL.

    Returns:
        HTML, not sanitised; None where the text has no formatting, so that plain text says all.
    """
    done, marks = _Pieces(), _Marks()
    text = _CODE.sub(lambda match: done.keep(marks.code(match[1], match[2])), source)
    text = _TOKEN.sub(lambda match: done.keep(marks.token(match[1])), text)
    text = text.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    text = fill_in(text)
    for pattern, tag in _MARKS:
        text, count = pattern.subn(rf"<{tag}>\1</{tag}>", text)
        marks.count += count
    lines = []
    for line in text.split("\n"):
        quoted, count = _QUOTE.subn("", line)
        marks.count += count
        lines.append(f"<blockquote>{quoted}</blockquote>" if count else f"{line}<br>")
    return done.put_back("".join(lines).removesuffix("<br>")) if marks.count else None


def from_text(text: str) -> str:
    """
    Write what a member wrote as mrkdwn: escaped, with Markdown's bold, strike and links in Slack's words.

    Args:
        text: Of a member or an automation; nothing in it can call a channel or a person.
    """
    done = _Pieces()
    text = text.replace("\x00", "")
    escaped = html.escape(text, quote=False)
    escaped = _CODE.sub(lambda match: done.keep(match[0]), escaped)
    escaped = _OUT_LINK.sub(lambda match: done.keep(f"<{match[2]}|{match[1].replace('|', '/')}>"), escaped)
    for pattern, written in _OUT_MARKS:
        escaped = pattern.sub(written, escaped)
    return done.put_back(escaped)


class _Pieces:
    """Pieces of a text that are done and must not be read again."""

    def __init__(self) -> None:
        self._kept: list[str] = []

    def keep(self, piece: str) -> str:
        self._kept.append(piece)
        return f"\x00{len(self._kept) - 1}\x00"

    def put_back(self, text: str) -> str:
        return _KEPT.sub(lambda match: self._kept[int(match[1])], text)


class _Marks:
    """Writes code and tokens as HTML, and counts what plain text could not show."""

    def __init__(self) -> None:
        self.count = 0

    def code(self, block: str | None, inline: str | None) -> str:
        self.count += 1
        if block is not None:
            return f"<pre>{_escape(_plain(block.strip(chr(10))))}</pre>"
        return f"<code>{_escape(_plain(inline or ''))}</code>"

    def token(self, inner: str) -> str:
        target, _, label = inner.partition("|")
        address = _unescape(target)
        if not _LINK.fullmatch(address):
            return _escape(_token_text(inner))
        shown = _unescape(label) or address
        self.count += shown != address
        return f'<a href="{html.escape(address, quote=True)}">{_escape(shown)}</a>'


def _plain(code: str) -> str:
    """Read code: only links are marked in it."""
    return _unescape(_TOKEN.sub(lambda match: match[1].partition("|")[2] or match[1], code))


_SIGNS: Final[tuple[tuple[str, Callable[[str, str], str]], ...]] = (
    ("@", lambda target, label: f"@{(label or target).removeprefix('@')}"),
    ("#", lambda target, label: f"#{(label or target).removeprefix('#')}"),
    ("!", lambda target, label: label or f"@{target.partition('^')[0]}"),
)


def _token_text(inner: str) -> str:
    """Say in words what stands between ``<`` and ``>``: a person, a channel, a call to many, a date, a link."""
    target, _, label = inner.partition("|")
    target, label = _unescape(target), _unescape(label)
    for sign, write in _SIGNS:
        if target.startswith(sign):
            return write(target[1:], label)
    bare = re.sub(r"^(?:https?://|mailto:|tel:)", "", target)
    if label in ("", target, bare):
        return bare if target.startswith(("mailto:", "tel:")) else target
    return f"{label} ({target})"


def _unescape(text: str) -> str:
    """Undo Slack's own three escapes and no others."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _escape(text: str) -> str:
    return html.escape(text, quote=True)
