"""Pictures of mails through the whole application, from a sender's server that is hostile: what each side sees."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import msgspec
import pytest

from api import images
from api.app import create_app
from api.call import Resources
from connectors.images import ImageFetcher
from connectors.registry import ConnectorRegistry
from hub import clock
from hub.accounts import sessions
from hub.accounts.passwords import Passwords
from hub.config import read_settings
from hub.html import sanitise
from hub.images.cache import ImageCache
from hub.images.links import ImageLinks
from hub.inbox import actions
from hub.inbox.batch import Formatted
from hub.throttle import Throttle
from tests.factories import make_workspace
from tests.hostile_images import PNG, HostileImages, reach_of
from tests.mails import make_mail, make_mailbox

pytestmark = pytest.mark.postgres

BASE = "http://localhost:8000"
ANA, BOB = "ana@example.com", "bob@example.com"
LINKS = ImageLinks({1: b"k" * 32})
# Path at the sender's server, and the status a browser gets.
FATES = {
    "png?reader=ana": 200,
    "svg": 415,
    "html": 415,
    "endless": 502,
    "silent": 504,
    "reset": 502,
    "gone": 404,
    "inside": 403,
    "metadata": 403,
    "loop": 403,
    "moved": 200,
}


@pytest.fixture
async def server():
    async with HostileImages.running() as one:
        yield one


@pytest.fixture
async def mailbox(database, workspace):
    return await make_mailbox(database, workspace)


@pytest.fixture
async def app(database, server, tmp_path):
    cache = ImageCache(tmp_path / "images", {1: b"k" * 32})
    return create_app(
        Resources(
            settings=read_settings({}),
            database=database,
            passwords=Passwords(),
            throttle=Throttle(None),
            frontend_dir=Path("/nonexistent"),
            registry=ConnectorRegistry.load(),
            image_links=LINKS,
            images=ImageFetcher(cache, reach=reach_of(server), timeout_s=3),
        )
    )


@pytest.fixture
async def member(app, database, workspace):
    """The owner, signed in."""
    async with database.across() as conn:
        session = await sessions.start(conn, workspace.login_id)
    headers = {"authorization": f"Bearer {session.token}", "user-agent": "Reader/1.0"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE, headers=headers) as opened:
        yield opened


@pytest.fixture
async def frame(app):
    """What a frame sends: the address, and nothing that says who looks."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=("203.0.113.9", 1)), base_url=BASE
    ) as opened:
        yield opened


async def receive(database, mailbox, number: int, sender: str, html: str):
    clean = sanitise(html)
    item = msgspec.structs.replace(
        mailbox.received(make_mail(number, sender)), formatted=Formatted(clean.html, clean.remote_images)
    )
    async with database.transaction([mailbox.workspace_id]) as conn:
        (outcome,) = await actions.receive(conn, [item])
    return outcome


def page_of(mailbox, outcome) -> str:
    return (
        f"/api/v1/workspaces/{mailbox.workspace_id}/conversations/{outcome.conversation_id}"
        f"/messages/{outcome.message_id}/html"
    )


def sources(text: str) -> list[str]:
    return re.findall(r'<img[^>]* src="([^"]*)"', text)


async def test_pictures_come_through_us_whatever_their_server_does(database, mailbox, member, frame, server):
    """Each hostile answer is an empty picture with a status; the server hears of one look, and not of whose."""
    tags = "".join(f'<img src="{server.url(path)}">' for path in FATES)
    tracker = f'<img src="{server.url("png?tracker")}" width=1 height=1>'
    outcome = await receive(database, mailbox, 1, ANA, f"<p>Hi</p>{tags}{tracker}")

    page = await member.get(page_of(mailbox, outcome), params={"remote": 1})
    before = len(server.heard)
    answers = [await frame.get(source) for source in sources(page.text)]
    heard = len(server.heard)
    again = [await frame.get(source) for source in sources(page.text)]

    assert before == 0
    assert [one.status_code for one in answers] == list(FATES.values())
    assert [one.status_code for one in again] == list(FATES.values())
    assert len(server.heard) == heard
    shown, failed = answers[0], answers[1]
    assert (shown.content, shown.headers["content-type"]) == (PNG, "image/png")
    assert re.fullmatch(r"private, max-age=\d{4,5}, immutable", shown.headers["cache-control"])
    assert (failed.content[:6], failed.headers["content-type"]) == (b"GIF89a", "image/gif")
    for one in answers:
        assert one.headers["content-security-policy"].startswith("sandbox; default-src 'none'; ")
        assert one.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in one.headers
    told = "".join(server.heard).lower()
    assert not re.search(r"cookie|referer|authorization|forwarded|203\.0\.113|reader/1\.0|localhost", told)
    assert "tracker" not in told


async def test_only_signed_addresses_are_fetched(frame, server, workspace):
    """A forged, changed or ended token opens nothing and asks nobody."""
    now_s = clock.now().timestamp()
    good = LINKS.sign(workspace.id, server.url("png"), now_s)
    forged = ImageLinks({1: b"x" * 32}).sign(workspace.id, server.url("png"), now_s)
    ended = LINKS.sign(workspace.id, server.url("png"), now_s - 2 * 24 * 3600)

    refused = [await frame.get(f"{images.PATH}/{token}") for token in (forged, ended, good[:-2], "x")]

    assert {one.status_code for one in refused} == {404}
    assert server.heard == []
    assert (await frame.get(f"{images.PATH}/{good}")).content == PNG


async def test_a_workspace_and_an_address_are_limited(frame, server, workspace, monkeypatch):
    """Too many fetches of a workspace, and too many answers for one address, wait."""
    monkeypatch.setattr(images, "_FETCHES_PER_MINUTE", 2)
    monkeypatch.setattr(images, "_ANSWERS_PER_MINUTE", 5)
    now_s = clock.now().timestamp()
    urls = [f"{images.PATH}/{LINKS.sign(workspace.id, server.url(f'png?{n}'), now_s)}" for n in range(3)]

    answers = [await frame.get(url) for url in [*urls, urls[0], urls[1], urls[0]]]

    assert [one.status_code for one in answers] == [200, 200, 429, 200, 200, 429]
    assert len(server.heard) == 2
    assert "retry-after" in answers[2].headers


async def test_pictures_of_a_sender_are_shown_until_somebody_asks_again(database, mailbox, member, server):
    """What is kept counts for that sender alone; the reader's own word goes before it."""
    html = f'<p>Hi</p><img src="{server.url("png")}">'
    ana = await receive(database, mailbox, 1, ANA, html)
    bob = await receive(database, mailbox, 2, BOB, html)
    contacts = f"/api/v1/workspaces/{mailbox.workspace_id}/contacts"
    found = (await member.get(contacts, params={"q": ANA})).json()["contacts"][0]["id"]

    async def shown(outcome, **query: int) -> int:
        return len(sources((await member.get(page_of(mailbox, outcome), params=query)).text))

    first = [await shown(ana), await shown(bob)]
    kept = [await member.put(f"{contacts}/{found}/pictures", json={"shown": True}) for _ in range(2)]
    always = [await shown(ana), await shown(bob), await shown(ana, remote=0), await shown(bob, remote=1)]
    await member.put(f"{contacts}/{found}/pictures", json={"shown": False})
    after = await shown(ana)

    assert first == [0, 0]
    assert [one.status_code for one in kept] == [204, 204]
    assert always == [1, 0, 0, 1]
    assert after == 0


async def test_a_contact_of_another_workspace_is_not_there(database, mailbox, member):
    """Neither is one nobody knows."""
    other = await make_mailbox(database, await make_workspace(database, name="Other"))
    await receive(database, other, 1, ANA, "<p>Hi</p>")
    async with database.transaction([other.workspace_id]) as conn:
        theirs = await conn.fetchval("SELECT id FROM contact LIMIT 1")

    answers = [
        await member.put(f"/api/v1/workspaces/{mailbox.workspace_id}/contacts/{one}/pictures", json={"shown": True})
        for one in (theirs, clock.new_id(), "x")
    ]

    assert [one.status_code for one in answers] == [404] * 3
