"""Folds the answered mail in clean HTML. Pure; works on nh3's output only, where tags are balanced and quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import msgspec

_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: [^\s="<>]+="[^"]*")*)>')
_VOID = frozenset({"br", "col", "hr", "img", "wbr"})
_WHOLE = re.compile(r' (?:class="(?:gmail_quote|yahoo_quoted|protonmail_quote|tutanota_quote)"|type="cite")')
_TO_END = re.compile(r' id="(?:divRplyFwdMsg|appendonsend|ms-outlook-mobile-reference-message)"')
_PREFIX = re.compile(r' class="moz-cite-prefix"')
_MARKS = re.compile(
    r'(<(?:div|blockquote|span)(?: [^\s="<>]+="[^"]*")*?) (?:class|id|type)="'
    r"(?:gmail_quote|yahoo_quoted|protonmail_quote|tutanota_quote|moz-cite-prefix|divRplyFwdMsg|appendonsend|"
    r'ms-outlook-mobile-reference-message|cite)"'
)
_FORWARDED = re.compile(
    r"\W*(?:forwarded message|begin forwarded|weitergeleitete|message transféré|mensaje reenviado|messaggio inoltrato|"
    r"doorgestuurd|mensagem encaminhada|vidarebefordrat|videresendt|przekazana|пересылаемое)",
    re.IGNORECASE,
)
# An attribution holds a link or two, not a page.
_PREFIX_LIMIT = 30
_OPEN = '<details class="quoted"><summary>Show quoted text</summary>'
_CLOSE = "</details>"


class _Element(msgspec.Struct):
    """One element: where it begins and ends in the text, and its parent's number (-1 for none)."""

    name: str
    attributes: str
    start: int
    end: int
    parent: int


def fold_quotes(html: str) -> str:
    """
    Put the answered mail into ``<details class="quoted">``.

    Args:
        html: Clean HTML with the marks of mail programs.

    Returns:
        The same without the marks. Nothing is folded where the mail is nothing but a quote, passes a mail on, or
        answers between quoted lines.
    """
    spans = _merge(list(_quotes(html))) if _WHOLE.search(html) or _TO_END.search(html) or _PREFIX.search(html) else []
    if spans and _may_fold(html, spans):
        start, end = spans[0][0], spans[-1][1]
        html = f"{html[:start]}{_OPEN}{html[start:end]}{_CLOSE}{html[end:]}"
    return _MARKS.sub(r"\1", html)


def _quotes(html: str) -> Iterator[tuple[int, int]]:
    elements = _elements(html)
    for at, one in enumerate(elements):
        if _WHOLE.search(one.attributes):
            yield one.start, one.end
        elif _TO_END.search(one.attributes):
            yield one.start, _inner_end(html, elements, one)
        elif _PREFIX.search(one.attributes):
            near = elements[at + 1 : at + 1 + _PREFIX_LIMIT]
            following = next((two for two in near if two.start >= one.end and two.parent == one.parent), None)
            yield one.start, following.end if following and _WHOLE.search(following.attributes) else one.end


def _inner_end(html: str, elements: list[_Element], one: _Element) -> int:
    """The end of the parent's contents: Outlook puts the answered mail beside its mark, not into it."""
    if one.parent < 0:
        return len(html)
    end = elements[one.parent].end
    return html.rfind("</", one.end, end) if html.startswith("</", html.rfind("</", 0, end)) else end


def _elements(html: str) -> list[_Element]:
    found: list[_Element] = []
    stack: list[int] = []
    for tag in _TAG.finditer(html):
        if tag[1]:
            while stack:
                one = found[stack.pop()]
                one.end = tag.end()
                if one.name == tag[2]:
                    break
        else:
            found.append(_Element(tag[2], tag[3], tag.start(), tag.end(), stack[-1] if stack else -1))
            if tag[2] not in _VOID:
                stack.append(len(found) - 1)
    for at in stack:
        found[at].end = len(html)
    return found


def _merge(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Outermost spans only, in order."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if not merged or start >= merged[-1][1]:
            merged.append((start, end))
    return merged


def _may_fold(html: str, spans: list[tuple[int, int]]) -> bool:
    if _FORWARDED.match(_words(html[spans[0][0] : spans[0][0] + 4000])):
        return False
    if any(_words(html[end:start]) for (_, end), (start, _) in pairwise(spans)):
        return False
    outside = html[: spans[0][0]] + html[spans[-1][1] :]
    # Details around several elements must not cut one in two.
    inside = html[spans[0][0] : spans[-1][1]]
    return bool(_words(outside) or "<img" in outside) and _is_balanced(inside)


def _is_balanced(html: str) -> bool:
    depth = 0
    for tag in _TAG.finditer(html):
        if tag[2] not in _VOID:
            depth += -1 if tag[1] else 1
            if depth < 0:
                return False
    return depth == 0


def _words(html: str) -> str:
    return _TAG.sub("", html).replace("&nbsp;", " ").strip()
