"""Checks what a member entered into a channel's connect form against its manifest. Pure; called by the API."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import msgspec

from hub.envelope import clean_text
from hub.errors import InvalidInput

if TYPE_CHECKING:
    from connectors.base import Field, Manifest

VALUE_LIMIT_CHARS = 4096

Group = Literal["credentials", "settings"]

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_PUNCTUATION = re.compile(r"[\s().\-\u00a0\u2010-\u2015]")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_TRUTH = {"true": "true", "on": "true", "yes": "true", "1": "true", "": "false", "false": "false", "no": "false"}


class Form(msgspec.Struct, frozen=True):
    """A form whose every value is what the manifest asks for; does not show secrets in text."""

    credentials: dict[str, str]
    settings: dict[str, str]

    def __repr__(self) -> str:
        return f"Form(credentials=<{len(self.credentials)} hidden>, settings={self.settings!r})"


def read_form(manifest: Manifest, credentials: Mapping[str, str], settings: Mapping[str, str]) -> Form:
    """
    Check a filled-in connect form.

    Args:
        manifest: The channel's.
        credentials: As entered, by field name.
        settings: As entered, by field name.

    Returns:
        The values in their canonical form, defaults filled in, fields left empty left out.

    Raises:
        InvalidInput: ``field`` is the input's path, e.g. ``credentials.auth_token``.
    """
    return Form(
        credentials=_read_group("credentials", manifest.credentials, credentials),
        settings=_read_group("settings", manifest.settings, settings),
    )


def read_changes(
    manifest: Manifest, old: Form, credentials: Mapping[str, str] | None, settings: Mapping[str, str] | None
) -> Form:
    """
    Check changes to a saved form: what is not named keeps its value, what is named empty is cleared.

    Args:
        manifest: The channel's.
        old: What is saved.
        credentials: Changed fields, None for none.
        settings: Changed fields, None for none.

    Raises:
        InvalidInput: As ``read_form``.
    """
    # What the hub made and what a vendor granted was not entered, so it cannot be cleared here either.
    enterable = {one.name for one in manifest.credentials if not one.generated}
    kept = {name: value for name, value in old.credentials.items() if name not in enterable}
    entered = {name: value for name, value in old.credentials.items() if name in enterable}
    # What no form asks for (any more) stays: it was not entered here, so it cannot be cleared here.
    known = {one.name for one in manifest.settings}
    unasked = {name: value for name, value in old.settings.items() if name not in known}
    asked = {name: value for name, value in old.settings.items() if name in known}
    form = read_form(manifest, {**entered, **(credentials or {})}, {**asked, **(settings or {})})
    return Form({**form.credentials, **kept}, {**unasked, **form.settings})


def generate_credentials(manifest: Manifest, new_secret: Callable[[], str]) -> dict[str, str]:
    """Make the credentials that nobody enters."""
    return {one.name: generate(one, new_secret) for one in manifest.credentials if one.generated}


def generate(field: Field, new_secret: Callable[[], str]) -> str:
    """Make the value of one credential that nobody enters, written as its users read it."""
    value = new_secret()
    return value if field.shape == "token" else f"whsec_{base64.b64encode(value.encode()).decode()}"


def _read_group(group: Group, fields: tuple[Field, ...], given: Mapping[str, str]) -> dict[str, str]:
    known = {one.name for one in fields if not one.generated}
    for name in given:
        if name not in known:
            raise InvalidInput(f"{group}.{name}"[:120], "This channel has no such field.")
    values = {one.name: _read_value(group, one, given.get(one.name)) for one in fields if not one.generated}
    return {name: value for name, value in values.items() if value}


def _read_value(group: Group, field: Field, given: str | None) -> str:
    where = f"{group}.{field.name}"
    value = (field.default if given is None else given).strip()
    if len(value) > VALUE_LIMIT_CHARS:
        raise InvalidInput(where, f"{field.label} is too long: at most {VALUE_LIMIT_CHARS} characters.")
    value = _by_kind(where, field, value)
    if not value and field.required:
        raise InvalidInput(where, f"{field.label} is needed.")
    if value and field.pattern and not re.fullmatch(field.pattern, value):
        raise InvalidInput(where, " ".join((f"This is not a valid {field.label}.", field.help)).strip())
    return value


def _by_kind(where: str, field: Field, value: str) -> str:
    if clean_text(value) != value or _has_controls(value, with_lines=field.kind == "multiline"):
        raise InvalidInput(where, f"{field.label} contains characters that cannot be used.")
    if field.kind == "checkbox":
        if value.lower() not in _TRUTH:
            raise InvalidInput(where, f"{field.label} is either true or false.")
        return _TRUTH[value.lower()]
    if not value:
        return ""
    if field.kind == "phone":
        value = _PHONE_PUNCTUATION.sub("", value)
        if not _E164.fullmatch(value):
            raise InvalidInput(where, "Enter the number with + and its country code, e.g. +15551230001.")
    elif field.kind == "url" and not _is_url(value):
        raise InvalidInput(where, "Enter an address that starts with https://.")
    elif field.kind == "color" and not _COLOR.fullmatch(value):
        raise InvalidInput(where, "Enter a color as # and six digits, e.g. #2454ff.")
    elif field.kind == "select" and value not in field.options:
        raise InvalidInput(where, f"{field.label} is one of: {', '.join(field.options)}.")
    return value


def _has_controls(value: str, *, with_lines: bool) -> bool:
    allowed = "\n\r\t" if with_lines else ""
    return any((ord(one) < 32 or ord(one) == 127) and one not in allowed for one in value)


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and " " not in value
