"""Reads JSON into structs and says which field is wrong. Pure; called by ``Call.decode`` and by tests."""

from __future__ import annotations

import json
import re
from typing import Final, TypeVar

import msgspec

from hub.errors import InvalidInput

T = TypeVar("T")

_AT: Final = re.compile(r" - at `(?:key in )?`?\$\.?([^`]*)`$")
_MISSING: Final = re.compile(r"Object missing required field `([^`]+)`")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `([^`]+)`")
# Only an escape can bring NUL in: JSON forbids raw control characters.
_NUL_ESCAPE: Final = b"\\u0000"
_NUL: Final = re.compile("\x00")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def decode(body: bytes, type_: type[T]) -> T:
    """
    Read JSON.

    Args:
        body: As received.
        type_: A struct.

    Returns:
        The struct, every text in it fit for storing.

    Raises:
        InvalidInput: ``field`` is the path of the wrong value, or ``body`` when there is no JSON to point into.
    """
    try:
        value = msgspec.json.decode(body, type=type_)
    except msgspec.ValidationError as error:
        raise _named(str(error)) from None
    except RecursionError:
        raise InvalidInput("body", "This JSON is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _unreadable(body) from None
    if _NUL_ESCAPE in body:
        _refuse_nul(value)
    return value


def _named(text: str) -> InvalidInput:
    """Msgspec says where in its text: ``… - at `$.settings.port```."""
    at = _AT.search(text)
    path = at.group(1) if at else ""
    said = text[: at.start()] if at else text
    if missing := _MISSING.match(said):
        return InvalidInput(_join(path, missing.group(1)), "This field is required.")
    if unknown := _UNKNOWN.match(said):
        return InvalidInput(_join(path, unknown.group(1)), "There is no such field here.")
    return InvalidInput(path or "body", said.replace("`", "") + ".")


def _unreadable(body: bytes) -> InvalidInput:
    """Lone surrogates are JSON to some writers: then the field can still be named."""
    try:
        found = _find(json.loads(body), _SURROGATE, "")
    except (ValueError, RecursionError):
        found = None
    if found is not None:
        return InvalidInput(found or "body", "This text holds half a character (a lone surrogate).")
    return InvalidInput("body", "This is not JSON in UTF-8.")


def _refuse_nul(value: object) -> None:
    found = _find(msgspec.to_builtins(value), _NUL, "")
    if found is not None:
        raise InvalidInput(found or "body", "This text holds the character NUL, which cannot be stored.")


def _find(value: object, wanted: re.Pattern[str], path: str) -> str | None:
    """The path of the first text, or of the first object with a key, that holds what is looked for."""
    pairs: list[tuple[str, object]] = []
    if isinstance(value, str):
        return path if wanted.search(value) else None
    if isinstance(value, dict):
        if any(wanted.search(str(key)) for key in value):
            return path
        pairs = [(_join(path, str(key)), item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        pairs = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    return next((found for where, item in pairs if (found := _find(item, wanted, where)) is not None), None)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
