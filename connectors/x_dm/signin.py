"""Signing in at X: OAuth 2 with PKCE, refresh tokens that are good once, and whose account it is."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from connectors.base import Account, Granted, OAuth, OAuthApp
from connectors.http import Answer, Request, ask, refusal
from connectors.x_dm.api import API, VENDOR
from connectors.x_dm.client import who
from hub import clock
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

SITE: Final = "https://x.com"
SCOPES: Final = "dm.read dm.write tweet.read users.read media.write offline.access"
_AGAIN: Final = "X wants you to sign in again."


class _Tokens(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float = 7200.0
    refresh_token: str = ""

    def __repr__(self) -> str:
        return "_Tokens()"


class _Error(msgspec.Struct, frozen=True):
    error: str = ""


def authorize_url(app: OAuthApp, state: str, code_challenge: str, settings: Mapping[str, str]) -> str:  # noqa: ARG001
    """
    Write where the browser signs in. Pure.

    Source:
        docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code, as the reference notes it.
    """
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri,
        "scope": SCOPES,
        "state": state,
        "code_challenge": code_challenge,
        "code_challenge_method": "S256",
    }
    return f"{app.base_url or SITE}/i/oauth2/authorize?{urlencode(query, quote_via=quote)}"


async def exchange(app: OAuthApp, code: str, code_verifier: str) -> Granted:
    """
    Turn the code into tokens and find out whose account it is.

    Raises:
        ConnectorError: ``AUTH`` where signing in again helps.
    """
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": app.redirect_uri}
    tokens = await _ask_tokens(app, form | {"code_verifier": code_verifier})
    if not tokens.refresh_token:
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.AUTH, "no_refresh_token", _AGAIN))
    account = Account(
        id="",
        workspace_id=0,
        credentials={"access_token": tokens.access_token},
        settings={},
        webhook_url="",
        base_url=app.base_url,
    )
    me = await who(account)
    name = f"@{me.username}" if me.username else me.id
    settings = {"user_id": me.id, "username": me.username}
    return msgspec.structs.replace(_granted(tokens), external_ref=me.id, name=name, settings=settings)


async def renew(app: OAuthApp, account: Account) -> Granted:
    """
    Make new tokens; X's refresh tokens are good once, so the new one is kept.

    Raises:
        ConnectorError: ``AUTH`` where only a person can help.
    """
    old = account.credentials.get("refresh_token", "")
    if not old:
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.AUTH, "no_refresh_token", _AGAIN))
    return _granted(await _ask_tokens(app, {"grant_type": "refresh_token", "refresh_token": old}))


async def _ask_tokens(app: OAuthApp, form: dict[str, str]) -> _Tokens:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if app.client_secret:
        pair = f"{quote(app.client_id, safe='')}:{quote(app.client_secret, safe='')}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form = {**form, "client_id": app.client_id}
    request = Request(
        vendor=VENDOR,
        url=f"{app.base_url or API}/2/oauth2/token",
        headers=headers,
        body=urlencode(form).encode(),
        read_refusal=_describe,
    )
    try:
        answer = await ask(request)
        return msgspec.json.decode(answer.body, type=_Tokens)
    except ConnectorError as error:
        if error.info.klass is not ErrorClass.AMBIGUOUS:
            raise
        raise ConnectorError(msgspec.structs.replace(error.info, klass=ErrorClass.RETRYABLE)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        info = ConnectorErrorInfo(ErrorClass.RETRYABLE, "unreadable", "X's answer could not be read.")
        raise ConnectorError(info) from error


def _describe(answer: Answer, vendor: str) -> ConnectorErrorInfo:
    """Say what a refusal of the token endpoint means; RFC 6749 section 5.2, and X's own ``invalid_request``."""
    try:
        code = msgspec.json.decode(answer.body, type=_Error).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        code = ""
    if code in ("invalid_client", "unauthorized_client"):
        return ConnectorErrorInfo(ErrorClass.AUTH, code, "X does not accept the app's client ID or secret.")
    if code in ("invalid_grant", "invalid_request"):
        return ConnectorErrorInfo(ErrorClass.AUTH, code, _AGAIN)
    return refusal(answer, vendor)


def _granted(tokens: _Tokens) -> Granted:
    kept = {"access_token": tokens.access_token}
    if tokens.refresh_token:
        kept["refresh_token"] = tokens.refresh_token
    return Granted(credentials=kept, expires_at=clock.now() + timedelta(seconds=tokens.expires_in))


OAUTH: Final = OAuth(authorize_url=authorize_url, exchange=exchange, renew=renew)
