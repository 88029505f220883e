"""
A strict OAuth 2 authorisation server that vendor emulators mount: authorize, token, revoke.

Every parameter is checked, unknown ones too; codes are good once and for a minute; refresh tokens roll, and an old one
that comes back ends the whole grant. Mount: ``answer = server.handle(request)``; None where the path is not its own.

Source: RFC 6749 (October 2012), RFC 7636 (September 2015), RFC 7009 (August 2013), RFC 9700 (January 2025).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode

from scripts.emulators.http1 import Answer, Request, as_json

CODE_LIFETIME_S: Final = 60.0
# 128 bits in base64.
_LEAST_STATE_CHARS: Final = 22
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_AUTHORIZE: Final = frozenset(
    {"response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method"}
)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """
    What one vendor's server does.

    Attributes:
        redirect_uris: Those registered, compared letter by letter.
        client_secret: Empty for a public client.
        scopes: What may be asked for; empty scope is refused where there are any.
        more: Parameters of its own that ``authorize`` takes beside the standard's, e.g. ``access_type``.
        takes_basic: Whether the client may name itself in the Authorization header; else only in the form.
        needs_pkce: Whether a challenge is demanded.
        rolls: Whether each refresh gives a new refresh token, the old one being void.
        refreshes: Whether there are refresh tokens at all.
    """

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]
    scopes: frozenset[str] = frozenset()
    more: frozenset[str] = frozenset()
    takes_basic: bool = True
    needs_pkce: bool = True
    rolls: bool = True
    refreshes: bool = True
    lifetime_s: float = 3600.0
    authorize_path: str = "/oauth/authorize"
    token_path: str = "/oauth/token"  # noqa: S105  a path
    revoke_path: str = "/oauth/revoke"


@dataclass
class Grant:
    """What somebody agreed to: all tokens that came of it live and end together."""

    user: str
    scope: str
    access: dict[str, float] = field(default_factory=dict)
    refresh: str = ""
    spent: set[str] = field(default_factory=set)
    is_over: bool = False


@dataclass
class _Code:
    user: str
    scope: str
    redirect_uri: str
    challenge: str
    until_s: float
    grant: Grant | None = None


class Refused(Exception):
    """An error of the standard's, as its token endpoint says it."""

    def __init__(self, error: str, why: str, status: int = 400) -> None:
        super().__init__(f"{error}: {why}")
        self.error, self.why, self.status = error, why, status


class OAuthServer:
    """
    One vendor's.

    Args:
        rules: What it demands.
        now_s: Its clock; tests move it.

    Attributes:
        user: Who is signed in in the browser and agrees; empty says no (``access_denied``).
        away: Whether the token endpoint answers 503.
        refused: What was refused and why, in order: an emulator's test looks here first.
        renewals: How often a refresh token was exchanged.
    """

    def __init__(self, rules: Rules, now_s: Callable[[], float] = time.monotonic) -> None:
        self.rules = rules
        self.user = "user-1"
        self.away = False
        self.refused: list[str] = []
        self.renewals = 0
        self._now_s = now_s
        self._codes: dict[str, _Code] = {}
        self._grants: list[Grant] = []

    def handle(self, request: Request) -> Answer | None:
        """Answer what is this server's; None for every other path."""
        rules = self.rules
        if request.path == rules.authorize_path and request.method == "GET":
            return self._authorize(request)
        if request.path not in (rules.token_path, rules.revoke_path):
            return None
        if request.method != "POST":
            return as_json(405, {"error": "invalid_request"}, {"allow": "POST"})
        if self.away:
            return as_json(503, {"error": "temporarily_unavailable"}, {"retry-after": "1"})
        try:
            form = self._form(request)
            self._know(request, form)
            answer = self._token(form) if request.path == rules.token_path else self._revoke(form)
        except Refused as refused:
            self.refused.append(str(refused))
            return as_json(refused.status, {"error": refused.error, "error_description": refused.why})
        return as_json(200, answer, {"cache-control": "no-store"})

    def user_of(self, token: str) -> str | None:
        """Return whose access token this is; None where it has ended, was revoked, or never was."""
        for grant in self._grants:
            until_s = grant.access.get(token)
            if until_s is not None and not grant.is_over and until_s > self._now_s():
                return grant.user
        return None

    def end_access(self) -> None:
        """Make every access token invalid, as vendors do at times before they end; refreshing works."""
        for grant in self._grants:
            grant.access.clear()

    def end_grants(self) -> None:
        """Take every agreement back, as people do in their settings: only a sign-in helps."""
        for grant in self._grants:
            grant.is_over = True

    # ── the browser's side ──────────────────────────────────────────────────────────────────────────────────────

    def _authorize(self, request: Request) -> Answer:
        """Send the browser back with a code; what cannot be trusted to be the client's is answered here, not there."""
        query = dict(request.query)
        if len(query) != len(request.query):
            return self._page("a parameter came twice")
        if query.get("client_id") != self.rules.client_id:
            return self._page("client_id is not known")
        if query.get("redirect_uri") not in self.rules.redirect_uris:
            return self._page("redirect_uri is not registered")
        try:
            code = self._agree(query)
            told = {"code": code}
        except Refused as refused:
            self.refused.append(str(refused))
            told = {"error": refused.error}
        if "state" in query:
            told["state"] = query["state"]
        return Answer(302, b"", "text/plain", {"location": f"{query['redirect_uri']}?{urlencode(told)}"})

    def _agree(self, query: Mapping[str, str]) -> str:
        unknown = set(query) - _AUTHORIZE - self.rules.more
        if unknown:
            raise Refused("invalid_request", f"{sorted(unknown)[0]} is not a parameter")
        if query.get("response_type") != "code":
            raise Refused("unsupported_response_type", "only code")
        if len(query.get("state", "")) < _LEAST_STATE_CHARS:
            raise Refused("invalid_request", "state is missing or can be guessed")
        challenge = query.get("code_challenge", "")
        is_s256 = query.get("code_challenge_method") == "S256" and _CHALLENGE.fullmatch(challenge) is not None
        if (challenge or self.rules.needs_pkce) and not is_s256:
            raise Refused("invalid_request", "PKCE with S256 is needed")
        scope = query.get("scope", "")
        asked = set(scope.split())
        if self.rules.scopes and (not asked or asked - self.rules.scopes):
            raise Refused("invalid_scope", "a scope is not this app's")
        if not self.user:
            raise Refused("access_denied", "the person said no")
        code = secrets.token_urlsafe(24)
        until_s = self._now_s() + CODE_LIFETIME_S
        self._codes[code] = _Code(self.user, scope, query["redirect_uri"], challenge, until_s)
        return code

    def _page(self, why: str) -> Answer:
        self.refused.append(f"authorize: {why}")
        return Answer(400, f"This app cannot sign you in: {why}.".encode(), "text/plain")

    # ── the client's side ───────────────────────────────────────────────────────────────────────────────────────

    def _form(self, request: Request) -> dict[str, str]:
        if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise Refused("invalid_request", "the body is a form")
        pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        if len({name for name, _ in pairs}) != len(pairs):
            raise Refused("invalid_request", "a parameter came twice")
        if request.query:
            raise Refused("invalid_request", "parameters belong into the body")
        return dict(pairs)

    def _know(self, request: Request, form: dict[str, str]) -> None:
        """Check who calls; takes the client's keys out of the form."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        named, secret = form.pop("client_id", ""), form.pop("client_secret", "")
        if scheme.lower() == "basic" and self.rules.takes_basic:
            if secret:
                raise Refused("invalid_request", "the secret came twice")
            try:
                given, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
            except ValueError:
                raise Refused("invalid_client", "the header cannot be read", 401) from None
            given, secret = unquote(given), unquote(secret)
            if named not in ("", given):
                raise Refused("invalid_client", "two clients are named", 401)
            named = given
        elif scheme:
            raise Refused("invalid_client", "this header is not taken here", 401)
        right = hmac.compare_digest(secret.encode(), self.rules.client_secret.encode())
        if named != self.rules.client_id or not right:
            raise Refused("invalid_client", "client or secret is wrong", 401)

    def _token(self, form: dict[str, str]) -> dict[str, object]:
        match form.pop("grant_type", ""):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token" if self.rules.refreshes:
                return self._renew(form)
            case other:
                raise Refused("unsupported_grant_type", other or "grant_type is missing")

    def _exchange(self, form: dict[str, str]) -> dict[str, object]:
        self._only(form, {"code", "redirect_uri", "code_verifier"})
        code = self._codes.get(form.get("code", ""))
        if code is None:
            raise Refused("invalid_grant", "there is no such code")
        if code.grant is not None:
            # RFC 6749 section 4.1.2: a code used twice was stolen once; what came of it ends.
            code.grant.is_over = True
            raise Refused("invalid_grant", "the code was used before")
        code.grant = Grant(code.user, code.scope)
        if code.until_s <= self._now_s():
            raise Refused("invalid_grant", "the code has run out")
        if form.get("redirect_uri") != code.redirect_uri:
            raise Refused("invalid_grant", "redirect_uri is another")
        verifier = form.get("code_verifier", "")
        if code.challenge:
            hashed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
            if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(hashed, code.challenge):
                raise Refused("invalid_grant", "code_verifier does not fit")
        elif verifier:
            raise Refused("invalid_grant", "no challenge was given")
        self._grants.append(code.grant)
        return self._issue(code.grant)

    def _renew(self, form: dict[str, str]) -> dict[str, object]:
        self._only(form, {"refresh_token", "scope"})
        given = form.get("refresh_token", "")
        grant = next((one for one in self._grants if given and given in (one.refresh, *one.spent)), None)
        if grant is None or grant.is_over:
            raise Refused("invalid_grant", "the refresh token is not good")
        if given in grant.spent:
            grant.is_over = True
            raise Refused("invalid_grant", "the refresh token was used before: the grant ends")
        if set(form.get("scope", "").split()) - set(grant.scope.split()):
            raise Refused("invalid_scope", "more than was granted")
        self.renewals += 1
        return self._issue(grant)

    def _issue(self, grant: Grant) -> dict[str, object]:
        access = secrets.token_urlsafe(24)
        grant.access[access] = self._now_s() + self.rules.lifetime_s
        issued: dict[str, object] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": int(self.rules.lifetime_s),
            "scope": grant.scope,
        }
        if self.rules.refreshes and (self.rules.rolls or not grant.refresh):
            if grant.refresh:
                grant.spent.add(grant.refresh)
            grant.refresh = secrets.token_urlsafe(24)
            issued["refresh_token"] = grant.refresh
        return issued

    def _revoke(self, form: dict[str, str]) -> dict[str, object]:
        """End a token; RFC 7009 section 2.2: an unknown one is answered like any other."""
        self._only(form, {"token", "token_type_hint"})
        for grant in self._grants:
            if form.get("token") == grant.refresh:
                grant.is_over = True
            grant.access.pop(form.get("token", ""), None)
        return {}

    def _only(self, form: Mapping[str, str], known: set[str]) -> None:
        unknown = set(form) - known
        if unknown:
            raise Refused("invalid_request", f"{sorted(unknown)[0]} is not a parameter")
