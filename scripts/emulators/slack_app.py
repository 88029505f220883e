"""The emulated Slack's app: its keys, the sign-in of OAuth v2, and the tokens that came of it. For ``slack``."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from scripts.emulators import slack_shapes as shapes
from scripts.emulators.http1 import Answer, Request, as_json
from scripts.emulators.vendor import Asked, Refused

TEAM: Final = "T0EMULATED"
APP, BOT_USER, BOT, OWNER = "A0EMULATED", "U0EMUBOT", "B0EMULATED", "U0OWNER"
CLIENT_ID, CLIENT_SECRET, SIGNING_SECRET = (
    "1000000000001.2000000000002",
    "emulated-client-secret",
    "emulated-signing-secret",
)
SCOPES: Final = (
    "chat:write,chat:write.customize,im:history,im:write,channels:history,groups:history,mpim:history,"
    "reactions:read,reactions:write,files:read,files:write,users:read,channels:read,groups:read,im:read,mpim:read"
)
APP_TOKEN: Final = "xapp-1-A0EMULATED-0000000001-emulated"  # noqa: S105  the emulated app's
TOKEN_LIFETIME_S: Final = 43_200


def refused(code: str) -> Refused:
    """Refuse in Slack's shape: with 200."""
    return Refused(as_json(200, {"ok": False, "error": code}))


class App:
    """
    One app, and where it is allowed.

    Args:
        redirect_uris: Those registered with it.

    Attributes:
        tokens: Each with ``good``, or the error its use is refused with.
        app_tokens: App-level ones, in the same way.
        rotates: Whether tokens end, and come with refresh tokens.
    """

    def __init__(self, redirect_uris: Sequence[str]) -> None:
        self.redirect_uris = tuple(redirect_uris)
        self.tokens: dict[str, str] = {}
        self.app_tokens = {APP_TOKEN: "good"}
        self.rotates = False
        self._refresh_tokens: set[str] = set()
        self._codes: dict[str, str] = {}

    def check(self, asked: Request) -> None:
        """Refuse a request without a good token."""
        scheme, _, token = asked.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise refused("not_authed")
        if not self.is_good(token):
            raise refused(self.tokens.get(token, "invalid_auth"))

    def is_good(self, token: str) -> bool:
        return self.tokens.get(token) == "good"

    def revoke(self) -> None:
        """Take everything back, as a workspace's owner does who removes the app."""
        self.tokens = dict.fromkeys(self.tokens, "token_revoked")
        self._refresh_tokens.clear()

    def authorize(self, asked: Asked) -> Answer:
        """Send the browser back with a code: whoever it is agrees."""
        query: shapes.Authorize = asked.query
        if query.client_id != CLIENT_ID or query.redirect_uri not in self.redirect_uris or len(query.state) < 22:
            return Answer(400, b"bad_redirect_uri, or a client or state that is no good", "text/plain")
        if not set(query.scope.split(",")) <= set(SCOPES.split(",")):
            return Answer(400, b"invalid_scope", "text/plain")
        code = secrets.token_hex(16)
        self._codes[code] = query.redirect_uri
        location = f"{query.redirect_uri}?{urlencode({'code': code, 'state': query.state})}"
        return Answer(302, b"", "text/plain", {"location": location})

    def access(self, asked: Asked) -> Answer:
        """Answer ``oauth.v2.access``."""
        body: shapes.Access = asked.body
        scheme, _, given = asked.request.headers.get("authorization", "").partition(" ")
        if scheme != "Basic" or base64.b64decode(given) != f"{CLIENT_ID}:{CLIENT_SECRET}".encode():
            raise refused("bad_client_secret" if scheme == "Basic" else "invalid_client_id")
        if body.grant_type == "refresh_token":
            if body.refresh_token not in self._refresh_tokens:
                raise refused("invalid_refresh_token")
            self._refresh_tokens.discard(body.refresh_token)
        elif self._codes.get(body.code) is None:
            raise refused("invalid_code")
        elif self._codes.pop(body.code) != body.redirect_uri:
            raise refused("bad_redirect_uri")
        answer: dict[str, Any] = {
            "ok": True,
            "access_token": f"xoxb-{secrets.token_hex(12)}",
            "token_type": "bot",
            "scope": SCOPES,
            "bot_user_id": BOT_USER,
            "app_id": APP,
            "team": {"id": TEAM, "name": "Emulated"},
            "enterprise": None,
            "is_enterprise_install": False,
            "authed_user": {"id": OWNER},
        }
        if self.rotates:
            answer |= {"expires_in": TOKEN_LIFETIME_S, "refresh_token": f"xoxe-1-{secrets.token_hex(12)}"}
            self._refresh_tokens.add(answer["refresh_token"])
        self.tokens[answer["access_token"]] = "good"
        return as_json(200, answer)
