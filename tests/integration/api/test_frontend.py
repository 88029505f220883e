"""Pages and assets of the built inbox."""

from __future__ import annotations

import gzip
import re

import msgspec
import pytest

from tests.integration.api.conftest import browser

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

PAGE = '<!doctype html><title>Inbox</title><script type="module" src="/assets/index-abc123.js"></script>'
SCRIPT = "export const answer = 42;\n" * 200


@pytest.fixture
def built(parts):
    """A build of the inbox, with a secret lying beside it."""
    assets = parts.frontend_dir / "app" / "assets"
    assets.mkdir(parents=True)
    (assets.parent / "index.html").write_text(PAGE)
    (assets.parent / "icon.svg").write_text("<svg/>")
    (assets / "index-abc123.js").write_text(SCRIPT)
    (parts.frontend_dir / "secret.txt").write_text("secret")
    (assets / "link.txt").symlink_to(parts.frontend_dir / "secret.txt")
    return parts


async def test_without_a_build_the_page_says_how(client):
    """Somebody who forgot to build reads what to type, and no cache keeps it."""
    answer = await client.get("/")
    assert answer.status_code == 503
    assert "npm run build" in answer.text
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/setup", "/join", "/conversations/7", "/settings/channels", "/index.html"])
async def test_client_side_routes_get_the_page(built, path):
    """A reload anywhere in the inbox works."""
    async with browser(built) as client:
        answer = await client.get(path)
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    nonce = re.search("script-src 'nonce-([0-9A-Za-z_-]{20,})' 'strict-dynamic';", policy)[1]
    assert (answer.status_code, answer.text) == (200, PAGE.replace("<script", f'<script nonce="{nonce}"'))
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


async def test_service_worker_is_asked_for_anew_and_loads_nothing(built):
    """From the root, as a script, revalidated each time, with a policy of its own; pages may start it."""
    (built.frontend_dir / "app" / "sw.js").write_text("self.addEventListener('push', () => {});")
    async with browser(built) as client:
        answer, page = await client.get("/sw.js"), await client.get("/")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert answer.headers["content-type"].startswith(("text/javascript", "application/javascript"))
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; connect-src 'self'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "worker-src 'self';" in page.headers["content-security-policy"]


async def test_asset_is_kept_for_ever_and_compressed(built):
    """Hashed files are immutable; browsers that take gzip get it, others do not."""
    async with browser(built) as client:
        packed = await client.get("/assets/index-abc123.js")
        plain = await client.get("/assets/index-abc123.js", headers={"accept-encoding": "identity"})
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(gzip.compress(SCRIPT.encode(), 1)) + 50
    assert packed.text == plain.text == SCRIPT
    assert "content-encoding" not in plain.headers
    assert "javascript" in plain.headers["content-type"]


async def test_each_answer_has_a_nonce_of_its_own_and_is_not_stored(built):
    """A page out of a cache would meet the policy of another answer; a new build is there with the next answer."""
    async with browser(built) as client:
        first, second = [await client.get("/") for _ in range(2)]
        (built.frontend_dir / "app" / "index.html").write_text(PAGE + "<p>new")
        newer = await client.get("/")
    assert first.headers["content-security-policy"] != second.headers["content-security-policy"]
    assert first.text != second.text
    assert first.headers["cache-control"] == "no-store"
    assert "etag" not in first.headers
    assert newer.text.endswith("new")


async def test_assets_come_from_the_origin_that_was_named_for_them(built):
    """HUB_ASSET_URL: the page asks the CDN for its scripts and styles, the policy allows that, nothing else changes."""
    built.settings = msgspec.structs.replace(built.settings, asset_url="https://cdn.example/hub")
    async with browser(built) as client:
        answer = await client.get("/")
    assert 'src="https://cdn.example/hub/assets/index-abc123.js"' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "style-src 'self' https://cdn.example;" in policy
    assert "font-src 'self' https://cdn.example;" in policy


@pytest.mark.parametrize(
    "path",
    [
        "/assets/none.js",
        "/assets/",
        "/assets/../index.html",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/..%5c..%5csecret.txt",
        "/assets/%00",
        "/assets/link.txt",
        "/assets//etc/passwd",
        "/..%2fsecret.txt",
        "/none.png",
        "/.env",
        "/api/v1/none",
        "/api/none.json",
        "/webhooks/none/1",
    ],
)
async def test_nothing_outside_the_build_is_served(built, path):
    """No way up, no link out, no page where a program expects an error."""
    async with browser(built) as client:
        answer = await client.get(path)
    assert "secret" not in answer.text
    if answer.status_code != 200:
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    else:
        assert re.sub(' nonce="[^"]+"', "", answer.text) == PAGE
        assert path == "/assets/../index.html"


async def test_file_beside_the_page_is_served(built):
    """Icons and the manifest lie in the root of the build."""
    async with browser(built) as client:
        assert (await client.get("/icon.svg")).headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("POST", "/", 405, "GET, HEAD"),
        ("POST", "/assets/index-abc123.js", 405, "GET, HEAD"),
        ("PUT", "/api/v1/session", 405, "DELETE, GET, HEAD, POST"),
        ("POST", "/api/v1/none", 404, None),
    ],
)
async def test_wrong_method_is_told_the_right_ones(built, method, path, status, allow):
    """405 names what the address takes; an address that is none is 404."""
    async with browser(built) as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.headers.get("allow")) == (status, allow)
    assert answer.json()["message"]
