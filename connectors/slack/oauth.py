"""Connects a workspace by Slack's OAuth v2: "Add to Slack", and the renewal of tokens where the app rotates them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

import msgspec

from connectors.base import Account, Granted, OAuthApp
from connectors.slack.client import read, scopes_of
from connectors.slack.wire import ORIGIN, ask
from hub import clock
from hub.envelope import clean_text
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

# What would end a name in the middle of a mention.
_MARKUP: Final = str.maketrans("", "", "<>|&")
_ENTERPRISE: Final = ConnectorErrorInfo(
    ErrorClass.UNSUPPORTED,
    "enterprise_install",
    "The app was added to a whole organisation. Add it to one workspace instead.",
)
_NO_BOT: Final = ConnectorErrorInfo(
    ErrorClass.PERMISSION, "no_bot", "The app at Slack has no bot. Add bot scopes there."
)
_SIGN_IN: Final = ConnectorErrorInfo(ErrorClass.AUTH, "not_renewable", "Slack wants you to sign in again.")


class _Team(msgspec.Struct):
    id: str
    name: str | None = None


class _Person(msgspec.Struct):
    id: str = ""


class _Access(msgspec.Struct):
    """The answer of ``oauth.v2.access``."""

    access_token: str
    token_type: str = ""
    app_id: str = ""
    bot_user_id: str = ""
    team: _Team | None = None
    authed_user: _Person | None = None
    is_enterprise_install: bool = False
    expires_in: int | None = None
    refresh_token: str | None = None


class _Who(msgspec.Struct):
    team_id: str
    bot_id: str = ""
    user_id: str = ""
    user: str = ""


def authorize_url(app: OAuthApp, state: str, code_challenge: str, settings: Mapping[str, str]) -> str:  # noqa: ARG001
    """
    Write where the browser goes.

    Args:
        app: Whose id is asked for.
        state: Comes back.
        code_challenge: Left out: Slack takes the client's secret, and documents no challenge beside it.
        settings: Say whether history is wanted, which needs more permissions.

    Source:
        docs.slack.dev/authentication/installing-with-oauth, read 2026-11-22.
    """
    query = {
        "client_id": app.client_id,
        "scope": ",".join(scopes_of(settings)),
        "redirect_uri": app.redirect_uri,
        "state": state,
    }
    return f"{app.base_url or ORIGIN}/oauth/v2/authorize?{urlencode(query)}"


async def exchange(app: OAuthApp, code: str, code_verifier: str) -> Granted:  # noqa: ARG001  there is no challenge
    """
    Turn a code into the workspace's bot token.

    Returns:
        The token, the workspace as the account's reference, and who our app and whoever connected it are there.

    Raises:
        ConnectorError: ``AUTH`` for a code that is no good, ``UNSUPPORTED`` for a whole organisation.
    """
    access = read(
        await ask(
            app.base_url,
            "",
            lambda client: client.oauth_v2_access(
                client_id=app.client_id,
                client_secret=app.client_secret,
                code=code,
                redirect_uri=app.redirect_uri,
            ),
        ),
        _Access,
    )
    if access.is_enterprise_install or access.team is None:
        raise ConnectorError(_ENTERPRISE)
    if access.token_type != "bot":  # noqa: S105  a kind of token, no token
        raise ConnectorError(_NO_BOT)
    who = read(await ask(app.base_url, access.access_token, lambda client: client.auth_test()), _Who)
    settings = {
        "team_id": access.team.id,
        "app_id": access.app_id,
        "bot_user_id": access.bot_user_id or who.user_id,
        "bot_id": who.bot_id,
        "bot_name": clean_text(who.user)[:80].translate(_MARKUP),
        "installed_by": access.authed_user.id if access.authed_user else "",
    }
    return Granted(
        credentials=_tokens(access),
        settings=settings,
        external_ref=access.team.id,
        name=f"Slack: {access.team.name}" if access.team.name else "Slack",
        expires_at=_ends(access),
    )


async def renew(app: OAuthApp, account: Account) -> Granted:
    """
    Make a new token, where the app rotates them.

    Raises:
        ConnectorError: ``AUTH`` where the app does not, or the refresh token is no good.
    """
    token = account.credentials.get("refresh_token", "")
    if not token:
        raise ConnectorError(_SIGN_IN)
    answer = await ask(
        app.base_url,
        "",
        lambda client: client.oauth_v2_access(
            client_id=app.client_id,
            client_secret=app.client_secret,
            grant_type="refresh_token",
            refresh_token=token,
        ),
    )
    access = read(answer, _Access)
    return Granted(credentials=_tokens(access), expires_at=_ends(access))


def _tokens(access: _Access) -> dict[str, str]:
    tokens = {"access_token": access.access_token}
    return tokens | {"refresh_token": access.refresh_token} if access.refresh_token else tokens


def _ends(access: _Access) -> datetime | None:
    return clock.now() + timedelta(seconds=access.expires_in) if access.expires_in else None
