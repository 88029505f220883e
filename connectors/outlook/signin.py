"""Signing in at Microsoft: OAuth 2 with PKCE, tokens that roll, and whose mailbox it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from connectors.base import Account, Granted, OAuth, OAuthApp
from connectors.http import Answer, Request, ask, refusal
from connectors.outlook.errors import VENDOR, failure, harmless
from connectors.outlook.graph import Graph
from hub import clock
from hub.errors import ConnectorErrorInfo, ErrorClass

LOGIN: Final = "https://login.microsoftonline.com"
SCOPES: Final = "offline_access Mail.ReadWrite Mail.Send User.Read"
# A renewal keeps what was granted; a person must sign in for anything else.
_AGAIN: Final = frozenset({"invalid_grant", "interaction_required", "login_required", "consent_required"})
_OUR_APP: Final = frozenset({"invalid_client", "unauthorized_client"})
_AGAIN_WORDS: Final = "Microsoft wants you to sign in again."
_APP_WORDS: Final = "Microsoft does not accept the app's id or secret. Client secrets end: make a new one there."


class _Tokens(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float = 3600.0
    refresh_token: str = ""

    def __repr__(self) -> str:
        return "_Tokens()"


class Me(msgspec.Struct, frozen=True, rename="camel"):
    """Whose token it is, as ``/me`` says."""

    id: str
    mail: str | None = None
    user_principal_name: str | None = None

    @property
    def address(self) -> str:
        """The mailbox's address; some accounts have only a sign-in name."""
        return (self.mail or self.user_principal_name or "").strip()


class _Error(msgspec.Struct, frozen=True):
    error: str = ""


def authorize_url(app: OAuthApp, state: str, code_challenge: str, settings: Mapping[str, str]) -> str:
    """
    Write where the browser signs in. Pure.

    Args:
        app: Ours or a member's.
        state: Of this attempt.
        code_challenge: S256.
        settings: Name the tenant.

    Source:
        learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow, read 2026-11-23.
    """
    query = {
        "client_id": app.client_id,
        "response_type": "code",
        "redirect_uri": app.redirect_uri,
        "response_mode": "query",
        "scope": SCOPES,
        "state": state,
        "code_challenge": code_challenge,
        "code_challenge_method": "S256",
        # Members have a mailbox of their own, and connect another.
        "prompt": "select_account",
    }
    return f"{_endpoint(app, settings, 'authorize')}?{urlencode(query, quote_via=quote)}"


async def exchange(app: OAuthApp, code: str, code_verifier: str) -> Granted:
    """
    Turn the code into tokens and find out whose mailbox it is.

    Raises:
        ConnectorError: ``AUTH`` where signing in again helps.
    """
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": app.redirect_uri}
    tokens = await _ask_tokens(app, app.settings, form | {"code_verifier": code_verifier})
    if not tokens.refresh_token:
        raise failure(ErrorClass.AUTH, "no_refresh_token", "Microsoft gave no lasting access. Sign in again.")
    me = await who(_bearer(app, tokens.access_token))
    if not me.address:
        raise failure(ErrorClass.ACCOUNT, "no_address", "This Microsoft account has no mail address.")
    granted = _granted(tokens)
    settings = {"address": me.address.lower(), "connected_at": clock.now().isoformat()}
    return msgspec.structs.replace(granted, external_ref=me.id, name=me.address, settings=settings)


async def renew(app: OAuthApp, account: Account) -> Granted:
    """
    Make new tokens; Microsoft's refresh tokens roll, so the new one is kept.

    Raises:
        ConnectorError: ``AUTH`` where only a person can help.
    """
    form = {"grant_type": "refresh_token", "refresh_token": account.credentials.get("refresh_token", "")}
    if not form["refresh_token"]:
        raise failure(ErrorClass.AUTH, "no_refresh_token", _AGAIN_WORDS)
    return _granted(await _ask_tokens(app, account.settings, form | {"scope": SCOPES}))


async def who(graph: Graph) -> Me:
    """Ask whose token it is."""
    return await graph.get("/me?$select=id,mail,userPrincipalName", Me)


async def _ask_tokens(app: OAuthApp, settings: Mapping[str, str], form: dict[str, str]) -> _Tokens:
    form = {**form, "client_id": app.client_id}
    if app.client_secret:
        form["client_secret"] = app.client_secret
    with harmless():
        answer = await ask(
            Request(
                vendor=VENDOR,
                url=_endpoint(app, settings, "token"),
                headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
                body=urlencode(form).encode(),
                read_refusal=_describe,
            )
        )
    try:
        return msgspec.json.decode(answer.body, type=_Tokens)
    except msgspec.DecodeError as error:
        raise failure(ErrorClass.RETRYABLE, "unreadable", "Microsoft's answer could not be read.") from error


def _describe(answer: Answer, vendor: str) -> ConnectorErrorInfo:
    """Say what a refusal of the token endpoint means; RFC 6749 section 5.2 and Entra's own errors."""
    try:
        code = msgspec.json.decode(answer.body, type=_Error).error
    except msgspec.DecodeError:
        code = ""
    if code in _AGAIN:
        return ConnectorErrorInfo(ErrorClass.AUTH, code, _AGAIN_WORDS)
    if code in _OUR_APP:
        return ConnectorErrorInfo(ErrorClass.AUTH, code, _APP_WORDS)
    return refusal(answer, vendor)


def _endpoint(app: OAuthApp, settings: Mapping[str, str], name: str) -> str:
    tenant = quote(settings.get("tenant") or "common", safe="")
    return f"{app.base_url or LOGIN}/{tenant}/oauth2/v2.0/{name}"


def _bearer(app: OAuthApp, token: str) -> Graph:
    return Graph(
        Account(
            id="",
            workspace_id=0,
            credentials={"access_token": token},
            settings={},
            webhook_url="",
            base_url=app.base_url,
        )
    )


def _granted(tokens: _Tokens) -> Granted:
    kept = {"access_token": tokens.access_token}
    if tokens.refresh_token:
        kept["refresh_token"] = tokens.refresh_token
    return Granted(credentials=kept, expires_at=clock.now() + timedelta(seconds=tokens.expires_in))


OAUTH: Final = OAuth(authorize_url=authorize_url, exchange=exchange, renew=renew)
