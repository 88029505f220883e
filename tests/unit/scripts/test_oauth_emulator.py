"""The emulated authorisation server refuses what a vendor refuses: else a connector's fault would pass its tests."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from hub.channels.connecting.model import challenge_of
from scripts.emulators.http1 import Answer, Request
from scripts.emulators.oauth import OAuthServer, Rules

BACK = "https://hub.example.com/connect/x/callback"
VERIFIER = "v" * 43
FORM = "application/x-www-form-urlencoded"
ASKED = {
    "response_type": "code",
    "client_id": "app",
    "redirect_uri": BACK,
    "scope": "read",
    "state": "s" * 43,
    "code_challenge": challenge_of(VERIFIER),
    "code_challenge_method": "S256",
}


class Bench:
    def __init__(self, **rules: object) -> None:
        self.now_s = 1000.0
        plain: dict[str, object] = {"client_id": "app", "client_secret": "s3", "redirect_uris": (BACK,)}
        made = Rules(**(plain | {"scopes": frozenset({"read"})} | rules))  # type: ignore[arg-type]
        self.server = OAuthServer(made, lambda: self.now_s)

    def authorize(self, **changed: str | None) -> Answer:
        query = {name: value for name, value in (ASKED | changed).items() if value is not None}
        answer = self.server.handle(Request("GET", "/oauth/authorize", list(query.items()), {}, b""))
        assert answer is not None
        return answer

    def told(self, **changed: str | None) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.authorize(**changed).headers["location"]).query))

    def post(self, form: dict[str, str], path: str = "/oauth/token", **headers: str) -> tuple[int, dict[str, object]]:
        body = urlencode({"client_id": "app", "client_secret": "s3"} | form).encode()
        answer = self.server.handle(Request("POST", path, [], {"content-type": FORM} | headers, body))
        assert answer is not None
        return answer.status, json.loads(answer.body)

    def exchange(self, given: str, **changed: str) -> tuple[int, dict[str, object]]:
        form = {"grant_type": "authorization_code", "code": given, "redirect_uri": BACK, "code_verifier": VERIFIER}
        return self.post(form | changed)

    def tokens(self) -> tuple[str, str]:
        _, answer = self.exchange(self.told()["code"])
        return str(answer["access_token"]), str(answer["refresh_token"])

    def renew(self, token: str) -> tuple[int, dict[str, object]]:
        return self.post({"grant_type": "refresh_token", "refresh_token": token})


def test_a_code_becomes_tokens_that_end():
    """The whole way; a token says whose it is until its hour is over or it is revoked."""
    bench = Bench()
    told = bench.told()
    assert told["state"] == ASKED["state"]
    access, refresh = bench.tokens()
    assert bench.server.user_of(access) == "user-1"
    bench.now_s += 3601
    assert bench.server.user_of(access) is None
    status, renewed = bench.renew(refresh)
    assert (status, bench.server.user_of(str(renewed["access_token"]))) == (200, "user-1")
    assert bench.post({"token": str(renewed["refresh_token"])}, "/oauth/revoke")[0] == 200
    assert bench.server.user_of(str(renewed["access_token"])) is None


@pytest.mark.parametrize(
    ("name", "value"), [("client_id", "other"), ("redirect_uri", BACK + "/"), ("redirect_uri", None)]
)
def test_what_is_not_the_clients_is_not_sent_back(name: str, value: str | None):
    """An unregistered address gets neither a code nor an error: it may be an attacker's."""
    assert Bench().authorize(**{name: value}).status == 400


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"state": "short"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "read write"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"prompt": "consent"}, "invalid_request"),
    ],
)
def test_each_parameter_of_authorize_is_checked(changed: dict[str, str | None], error: str):
    """A connector that gets one wrong gets no code."""
    told = Bench().told(**changed)
    assert (told["error"], "code" in told) == (error, False)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_grant"),
        ({"redirect_uri": BACK + "?x=1"}, "invalid_grant"),
        ({"code": "made-up"}, "invalid_grant"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "read"}, "invalid_request"),
    ],
)
def test_each_parameter_of_token_is_checked(changed: dict[str, str], error: str):
    """Wrong PKCE, another address, a made-up code, a wrong secret, an unknown parameter."""
    bench = Bench()
    status, answer = bench.exchange(bench.told()["code"], **changed)
    assert (status >= 400, answer["error"]) == (True, error)
    assert bench.server.refused


def test_a_code_is_good_once_and_for_a_minute():
    """A second use ends what came of the first: one of the two stole it."""
    bench = Bench()
    code = bench.told()["code"]
    _, first = bench.exchange(code)
    assert bench.exchange(code)[1]["error"] == "invalid_grant"
    assert bench.server.user_of(str(first["access_token"])) is None
    late = bench.told()["code"]
    bench.now_s += 61
    assert bench.exchange(late)[1]["error"] == "invalid_grant"


def test_a_spent_refresh_token_ends_the_grant():
    """What loses a rolled token in a race shows at once."""
    bench = Bench()
    _, refresh = bench.tokens()
    _, renewed = bench.renew(refresh)
    assert bench.renew(refresh)[0] == 400
    assert bench.renew(str(renewed["refresh_token"]))[0] == 400
    assert bench.server.renewals == 1


def test_a_vendor_that_does_not_roll_keeps_its_refresh_token():
    """Google's way: the answer of a renewal has none."""
    bench = Bench(rolls=False)
    _, refresh = bench.tokens()
    for _ in range(2):
        status, renewed = bench.renew(refresh)
        assert (status, "refresh_token" in renewed) == (200, False)


def test_header_and_form_must_not_both_hold_the_secret():
    """RFC 6749 section 2.3: one way of saying who one is."""
    bench = Bench()
    form = {"grant_type": "authorization_code", "code": bench.told()["code"]}
    assert bench.post(form, authorization="Basic YXBwOnMz")[1]["error"] == "invalid_request"


def test_other_paths_are_the_emulators():
    """What is not its own it leaves to whoever mounted it."""
    assert Bench().server.handle(Request("GET", "/v1/messages", [], {}, b"")) is None
