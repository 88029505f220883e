"""An OpenID Connect issuer on loopback, with TLS, that answers as it should, or as an attacker would."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

RSA = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
OTHER_RSA = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig"})


def _b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def signed(claims: Mapping[str, object], key=RSA, alg: str = "RS256") -> str:
    """Sign as an honest issuer does."""
    return jwt.encode({"alg": alg, "kid": key.kid}, dict(claims), key, algorithms=[alg])


def unsigned(claims: Mapping[str, object]) -> str:
    """``alg: none``: no signature at all."""
    return f"{_b64(json.dumps({'alg': 'none'}))}.{_b64(json.dumps(dict(claims)))}."


def signed_with_public_key(claims: Mapping[str, object]) -> str:
    """HS256 with the public key as the secret, which everybody knows."""
    text = f"{_b64(json.dumps({'alg': 'HS256', 'kid': 'rsa-1'}))}.{_b64(json.dumps(dict(claims)))}"
    made = hmac.digest(RSA.as_pem(private=False), text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"


def signed_by_another(claims: Mapping[str, object]) -> str:
    """A key that is not the issuer's, under the id of one that is."""
    return signed(claims, OTHER_RSA)


@dataclass
class Issuer:
    """
    Serves discovery, keys, tokens and userinfo until stopped.

    Attributes:
        metadata: Laid over the honest discovery document.
        claims: Laid over the honest claims; None leaves one out.
        sign: Makes the token.
        keys: What the key set lists.
        userinfo: What the userinfo endpoint tells.
        lost: Whether the token endpoint answers 400.
        asked: Paths, in order.
        forms: What the token endpoint was sent, with the authorization header.
    """

    certificate: Path
    key: Path
    path: str = ""
    client_id: str = "our-client"
    metadata: dict[str, object] = field(default_factory=dict)
    claims: dict[str, object] = field(default_factory=dict)
    sign: Callable[[Mapping[str, object]], str] = signed
    keys: list = field(default_factory=lambda: [RSA, EC])
    userinfo: dict[str, object] = field(default_factory=dict)
    lost: bool = False
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._codes: dict[str, dict[str, str]] = {}

    @property
    def url(self) -> str:
        """The issuer identifier; Auth0's ends in a slash, Clerk's does not."""
        return f"https://localhost:{self.port}{self.path}"

    async def start(self) -> None:
        """Listen."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def approve(self, authorization_url: str, code: str = "code-1") -> dict[str, str]:
        """Do what the person does in their browser; returns what goes back to the redirect URI."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(authorization_url).query).items()}
        self._codes[code] = query
        return {"code": code, "state": query["state"]}

    def document(self) -> dict[str, object]:
        """Return the discovery document."""
        base = self.url.rstrip("/")
        honest = {
            "issuer": self.url,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/jwks",
            "userinfo_endpoint": f"{base}/userinfo",
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
        return honest | self.metadata

    def _tokens(self, form: Mapping[str, str]) -> tuple[int, object]:
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or self.lost:
            return 400, {"error": "invalid_grant"}
        if "code_challenge" in asked:
            hashed = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(hashed).decode().rstrip("=") != asked["code_challenge"]:
                return 400, {"error": "invalid_grant"}
        if form.get("redirect_uri") != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        honest = {
            "iss": self.url,
            "sub": "user-1",
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": asked.get("nonce"),
            "email": "cleo@example.com",
            "email_verified": True,
            "name": "Cleo Case",
        }
        claims = {name: value for name, value in (honest | self.claims).items() if value is not None}
        return 200, {"access_token": "at-1", "token_type": "Bearer", "id_token": self.sign(claims)}

    def _answer(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, object]:
        self.asked.append(path)
        if path.endswith("/.well-known/openid-configuration"):
            return 200, self.document()
        if path.endswith("/jwks"):
            return 200, {"keys": [one.as_dict(private=False) for one in self.keys]}
        if path.endswith("/token"):
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self.forms.append(form | {"authorization": headers.get("authorization", "")})
            return self._tokens(form)
        if path.endswith("/userinfo"):
            return 200, self.userinfo
        return 404, {}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            status, answer = self._answer(head[0].split()[1], body, headers)
            text = json.dumps(answer).encode()
            writer.write(
                f"HTTP/1.1 {status} X\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n".encode() + text
            )
            await writer.drain()
        writer.close()
