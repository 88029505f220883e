"""
Makes the HTML of strangers safe to show: cleaned by an allow-list, then a document for a sandboxed frame.

Only what is listed in ``rules.py`` comes through; nothing in the result loads anything by itself. Pure; the
frame's own sandbox and policy stand behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape, unescape
from typing import Literal

import msgspec
import nh3

from hub.html import rules
from hub.html.nesting import is_bounded
from hub.html.quotes import fold_quotes

LIMIT_BYTES = 1024 * 1024

# In nh3's output every attribute is quoted and ``<`` in text is escaped, so tags can be told by a pattern.
_IMAGE = re.compile(r'<img((?: [^\s="<>]+="[^"]*")*)>')
_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: [^\s="<>]+="[^"]*")*)>')
_SOURCE = re.compile(r' src="([^"]*)"')
_REMOTE = re.compile(r' data-remote-src="([^"]*)"')
_SIDE = re.compile(r' (?:width|height)="0*[01](?:px)?"')
_STYLED = re.compile(r' style="([^"]*)"')
_NO_SIDE = re.compile(r"(?:max-)?(?:width|height):(?:0*1(?:\.0*)?(?:px)?|[0.]*(?:px|pt|em|rem|ex|ch|%)?|0*\.\d+px)")
_COLOURED = re.compile(r'(?:style="[^"]*(?:color|background)|bgcolor="| color=")', re.IGNORECASE)

_STYLE = """
html{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
body{margin:0;padding:1px 0;overflow-x:auto}
img{max-width:100%;height:auto}img:not([src]){display:none}
table{max-width:100%}pre{white-space:pre-wrap}
blockquote{margin:0 0 0 .5em;padding:0 0 0 .75em;border-left:2px solid #8884}
details.quoted{margin-top:.75em}details.quoted>summary{cursor:pointer;opacity:.65;width:max-content;padding:.25em 0}
"""
# A mail that sets colours is shown on white paper whatever the reader's theme: dark text on dark is worse than a white
# page. One that sets none has no page of its own and follows the theme.
_PAPER = ":root{color-scheme:light;background:#fff;color:#1c1c1e}body{padding:10px 12px}"
_PLAIN = {
    "light": ":root{color-scheme:light;color:#1c1c1e}a{color:#0b57d0}",
    "dark": ":root{color-scheme:dark;color:#e8e8ea}a{color:#8ab4f8}",
}
Theme = Literal["light", "dark"]
# Gives our own address for a remote image; None where there is none.
Proxied = Callable[[str], str | None]


class Sanitised(msgspec.Struct, frozen=True):
    """
    Clean HTML.

    Attributes:
        html: A fragment. Remote images have ``data-remote-src`` in place of ``src``, images of the mail ``cid:``.
        remote_images: How many images would be fetched from elsewhere if they were allowed.
    """

    html: str
    remote_images: int


def sanitise(html: str) -> Sanitised:
    """
    Clean the HTML of a mail.

    Args:
        html: As received; what is past 1 MiB is left out. Nesting that would take long to clean becomes plain text.

    Returns:
        Tags, attributes and styles of the allow-lists; the answered mail inside ``<details class="quoted">``.
    """
    if len(html) > LIMIT_BYTES // 4:
        html = html.encode("utf-8", "replace")[:LIMIT_BYTES].decode("utf-8", "ignore")
    if not is_bounded(html):
        return Sanitised(_as_text(html), 0)
    cleaned = _CLEANER.clean(html)
    remote = 0

    def mark(found: re.Match[str]) -> str:
        nonlocal remote
        marked, count = re.subn(r' src="(?=https?://)', ' data-remote-src="', found[1], count=1)
        remote += count
        return f"<img{marked}>" if " src=" in marked or count else ""

    # Images inside attribute values cannot match: their quotes are escaped.
    return Sanitised(fold_quotes(_IMAGE.sub(mark, cleaned)), remote)


def document(
    html: str,
    *,
    cid_urls: Mapping[str, str],
    sources: Sequence[str],
    proxied: Proxied | None = None,
    theme: Theme = "light",
) -> str:
    """
    Make the whole document for a sandboxed frame.

    Args:
        html: ``Sanitised.html``, nothing else.
        cid_urls: Addresses of the mail's own images by Content-ID; images without one are left out.
        sources: Where images may come from, as a Content-Security-Policy names them.
        proxied: Makes addresses of remote images that are ours; None shows none of them.
        theme: The reader's; for mails without colours of their own.

    Returns:
        A document with its own Content-Security-Policy: no scripts, no forms, no frames, no requests but images. An
        image that was left out carries ``data-blocked``; one that only counts readers ``data-tracker``, whatever may be
        shown. No address of another server is in an image.
    """
    policy = (
        f"default-src 'none'; img-src {' '.join(('data:', *sources))}; style-src 'unsafe-inline'; script-src 'none'; "
        "form-action 'none'; base-uri 'none'; frame-src 'none'; object-src 'none'"
    )
    scheme = _PAPER if _COLOURED.search(html) else _PLAIN[theme]
    return (
        f'<!doctype html><html data-pictures="{"blocked" if proxied is None else "shown"}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
        '<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">'
        f"<style>{scheme}{_STYLE}</style></head><body>{_with_sources(html, cid_urls, proxied)}</body></html>"
    )


def _with_sources(html: str, cid_urls: Mapping[str, str], proxied: Proxied | None) -> str:
    def resolve(found: re.Match[str]) -> str:
        attributes = found[1]
        if remote := _REMOTE.search(attributes):
            replaced = _replace_remote(attributes, unescape(remote[1]), proxied)
            return f"<img{attributes[: remote.start()]}{replaced}{attributes[remote.end() :]}>"
        source = _SOURCE.search(attributes)
        if source is not None and source[1].lower().startswith("cid:"):
            url = cid_urls.get(unescape(source[1])[4:])
            replaced = f' src="{escape(url)}"' if url else ""
            attributes = attributes[: source.start()] + replaced + attributes[source.end() :]
        return f"<img{attributes}>"

    return _IMAGE.sub(resolve, html)


def _replace_remote(attributes: str, url: str, proxied: Proxied | None) -> str:
    if _is_hidden(attributes):
        return ' data-tracker=""'
    ours = proxied(url) if proxied is not None else None
    return f' src="{escape(ours)}"' if ours else ' data-blocked=""'


def _is_hidden(attributes: str) -> bool:
    """Not shown, or a side of a pixel or less: nobody is meant to see it, so it is there to be fetched."""
    if _SIDE.search(attributes):
        return True
    style = _STYLED.search(attributes)
    plain = style[1].lower().replace(" ", "").replace("!important", "") if style else ""
    return any(one == "display:none" or _NO_SIDE.fullmatch(one) for one in plain.split(";"))


def _as_text(html: str) -> str:
    """The words of HTML that is too deeply nested to clean, as text."""
    words = " ".join(re.sub(r"<[^<>]{0,4096}>", " ", html).split())
    return f'<div style="white-space:pre-wrap">{escape(unescape(words), quote=False)}</div>'


_CLEANER = nh3.Cleaner(
    tags=set(rules.TAGS),
    clean_content_tags=set(rules.DROPPED_WITH_CONTENT),
    attributes={tag: set(names) for tag, names in rules.ATTRIBUTES.items()},
    attribute_filter=rules.filter_attribute,
    url_schemes=set(rules.SCHEMES),
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
    strip_comments=True,
)
