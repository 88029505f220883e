"""Writes TwiML, the words Twilio obeys. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element, tostring

# What XML 1.0 cannot carry, not even escaped. Source: XML 1.0, section 2.2.
_UNFIT: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def verb(name: str, attributes: Mapping[str, str] | None = None, text: str = "") -> Element:
    """Make a verb; attributes without a value are left out."""
    found = Element(name, {key: clean(value) for key, value in (attributes or {}).items() if value})
    if text:
        found.text = clean(text)
    return found


def inside(outer: Element, *inner: Element) -> Element:
    """Put verbs or nouns into another, and return that."""
    outer.extend(inner)
    return outer


def document(verbs: Sequence[Element]) -> bytes:
    """Write the whole answer; without a verb Twilio hangs up on a caller and takes no offence elsewhere."""
    root = Element("Response")
    root.extend(verbs)
    written: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return written


def clean(text: str) -> str:
    """Drop what XML cannot carry."""
    return _UNFIT.sub("", text)
