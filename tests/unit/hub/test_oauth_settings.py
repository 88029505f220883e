"""Apps of the environment: read, refused with the variable's name, never shown."""

from __future__ import annotations

import pytest

from hub.config import read_settings
from hub.errors import ConfigurationError
from hub.oauth_settings import OAuthKeys


def read(**env: str) -> dict[str, OAuthKeys]:
    return read_settings({"HOME": "/nowhere"} | {f"HUB_OAUTH_{name}": value for name, value in env.items()}).oauth_apps


def test_apps_are_read_by_channel():
    """Channels have underscores too; an empty variable is none."""
    apps = read(
        GMAIL_CLIENT_ID="g", GMAIL_CLIENT_SECRET="gs", X_DM_CLIENT_ID=" x ", SLACK_CLIENT_ID="", X_DM_SIGNING_SECRET="k"
    )
    assert apps == {
        "gmail": OAuthKeys(client_id="g", client_secret="gs"),
        "x_dm": OAuthKeys(client_id="x", signing_secret="k"),
    }
    assert apps["x_dm"].credentials() == {"client_id": "x", "signing_secret": "k"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("GMAIL_CLIENT_SECRET", "the-secret"), ("GMAIL_SECRET", "the-secret"), ("GMAIL_CLIENT_ID", "the secret\n2")],
)
def test_what_cannot_be_used_is_named_but_not_shown(name: str, value: str):
    """A secret without an id, an unknown variable, a value no key has."""
    with pytest.raises(ConfigurationError) as refused:
        read(**{name: value})
    assert "HUB_OAUTH_GMAIL_" in refused.value.message
    assert "secret\n" not in refused.value.message
    assert "the-secret" not in refused.value.message


def test_keys_do_not_show_in_text():
    """Settings are printed by more than one tool."""
    assert "hidden" not in repr(OAuthKeys(client_id="hidden", client_secret="hidden"))
