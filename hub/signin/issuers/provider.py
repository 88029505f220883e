"""
What the hub knows of its issuers: their documents and keys, kept a while; and the exchange of a code for a person.

One per process, called by the edge. The documents come through ``fetching.py`` and are believed for an hour.
"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

import msgspec
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from hub import clock
from hub.signin.issuers import id_tokens
from hub.signin.issuers.fetching import PUBLIC, WITHIN, IssuerHttp
from hub.signin.issuers.id_tokens import Claims, Expected
from hub.signin.issuers.model import IssuerRefused, Person, Refusal, nonce_of, verifier_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.config import Settings
    from hub.issuer_settings import IssuerSettings
    from hub.signin.issuers.id_tokens import SigningKey

KEPT_S: Final = 3600.0
# Keys that a token names and we do not know are asked for at most this often.
KEYS_AGAIN_S: Final = 30.0
_SCOPE: Final = "openid email profile"
_MOST_NAME_CHARS: Final = 100
_MOST_EMAIL_CHARS: Final = 320


class Metadata(msgspec.Struct, frozen=True):
    """
    An issuer's discovery document, as far as it is used.

    Source:
        OpenID Connect Discovery 1.0 section 3 (errata set 2, December 2023); RFC 9207 section 3 (March 2022).
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str
    access_token: str = ""


class _Known(msgspec.Struct, frozen=True):
    metadata: Metadata
    keys: tuple[SigningKey, ...]
    at_s: float


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """
    A browser that came back from an issuer.

    Attributes:
        browser: The secret of its cookie.
        iss: Which issuer says it answers; None where it says nothing.
        error: The issuer's, instead of a code.
    """

    state: str
    browser: str
    code: str = ""
    iss: str | None = None
    error: str = ""

    def __repr__(self) -> str:
        return "Returned()"


class Issuers:
    """Every issuer of this installation."""

    def __init__(
        self, settings: Settings, http: IssuerHttp | None = None, *, now_s: Callable[[], float] = clock.monotonic_s
    ) -> None:
        self._by_slug = {one.slug: one for one in settings.issuers}
        self._base_url = settings.base_url
        self._http = http or IssuerHttp(WITHIN if settings.allow_private_hosts else PUBLIC)
        self._now_s = now_s
        self._known: dict[str, _Known] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def all(self) -> tuple[IssuerSettings, ...]:
        """Return them in the order of their slugs."""
        return tuple(self._by_slug.values())

    def find(self, slug: str) -> IssuerSettings | None:
        """Return one, or None."""
        return self._by_slug.get(slug)

    def redirect_uri(self, issuer: IssuerSettings) -> str:
        """Return the address to register at an issuer; one for each, so that an answer names who gave it."""
        return f"{self._base_url}/sign-in/callback/{issuer.slug}"

    async def authorization_url(self, issuer: IssuerSettings, state: str, browser: str) -> str:
        """
        Write where a browser goes to sign in.

        Raises:
            IssuerRefused: The issuer's documents cannot be read.

        Source:
            RFC 9700 section 2.1 (January 2025): PKCE with S256, one-time state and nonce bound to the browser.
        """
        metadata = (await self._read(issuer)).metadata
        extra: dict[str, str] = {"nonce": nonce_of(browser, state)}
        if issuer.takes_pkce:
            challenge = create_s256_code_challenge(verifier_of(browser, state))
            extra |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        return str(
            prepare_grant_uri(
                metadata.authorization_endpoint,
                issuer.client_id,
                "code",
                redirect_uri=self.redirect_uri(issuer),
                scope=_SCOPE,
                state=state,
                **extra,
            )
        )

    async def person_of(self, issuer: IssuerSettings, returned: Returned) -> Person:
        """
        Find whom an issuer vouches for.

        Args:
            issuer: Whom the browser was sent to.
            returned: What it came back with; its state has been found to be its own.

        Raises:
            IssuerRefused: Any part of the answer does not hold.
        """
        known = await self._read(issuer)
        _check_answer(known.metadata, returned)
        tokens = await self._exchange(issuer, known.metadata, returned)
        claims = await self._checked(issuer, known, tokens, returned)
        if not claims.email and known.metadata.userinfo_endpoint and tokens.access_token:
            claims = await self._more(known.metadata, tokens.access_token, claims)
        email = (claims.email or "").strip().lower()
        return Person(
            issuer=issuer.url,
            subject=claims.sub,
            email=email if len(email) <= _MOST_EMAIL_CHARS else "",
            is_verified=claims.is_verified,
            name=" ".join((claims.name or "").split())[:_MOST_NAME_CHARS],
        )

    async def _exchange(self, issuer: IssuerSettings, metadata: Metadata, returned: Returned) -> _Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": returned.code,
            "redirect_uri": self.redirect_uri(issuer),
        }
        if issuer.takes_pkce:
            form["code_verifier"] = verifier_of(returned.browser, returned.state)
        basic = ""
        methods = metadata.token_endpoint_auth_methods_supported
        if issuer.client_secret and "client_secret_basic" in methods and not issuer.posts_secret:
            # RFC 6749 section 2.3.1: both are form-encoded first.
            pair = f"{quote(issuer.client_id, safe='')}:{quote(issuer.client_secret, safe='')}"
            basic = base64.b64encode(pair.encode()).decode()
        else:
            form["client_id"] = issuer.client_id
            if issuer.client_secret:
                form["client_secret"] = issuer.client_secret
        answer = await self._http.post(metadata.token_endpoint, form, basic=basic)
        try:
            return msgspec.json.decode(answer, type=_Tokens)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise IssuerRefused(Refusal.ISSUER, "tokens cannot be read") from error

    async def _checked(self, issuer: IssuerSettings, known: _Known, tokens: _Tokens, returned: Returned) -> Claims:
        expected = Expected(
            issuer=issuer.url,
            client_id=issuer.client_id,
            nonce=nonce_of(returned.browser, returned.state) if issuer.sends_nonce else "",
            access_token=tokens.access_token,
            algorithms=known.metadata.id_token_signing_alg_values_supported,
            now_s=int(clock.now().timestamp()),
        )
        if not id_tokens.candidates(id_tokens.header_of(tokens.id_token), known.keys):
            known = await self._read(issuer, again_s=KEYS_AGAIN_S)
        return id_tokens.check(tokens.id_token, known.keys, expected)

    async def _more(self, metadata: Metadata, access_token: str, claims: Claims) -> Claims:
        """Ask for what the ID token leaves out; OpenID Connect Core 1.0 section 5.3.2: the subject must be the same."""
        answer = await self._http.get(metadata.userinfo_endpoint, bearer=access_token)
        try:
            told = msgspec.json.decode(answer, type=Claims)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise IssuerRefused(Refusal.ISSUER, "userinfo cannot be read") from error
        if told.sub != claims.sub:
            raise IssuerRefused(Refusal.ISSUER, "userinfo: sub")
        return msgspec.structs.replace(told, name=told.name or claims.name)

    async def _read(self, issuer: IssuerSettings, again_s: float = KEPT_S) -> _Known:
        """Return an issuer's documents, not older than so many seconds; of many callers one asks."""
        async with self._locks.setdefault(issuer.slug, asyncio.Lock()):
            known = self._known.get(issuer.slug)
            if known is not None and self._now_s() - known.at_s < again_s:
                return known
            url = f"{issuer.url.rstrip('/')}/.well-known/openid-configuration"
            metadata = _metadata(await self._http.get(url), issuer)
            keys = id_tokens.read_keys(await self._http.get(metadata.jwks_uri))
            known = _Known(metadata, keys, self._now_s())
            self._known[issuer.slug] = known
            return known


def _metadata(document: bytes, issuer: IssuerSettings) -> Metadata:
    """Read a discovery document; its issuer must be the one that was asked (Discovery 1.0 section 4.3)."""
    try:
        metadata = msgspec.json.decode(document, type=Metadata)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise IssuerRefused(Refusal.ISSUER, "discovery cannot be read") from error
    if metadata.issuer != issuer.url:
        raise IssuerRefused(Refusal.ISSUER, "discovery: issuer")
    if urlsplit(metadata.authorization_endpoint).scheme != "https":
        raise IssuerRefused(Refusal.ISSUER, "discovery: authorization_endpoint")
    return metadata


def _check_answer(metadata: Metadata, returned: Returned) -> None:
    """
    Check who answered, before anything of the answer goes anywhere.

    Source:
        RFC 9207 section 2.4 (March 2022): a named issuer must be the right one, and must be named where that is said.
    """
    if returned.iss is None and metadata.authorization_response_iss_parameter_supported:
        raise IssuerRefused(Refusal.ISSUER, "iss is missing")
    if returned.iss not in (None, metadata.issuer):
        raise IssuerRefused(Refusal.ISSUER, "iss is another's")
    if returned.error:
        denied = returned.error in ("access_denied", "user_cancelled_login", "user_cancelled_authorize")
        raise IssuerRefused(Refusal.DENIED if denied else Refusal.ISSUER, "the issuer answered with an error")
    if not returned.code:
        raise IssuerRefused(Refusal.ISSUER, "no code")
