"""The pages of live chat: the script for websites, the frame with the chat, and a sample site to try it on."""

from __future__ import annotations

import functools
import html
from pathlib import Path
from typing import TYPE_CHECKING, cast

from starlette.responses import HTMLResponse, Response

from api import auth
from api.frontend import Folder, file_response
from api.livechat import find_chat
from api.page import page_answer
from connectors.accounts import is_loopback
from hub import clock
from hub.errors import NotFound

if TYPE_CHECKING:
    from api.auth import Edge
    from api.call import Call
    from api.frontend import StaticFile
    from connectors.livechat.site import Site

# A new version of the script is on every website within five minutes.
SCRIPT_CACHE = "public, max-age=300"
ASSET_CACHE = "public, max-age=31536000, immutable"
SAMPLE_PAGE = Path(__file__).with_name("sample.html")

_NOT_BUILT = HTMLResponse(
    "<!doctype html><title>Live chat is not built yet</title><p>The hub is running, but the widget is missing: "
    "run <code>./scripts/run</code> in the project's folder and reload this page.</p>",
    503,
)


async def read_script(call: Call) -> Response:
    """Return the script that websites include."""
    file = await _folder(call).find("widget.js")
    if file is None:
        raise NotFound("file")
    return _shared(call, file, SCRIPT_CACHE)


async def read_asset(call: Call) -> Response:
    """Return a file of the frame; its name carries its hash."""
    file = await _folder(call).find(f"assets/{call.path['name']}")
    if file is None:
        raise NotFound("file")
    return _shared(call, file, ASSET_CACHE)


async def read_frame(call: Call) -> Response:
    """Return the page inside the widget's frame; only the account's websites can show it."""
    chat = await find_chat(call)
    file = await _folder(call).find("frame.html")
    if file is None:
        return _NOT_BUILT
    return page_answer(file.content, call.resources.settings, _edge(call), frame_ancestors=_ancestors(chat.site))


async def read_sample(call: Call) -> Response:
    """Return a small shop with the widget, to try it before it is on a website."""
    if not is_loopback(call.resources.settings.base_url):
        # Out in the open it would be a page of ours that anybody can point people to.
        await auth.sign_in_of(call.resources.database, auth.token_of(_edge(call), call.request))
    chat = await find_chat(call)
    nonce = clock.new_token(16)
    page = SAMPLE_PAGE.read_text("utf-8")
    for name, value in {"channel": str(chat.route.id), "nonce": nonce, "color": chat.site.color}.items():
        page = page.replace(f"{{{{{name}}}}}", html.escape(value, quote=True))
    policy = (
        f"default-src 'none'; script-src 'self'; style-src 'nonce-{nonce}'; frame-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(page, headers={"content-security-policy": policy, "cache-control": "no-store"})


def _ancestors(site: Site) -> str:
    # The sample page is ours and shows every chat.
    return " ".join(("'self'", *site.origins)) if site.origins else "*"


def _shared(call: Call, file: StaticFile, cache: str) -> Response:
    """Answer with a file that other websites load."""
    response = file_response(call.request, file)
    response.headers["cache-control"] = cache
    response.headers["cross-origin-resource-policy"] = "cross-origin"
    response.headers["access-control-allow-origin"] = "*"
    return response


def _edge(call: Call) -> Edge:
    return cast("Edge", call.request.app.state.edge)


def _folder(call: Call) -> Folder:
    return _folder_at(call.resources.frontend_dir / "widget")


@functools.lru_cache(maxsize=8)
def _folder_at(root: Path) -> Folder:
    return Folder(root)
