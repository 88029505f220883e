"""A page of the build as it is sent: which elements get the nonce, and where assets come from."""

from __future__ import annotations

import re

import pytest

from api import auth
from api.page import page_answer
from hub.config import read_settings

BUILT = b"""<!doctype html><title>Inbox</title>
<link rel="icon" href="/assets/icon-1.svg" />
<script type="module" crossorigin src="/assets/index-1.js"></script>
<link rel="modulepreload" crossorigin href="/assets/part-1.js">
<link rel="stylesheet" crossorigin href="/assets/index-1.css">
<script src="/widget-assets/frame-1.js"></script>
<a href="/settings">not an asset</a>"""


def sent(**env):
    settings = read_settings({"HUB_PUBLIC_URL": "http://127.0.0.1:8000", **env})
    answer = page_answer(BUILT, settings, auth.edge_of(settings))
    policy = answer.headers["content-security-policy"]
    return answer.body.decode(), policy, re.search("'nonce-([^']+)'", policy)[1]


def test_scripts_and_their_preloads_carry_the_nonce_of_the_policy():
    """Each of the three, nothing else: a stylesheet is allowed by its origin."""
    body, policy, nonce = sent()
    assert body.count(f' nonce="{nonce}"') == body.count("nonce=") == 3
    assert body.replace(f' nonce="{nonce}"', "").encode() == BUILT
    assert re.findall(r"<(\w+)(?= nonce)", body) == ["script", "link", "script"]
    assert "'strict-dynamic'" in policy


@pytest.mark.parametrize("asset_url", ["https://cdn.example", "https://cdn.example/hub/"])
def test_assets_and_nothing_else_come_from_the_cdn(asset_url):
    """With a path or without, with a slash at its end or without."""
    body, _, _ = sent(HUB_ASSET_URL=asset_url)
    base = asset_url.rstrip("/")
    assert re.findall(r'(?:src|href)="([^"]+)"', body) == [
        f"{base}/assets/icon-1.svg",
        f"{base}/assets/index-1.js",
        f"{base}/assets/part-1.js",
        f"{base}/assets/index-1.css",
        f"{base}/widget-assets/frame-1.js",
        "/settings",
    ]
