"""Reads the JSON that vendors send into structs. Pure; for the parsers of channels."""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec

from hub.envelope import clean_text
from hub.errors import MalformedPayload

Wanted = TypeVar("Wanted")


def read(body: bytes | msgspec.Raw, kind: type[Wanted]) -> Wanted:
    """
    Read JSON into a struct; half a surrogate pair, which a text the vendor cut may end in, becomes U+FFFD.

    Args:
        body: As it came.
        kind: The struct; what it does not name is passed over.

    Raises:
        MalformedPayload: Not JSON, a field is missing or of another type.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        mended = clean_text(json.dumps(json.loads(bytes(body)), ensure_ascii=False))
        return msgspec.json.decode(mended, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedPayload(f"not of the vendor's shape: {error}"[:300]) from error
