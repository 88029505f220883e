"""Subject, people and formatted texts of mail over HTTP, on a real Postgres."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import pytest

from api.app import create_app
from api.call import Resources
from connectors.registry import ConnectorRegistry
from hub import clock
from hub.accounts import sessions
from hub.accounts.passwords import Passwords
from hub.config import read_settings
from hub.images.links import ImageLinks
from hub.inbox import actions
from hub.inbox.batch import Formatted
from hub.throttle import Throttle
from tests.factories import make_item, make_workspace, received
from tests.mails import make_mail, make_mailbox, person

pytestmark = pytest.mark.postgres

ANA, BOB = "ana@example.com", "bob@example.com"


class MailChannels:
    """The channels of this installation, and a mailbox with the capabilities of one."""

    def __init__(self) -> None:
        self._real = ConnectorRegistry.load()

    def get(self, channel: str):
        if channel != "imap_smtp":
            return self._real.get(channel)
        chat = self._real.get("livechat")
        capabilities = msgspec.structs.replace(chat.manifest.capabilities, subject=True, copies=True, html=True)
        return replace(chat, manifest=msgspec.structs.replace(chat.manifest, capabilities=capabilities))


@pytest.fixture
async def mailbox(database, workspace):
    return await make_mailbox(database, workspace)


@pytest.fixture
async def client(database, workspace):
    resources = Resources(
        settings=read_settings({}),
        database=database,
        passwords=Passwords(),
        throttle=Throttle(None),
        frontend_dir=Path("/nonexistent"),
        image_links=ImageLinks({1: b"k" * 32}),
        registry=MailChannels(),  # type: ignore[arg-type]  # only ``get`` is used here
    )
    transport = httpx.ASGITransport(app=create_app(resources))
    base_url = f"http://localhost:8000/api/v1/workspaces/{workspace.id}/"
    async with database.across() as conn:
        session = await sessions.start(conn, workspace.login_id)
    headers = {"authorization": f"Bearer {session.token}"}
    async with httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers) as opened:
        yield opened


async def receive(database, *batch):
    async with database.transaction([one.workspace_id for one in batch]) as conn:
        return await actions.receive(conn, batch)


def new_message(**fields):
    return {"client_message_id": str(clock.new_id()), "kind": "message", "text": "Soon.", "attachments": []} | fields


async def test_reply_defaults_name_everybody(client, database, mailbox):
    """The composer starts with the latest subject, who wrote, and everybody else in copy."""
    (first,) = await receive(database, mailbox.received(make_mail(1, ANA, cc=(person(BOB, "Bob Ito"),))))

    answer = await client.get(f"conversations/{first.conversation_id}/reply-defaults")

    assert answer.json() == {
        "subject": "Re: Broken lamp",
        "to": [{"name": "", "address": ANA}],
        "cc": [{"name": "Bob Ito", "address": BOB}],
    }


async def test_reply_defaults_are_null_on_a_channel_without(client, database, workspace):
    """Live chat has neither subject nor copies."""
    (first,) = await receive(database, received(workspace, make_item(), channel="livechat"))

    answer = await client.get(f"conversations/{first.conversation_id}/reply-defaults")

    assert answer.json() == {"subject": None, "to": None, "cc": None}


async def test_mail_is_sent_as_chosen_and_listed_with_its_headers(client, database, mailbox):
    """Subject and people given are those of the message; left out, they are the defaults."""
    (first,) = await receive(database, mailbox.received(make_mail(1, ANA, cc=(person(BOB),))))
    path = f"conversations/{first.conversation_id}/messages"

    chosen = await client.post(path, json=new_message(subject="New", to=[{"name": "B", "address": BOB}]))
    plain = await client.post(path, json=new_message())

    listed = (await client.get(path)).json()["messages"]
    assert (chosen.status_code, plain.status_code) == (201, 201)
    headers = [one["headers"] for one in listed[1:]]
    assert headers[0] == {"subject": "New", "sender": None, "to": [{"name": "B", "address": BOB}], "cc": [], "bcc": []}
    assert headers[1]["subject"] == "Re: New"
    assert ([one["address"] for one in headers[1]["to"]], [one["address"] for one in headers[1]["cc"]]) == (
        [ANA],
        [BOB],
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"to": [{"name": "", "address": "nobody"}]}, "to"),
        ({"cc": [{"name": "", "address": "a@b.example\r\nBcc: x@y.example"}]}, "cc"),
        ({"cc": [{"name": "", "address": f"a{n}@example.com"} for n in range(51)]}, "cc"),
        ({"subject": "x" * 301}, "subject"),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_its_field(client, database, mailbox, fields, field):
    """The answer names what is wrong, and nothing is stored."""
    (first,) = await receive(database, mailbox.received(make_mail(1, ANA)))

    answer = await client.post(f"conversations/{first.conversation_id}/messages", json=new_message(**fields))

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    async with database.transaction([mailbox.workspace_id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM message") == 1


@pytest.mark.parametrize(
    ("fields", "field"), [({"subject": "Hi"}, "subject"), ({"cc": [{"name": "", "address": BOB}]}, "cc")]
)
async def test_a_channel_without_copies_refuses_them(client, database, workspace, fields, field):
    """A subject or a copy on live chat is an error, not silently dropped."""
    (first,) = await receive(database, received(workspace, make_item(), channel="livechat"))

    answer = await client.post(f"conversations/{first.conversation_id}/messages", json=new_message(**fields))

    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_formatted_text_is_a_document_with_remote_pictures_off(client, database, mailbox):
    """Pictures elsewhere load only when asked for, by our proxy; those of the mail come from our own address."""
    html = '<p>Hi</p><img data-remote-src="https://tracker.example/p.gif"><img src="cid:logo@x">'
    item = msgspec.structs.replace(mailbox.received(make_mail(1, ANA)), formatted=Formatted(html, 1))
    (first,) = await receive(database, item)
    attachment_id = clock.new_id()
    async with database.transaction([mailbox.workspace_id]) as conn:
        await conn.execute(
            "INSERT INTO attachment (workspace_id, id, message_id, state, kind, filename, mime, inline, inline_cid, created_at)"
            " VALUES ($1, $2, $3, 'pending', 'image', 'logo.png', 'image/png', true, 'logo@x', $4)",
            mailbox.workspace_id, attachment_id, first.message_id, clock.now(),
        )  # fmt: skip
    path = f"conversations/{first.conversation_id}/messages/{first.message_id}/html"

    blocked, loaded = await client.get(path), await client.get(path, params={"remote": 1})

    assert blocked.headers["content-type"] == "text/html; charset=utf-8"
    policy = blocked.headers["content-security-policy"]
    assert "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox" in policy
    assert "allow-scripts" not in policy
    named = policy.partition("img-src ")[2].partition(";")[0].split()
    paths = {one.removeprefix("http://localhost:8000") for one in named if one.startswith("http://localhost:8000")}
    assert paths == {"/api/v1/images/", f"/api/v1/workspaces/{mailbox.workspace_id}/attachments/", "/files/"}
    assert [one for one in named if one.endswith(":") or "'" in one] == ["data:"]
    assert loaded.headers["content-security-policy"] == policy
    assert ("tracker.example" in blocked.text + loaded.text, blocked.text.count("data-blocked")) == (False, 1)
    assert loaded.text.count('src="/api/v1/images/') == 1
    assert f'src="/api/v1/workspaces/{mailbox.workspace_id}/attachments/{attachment_id}"' in blocked.text


async def test_formatted_text_is_found_only_where_it_belongs(client, database, mailbox):
    """Without a formatted text, under another conversation, or in another workspace there is nothing."""
    other = await make_mailbox(database, await make_workspace(database, name="Other"))
    item = msgspec.structs.replace(other.received(make_mail(1, ANA)), formatted=Formatted("<p>secret</p>"))
    (foreign, first, second) = await receive(
        database, item, mailbox.received(make_mail(1, ANA)), mailbox.received(make_mail(2, BOB))
    )

    answers = [
        await client.get(f"conversations/{where.conversation_id}/messages/{what.message_id}/html")
        for where, what in ((first, first), (second, first), (foreign, foreign), (first, foreign))
    ]

    assert [one.status_code for one in answers] == [404] * 4
