"""
Message templates: Meta's components as one text with places, and the places' values as parameters. Pure.

A place of the body keeps its name; one of the header is ``header_1``, one of the third button's address ``button_2``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from connectors.whatsapp_cloud.outgoing import Component, Parameter
from hub.envelope import Template, clean_text

_PLACE: Final = re.compile(r"\{\{\s*([A-Za-z0-9_]{1,60})\s*\}\}")
_HEADER: Final = "header_"
_BUTTON: Final = "button_"
# Buttons that want a value of a kind we have no field for; templates with them are left out.
_PLAIN_BUTTONS: Final = frozenset({"QUICK_REPLY", "PHONE_NUMBER", "URL"})


class Button(msgspec.Struct, frozen=True):
    type: str
    text: str = ""
    url: str = ""


class Part(msgspec.Struct, frozen=True):
    type: str
    format: str = "TEXT"
    text: str = ""
    buttons: tuple[Button, ...] = ()


class Listed(msgspec.Struct, frozen=True):
    """A template as Meta lists it."""

    name: str
    language: str
    status: str = ""
    id: str = ""
    components: tuple[Part, ...] = ()


def read_template(listed: Listed) -> Template | None:
    """
    Make our template of Meta's.

    Returns:
        None for one we could not fill in: with a file in its header, a catalogue, a code to copy, cards.
    """
    lines: list[str] = []
    for part in listed.components:
        text = _text_of(part)
        if text is None:
            return None
        lines += text
    text = clean_text("\n".join(line for line in lines if line))
    return Template(
        name=listed.name,
        language=listed.language,
        text=text,
        variables=tuple(dict.fromkeys(_PLACE.findall(text))),
        id=listed.id,
        status=listed.status.lower(),
    )


def components_of(variables: Mapping[str, str]) -> tuple[Component, ...]:
    """
    Make a template's parameters of what a member entered.

    Args:
        variables: By the names ``read_template`` gave, in its order.

    Returns:
        Components for Meta; positional places carry no name.
    """
    header = [
        _parameter(name.removeprefix(_HEADER), value) for name, value in variables.items() if _is_of(name, _HEADER)
    ]
    buttons = [(name.removeprefix(_BUTTON), value) for name, value in variables.items() if _is_of(name, _BUTTON)]
    body = [
        _parameter(name, value)
        for name, value in _in_order(variables)
        if not _is_of(name, _HEADER) and not _is_of(name, _BUTTON)
    ]
    found = [Component(type="header", parameters=tuple(header))] if header else []
    found += [Component(type="body", parameters=tuple(body))] if body else []
    for index, value in buttons:
        parameters = (Parameter(type="text", text=value),)
        found.append(Component(type="button", sub_type="url", index=index, parameters=parameters))
    return tuple(found)


def _text_of(part: Part) -> Sequence[str] | None:
    match part.type.upper():
        case "HEADER":
            return [_PLACE.sub(rf"{{{{{_HEADER}\1}}}}", part.text)] if part.format.upper() == "TEXT" else None
        case "BODY" | "FOOTER":
            return [_PLACE.sub(r"{{\1}}", part.text)]
        case "BUTTONS" if all(one.type.upper() in _PLAIN_BUTTONS for one in part.buttons):
            return list(_buttons(part.buttons))
    return None


def _buttons(buttons: Sequence[Button]) -> Iterator[str]:
    for index, one in enumerate(buttons):
        url = _PLACE.sub(f"{{{{{_BUTTON}{index}}}}}", one.url)
        yield f"[{one.text}] {url}".rstrip()


def _in_order(variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """Positional places count from 1 wherever they stand in the text; named ones keep their order."""
    found = list(variables.items())
    return sorted(found, key=lambda one: int(one[0]) if one[0].isdecimal() else 0)


def _parameter(name: str, value: str) -> Parameter:
    return Parameter(type="text", text=value, parameter_name="" if name.isdecimal() else name)


def _is_of(name: str, prefix: str) -> bool:
    return name.startswith(prefix) and (prefix == _HEADER or name.removeprefix(prefix).isdecimal())
