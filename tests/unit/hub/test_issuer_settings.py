"""Issuers of the environment: presets, what is missing, what cannot be an issuer."""

from __future__ import annotations

import pytest

from hub.config import read_settings
from hub.errors import ConfigurationError


def read(**env: str):
    return read_settings({"HOME": "/nowhere"} | {f"HUB_ISSUER_{name}": value for name, value in env.items()}).issuers


def test_no_issuer_is_set_up_by_itself():
    """An installation knows nobody before its operator does."""
    assert read() == ()


def test_google_needs_an_id_and_a_secret_only():
    """Its address and name are known."""
    [google] = read(GOOGLE_CLIENT_ID="id", GOOGLE_CLIENT_SECRET="secret")
    assert (google.slug, google.name, google.url) == ("google", "Google", "https://accounts.google.com")
    assert google.takes_pkce
    assert google.sends_nonce
    assert "secret" not in repr(google)


def test_linkedin_is_let_off_what_it_does_not_do():
    """It sends no nonce and refuses PKCE, so that it must know us by a secret."""
    [linkedin] = read(LINKEDIN_CLIENT_ID="id", LINKEDIN_CLIENT_SECRET="secret")
    assert (linkedin.sends_nonce, linkedin.takes_pkce, linkedin.posts_secret) == (False, False, True)
    with pytest.raises(ConfigurationError, match="HUB_ISSUER_LINKEDIN_CLIENT_SECRET"):
        read(LINKEDIN_CLIENT_ID="id")


def test_another_address_under_a_presets_name_is_let_off_nothing():
    """Whoever is called LinkedIn and is not."""
    url = "https://login.example.com"
    [one] = read(LINKEDIN_CLIENT_ID="id", LINKEDIN_CLIENT_SECRET="s", LINKEDIN_URL=url)
    assert (one.url, one.sends_nonce, one.takes_pkce, one.posts_secret) == (url, True, True, False)


def test_any_issuer_is_named_by_its_variables():
    """In the order of slugs; the address stays as it is, a slash at its end included."""
    found = read(
        OUR_AUTH0_CLIENT_ID="b", OUR_AUTH0_URL="https://x.auth0.com/", OUR_AUTH0_NAME="Work", CLERK_CLIENT_ID="a",
        CLERK_URL="https://clerk.example.com",
    )  # fmt: skip
    assert [(one.slug, one.name, one.url) for one in found] == [
        ("clerk", "Clerk", "https://clerk.example.com"),
        ("our-auth0", "Work", "https://x.auth0.com/"),
    ]


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"CLERK_URL": "https://clerk.example.com"}, "CLIENT_ID"),
        ({"CLERK_CLIENT_ID": "a"}, "URL"),
        ({"CLERK_CLIENT_ID": "a", "CLERK_URL": "http://clerk.example.com"}, "URL"),
        ({"CLERK_CLIENT_ID": "a", "CLERK_URL": "https://u:p@clerk.example.com"}, "URL"),
        ({"CLERK_CLIENT_ID": "a", "CLERK_URL": "https://clerk.example.com?x=1"}, "URL"),
        ({"CLERK_CLIENTID": "a"}, "CLERK_CLIENTID"),
    ],
)
def test_what_cannot_be_used_is_refused_at_start(variables, named):
    """A slip is named, not found out at the first sign-in."""
    with pytest.raises(ConfigurationError, match=named):
        read(**variables)
