"""What may come through ``sanitiser.py``: tags, attributes, addresses and styles. Data and pure checks."""

from __future__ import annotations

import ipaddress
import re

TAGS = frozenset({
    "a", "abbr", "address", "article", "aside", "b", "bdi", "bdo", "big", "blockquote", "br", "caption", "center",
    "cite", "code", "col", "colgroup", "dd", "del", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "font",
    "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i", "img", "ins", "kbd", "li", "main", "mark",
    "nav", "ol", "p", "pre", "q", "s", "samp", "section", "small", "span", "strike", "strong", "sub", "sup",
    "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "tt", "u", "ul", "var", "wbr",
})  # fmt: skip
DROPPED_WITH_CONTENT = frozenset({
    "script", "style", "title", "template", "noscript", "noembed", "noframes", "iframe", "frame", "frameset",
    "object", "embed", "applet", "svg", "math", "xml", "textarea", "select", "option", "button", "datalist",
    "audio", "video", "canvas", "map", "plaintext", "xmp",
})  # fmt: skip
_BOX = frozenset({"align", "valign", "width", "height", "bgcolor"})
ATTRIBUTES: dict[str, frozenset[str]] = {
    "*": frozenset({"style", "dir", "lang", "title"}),
    "a": frozenset({"href"}),
    "img": frozenset({"src", "alt", "width", "height", "align", "border"}),
    "table": _BOX | {"border", "cellpadding", "cellspacing"},
    "td": _BOX | {"colspan", "rowspan", "nowrap"},
    "th": _BOX | {"colspan", "rowspan", "nowrap"},
    "tr": _BOX,
    "tbody": _BOX,
    "thead": _BOX,
    "tfoot": _BOX,
    "col": _BOX | {"span"},
    "colgroup": _BOX | {"span"},
    "div": frozenset({"align", "class", "id"}),
    "p": frozenset({"align"}),
    "h1": frozenset({"align"}),
    "h2": frozenset({"align"}),
    "h3": frozenset({"align"}),
    "hr": frozenset({"align", "width", "size"}),
    "font": frozenset({"color", "face", "size"}),
    "ol": frozenset({"start", "type"}),
    "ul": frozenset({"type"}),
    "li": frozenset({"value", "type"}),
    "blockquote": frozenset({"type", "class"}),
    "span": frozenset({"id"}),
}
# data: and cid: pass the cleaner only to be judged by ``filter_attribute``.
SCHEMES = frozenset({"http", "https", "mailto", "tel", "cid", "data"})
# How mail programs mark the answered mail; ``quotes.py`` folds it and takes the marks out.
QUOTE_CLASSES = frozenset({"gmail_quote", "yahoo_quoted", "protonmail_quote", "tutanota_quote", "moz-cite-prefix"})
QUOTE_IDS = frozenset({"divRplyFwdMsg", "appendonsend", "ms-outlook-mobile-reference-message"})

_DATA_IMAGE = re.compile(r"data:image/(?:png|gif|jpe?g|webp);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
_DATA_LIMIT_CHARS = 128 * 1024
_WEB = re.compile(r"https?://([^/?#\\\s]+)[^\s\\]*", re.IGNORECASE)
_LINK = re.compile(r"(?:https?://[^\s]+|mailto:[^\s]+|tel:[+0-9().\s-]+)", re.IGNORECASE)
_CID = re.compile(r"cid:[^\s\"'<>]{1,200}", re.IGNORECASE)
_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060\ufeff]+")
_SIZE = re.compile(r"\d{1,4}(?:px|%)?")
_COLOUR = re.compile(r"#?[A-Za-z0-9]{1,24}")

_PROPERTIES = frozenset({
    "background", "background-color", "border", "border-bottom", "border-bottom-color", "border-bottom-style",
    "border-bottom-width", "border-collapse", "border-color", "border-left", "border-left-color",
    "border-left-style", "border-left-width", "border-radius", "border-right", "border-right-color",
    "border-right-style", "border-right-width", "border-spacing", "border-style", "border-top", "border-top-color",
    "border-top-style", "border-top-width", "border-width", "box-sizing", "caption-side", "clear", "color",
    "direction", "display", "empty-cells", "float", "font", "font-family", "font-size", "font-style",
    "font-variant", "font-weight", "height", "letter-spacing", "line-height", "list-style-type", "margin",
    "margin-bottom", "margin-left", "margin-right", "margin-top", "max-height", "max-width", "min-height",
    "min-width", "overflow-wrap", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top",
    "table-layout", "text-align", "text-decoration", "text-indent", "text-transform", "vertical-align",
    "white-space", "width", "word-break", "word-spacing", "word-wrap",
})  # fmt: skip
# No backslash (escapes hide names), no colon, no brackets but those of colour functions, no @ and no <.
_VALUE = re.compile(r"(?:[A-Za-z0-9#%.,\s'\"!+/_-]|(?:rgb|rgba|hsl|hsla)\([0-9.,%\s/deg]*\))*")
_NUMBER = re.compile(r"(?<![#\w.])(-?)(\d+(?:\.\d+)?|\.\d+)([a-z%]*)", re.IGNORECASE)
_DISPLAYS = frozenset({
    "block", "inline", "inline-block", "none", "table", "table-row", "table-cell", "inline-table", "list-item",
    "table-row-group", "table-header-group",
})  # fmt: skip
_STYLE_LIMIT_CHARS = 4096
# A mail wider or higher than this only tries to push the reader's page around; newsletters are 600-1,200 wide.
_LENGTH_LIMITS = {
    "": 3000.0,
    "px": 3000.0,
    "pt": 2250.0,
    "em": 180.0,
    "rem": 180.0,
    "%": 100.0,
    "cm": 80.0,
    "mm": 800.0,
    "in": 32.0,
    "pc": 180.0,
    "ex": 360.0,
    "ch": 360.0,
}


def filter_attribute(tag: str, name: str, value: str) -> str | None:
    """Judge one attribute of the allow-list: return what it may be, or None to drop it."""
    match name:
        case "style":
            return filter_style(value) or None
        case "href":
            return _link(value)
        case "src":
            return _image(value)
        case "class":
            return next((one for one in value.split() if one in QUOTE_CLASSES), None)
        case "id":
            return value if value in QUOTE_IDS else None
        case "type":
            return _keyword(tag, value)
        case "width" | "height" | "cellpadding" | "cellspacing" | "border" | "size" | "colspan" | "rowspan" | "span":
            return _size(name, value)
        case "bgcolor" | "color":
            return value if _COLOUR.fullmatch(value) else None
        case _:
            return value[:500]


def filter_style(style: str) -> str:
    """
    Keep the declarations that only change how a text looks where it stands.

    Args:
        style: A style attribute, entities resolved.

    Returns:
        Declarations joined by ``;``: no addresses, no positions, no negative or huge lengths, no functions but colours.
    """
    kept = []
    for declaration in style[:_STYLE_LIMIT_CHARS].split(";"):
        name, colon, value = declaration.partition(":")
        name, value = name.strip().lower(), value.strip()
        if colon and name in _PROPERTIES and _VALUE.fullmatch(value) and _is_harmless(name, value.lower()):
            kept.append(f"{name}:{value.replace(chr(34), chr(39))}")
    return ";".join(kept)


def _is_harmless(name: str, value: str) -> bool:
    if value.count("'") % 2 or value.count('"') % 2:
        return False
    if name == "display":
        return value.removesuffix("!important").strip() in _DISPLAYS
    for sign, number, unit in _NUMBER.findall(value):
        # Outlook writes negative indents for lists; they would only move text out of the frame.
        if sign and float(number):
            return False
        if name not in ("color", "background-color", "background", "font-weight") and float(number) > _limit(unit):
            return False
    return True


def _limit(unit: str) -> float:
    # Units of the window (vw, dvh, cqi …) would tie a mail to the frame around it.
    return _LENGTH_LIMITS.get(unit, 0.0)


def _link(value: str) -> str | None:
    trimmed = _INVISIBLE.sub("", value) if not value.lower().startswith("tel:") else value.strip()
    return trimmed if _LINK.fullmatch(trimmed) and len(trimmed) <= 8192 else None


def _image(value: str) -> str | None:
    value = value.strip()
    if value.startswith("//"):
        value = f"https:{value}"
    if value[:5].lower() == "data:":
        return value if len(value) <= _DATA_LIMIT_CHARS and _DATA_IMAGE.fullmatch(value) else None
    if _CID.fullmatch(value):
        return f"cid:{value[4:]}"
    found = _WEB.fullmatch(value)
    return _lower_scheme(value) if found and len(value) <= 8192 and _is_public(found[1]) else None


def _lower_scheme(value: str) -> str:
    scheme, colon, rest = value.partition(":")
    return f"{scheme.lower()}{colon}{rest}"


def _is_public(authority: str) -> bool:
    """Images of the reader's own network would let a mail knock at routers and printers from inside."""
    host = authority.rpartition("@")[2].lower()
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        is_number = re.fullmatch(r"[0-9.]+|0x[0-9a-f.x]+", host) is not None
        return (
            "." in host.strip(".")
            and not is_number
            and not host.endswith((".localhost", ".local", ".internal", ".home.arpa"))
        )


def _keyword(tag: str, value: str) -> str | None:
    if tag == "blockquote":
        return "cite" if value.strip().lower() == "cite" else None
    return value if value in ("1", "a", "A", "i", "I", "disc", "circle", "square") else None


def _size(name: str, value: str) -> str | None:
    value = value.strip().lower()
    if name == "size":
        return value if re.fullmatch(r"[+-]?\d{1,2}", value) else None
    if not _SIZE.fullmatch(value):
        return None
    number = int(re.sub(r"\D", "", value))
    limit = (
        100
        if value.endswith("%") or name in ("colspan", "rowspan", "span", "border", "cellpadding", "cellspacing")
        else 3000
    )
    return value if number <= limit else None
