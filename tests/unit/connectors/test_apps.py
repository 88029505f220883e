"""Which app a channel signs in with, and which of its keys a connector is shown."""

from __future__ import annotations

import msgspec
import pytest

from connectors import apps
from connectors.accounts import app_account, with_app
from connectors.forms import Form, read_changes
from hub.channels.connecting.model import is_replaced, merge_credentials
from hub.config import Settings, read_settings
from hub.errors import ConfigurationError, InvalidInput, NotFound
from tests.oauth_channel import MANIFEST, Letters, as_registry


def settings(**environ: str) -> Settings:
    return read_settings({"HOME": "/nowhere", "HUB_PUBLIC_URL": "https://hub.example.com"} | environ)


WITH_APP = {"HUB_OAUTH_LETTERS_CLIENT_ID": "ours", "HUB_OAUTH_LETTERS_CLIENT_SECRET": "our-secret"}


def test_a_members_own_app_goes_first():
    """Else the installation's; the redirect address is the same for both."""
    own = {"client_id": "own", "client_secret": "own-secret"}
    made = apps.app_of(MANIFEST, ({}, own), settings(**WITH_APP))
    assert (made.client_id, made.client_secret) == ("own", "own-secret")
    made = apps.app_of(MANIFEST, ({}, {}), settings(**WITH_APP))
    assert (made.client_id, made.client_secret) == ("ours", "our-secret")
    assert made.redirect_uri == "https://hub.example.com/connect/letters/callback"


def test_a_sign_in_sees_what_the_form_asked_and_nothing_else():
    """A tenant is part of a vendor's addresses; keys and what was granted are none of the sign-in's business."""
    entered = {"folder": "Sales", "subscriptions": "7f10"}
    made = apps.app_of(MANIFEST, (entered, {"refresh_token": "secret"}), settings(**WITH_APP))
    assert made.settings == {"folder": "Sales"}


def test_own_id_never_goes_with_the_installations_secret():
    """A public client of a member's own stays one; the installation's secret is not theirs."""
    made = apps.app_of(MANIFEST, ({"client_id": "own"},), settings(**WITH_APP))
    assert (made.client_id, made.client_secret) == ("own", "")
    assert with_app("letters", {"client_id": "own"}, settings(**WITH_APP)) == {"client_id": "own"}


def test_what_is_missing_is_said():
    """The variables and the address to register; without fields for an own app nothing of one."""
    with pytest.raises(InvalidInput) as refused:
        apps.app_of(MANIFEST, ({},), settings())
    assert "HUB_OAUTH_LETTERS_CLIENT_ID and HUB_OAUTH_LETTERS_CLIENT_SECRET" in refused.value.message
    assert "https://hub.example.com/connect/letters/callback" in refused.value.message
    plain = msgspec.structs.replace(MANIFEST, credentials=())
    assert "your own" not in apps.missing_app(plain, settings())
    assert apps.missing_app(MANIFEST, settings(**WITH_APP)) == ""


def test_connector_is_shown_the_installations_app():
    """For webhooks; a channel without an app sees its own credentials only, and its app's address is nobody's."""
    shown = with_app("letters", {"access_token": "t"}, settings(**WITH_APP))
    assert shown == {"access_token": "t", "client_id": "ours", "client_secret": "our-secret"}
    assert with_app("other", {"access_token": "t"}, settings(**WITH_APP)) == {"access_token": "t"}
    assert app_account("letters", settings(**WITH_APP)).credentials["client_secret"] == "our-secret"
    with pytest.raises(NotFound):
        app_account("other", settings(**WITH_APP))


def test_app_of_a_channel_there_is_not_stops_the_start():
    """A name misspelt is found by the operator, not by a member."""
    apps.require_known(as_registry(), settings(**WITH_APP))
    with pytest.raises(ConfigurationError, match="HUB_OAUTH_LETTRES_CLIENT_ID"):
        apps.require_known(as_registry(), settings(HUB_OAUTH_LETTRES_CLIENT_ID="ours"))
    assert Letters().get("letters").oauth is not None


def test_a_changed_form_keeps_what_was_granted():
    """Tokens are no fields: they are neither asked for nor cleared, and nobody can enter one."""
    old = Form({"access_token": "t", "refresh_token": "r"}, {"folder": "a"})
    form = read_changes(MANIFEST, old, None, {"folder": "b"})
    assert (form.credentials, form.settings) == (old.credentials, {"folder": "b"})
    with pytest.raises(InvalidInput):
        read_changes(MANIFEST, old, {"access_token": "planted"}, None)


def test_changes_of_two_at_once_are_both_kept():
    """What the member changed wins; what a renewal changed meanwhile stays; what was cleared is gone."""
    base = {"a": "1", "token": "old", "gone": "x"}
    merged = merge_credentials(base, {"a": "2", "token": "old"}, {"a": "1", "token": "new", "gone": "x", "more": "y"})
    assert merged == {"a": "2", "token": "new", "more": "y"}
    assert is_replaced(base, {"token": "theirs"}, {"token": "renewed"})
    assert not is_replaced(base, {"a": "2", "token": "old"}, {"token": "renewed"})
