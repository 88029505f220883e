"""A made-up channel that is connected by signing in, and its vendor on loopback; for tests of connecting and renewing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import msgspec

from connectors import http
from connectors.base import (
    Account,
    Call,
    Capabilities,
    Charge,
    Checked,
    Connector,
    Field,
    Granted,
    Limit,
    Manifest,
    OAuth,
    OAuthApp,
    ParseContext,
)
from connectors.registry import ConnectorRegistry
from hub import clock
from hub.config import Settings
from hub.envelope import InboundItem, OutboundMessage, SendResult
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass
from hub.oauth_settings import OAuthKeys
from scripts.emulators.http1 import Answer, Request, as_json, listen
from scripts.emulators.oauth import OAuthServer, Rules

CALLBACK = "http://localhost:8000/connect/letters/callback"
MANIFEST = Manifest(
    id="letters",
    name="Letters",
    summary="A vendor of tests.",
    transport="webhook",
    docs_url="https://letters.example",
    read_on="2026-11-23",
    capabilities=Capabilities(text_limit=100),
    unknown_policy="at_most_once",
    credentials=(
        Field(name="client_id", label="Client id", required=False),
        Field(name="client_secret", label="Client secret", kind="secret", required=False),
    ),
    settings=(Field(name="folder", label="Folder", required=False),),
)


@dataclass
class Vendor:
    """Signs people in, says who a token is, takes letters."""

    oauth: OAuthServer
    origin: str = ""
    sent: list[str] = field(default_factory=list)
    # Held until set: a renewal that is under way.
    gate: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: Request) -> Answer:
        if request.path == "/oauth/token" and self.gate is not None:
            self.asked.set()
            await self.gate.wait()
        answer = self.oauth.handle(request)
        if answer is not None:
            return answer
        user = self.oauth.user_of(request.headers.get("authorization", "").removeprefix("Bearer "))
        if user is None:
            return as_json(401, {"error": "token"})
        if request.path == "/send":
            self.sent.append(request.body.decode())
        return as_json(200, {"id": user})

    async def agree(self, authorize_url: str) -> dict[str, str]:
        """Do what a person does in their browser; returns what goes back to the redirect address."""
        async with httpx.AsyncClient(trust_env=False) as browser:
            answer = await browser.get(authorize_url)
        assert answer.status_code == 302, answer.text
        where = urlsplit(answer.headers["location"])
        assert where._replace(query="").geturl() == CALLBACK
        return dict(parse_qsl(where.query))


def rules(**changed: object) -> Rules:
    plain = {"client_id": "our-app", "client_secret": "our-secret", "redirect_uris": (CALLBACK,)}
    return Rules(**(plain | {"scopes": frozenset({"letters"})} | changed))  # type: ignore[arg-type]


@asynccontextmanager
async def serving(**changed: object) -> AsyncIterator[Vendor]:
    """Run the vendor on a free port."""
    vendor = Vendor(OAuthServer(rules(**changed)))
    async with listen(vendor.handle) as listener:
        vendor.origin = f"http://127.0.0.1:{listener.port}"
        yield vendor


def with_letters(settings: Settings, vendor: Vendor, *, has_app: bool = True) -> Settings:
    """Point an installation at the vendor, with an app there or without."""
    apps = {"letters": OAuthKeys(client_id="our-app", client_secret="our-secret")} if has_app else {}
    return msgspec.structs.replace(settings, oauth_apps=apps, vendor_base_urls={"letters": vendor.origin})


class Letters:
    """The registry with this one channel more."""

    def __init__(self) -> None:
        self._real = ConnectorRegistry.load()

    def get(self, channel: str) -> Connector:
        return CONNECTOR if channel == MANIFEST.id else self._real.get(channel)

    def manifests(self) -> list[Manifest]:
        return [*self._real.manifests(), MANIFEST]

    def icon(self, channel: str) -> bytes:
        return b"<svg/>" if channel == MANIFEST.id else self._real.icon(channel)


def as_registry() -> ConnectorRegistry:
    return cast("ConnectorRegistry", Letters())


def _authorize_url(app: OAuthApp, state: str, challenge: str, settings: Mapping[str, str]) -> str:
    query = {"response_type": "code", "client_id": app.client_id, "redirect_uri": app.redirect_uri, "state": state}
    query |= {"scope": "letters", "code_challenge": challenge, "code_challenge_method": "S256"}
    return f"{app.base_url}/oauth/authorize?{urlencode(query)}"


async def _tokens(app: OAuthApp, form: dict[str, str]) -> dict[str, object]:
    form |= {"client_id": app.client_id, "client_secret": app.client_secret}
    headers = {"content-type": "application/x-www-form-urlencoded"}
    request = http.Request(
        vendor="Letters", url=f"{app.base_url}/oauth/token", headers=headers, body=urlencode(form).encode()
    )
    try:
        answer = await http.ask(request)
    except ConnectorError as error:
        if error.info.code == "400":
            info = ConnectorErrorInfo(ErrorClass.AUTH, "invalid_grant", "Letters wants you to sign in again.")
            raise ConnectorError(info) from error
        raise
    return dict(json.loads(answer.body))


async def _exchange(app: OAuthApp, code: str, verifier: str) -> Granted:
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    tokens = await _tokens(app, form | {"redirect_uri": app.redirect_uri})
    user = await _whoami(app.base_url, str(tokens["access_token"]))
    return _granted(tokens, external_ref=user, name=f"Letters of {user}")


async def _renew(app: OAuthApp, account: Account) -> Granted:
    form = {"grant_type": "refresh_token", "refresh_token": account.credentials["refresh_token"]}
    return _granted(await _tokens(app, form))


def _granted(tokens: Mapping[str, object], **facts: str) -> Granted:
    kept = {name: str(tokens[name]) for name in ("access_token", "refresh_token") if name in tokens}
    ends = clock.now() + timedelta(seconds=float(str(tokens["expires_in"])))
    return Granted(credentials=kept, expires_at=ends, **facts)


async def _whoami(origin: str, token: str, path: str = "/me", body: bytes = b"") -> str:
    request = http.Request(
        vendor="Letters", url=f"{origin}{path}", headers={"authorization": f"Bearer {token}"}, body=body
    )
    return str(json.loads((await http.ask(request)).body)["id"])


async def _check(account: Account) -> Checked:
    await _whoami(account.base_url, account.credentials.get("access_token", ""))
    return Checked()


async def _send(account: Account, message: OutboundMessage, calls: object) -> SendResult:
    body = message.text.encode()
    await _whoami(account.base_url, account.credentials.get("access_token", ""), "/send", body)
    return SendResult(external_ids=(f"l-{message.message_id}",))


def _parse(body: bytes, context: ParseContext) -> list[InboundItem]:
    return []


def _render(message: OutboundMessage, account: Account) -> list[Call]:
    return [Call(operation="send", fields={})]


def _classify(error: BaseException) -> ConnectorErrorInfo:
    if isinstance(error, ConnectorError):
        return error.info
    return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, type(error).__name__, "Letters did not answer.")


def _charges(account: Account, message: OutboundMessage) -> list[Charge]:
    return [Charge(key=f"letters:{account.id}", limits=(Limit(1.0, 60.0, 10),), cost=1.0)]


async def _test(account: Account) -> str:
    user = await _whoami(account.base_url, account.credentials["access_token"], "/send", b"test")
    return f"A letter was sent to {user}."


CONNECTOR = Connector(
    manifest=MANIFEST,
    parse=_parse,
    render=_render,
    send=_send,
    classify=_classify,
    check=_check,
    charges=_charges,
    oauth=OAuth(authorize_url=_authorize_url, exchange=_exchange, renew=_renew),
    test=_test,
)


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
