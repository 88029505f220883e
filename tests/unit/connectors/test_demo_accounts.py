"""A demo account reaches this computer only, whatever its settings say."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from connectors.accounts import account_of, is_loopback
from connectors.base import Capabilities, Field, Manifest
from connectors.forms import Form, read_changes
from hub.channels.model import AccountStatus, Route
from hub.config import read_settings
from hub.errors import ConfigurationError, InvalidInput

ACCOUNT_ID = UUID("01900000-0000-7000-8000-000000000001")


def route(*, demo: bool = True, **settings: str) -> Route:
    return Route(
        workspace_id=1,
        id=ACCOUNT_ID,
        inbox_id=ACCOUNT_ID,
        channel="twilio_sms",
        status=AccountStatus.CONNECTED,
        settings=settings,
        demo=demo,
    )


def settings(tmp_path: Path, **environ: str):
    return read_settings({"HUB_DATA_DIR": str(tmp_path), **environ})


def test_demo_account_talks_to_its_emulator(tmp_path):
    """The emulator's address wins, also over the operator's address for the channel's real accounts."""
    environ = {"HUB_VENDOR_URL_TWILIO_SMS": "https://api.region.example"}
    opened = account_of(route(demo_url="http://127.0.0.1:9001"), {}, settings(tmp_path, **environ))
    assert opened.base_url == "http://127.0.0.1:9001"
    real = account_of(route(demo=False, demo_url="http://127.0.0.1:9001"), {}, settings(tmp_path, **environ))
    assert real.base_url == "https://api.region.example"


def test_demo_account_without_an_emulator_reaches_nobody(tmp_path):
    """An empty address would mean the vendor's own."""
    assert is_loopback(account_of(route(), {}, settings(tmp_path)).base_url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("demo_url", "https://api.twilio.com"),
        ("demo_url", "http://127.0.0.1.attacker.example:80"),
        ("demo_url", "http://localhost@attacker.example"),
        ("imap_host", "imap.mail.example"),
        ("smtp_host", "10.0.0.8"),
        ("smtp_server", "169.254.169.254"),
        ("webhook_url", "//attacker.example"),
    ],
)
def test_demo_account_naming_another_machine_is_refused(tmp_path, name, value):
    """Every field that says whom to talk to is looked at, in settings and in credentials."""
    with pytest.raises(ConfigurationError):
        account_of(route(**{name: value}), {}, settings(tmp_path))
    with pytest.raises(ConfigurationError):
        account_of(route(), {name: value}, settings(tmp_path))


def test_demo_account_may_name_loopback(tmp_path):
    """Names and addresses of this computer pass."""
    fields = {"imap_host": "localhost", "smtp_host": "127.0.0.1", "x_host": "::1"}
    assert (
        account_of(route(**{**fields, "x_host": "[::1]"}), {}, settings(tmp_path)).settings["imap_host"] == "localhost"
    )


def test_what_no_form_asks_for_outlives_a_change():
    """A demo account can be renamed without losing its emulator, and nobody can enter another one."""
    manifest = Manifest(
        id="x",
        name="X",
        summary="x",
        transport="own",
        docs_url="https://x.example",
        read_on="2026-11-22",
        capabilities=Capabilities(text_limit=10),
        unknown_policy="at_most_once",
        settings=(Field(name="title", label="Title", required=False),),
    )
    old = Form({}, {"demo_url": "http://127.0.0.1:9001", "title": "A"})
    changed = read_changes(manifest, old, None, {"title": "B"})
    assert changed.settings == {"demo_url": "http://127.0.0.1:9001", "title": "B"}
    with pytest.raises(InvalidInput):
        read_changes(manifest, old, None, {"demo_url": "https://api.twilio.com"})
