"""Cookies, Origins and addresses, for each kind of public URL."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from api import auth
from hub.config import read_settings
from hub.errors import ConfigurationError, Forbidden, NotSignedIn


def edge(public_url: str = "", port: str = "8003") -> auth.Edge:
    return auth.edge_of(read_settings({"HUB_PUBLIC_URL": public_url, "HUB_PORT": port, "HOME": "/x"}))


def request(headers: dict[str, str], *, client: str = "127.0.0.1", method: str = "POST") -> Request:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": method, "path": "/", "headers": raw, "client": (client, 1)})


@pytest.mark.parametrize(
    ("public_url", "name", "secure", "origins"),
    [
        ("", "hub_session", False, {"http://localhost:8003", "http://127.0.0.1:8003", "http://[::1]:8003"}),
        ("https://hub.example.com", "__Host-hub_session", True, {"https://hub.example.com"}),
        ("https://Hub.Example.com:443", "__Host-hub_session", True, {"https://hub.example.com"}),
        ("https://hub.example.com:8443", "__Host-hub_session", True, {"https://hub.example.com:8443"}),
        (
            "http://localhost:9000",
            "hub_session",
            False,
            {"http://localhost:9000", "http://127.0.0.1:9000", "http://[::1]:9000"},
        ),
        ("http://127.0.0.1", "hub_session", False, {"http://localhost", "http://127.0.0.1", "http://[::1]"}),
    ],
)
def test_edge_follows_the_public_url(public_url, name, secure, origins):
    """Https gets the __Host- cookie and one Origin, loopback the plain one and its three names."""
    made = edge(public_url)
    assert (made.cookie_name, made.secure, made.origins) == (name, secure, frozenset(origins))


@pytest.mark.parametrize(
    "public_url",
    ["http://hub.example.com", "http://192.168.1.5:8000", "http://10.0.0.1", "http://localhost.example.com"],
)
def test_http_on_another_host_is_refused_in_words(public_url):
    """Passwords in the clear are refused at start, and the text says what to do."""
    with pytest.raises(ConfigurationError, match="use https") as caught:
        edge(public_url)
    assert caught.value.field == "HUB_PUBLIC_URL"


@pytest.mark.parametrize("public_url", ["https://a.b/path", "https://", "https://u@a.b", "https://a.b?x=1"])
def test_url_with_more_than_a_host_is_refused(public_url):
    """An address that could not be an Origin is a mistake."""
    with pytest.raises(ConfigurationError):
        edge(public_url)


def test_session_cookie_on_https():
    """The __Host- rules: Secure, Path=/, no Domain; out of reach of scripts and of other sites' posts."""
    cookie = auth.session_cookie(edge("https://hub.example.com"), "t")
    assert cookie == "__Host-hub_session=t; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"


def test_session_cookie_on_loopback():
    """Without a certificate a Secure cookie would not come back."""
    assert auth.session_cookie(edge(), "t") == "hub_session=t; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
    assert "Max-Age=0" in auth.ended_cookie(edge())


OURS = {"origin": "http://localhost:8003"}
MARK = {"x-hub-request": "1"}
COOKIE = {"cookie": "hub_session=t"}
BROWSER = {"user-agent": "Mozilla/5.0"}


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        (OURS | MARK, True),
        (OURS | MARK | COOKIE | BROWSER | {"sec-fetch-site": "same-origin"}, True),
        ({"origin": "http://127.0.0.1:8003"} | MARK | COOKIE, True),
        ({"origin": "http://[::1]:8003"} | MARK | COOKIE, True),
        (OURS | COOKIE, False),
        (OURS | COOKIE | {"x-hub-request": "0"}, False),
        ({"origin": "http://localhost:8004"} | MARK | COOKIE, False),
        ({"origin": "https://localhost:8003"} | MARK | COOKIE, False),
        ({"origin": "http://localhost:8003.evil.test"} | MARK | COOKIE, False),
        ({"origin": "http://LOCALHOST:8003"} | MARK | COOKIE, False),
        ({"origin": "http://localhost:8003/"} | MARK | COOKIE, False),
        ({"origin": "null"} | MARK | COOKIE, False),
        ({"origin": ""} | MARK | COOKIE, False),
        ({"origin": "https://evil.test"} | MARK, False),
        (MARK | COOKIE | {"sec-fetch-site": "same-origin"}, False),
        (COOKIE | {"sec-fetch-site": "cross-site"}, False),
        (COOKIE | BROWSER, False),
        (COOKIE, True),
        ({}, True),
        ({"authorization": "Bearer t", "origin": "https://evil.test"}, True),
        ({"authorization": "Basic t", "origin": "https://evil.test"}, False),
    ],
)
def test_origin_table(headers, allowed):
    """Browsers must come from our own pages with our header; scripts and bearer tokens are not at a page's mercy."""
    if allowed:
        auth.check_origin(edge(), request(headers))
    else:
        with pytest.raises(Forbidden):
            auth.check_origin(edge(), request(headers))


def test_bearer_header_hides_the_cookie():
    """A call with a bearer token is judged by it alone, or it would skip the Origin check with its cookie."""
    both = request({"authorization": "Bearer mine"} | COOKIE)
    assert auth.token_of(edge(), both) == "mine"
    with pytest.raises(NotSignedIn):
        auth.token_of(edge(), request({"authorization": "Bearer "} | COOKIE))


def test_other_cookie_name_is_no_session():
    """On https a plain hub_session, which any subdomain could set, is not looked at."""
    with pytest.raises(NotSignedIn):
        auth.token_of(edge("https://hub.example.com"), request(COOKIE))


@pytest.mark.parametrize(
    ("client", "forwarded", "public_url", "address"),
    [
        ("203.0.113.9", None, "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "https://hub.example.com", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1", "", "127.0.0.1"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.1", "https://hub.example.com", "198.51.100.1"),
        ("127.0.0.1", None, "https://hub.example.com", "127.0.0.1"),
        ("127.0.0.1", "rubbish", "https://hub.example.com", "unknown"),
        ("2001:db8:1:2:3:4:5:6", None, "", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", None, "", "203.0.113.9"),
    ],
)
def test_address_is_believed_only_from_our_own_proxy(client, forwarded, public_url, address):
    """Nobody gets a fresh allowance by writing X-Forwarded-For, or by walking through their own /64."""
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    assert auth.address_of(edge(public_url), request(headers, client=client)) == address


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("172.30.231.10", "198.51.100.1", "198.51.100.1"),
        ("::ffff:172.30.231.10", "198.51.100.1", "198.51.100.1"),
        # What a caller wrote itself stands before what our proxy wrote.
        ("172.30.231.10", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        # Two proxies of ours in a row: the first one's word is the second one's entry.
        ("172.30.231.10", "6.6.6.6, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        # Nobody else is believed, whatever they write.
        ("172.30.231.11", "198.51.100.1", "172.30.231.11"),
        ("127.0.0.1", "198.51.100.1", "127.0.0.1"),
        ("172.30.231.10", "rubbish", "unknown"),
        ("172.30.231.10", "", "172.30.231.10"),
        ("172.30.231.10", "10.1.2.3", "10.1.2.3"),
        ("fd00::1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
    ],
)
def test_address_is_believed_from_proxies_the_operator_names(client, forwarded, address):
    """HUB_TRUSTED_PROXIES may name the caller; the header is read from its end, as far as our proxies wrote it."""
    proxies = "172.30.231.10, 10.1.0.0/16 fd00::/64"
    named = auth.edge_of(read_settings({"HUB_TRUSTED_PROXIES": proxies, "HOME": "/x"}))
    assert auth.address_of(named, request({"x-forwarded-for": forwarded}, client=client)) == address
    assert auth.caller_of(named, client, forwarded) == address


@pytest.mark.parametrize("text", ["nginx", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1, proxy.example"])
def test_proxies_that_are_no_addresses_are_refused_in_words(text):
    """A slip would quietly throttle everybody as one: it is an error at the start."""
    with pytest.raises(ConfigurationError, match="HUB_TRUSTED_PROXIES") as caught:
        read_settings({"HUB_TRUSTED_PROXIES": text, "HOME": "/x"})
    assert caught.value.field == "HUB_TRUSTED_PROXIES"
