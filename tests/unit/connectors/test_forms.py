"""The connect form's checks: what a manifest allows, and which input is named when something is wrong."""

from __future__ import annotations

import pytest

from connectors.base import Capabilities, Field, Manifest
from connectors.forms import VALUE_LIMIT_CHARS, Form, generate_credentials, read_changes, read_form
from hub.errors import InvalidInput

MANIFEST = Manifest(
    id="sample",
    name="Sample",
    summary="",
    transport="webhook",
    docs_url="",
    read_on="2026-11-22",
    capabilities=Capabilities(text_limit=100),
    unknown_policy="at_most_once",
    credentials=(
        Field(name="account_sid", label="Account SID", pattern="AC[0-9a-f]{4}"),
        Field(name="auth_token", label="Auth token", kind="secret"),
        Field(name="made_key", label="Made key", kind="secret", generated=True),
    ),
    settings=(
        Field(name="phone_number", label="Phone number", kind="phone"),
        Field(name="site", label="Site", kind="url", required=False),
        Field(name="size", label="Size", kind="select", options=("s", "m"), default="m"),
        Field(name="loud", label="Loud", kind="checkbox", required=False),
        Field(name="color", label="Color", kind="color", required=False),
        Field(name="note", label="Note", kind="multiline", required=False),
    ),
)
CREDENTIALS = {"account_sid": "AC0123", "auth_token": "t"}
SETTINGS = {"phone_number": "+15551230001"}


def test_read_form_fills_in_defaults_and_cleans_values():
    """A right form comes back canonical: defaults in, spaces and punctuation out, empty inputs left out."""
    form = read_form(
        MANIFEST,
        {"account_sid": " AC0123 ", "auth_token": "t"},
        {"phone_number": "+1 (555) 123-0001", "loud": "yes", "site": "", "note": "a\nb"},
    )
    assert form.credentials == CREDENTIALS
    assert form.settings == {"phone_number": "+15551230001", "size": "m", "loud": "true", "note": "a\nb"}


@pytest.mark.parametrize(
    ("credentials", "settings", "field"),
    [
        ({"auth_token": None}, {}, "credentials.auth_token"),
        ({"auth_token": "   "}, {}, "credentials.auth_token"),
        ({"account_sid": "XX0123"}, {}, "credentials.account_sid"),
        ({"account_sid": "AC0123x"}, {}, "credentials.account_sid"),
        ({"account_sid": "AC0123\n"}, {}, None),
        ({"account_sid": "AC01\n23"}, {}, "credentials.account_sid"),
        ({"auth_token": "a\x00b"}, {}, "credentials.auth_token"),
        ({"auth_token": "\ud800"}, {}, "credentials.auth_token"),
        ({"auth_token": "x" * (VALUE_LIMIT_CHARS + 1)}, {}, "credentials.auth_token"),
        ({"extra": "1"}, {}, "credentials.extra"),
        ({"made_key": "mine"}, {}, "credentials.made_key"),
        ({}, {"auth_token": "t"}, "settings.auth_token"),
        ({}, {"phone_number": None}, "settings.phone_number"),
        ({}, {"phone_number": "5551230001"}, "settings.phone_number"),
        ({}, {"phone_number": "+0551230001"}, "settings.phone_number"),
        ({}, {"phone_number": "+1555123000１"}, "settings.phone_number"),
        ({}, {"site": "ftp://example.com"}, "settings.site"),
        ({}, {"site": "https://"}, "settings.site"),
        ({}, {"site": "javascript:alert(1)"}, "settings.site"),
        ({}, {"site": "https://[bad"}, "settings.site"),
        ({}, {"site": "https://example.com/x"}, None),
        ({}, {"size": "l"}, "settings.size"),
        ({}, {"loud": "perhaps"}, "settings.loud"),
        ({}, {"color": "red"}, "settings.color"),
        ({}, {"color": "#12g456"}, "settings.color"),
        ({}, {"color": "#1a2B3c"}, None),
        ({}, {"note": "a\x07b"}, "settings.note"),
    ],
)
def test_read_form_names_the_wrong_input(
    credentials: dict[str, str | None], settings: dict[str, str | None], field: str | None
):
    """Each wrong, missing or unknown input is refused by its path; the right ones are taken."""
    given = [
        {name: value for name, value in {**base, **change}.items() if value is not None}
        for base, change in ((CREDENTIALS, credentials), (SETTINGS, settings))
    ]
    if field is None:
        assert read_form(MANIFEST, *given)
        return
    with pytest.raises(InvalidInput) as refused:
        read_form(MANIFEST, *given)
    assert refused.value.field == field


def test_read_form_does_not_repeat_a_secret():
    """The refusal of a secret does not quote it."""
    with pytest.raises(InvalidInput) as refused:
        read_form(MANIFEST, {**CREDENTIALS, "account_sid": "hunter2"}, SETTINGS)
    assert "hunter2" not in f"{refused.value.message}{refused.value!r}"


def test_read_changes_keeps_what_is_not_named():
    """A change replaces the named inputs, clears empty ones, and keeps the others and what was generated."""
    old = Form({**CREDENTIALS, "made_key": "made"}, {**SETTINGS, "size": "s", "note": "old"})
    form = read_changes(MANIFEST, old, {"auth_token": "new"}, {"note": ""})
    assert form.credentials == {"account_sid": "AC0123", "auth_token": "new", "made_key": "made"}
    assert form.settings == {**SETTINGS, "size": "s", "loud": "false"}
    with pytest.raises(InvalidInput) as refused:
        read_changes(MANIFEST, old, {"made_key": "mine"}, None)
    assert refused.value.field == "credentials.made_key"
    with pytest.raises(InvalidInput):
        read_changes(MANIFEST, old, {"auth_token": ""}, None)


def test_generate_credentials_makes_only_what_nobody_enters():
    """Generated inputs, and no others, get a value."""
    assert generate_credentials(MANIFEST, lambda: "made") == {"made_key": "made"}


def test_form_hides_credentials_in_text():
    """Printing a form shows no secret."""
    assert "AC0123" not in repr(read_form(MANIFEST, CREDENTIALS, SETTINGS))
