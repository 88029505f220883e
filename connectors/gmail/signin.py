"""Signing in at Google: OAuth 2 with PKCE, lasting access, and whose mailbox it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from connectors.base import Account, Granted, OAuth, OAuthApp
from connectors.gmail.api import ME, Gmail
from connectors.gmail.errors import VENDOR, failure, harmless
from connectors.http import Answer, Request, ask, refusal
from hub import clock
from hub.errors import ConnectorErrorInfo, ErrorClass

LOGIN: Final = "https://accounts.google.com"
TOKENS: Final = "https://oauth2.googleapis.com"
# Reads, labels and sends; not enough to remove mail for good, which nobody here wants.
SCOPE: Final = "https://www.googleapis.com/auth/gmail.modify"
_AGAIN: Final = frozenset({"invalid_grant", "consent_required", "interaction_required"})
_OUR_APP: Final = frozenset({"invalid_client", "unauthorized_client", "deleted_client"})
_AGAIN_WORDS: Final = "Google wants you to sign in again."
_APP_WORDS: Final = "Google does not accept the app's id or secret."
_ALL_WORDS: Final = "Google did not give access to the mailbox: sign in again and tick all that is asked for."


class _Tokens(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float = 3600.0
    refresh_token: str = ""
    scope: str = ""

    def __repr__(self) -> str:
        return "_Tokens()"


class Profile(msgspec.Struct, frozen=True, rename="camel"):
    """Whose mailbox, and where its history is."""

    email_address: str
    history_id: str


class _Error(msgspec.Struct, frozen=True):
    error: str = ""


def authorize_url(app: OAuthApp, state: str, code_challenge: str, settings: Mapping[str, str]) -> str:  # noqa: ARG001
    """
    Write where the browser signs in. Pure.

    Args:
        app: Ours or a member's.
        state: Of this attempt.
        code_challenge: S256.
        settings: Not asked: Google has one place for all.

    Source:
        developers.google.com/identity/protocols/oauth2/web-server, as the reference notes it, read 2026-11-23.
    """
    query = {
        "client_id": app.client_id,
        "response_type": "code",
        "redirect_uri": app.redirect_uri,
        "scope": SCOPE,
        "state": state,
        "code_challenge": code_challenge,
        "code_challenge_method": "S256",
        # A refresh token comes with consent alone; members have a mailbox of their own, and connect another.
        "access_type": "offline",
        "prompt": "consent select_account",
    }
    return f"{app.base_url or LOGIN}/o/oauth2/v2/auth?{urlencode(query, quote_via=quote)}"


async def exchange(app: OAuthApp, code: str, code_verifier: str) -> Granted:
    """
    Turn the code into tokens and find out whose mailbox it is.

    Raises:
        ConnectorError: ``AUTH`` where signing in again helps.
    """
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": app.redirect_uri}
    tokens = await _ask_tokens(app, form | {"code_verifier": code_verifier})
    if SCOPE not in tokens.scope.split():
        # People can untick what an app asks for.
        raise failure(ErrorClass.AUTH, "scope", _ALL_WORDS)
    if not tokens.refresh_token:
        raise failure(ErrorClass.AUTH, "no_refresh_token", "Google gave no lasting access. Sign in again.")
    address = (await who(_bearer(app, tokens.access_token))).email_address.lower()
    settings = {"address": address, "connected_at": clock.now().isoformat()}
    return msgspec.structs.replace(_granted(tokens), external_ref=address, name=address, settings=settings)


async def renew(app: OAuthApp, account: Account) -> Granted:
    """
    Make a new access token; Google's refresh tokens stay as they are, and one that comes all the same is kept.

    Raises:
        ConnectorError: ``AUTH`` where only a person can help.
    """
    refresh_token = account.credentials.get("refresh_token", "")
    if not refresh_token:
        raise failure(ErrorClass.AUTH, "no_refresh_token", _AGAIN_WORDS)
    return _granted(await _ask_tokens(app, {"grant_type": "refresh_token", "refresh_token": refresh_token}))


async def who(gmail: Gmail) -> Profile:
    """Ask whose token it is."""
    with harmless():
        return await gmail.ask(lambda users: users.getProfile(userId=ME), Profile)


async def _ask_tokens(app: OAuthApp, form: dict[str, str]) -> _Tokens:
    form = {**form, "client_id": app.client_id, "client_secret": app.client_secret}
    with harmless():
        answer = await ask(
            Request(
                vendor=VENDOR,
                url=f"{app.base_url or TOKENS}/token",
                headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
                body=urlencode(form).encode(),
                read_refusal=_describe,
            )
        )
    try:
        return msgspec.json.decode(answer.body, type=_Tokens)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise failure(ErrorClass.RETRYABLE, "unreadable", "Google's answer could not be read.") from error


def _describe(answer: Answer, vendor: str) -> ConnectorErrorInfo:
    """Say what a refusal of the token endpoint means; RFC 6749 section 5.2."""
    try:
        code = msgspec.json.decode(answer.body, type=_Error).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        code = ""
    if code in _AGAIN:
        return ConnectorErrorInfo(ErrorClass.AUTH, code, _AGAIN_WORDS)
    if code in _OUR_APP:
        return ConnectorErrorInfo(ErrorClass.AUTH, code, _APP_WORDS)
    return refusal(answer, vendor)


def _bearer(app: OAuthApp, token: str) -> Gmail:
    facts = Account(
        id="", workspace_id=0, credentials={"access_token": token}, settings={}, webhook_url="", base_url=app.base_url
    )
    return Gmail(facts)


def _granted(tokens: _Tokens) -> Granted:
    kept = {"access_token": tokens.access_token}
    if tokens.refresh_token:
        kept["refresh_token"] = tokens.refresh_token
    return Granted(credentials=kept, expires_at=clock.now() + timedelta(seconds=tokens.expires_in))


OAUTH: Final = OAuth(authorize_url=authorize_url, exchange=exchange, renew=renew)
