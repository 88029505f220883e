"""Files of live-chat visitors: sent with their messages, had back, and closed to everybody else."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import pytest
from starlette.applications import Starlette

from api.files import file_limits
from api.livechat_send import VisitorDraft, VisitorSent, receive_from_visitor
from api.uploads import Uploads
from connectors.livechat import CONNECTOR
from hub import clock
from hub.attachments.keeping import Keeper
from hub.attachments.links import FileLinks
from hub.blobs import Blobs
from hub.channels.visitors import TOKEN_PURPOSE, VisitorTokens
from hub.errors import InvalidInput
from hub.inbox import store
from tests import pictures

if TYPE_CHECKING:
    from pathlib import Path

    from api.call import Resources
    from hub.channels.sealing import Sealer
    from tests.integration.api.channels.conftest import Member

pytestmark = pytest.mark.postgres


class Visitor:
    """Somebody with a token at one live chat."""

    def __init__(self, parts: Resources, sealer: Sealer, http: httpx.AsyncClient, account_id: str) -> None:
        self.parts, self.http, self.id = parts, http, account_id
        self.path = f"/api/v1/livechat/{account_id}"
        self.tokens = VisitorTokens(sealer.derive_keys(TOKEN_PURPOSE))
        self.token = ""

    async def arrive(self) -> Visitor:
        self.token = (await self.http.post(f"{self.path}/visitors", json={})).json()["visitor_token"]
        return self

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    async def upload(self, data: bytes, filename: str = "a.jpg") -> httpx.Response:
        return await self.http.post(
            f"{self.path}/attachments", params={"filename": filename}, content=data, headers=self.bearer
        )

    async def look(self, attachment_id: str) -> httpx.Response:
        return await self.http.get(f"{self.path}/attachments/{attachment_id}", headers=self.bearer)

    async def send(self, *ids: str, text: str = "", message_id: UUID | None = None) -> VisitorSent:
        draft = VisitorDraft(
            client_message_id=message_id or clock.new_id(),
            text=text,
            address="203.0.113.7",
            attachment_ids=tuple(UUID(one) for one in ids),
            file_limits=file_limits(CONNECTOR.manifest.capabilities),
        )
        claims = self.tokens.read(self.token, UUID(self.id), clock.now().timestamp())
        route = await self.parts.routes.find(UUID(self.id))
        return await receive_from_visitor(self.parts.database, self.parts.throttle, claims, route, draft)


@pytest.fixture
async def visitors(
    owner: Member,
    application: Starlette,
    visitor: httpx.AsyncClient,
    channel_parts: Resources,
    sealer: Sealer,
    tmp_path: Path,
) -> tuple[Visitor, Visitor]:
    """Two visitors of one live chat with a file store."""
    parts = channel_parts
    parts.keeper = Keeper(parts.database, Blobs.in_folder(tmp_path / "files"))
    parts.uploads = Uploads(parts.database, parts.keeper, 100_000_000)
    parts.file_links = FileLinks({1: b"k" * 32})
    account_id = (await owner.connect("livechat")).json()["id"]
    return (
        await Visitor(parts, sealer, visitor, account_id).arrive(),
        await Visitor(parts, sealer, visitor, account_id).arrive(),
    )


async def test_photo_is_sent_shown_and_had_back(visitors, owner) -> None:
    """A visitor's upload becomes their message's; they and the members can fetch it, other visitors cannot."""
    ana, bob = visitors
    attachment = (await ana.upload(pictures.photo(200, 100))).json()["attachment"]

    sent = await ana.send(attachment["id"])

    seen = await ana.look(attachment["id"])
    history = (await ana.http.get(f"{ana.path}/messages", headers=ana.bearer)).json()["messages"]
    theirs = await bob.look(attachment["id"])
    member = await owner.http.get(f"attachments/{attachment['id']}")
    picture = await ana.http.get(seen.json()["thumbnail_url"])
    assert sent.seq == 1
    assert seen.status_code == 200
    assert picture.headers["content-type"] == "image/webp"
    assert [(one["text"], len(one["attachments"])) for one in history] == [("", 1)]
    assert theirs.status_code == 404
    assert member.status_code == 302


async def test_message_sent_twice_is_one_with_its_file(visitors, owner) -> None:
    """A lost ack: the same id again gives the first message, though its file is taken."""
    ana, _ = visitors
    attachment = (await ana.upload(b"hello", "a.txt")).json()["attachment"]
    message_id = clock.new_id()

    first = await ana.send(attachment["id"], message_id=message_id)
    again = await ana.send(attachment["id"], message_id=message_id)
    with pytest.raises(InvalidInput):
        await ana.send(attachment["id"])

    async with ana.parts.database.transaction([owner.facts.id]) as conn:
        rows = await store.list_messages(conn, owner.facts.id, first.conversation_id, None, 10)
    assert first == again
    assert len(rows) == 1


async def test_visitor_cannot_send_or_look_at_what_is_not_theirs(visitors) -> None:
    """Unsent uploads belong to whoever made them."""
    ana, bob = visitors
    attachment = (await ana.upload(b"hello", "a.txt")).json()["attachment"]

    with pytest.raises(InvalidInput):
        await bob.send(attachment["id"])
    answers = [
        await bob.look(attachment["id"]),
        await bob.http.delete(f"{bob.path}/attachments/{attachment['id']}", headers=bob.bearer),
        await bob.http.patch(
            f"{bob.path}/attachments/{attachment['id']}/content",
            content=b"x",
            headers=bob.bearer | {"upload-offset": "0"},
        ),
    ]
    assert {one.status_code for one in answers} == {404}
    assert (await ana.look(attachment["id"])).status_code == 200


async def test_file_needs_a_token_and_a_page_of_the_site(visitors) -> None:
    """Neither without a token, nor with one of another chat, nor for a page the chat is not for."""
    ana, _ = visitors
    bare = await ana.http.post(f"{ana.path}/attachments", params={"filename": "a"}, content=b"x")
    ana.token = "v1.made.up"
    forged = await ana.upload(b"x")

    assert [bare.status_code, forged.status_code] == [401, 401]


async def test_upload_goes_on_in_parts(visitors) -> None:
    """A large file is begun, continued and told where it is, as for members."""
    ana, _ = visitors
    begun = await ana.http.post(
        f"{ana.path}/attachments", json={"filename": "a.bin", "size_bytes": 100_000}, headers=ana.bearer
    )
    url = f"{ana.path}/attachments/{begun.json()['attachment']['id']}/content"
    wrong = await ana.http.patch(url, content=b"x" * 9, headers=ana.bearer | {"upload-offset": "9"})
    done = await ana.http.patch(url, content=b"x" * 100_000, headers=ana.bearer | {"upload-offset": "0"})

    assert (begun.status_code, wrong.status_code, wrong.json()["upload"]["offset"]) == (201, 409, 0)
    assert done.json()["attachment"]["state"] == "ready"


async def test_files_of_visitors_are_limited(visitors) -> None:
    """A large promise is refused at the channel's limit, and so is the flood."""
    ana, _ = visitors
    large = await ana.http.post(
        f"{ana.path}/attachments", json={"filename": "a", "size_bytes": 26_214_401}, headers=ana.bearer
    )
    answers = [await ana.upload(b"x", "a.txt") for _ in range(30)]

    assert large.status_code == 413
    assert [one.status_code for one in answers[:29]] == [201] * 29
    assert answers[29].status_code == 429
