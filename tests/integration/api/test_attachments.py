"""Uploads and files over HTTP: in one call and in parts, checked, handed out by signed addresses, closed to others."""

from __future__ import annotations

import asyncio
import io
import tracemalloc
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import pytest
from PIL import Image
from starlette.requests import ClientDisconnect

from api import uploads as uploads_module
from api.uploads import Uploads
from hub import clock
from hub.accounts import actions as accounts
from hub.accounts.model import NewMember, Role
from hub.attachments import store
from hub.attachments.keeping import Keeper
from hub.attachments.links import FileLink, FileLinks
from hub.attachments.model import CHUNK_BYTES
from hub.errors import NotFound
from tests import pictures
from tests.integration.api.conftest import BASE_URL, PASSWORD, browser, sign_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.call import Resources
    from hub.blobs import Blobs

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

LIMIT_BYTES = 50_000_000
KEYS = {1: b"k" * 32}


@pytest.fixture
def files(parts: Resources, blobs: Blobs) -> Resources:
    """The parts of a process with a file store."""
    parts.keeper = Keeper(parts.database, blobs)
    parts.uploads = Uploads(parts.database, parts.keeper, LIMIT_BYTES)
    parts.file_links = FileLinks(KEYS)
    return parts


@pytest.fixture
async def member(files: Resources, tenant) -> AsyncIterator[httpx.AsyncClient]:
    """The owner's browser, signed in."""
    async with browser(files) as client:
        await sign_in(client)
        yield client


@pytest.fixture
def base(tenant) -> str:
    return f"/api/v1/workspaces/{tenant.workspace_id}/attachments"


async def upload(client: httpx.AsyncClient, base: str, data: bytes, filename: str = "a.bin", mime: str = "") -> dict:
    answer = await client.post(base, params={"filename": filename, "mime": mime}, content=data)
    assert answer.status_code == 201, answer.text
    return answer.json()["attachment"]


async def follow(client: httpx.AsyncClient, url: str, **more: object) -> httpx.Response:
    """Ask for a file as a browser does: the address of the API, then the one it names."""
    answer = await client.get(url)
    assert answer.status_code == 302, answer.text
    # Without the cookie: the address alone must do.
    async with httpx.AsyncClient(transport=client._transport, base_url=BASE_URL) as stranger:
        return await stranger.get(answer.headers["location"], **more)


async def test_photo_is_made_anew_and_shown(member, base) -> None:
    """A turned photo comes back upright, without position, maker or comment, with a thumbnail."""
    attachment = await upload(member, base, pictures.photo(640, 480), "IMG 1.jpeg", "image/jpeg")

    whole = await follow(member, f"{base}/{attachment['id']}")
    small = await follow(member, f"{base}/{attachment['id']}?variant=thumbnail")

    assert (attachment["state"], attachment["kind"], attachment["mime"]) == ("ready", "image", "image/jpeg")
    assert (attachment["width"], attachment["height"], attachment["has_thumbnail"]) == (480, 640, True)
    assert whole.headers["content-type"] == "image/jpeg"
    assert whole.headers["content-disposition"].startswith("inline")
    assert len(whole.content) == attachment["size_bytes"]
    picture = Image.open(io.BytesIO(whole.content))
    assert picture.size == (480, 640)
    assert not dict(picture.getexif())
    assert b"SecretMaker" not in whole.content
    assert b"secret comment" not in whole.content
    assert Image.open(io.BytesIO(small.content)).size == (240, 320)
    assert small.headers["content-type"] == "image/webp"


async def test_file_answers_lock_a_browser_in(member, base) -> None:
    """Each file comes in a sandbox, with its type fixed, for this browser's cache alone."""
    attachment = await upload(member, base, pictures.photo(), "a.jpg")

    answer = await follow(member, f"{base}/{attachment['id']}")

    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'; ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"].startswith("private, max-age=")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("data", "filename", "declared"),
    [
        (b"<!doctype html><script>alert(1)</script>", "a.html", "text/html"),
        (b"\n <!-- x --><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "a.svg", "image/svg+xml"),
        (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><script/></html>", "a.png", "image/png"),
        (b"GIF89a<script>alert(1)</script>" + b" " * 200, "a.gif", "image/gif"),
        (b"\xff\xd8\xff<html><script>alert(1)</script>", "a.jpg", "image/jpeg"),
        (b"%PDF-1.4 <html><script>alert(1)</script>", "a.pdf", "application/pdf"),
        (b"alert(document.cookie)", "a.js", "text/javascript"),
        (b"MZ" + b"\0" * 500, "a.jpg", "image/jpeg"),
        (b"\x7fELF" + b"\0" * 500, "a.mp4", "video/mp4"),
        ("<script>alert(1)</script>".encode("utf-16"), "a.txt", "text/plain"),
        (b"PK\x03\x04" + b"\0" * 26 + b"x.html<html><script>", "a.zip", "text/html"),
    ],
)
async def test_nothing_active_is_shown(member, base, data, filename, declared) -> None:
    """Whatever it is called, what could act in a page is saved and has no type a browser runs."""
    attachment = await upload(member, base, data, filename, declared)

    answer = await follow(member, f"{base}/{attachment['id']}")

    assert answer.headers["content-disposition"].startswith("attachment")
    served = answer.headers["content-type"].partition(";")[0]
    assert served in ("application/octet-stream", "text/plain", "application/zip", "application/pdf")
    assert attachment["kind"] == "file"
    assert answer.content == data


async def test_declared_type_loses_against_the_bytes(member, base) -> None:
    """A PNG that is called a JPEG is a PNG; a text that is called a picture is a text."""
    png = await upload(member, base, pictures.encode(Image.new("RGB", (9, 9)), "PNG"), "a.jpg", "image/jpeg")
    text = await upload(member, base, b"hello", "a.jpg", "image/jpeg")

    assert (png["mime"], png["kind"]) == ("image/png", "image")
    assert (text["mime"], text["kind"]) == ("text/plain", "file")


async def test_bomb_is_refused_and_broken_picture_is_a_file(member, base) -> None:
    """Too many pixels fail in words; a picture nobody can read is kept, but not shown."""
    bomb = await upload(member, base, pictures.bomb(), "bomb.png")
    broken = await upload(member, base, pictures.photo()[:3000], "broken.jpg")

    answer = await follow(member, f"{base}/{broken['id']}")

    assert bomb["state"] == "failed"
    assert "million pixels" in bomb["error"]
    assert (broken["state"], broken["kind"], broken["has_thumbnail"]) == ("ready", "file", False)
    assert answer.headers["content-disposition"].startswith("attachment")


async def test_pdf_has_a_preview(member, base) -> None:
    """A document is saved; its first page can be seen."""
    attachment = await upload(member, base, pictures.pdf(), "offer.pdf")

    preview = await follow(member, f"{base}/{attachment['id']}?variant=preview")
    whole = await follow(member, f"{base}/{attachment['id']}")

    assert (attachment["mime"], attachment["has_preview"], attachment["has_thumbnail"]) == (
        "application/pdf",
        True,
        True,
    )
    assert Image.open(io.BytesIO(preview.content)).size[1] == 1600
    assert whole.headers["content-disposition"] == "attachment; filename=\"offer.pdf\"; filename*=UTF-8''offer.pdf"


@pytest.mark.parametrize("name", ["GIF", "WEBP"])
async def test_animation_goes_on_moving(member, base, name) -> None:
    """Every picture of a small animation is kept."""
    attachment = await upload(member, base, pictures.moving(name), "a")

    answer = await follow(member, f"{base}/{attachment['id']}")

    assert getattr(Image.open(io.BytesIO(answer.content)), "n_frames", 1) == 5


async def test_filename_cannot_break_out(member, base) -> None:
    """A name with a path, quotes, line breaks and turned writing becomes a plain one, in the row and in the header."""
    attachment = await upload(member, base, b"hello", '../../a"b\r\nSet-Cookie: x\u202egpj.exe')

    answer = await follow(member, f"{base}/{attachment['id']}")

    assert attachment["filename"] == 'a"b Set-Cookie: xgpj.exe'
    assert "set-cookie" not in answer.headers
    assert 'filename="a_b Set-Cookie_ xgpj.exe"' in answer.headers["content-disposition"]


async def test_parts_resume_after_a_break(member, base) -> None:
    """20 MB in parts with a break in the middle of one: the upload goes on where it was, and is whole at the end."""
    data = bytes(range(256)) * 80_000
    begun = (await member.post(base, json={"filename": "film.bin", "size_bytes": len(data)})).json()
    url = f"{base}/{begun['attachment']['id']}"
    assert (begun["attachment"]["state"], begun["upload"]) == ("pending", {"offset": 0, "chunk_bytes": CHUNK_BYTES})

    async def torn() -> AsyncIterator[bytes]:
        yield data[CHUNK_BYTES : CHUNK_BYTES + 3_000_000]
        raise ClientDisconnect

    first = await member.patch(f"{url}/content", content=data[:CHUNK_BYTES], headers={"upload-offset": "0"})
    broken = await member.patch(f"{url}/content", content=torn(), headers={"upload-offset": str(CHUNK_BYTES)})
    resumed = (await member.get(f"{url}/upload")).json()["upload"]["offset"]
    wrong = await member.patch(f"{url}/content", content=data[:CHUNK_BYTES], headers={"upload-offset": "0"})
    second = await member.patch(
        f"{url}/content", content=data[resumed : resumed + CHUNK_BYTES], headers={"upload-offset": str(resumed)}
    )
    third = await member.patch(
        f"{url}/content", content=data[2 * CHUNK_BYTES :], headers={"upload-offset": str(2 * CHUNK_BYTES)}
    )
    whole = await follow(member, url)

    assert broken.status_code == 400
    assert first.json()["upload"]["offset"] == resumed == CHUNK_BYTES
    assert (wrong.status_code, wrong.headers["upload-offset"]) == (409, str(CHUNK_BYTES))
    assert wrong.json()["upload"]["offset"] == CHUNK_BYTES
    assert second.json()["attachment"]["state"] == "pending"
    assert third.json()["attachment"]["state"] == "ready"
    assert whole.content == data


async def test_parts_that_are_too_long_or_too_short_are_refused(member, base) -> None:
    """A part is at most what was announced, and no crumb."""
    begun = (await member.post(base, json={"filename": "a", "size_bytes": 200_000})).json()
    url = f"{base}/{begun['attachment']['id']}/content"

    long = await member.patch(url, content=b"x" * 200_001, headers={"upload-offset": "0"})
    short = await member.patch(url, content=b"x" * 10, headers={"upload-offset": "0"})
    nothing = await member.patch(url, content=b"x")

    assert [long.status_code, short.status_code, nothing.status_code] == [413, 400, 422]
    assert nothing.json()["field"] == "Upload-Offset"


async def test_size_limits_hold(member, base) -> None:
    """Neither a large body nor a large promise is taken; nothing stays in the store."""
    whole = await member.post(base, params={"filename": "a"}, content=b"x" * (CHUNK_BYTES + 1))
    promised = await member.post(base, json={"filename": "a", "size_bytes": LIMIT_BYTES + 1})
    empty = await member.post(base, params={"filename": "a"}, content=b"")

    assert [whole.status_code, promised.status_code, empty.status_code] == [413, 413, 400]


async def test_chunked_body_without_a_length_is_cut_off(member, base, files, tenant) -> None:
    """A body that does not say how long it is ends at the limit, and leaves no blob once it was swept."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    answer = await member.post(base, params={"filename": "a"}, content=endless())

    assert answer.status_code == 413
    assert await files.keeper.blobs.keys(tenant.workspace_id) == []


async def test_memory_of_an_upload_is_bounded(member, base) -> None:
    """40 MB in small pieces are passed on and joined in the store: never a fraction of them is gathered here."""
    size_bytes = 5 * CHUNK_BYTES
    member.timeout = httpx.Timeout(60)

    async def slices() -> AsyncIterator[bytes]:
        for _ in range(CHUNK_BYTES // 65_536):
            yield b"\x00" * 65_536
            await asyncio.sleep(0)

    begun = (await member.post(base, json={"filename": "a", "size_bytes": size_bytes})).json()
    url = f"{base}/{begun['attachment']['id']}/content"
    tracemalloc.start()
    for offset in range(0, size_bytes, CHUNK_BYTES):
        answer = await member.patch(url, content=slices(), headers={"upload-offset": str(offset)})
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert answer.json()["attachment"]["state"] == "ready"
    assert peak_bytes < 16_000_000


async def test_silent_body_is_given_up(member, base, monkeypatch) -> None:
    """An upload that stops sending does not hold its place for ever."""
    monkeypatch.setattr(uploads_module, "SILENCE_S", 0.05)

    async def silent() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(30)

    answer = await member.post(base, params={"filename": "a"}, content=silent())

    assert (answer.status_code, answer.json()["field"]) == (400, "body")


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=900000-", 206, 900_000, 1_000_000),
        ("bytes=-5", 206, 999_995, 1_000_000),
        ("bytes=999999-2000000", 206, 999_999, 1_000_000),
        ("bytes=0-1,5-6", 200, 0, 1_000_000),
        ("lines=0-1", 200, 0, 1_000_000),
    ],
)
async def test_ranges_let_a_film_be_wound(member, base, asked, status, start, end) -> None:
    """A player gets the bytes it asks for; several ranges at once get the whole."""
    data = b"\x00\x00\x00\x18ftypmp42" + bytes(range(250)) * 4000
    data = data[:1_000_000]
    attachment = await upload(member, base, data, "a.mp4")

    answer = await follow(member, f"{base}/{attachment['id']}", headers={"range": asked})

    assert attachment["kind"] == "video"
    assert (answer.status_code, answer.content) == (status, data[start:end])
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/1000000"


async def test_range_beyond_the_end_is_told_so(member, base) -> None:
    """416 names the size."""
    attachment = await upload(member, base, b"hello")

    answer = await follow(member, f"{base}/{attachment['id']}", headers={"range": "bytes=5-9"})

    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */5")


async def test_address_is_the_same_for_a_while_and_is_not_fetched_twice(member, base) -> None:
    """A browser's cache finds a picture again: the address stays, and its tag answers 304."""
    attachment = await upload(member, base, pictures.photo(), "a.jpg")
    url = f"{base}/{attachment['id']}/link"

    first, second = (await member.get(url)).json(), (await member.get(url)).json()
    whole = await member.get(first["url"])
    again = await member.get(first["url"], headers={"if-none-match": whole.headers["etag"]})
    head = await member.head(first["url"])

    assert first["url"] == second["url"] or first["expires_at"] != second["expires_at"]
    assert (again.status_code, again.content) == (304, b"")
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(whole.content)))


async def test_forged_expired_and_foreign_tokens_open_nothing(member, base, files, tenant) -> None:
    """Another key, a changed bit, a passed end, a wrong length: all are told the same."""
    attachment = await upload(member, base, b"hello")
    link = FileLink(workspace_id=tenant.workspace_id, attachment_id=UUID(attachment["id"]))
    now_s = clock.now().timestamp()
    good, _ = FileLinks(KEYS).sign(link, now_s)
    forged, _ = FileLinks({1: b"other" * 8}).sign(link, now_s)
    expired, _ = FileLinks(KEYS).sign(link, now_s - 3600)
    flipped = good[:10] + ("A" if good[10] != "A" else "B") + good[11:]
    tokens = [forged, expired, flipped, good[:-1], good + "A", "x", "é" * 20, "." * 68]

    answers = [await member.get(f"/files/{token}") for token in tokens]

    assert (await member.get(f"/files/{good}")).content == b"hello"
    assert {one.status_code for one in answers} == {404}
    assert len({one.text for one in answers}) == 1


async def test_upload_belongs_to_its_author(member, base, files, tenant) -> None:
    """A colleague neither sees, continues nor removes what somebody has not sent yet."""
    attachment = await upload(member, base, b"hello")
    url = f"{base}/{attachment['id']}"
    async with files.database.transaction([tenant.workspace_id]) as conn:
        _, token = await accounts.add_member(
            conn, tenant.workspace_id, NewMember(email="cy@example.com", role=Role.ADMIN)
        )
    async with files.database.across() as conn:
        await accounts.consume_link(conn, token, await files.passwords.make_hash(PASSWORD))
    async with browser(files) as colleague:
        await sign_in(colleague, "cy@example.com")
        answers = [
            await colleague.get(url),
            await colleague.get(f"{url}/link"),
            await colleague.get(f"{url}/upload"),
            await colleague.delete(url),
            await colleague.patch(f"{url}/content", content=b"x", headers={"upload-offset": "0"}),
        ]

    assert {one.status_code for one in answers} == {404}
    assert (await member.get(url)).status_code == 302


async def test_other_workspace_cannot_reach_a_file(member, base, files, tenant, foreign) -> None:
    """Neither by one's own path nor by theirs."""
    attachment = await upload(member, base, b"hello")
    async with browser(files) as stranger:
        await sign_in(stranger, foreign.email)
        own = await stranger.get(f"/api/v1/workspaces/{foreign.workspace_id}/attachments/{attachment['id']}")
        theirs = await stranger.get(f"{base}/{attachment['id']}")
        token, _ = files.file_links.sign(
            FileLink(workspace_id=foreign.workspace_id, attachment_id=UUID(attachment["id"])), clock.now().timestamp()
        )
        signed = await stranger.get(f"/files/{token}")

    assert [own.status_code, theirs.status_code, signed.status_code] == [404, 403, 404]


async def test_removed_upload_is_gone_with_its_bytes(member, base, files, tenant) -> None:
    """DELETE takes the row at once, its address with it, and its blobs with the next sweep."""
    attachment = await upload(member, base, pictures.photo(), "a.jpg")
    link = (await member.get(f"{base}/{attachment['id']}/link")).json()["url"]

    removed = await member.delete(f"{base}/{attachment['id']}")
    again = await member.delete(f"{base}/{attachment['id']}")

    assert [removed.status_code, again.status_code] == [204, 404]
    assert (await member.get(link)).status_code == 404
    with pytest.raises(NotFound):
        async with files.database.transaction([tenant.workspace_id]) as conn:
            await store.get(conn, tenant.workspace_id, UUID(attachment["id"]))
    async with files.database.across() as conn:
        trashed = {key for _, key in await store.trashed(conn, clock.now() + timedelta(seconds=1), 100)}
    assert set(await files.keeper.blobs.keys(tenant.workspace_id)) <= trashed


async def test_viewer_cannot_upload(files, tenant) -> None:
    """Whoever may only read sends no files."""
    async with files.database.transaction([tenant.workspace_id]) as conn:
        _, token = await accounts.add_member(
            conn, tenant.workspace_id, NewMember(email="vi@example.com", role=Role.VIEWER)
        )
    async with files.database.across() as conn:
        await accounts.consume_link(conn, token, await files.passwords.make_hash(PASSWORD))
    async with browser(files) as viewer:
        await sign_in(viewer, "vi@example.com")
        answer = await viewer.post(
            f"/api/v1/workspaces/{tenant.workspace_id}/attachments", params={"filename": "a"}, content=b"x"
        )

    assert answer.status_code == 403
