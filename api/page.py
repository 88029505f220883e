"""A built page as it is sent: a nonce of its own on each script, assets from the CDN where there is one. No IO."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

from starlette.responses import HTMLResponse

from api.headers import TELEPHONE_DEVICES, page_policy
from hub import clock

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.auth import Edge
    from api.softphones import PageSources
    from hub.config import Settings

# What the build writes: it loads scripts by these two elements only.
_LOADS_SCRIPT: Final = re.compile(rb'<script\b|<link\b(?=[^>]*\brel="modulepreload")')
_ASSET: Final = re.compile(rb'(?<=(?:src|ref)=")/(?=(?:widget-)?assets/)')
_NONCE_BYTES: Final = 16


def page_answer(
    content: bytes,
    settings: Settings,
    edge: Edge,
    *,
    frame_ancestors: str = "'none'",
    sources: PageSources | None = None,
) -> Response:
    """
    Answer with a page of the build.

    Args:
        content: Its HTML as built.
        settings: Names the origin that serves assets, if any.
        edge: Names our own origins.
        frame_ancestors: Who may frame it.
        sources: What telephones in it need; without any it has no microphone.

    Returns:
        The page with a policy that runs scripts with this answer's nonce, and what those load; nothing else. It is not
        stored: its nonce would meet the policy of another answer.

    Source:
        OWASP ASVS 5.0 (2025), 3.4.3; Content Security Policy Level 3 (W3C working draft), strict-dynamic.
    """
    nonce = clock.new_token(_NONCE_BYTES)
    mark = f' nonce="{nonce}"'.encode()
    parts = _parts_of(content, settings.asset_url.rstrip("/"))
    telephone = sources if sources is not None and sources.connect else None
    policy = page_policy(settings, edge, frame_ancestors=frame_ancestors, nonce=nonce, sources=telephone)
    headers = {"content-security-policy": policy, "cache-control": "no-store"}
    if telephone is not None:
        headers["permissions-policy"] = TELEPHONE_DEVICES
    return HTMLResponse(mark.join(parts), headers=headers)


@functools.lru_cache(maxsize=16)
def _parts_of(content: bytes, asset_url: str) -> tuple[bytes, ...]:
    """Cut a page behind the name of each element that loads a script."""
    page = _ASSET.sub(f"{asset_url}/".encode(), content) if asset_url else content
    cuts = [found.end() for found in _LOADS_SCRIPT.finditer(page)]
    return tuple(page[start:end] for start, end in zip([0, *cuts], [*cuts, len(page)], strict=True))
