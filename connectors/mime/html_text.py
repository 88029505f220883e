"""
HTML of a mail to readable text, in one linear pass over the tags. Pure; never raises.

Not a sanitiser: what comes out is text. Where a mail program wrapped the answered mail, ``QUOTE_OPEN`` and
``QUOTE_CLOSE`` stand in the text for ``quoting.py``.
"""

from __future__ import annotations

import html as html_entities
import re

QUOTE_OPEN, QUOTE_CLOSE = "\x1e", "\x1f"

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,30})((?:[^>\"']|\"[^\"]*\"|'[^']*')*+)>")
_LOOSE_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,30})([^>]*)>?")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}(?![0-9])|#[xX][0-9a-fA-F]{1,6}(?![0-9a-fA-F])|[a-zA-Z][a-zA-Z0-9]{1,31});?")
_HREF = re.compile(r"\bhref\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE)
_ALT = re.compile(r"\balt\s*=\s*(\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_SRC_CID = re.compile(r"\bsrc\s*=\s*[\"']?cid:", re.IGNORECASE)
_QUOTE = re.compile(
    r"\b(?:class\s*=\s*[\"']?[^\"'>]*\b(?:gmail_quote|yahoo_quoted|moz-cite-prefix|"
    r"protonmail_quote|tutanota_quote)\b"
    r"|id\s*=\s*[\"']?(?:divRplyFwdMsg|appendonsend|"
    r"ms-outlook-mobile-reference-message|mail-editor-reference-message))",
    re.IGNORECASE,
)
# The mark comes before the quote and ends at once: what follows, to the end, is the answered mail.
_QUOTE_TO_END = re.compile(r"divRplyFwdMsg|appendonsend|moz-cite-prefix|reference-message", re.IGNORECASE)
_CITE = re.compile(
    r"\btype\s*=\s*[\"']?cite|\bclass\s*=\s*[\"']?[^\"'>]*\b(?:gmail_quote|protonmail_quote)", re.IGNORECASE
)
_ATTRIBUTES_LIMIT_CHARS = 4096
_SKIP_LIMIT_CHARS = 262_144
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)

_SKIPPED = frozenset(
    {"script", "style", "title", "head", "template", "noscript", "xml", "svg", "math", "object", "select"}
)
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "center", "dd", "div", "dl", "dt", "fieldset", "figure", "footer",
    "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section",
    "table", "tr", "ul",
})  # fmt: skip
_SPACED = frozenset(["blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"])
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)


class _Writer:
    """Collects text with white space folded as HTML folds it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line: list[str] = []
        self.pre = 0

    def text(self, text: str) -> None:
        if self.pre:
            first, *rest = text.split("\n")
            self.line.append(first)
            for one in rest:
                self.end_line()
                self.line.append(one)
        elif folded := re.sub(r"[ \t\r\n\f]+", " ", text):
            self.line.append(folded)

    def end_line(self) -> None:
        text = "".join(self.line)
        self.lines.append(text.rstrip() if self.pre else re.sub(r" {2,}", " ", text).strip(" "))
        self.line = []

    def block(self, *, spaced: bool) -> None:
        if "".join(self.line).strip():
            self.end_line()
        self.line = []
        if spaced and self.lines and self.lines[-1] not in ("", QUOTE_OPEN):
            self.lines.append("")

    def mark(self, sign: str) -> None:
        self.block(spaced=False)
        self.lines.append(sign)


class _Reader:
    """The state of one pass: which quotes and links are open."""

    def __init__(self) -> None:
        self.out = _Writer()
        self.link: tuple[str, int] | None = None
        self.quote: tuple[str, int] | None = None
        self.has_quote_to_end = False

    def tag(self, closing: str, name: str, attributes: str) -> None:
        if self.quote is not None and name == self.quote[0]:
            self._count_quote(bool(closing))
        if name == "br":
            self.out.end_line()
        elif name == "pre":
            self.out.block(spaced=True)
            self.out.pre = max(0, self.out.pre + (-1 if closing else 1))
        elif name in _BLOCKS:
            self.out.block(spaced=name in _SPACED)
        elif name in ("td", "th") and not closing and self.out.line:
            self.out.text(" ")
        if closing:
            self._close(name)
        else:
            self._open(name, attributes)

    def _open(self, name: str, attributes: str) -> None:
        if self.quote is None and not self.has_quote_to_end:
            self._open_quote(name, attributes)
        if name == "li":
            self.out.text("• ")
        elif name == "a" and (found := _HREF.search(attributes)):
            self.link = (unescape(found[1].strip("\"'")).strip(), len(self.out.line))
        elif name == "img" and not _SRC_CID.search(attributes) and (found := _ALT.search(attributes)):
            self.out.text(unescape(found[1][1:-1]))

    def _open_quote(self, name: str, attributes: str) -> None:
        is_quote = _QUOTE.search(attributes) or (name == "blockquote" and _CITE.search(attributes))
        if not attributes or not is_quote:
            return
        self.out.mark(QUOTE_OPEN)
        if _QUOTE_TO_END.search(attributes):
            self.has_quote_to_end = True
        else:
            self.quote = (name, 1)

    def _count_quote(self, is_close: bool) -> None:  # noqa: FBT001  one private caller
        name, depth = self.quote or ("", 0)
        depth += -1 if is_close else 1
        self.quote = (name, depth) if depth > 0 else None
        if self.quote is None:
            self.out.mark(QUOTE_CLOSE)

    def _close(self, name: str) -> None:
        if name != "a" or self.link is None:
            return
        target, at = self.link
        self.link = None
        shown = "".join(self.out.line[at:]).strip()
        bare = target.removeprefix("mailto:").removeprefix("tel:")
        is_shown = bare.rstrip("/") in shown or shown.rstrip("/") == bare.partition("://")[2].rstrip("/")
        if target.lower().startswith(("http://", "https://", "mailto:", "tel:")) and not is_shown:
            self.out.text(f" ({bare})" if shown else bare)


def html_to_text(html: str) -> str:
    """
    Make readable text.

    Args:
        html: A document or a piece of one, as sent; the caller bounds its length.

    Returns:
        Text with line feeds; links as ``text (address)``; scripts, styles and hidden parts left out; quote marks
        where a mail program put the answered mail.
    """
    reader = _Reader()
    never_closed: set[str] = set()
    at, end, comments_close = 0, len(html), True
    while at < end:
        opening = html.find("<", at)
        if opening < 0:
            opening = end
        if opening > at:
            reader.out.text(unescape(html[at:opening]).replace("\xa0", " "))
        if opening >= end:
            break
        at = opening
        if html.startswith(("<!", "<?"), at):
            at, comments_close = _skip_declaration(html, at, comments_close)
            continue
        found = _TAG.match(html, at, min(end, at + 8192)) or _LOOSE_TAG.match(html, at)
        if found is None:
            reader.out.text("<")
            at += 1
            continue
        at = found.end()
        name = found[2].lower()
        reader.tag(found[1], name, found[3][:_ATTRIBUTES_LIMIT_CHARS])
        if not found[1] and (name in _SKIPPED or _is_hidden(name, found[3][:_ATTRIBUTES_LIMIT_CHARS])):
            at = _skip_element(html, at, name, never_closed)
    reader.out.block(spaced=False)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(reader.out.lines)).strip("\n")


def unescape(text: str) -> str:
    """Replace character references; unlike ``html.unescape`` alone it never meets a number of 5,000 digits."""
    return _ENTITY.sub(lambda found: html_entities.unescape(found[0]), text) if "&" in text else text


def _is_hidden(name: str, attributes: str) -> bool:
    return name not in _VOID and "style" in attributes.lower() and _HIDDEN.search(attributes) is not None


def _skip_declaration(html: str, at: int, comments_close: bool) -> tuple[int, bool]:  # noqa: FBT001
    """Skip a comment or declaration; once no ``-->`` was found, none is looked for again: that keeps it linear."""
    if html.startswith("<!--", at) and comments_close:
        close = html.find("-->", at + 4)
        if close >= 0:
            return close + 3, True
        comments_close = False
    close = html.find(">", at)
    return (close + 1 if close >= 0 else len(html)), comments_close


def _skip_element(html: str, at: int, name: str, never_closed: set[str]) -> int:
    """
    Return where an element ends that is not shown; where it never ends, only its tag is left out.

    A name that did not close once is not looked for again: that keeps the pass linear.
    """
    if name in never_closed:
        return at
    depth = 1
    pattern = re.compile(rf"<(/?){re.escape(name)}(?=[\s>/])[^>]*>", re.IGNORECASE)
    for found in pattern.finditer(html, at, min(len(html), at + _SKIP_LIMIT_CHARS)):
        depth += -1 if found[1] else 1
        if depth == 0 or (found[1] and name in ("script", "style", "title")):
            return found.end()
    never_closed.add(name)
    return at
