"""The security headers every answer carries; a handler that needs others sets them itself. Pure ASGI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.auth import Edge
    from api.softphones import PageSources
    from hub.config import Settings

_PAGE_PATHS_NOT: Final = ("/api/", "/files/", "/webhooks/", "/healthz", "/readyz", "/metrics")
# base-uri and frame-ancestors do not fall back to default-src; object-src does, and is named for who only reads names.
_DATA_POLICY: Final = "default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
DEVICES: Final = "camera=(), microphone=(), geolocation=(), payment=()"
# A page with a telephone in it hears its member; no page it frames does.
TELEPHONE_DEVICES: Final = "camera=(), microphone=(self), geolocation=(), payment=()"
_YEAR_S: Final = 365 * 24 * 3600


def page_policy(
    settings: Settings,
    edge: Edge,
    *,
    frame_ancestors: str = "'none'",
    nonce: str = "",
    sources: PageSources | None = None,
) -> str:
    """
    Write the Content-Security-Policy of a page of ours.

    Args:
        settings: Names the origin that serves assets, if any.
        edge: Names our own origins: older Safari does not take ``'self'`` for sockets.
        frame_ancestors: Who may frame it; the widget's frame names the sites of its inbox's allow-list.
        nonce: What its scripts carry; empty for an answer that runs none.
        sources: What it may call and play beside what is ours: for telephones in the browser.

    Returns:
        A policy without inline script or style: scripts are those with the nonce and what they load themselves; styles
        and fonts come from us or the asset origin.
    """
    own = "'self'"
    assets = f"{own} {_origin(settings.asset_url)}" if settings.asset_url else own
    # A source list cannot name an IPv6 address: browsers drop such an entry and complain on every page.
    named = sorted(origin for origin in edge.origins if "[" not in origin)
    sockets = " ".join(f"ws{origin.removeprefix('http')}" for origin in named)
    return "; ".join(
        (
            "default-src 'none'",
            "object-src 'none'",
            f"script-src 'nonce-{nonce}' 'strict-dynamic'" if nonce else "script-src 'none'",
            f"style-src {assets}",
            f"font-src {assets}",
            f"img-src {assets} data: blob:",
            " ".join((f"media-src {own} blob:", *(("mediastream:", *sources.media) if sources else ()))),
            " ".join((f"connect-src {own} {sockets}", *(sources.connect if sources else ()))),
            f"frame-src {own}",
            f"worker-src {own}",
            f"manifest-src {own}",
            "base-uri 'none'",
            "form-action 'self'",
            f"frame-ancestors {frame_ancestors}",
        )
    )


class SecurityHeaders:
    """Adds what an answer does not say itself."""

    def __init__(self, app: ASGIApp, *, settings: Settings, edge: Edge) -> None:
        self._app = app
        common = {
            "x-content-type-options": "nosniff",
            # Not no-referrer: with it browsers send "Origin: null" for some of our own calls.
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": DEVICES,
        }
        if edge.secure:
            # Names below the hub's own are nobody else's: cookies of one could shadow nothing, but a page there could.
            common["strict-transport-security"] = f"max-age={_YEAR_S}; includeSubDomains"
        self._data = {**common, "content-security-policy": _DATA_POLICY, "cache-control": "no-store"}
        self._page = {**common, "content-security-policy": page_policy(settings, edge), "cache-control": "no-cache"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wanted = self._data if scope["path"].startswith(_PAGE_PATHS_NOT) else self._page

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in wanted.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
