"""Signing in at LinkedIn: OAuth 2, for what the product allows, and whose account it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from connectors.base import Account, Granted, OAuth, OAuthApp
from connectors.http import Answer, Request, ask, refusal
from connectors.linkedin.api import VENDOR
from connectors.linkedin.client import who
from connectors.linkedin.products import scopes_of
from hub import clock
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

# Where the browser signs in; of this server the hub itself asks for tokens only.
SITE: Final = "https://www.linkedin.com"
TOKEN_PATH: Final = "/oauth/v2/accessToken"  # noqa: S105  a path
_AGAIN: Final = "LinkedIn wants you to sign in again."
_LIFETIME_S: Final = 60 * 86_400.0


class _Tokens(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float = _LIFETIME_S
    refresh_token: str = ""

    def __repr__(self) -> str:
        return "_Tokens()"


class _Error(msgspec.Struct, frozen=True):
    error: str = ""


def authorize_url(app: OAuthApp, state: str, code_challenge: str, settings: Mapping[str, str]) -> str:  # noqa: ARG001
    """
    Write where the browser signs in. Pure.

    Args:
        app: Ours or a member's.
        state: Of this attempt.
        code_challenge: Not sent: LinkedIn documents PKCE for native programs only, whose apps it enables by hand.
        settings: Name the product, and with it what is asked for.

    Source:
        learn.microsoft.com/en-us/linkedin/shared/authentication/authorization-code-flow, by the reference.
    """
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uri,
        "state": state,
        "scope": scopes_of(settings),
    }
    return f"{app.base_url or SITE}/oauth/v2/authorization?{urlencode(query, quote_via=quote)}"


async def exchange(app: OAuthApp, code: str, code_verifier: str) -> Granted:  # noqa: ARG001  see ``authorize_url``
    """
    Turn the code into tokens and find out whose account it is.

    Raises:
        ConnectorError: ``AUTH`` where signing in again helps.
    """
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": app.redirect_uri}
    tokens = await _ask_tokens(app, form)
    account = Account(
        id="",
        workspace_id=0,
        credentials={"access_token": tokens.access_token},
        settings=dict(app.settings),
        webhook_url="",
        base_url=app.base_url,
    )
    me = await who(account)
    settings = {"member": me.urn, "connected_at": clock.now().isoformat()}
    granted = _granted(tokens)
    return msgspec.structs.replace(granted, external_ref=me.urn, name=me.name or "LinkedIn", settings=settings)


async def renew(app: OAuthApp, account: Account) -> Granted:
    """
    Make a new token; LinkedIn gives refresh tokens to some partners only, everybody else signs in each 60 days.

    Raises:
        ConnectorError: ``AUTH`` where only a person can help.
    """
    old = account.credentials.get("refresh_token", "")
    if not old:
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.AUTH, "no_refresh_token", _AGAIN))
    return _granted(await _ask_tokens(app, {"grant_type": "refresh_token", "refresh_token": old}))


async def _ask_tokens(app: OAuthApp, form: dict[str, str]) -> _Tokens:
    named = form | {"client_id": app.client_id, "client_secret": app.client_secret}
    request = Request(
        vendor=VENDOR,
        url=f"{app.base_url or SITE}{TOKEN_PATH}",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode(named).encode(),
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
        info = ConnectorErrorInfo(ErrorClass.RETRYABLE, "unreadable", "LinkedIn's answer could not be read.")
        raise ConnectorError(info) from error


def _describe(answer: Answer, vendor: str) -> ConnectorErrorInfo:
    """Say what a refusal of the token endpoint means; RFC 6749 section 5.2, and LinkedIn's ``invalid_request``."""
    try:
        code = msgspec.json.decode(answer.body, type=_Error).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        code = ""
    if code in ("invalid_client", "unauthorized_client"):
        return ConnectorErrorInfo(ErrorClass.AUTH, code, "LinkedIn does not accept the app's client ID or secret.")
    if code in ("invalid_grant", "invalid_request"):
        return ConnectorErrorInfo(ErrorClass.AUTH, code, _AGAIN)
    return refusal(answer, vendor)


def _granted(tokens: _Tokens) -> Granted:
    kept = {"access_token": tokens.access_token}
    if tokens.refresh_token:
        kept["refresh_token"] = tokens.refresh_token
    return Granted(credentials=kept, expires_at=clock.now() + timedelta(seconds=tokens.expires_in))


OAUTH: Final = OAuth(authorize_url=authorize_url, exchange=exchange, renew=renew)
