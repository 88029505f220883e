"""What a workspace may use, refused where something is added and in words; what customers send is never refused."""

from __future__ import annotations

import pytest

from api.ws_ports import SocketPorts
from hub import clock
from hub.attachments.actions import Upload, begin_upload
from hub.channels.routes import ChannelRoutes
from hub.errors import LimitReached
from hub.inbox import actions
from hub.limit_settings import Limits
from hub.limits import store
from hub.realtime.ports import Handshake
from hub.realtime.protocol import Hello, Send, refusal
from tests.everybody import with_channels
from tests.factories import make_item, received
from tests.integration.api.keys.conftest import session_of

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
def parts(parts):
    return with_channels(parts)


async def limit(database, workspace, **wanted) -> None:
    async with database.transaction([workspace.id]) as conn:
        assert await store.put_limits(conn, workspace.id, Limits(**wanted), 0)


async def inbound(database, workspace, text: str) -> None:
    async with database.transaction([workspace.id]) as conn:
        await actions.receive(conn, [received(workspace, make_item(text=text), channel="livechat")])


def assert_refused(answer, limit_: str, words: str) -> None:
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["code"], problem["field"]) == (409, "limit_reached", limit_), problem
    assert words in problem["detail"]


async def test_one_channel_account_too_many_is_refused(owner, database, workspace):
    """By how many there may be; one that is removed makes room."""
    body = {"channel": "livechat", "name": "Site", "settings": {"allowed_origins": "https://example.com"}}
    async with database.transaction([workspace.id]) as conn:
        there = await store.count_channel_accounts(conn, workspace.id)
    await limit(database, workspace, channel_accounts=there)
    assert_refused(await owner.post("channel-accounts", json=body), "channel_accounts", f"at most {there} channel")
    listed = (await owner.get("channel-accounts")).json()["channel_accounts"]
    assert (await owner.delete(f"channel-accounts/{listed[0]['id']}")).status_code in (200, 204)
    made = await owner.post("channel-accounts", json=body)
    assert made.status_code == 201, made.text


async def test_message_too_many_is_refused_by_api_and_socket(owner, parts, database, workspace, conversation_id):
    """Both say the limit; notes and what customers write go on."""
    await limit(database, workspace, messages_per_day=1)
    path = f"conversations/{conversation_id}/messages"

    def body(kind: str) -> dict:
        return {"client_message_id": str(clock.new_id()), "kind": kind, "text": "Hello"}

    first = body("message")
    assert (await owner.post(path, json=first)).status_code in (200, 201)
    assert_refused(await owner.post(path, json=body("message")), "messages_per_day", "at most 1 messages a day (UTC)")
    assert (await owner.post(path, json=first)).status_code in (200, 201)
    assert (await owner.post(path, json=body("note"))).status_code in (200, 201)

    ports = SocketPorts(parts)
    hello = Hello(protocol=1, bearer=await session_of(database, workspace.login_id), workspace_id=workspace.id)
    grant = await ports.authorise(hello, Handshake())
    frame = Send(client_message_id=clock.new_id(), text="x", conversation_id=conversation_id)
    with pytest.raises(LimitReached) as caught:
        await ports.send(grant, frame)
    answer = refusal(caught.value, frame.client_message_id)
    assert (answer.code, answer.field, "at most 1 messages a day" in answer.message) == (
        *("limit_reached", "messages_per_day"),
        True,
    )

    await inbound(database, workspace, "Are you there?")
    texts = [one["text"] for one in (await owner.get(path)).json()["messages"]]
    assert "Are you there?" in texts


async def test_file_that_does_not_fit_is_refused(owner, parts, database, workspace):
    """Whole by what its header says, in parts by what it announces; a customer's file is taken."""
    assert isinstance(parts.routes, ChannelRoutes)
    await limit(database, workspace, storage_bytes=1_000)
    whole = {"content": b"x" * 2_000, "params": {"filename": "a.txt", "mime": "text/plain"}}
    assert_refused(await owner.post("attachments", **whole), "storage_bytes", "at most 1,000 bytes of files")
    announced = {"filename": "a.txt", "size_bytes": 1_001, "mime": "text/plain"}
    assert_refused(await owner.post("attachments", json=announced), "storage_bytes", "files")
    small = await owner.post("attachments", content=b"x" * 900, params=whole["params"])
    assert small.status_code in (200, 201), small.text
    assert_refused(
        await owner.post("attachments", content=b"x" * 101, params=whole["params"]), "storage_bytes", "files"
    )
    visitors = Upload(
        author_id=clock.new_id(), filename="b.txt", size_bytes=5_000, channel_account_id=workspace.livechat_id
    )
    async with database.transaction([workspace.id]) as conn:
        assert (await begin_upload(conn, workspace.id, visitors, 10_000)).size_bytes == 5_000
