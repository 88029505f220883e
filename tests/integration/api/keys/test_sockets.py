"""API keys at the socket: who may come in, and that a revoked one is sent away."""

from __future__ import annotations

import pytest

from api.ws_ports import SocketPorts
from hub import clock
from hub.channels.visitors import TOKEN_PURPOSE
from hub.errors import Forbidden, NotSignedIn
from hub.realtime.ports import Handshake
from hub.realtime.protocol import Hello, Read, Send
from hub.realtime.resume import ResumeTickets
from tests.integration.api.keys.conftest import make

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
def ports(parts):
    assert TOKEN_PURPOSE
    parts.routes = object()
    return SocketPorts(parts)


def hello(token: str, workspace_id: int) -> Hello:
    return Hello(protocol=1, bearer=token, workspace_id=workspace_id)


async def test_key_opens_its_own_workspace_only(ports, owner, other, workspace):
    """Both kinds come in by ``hello.bearer``, with what they were given; nowhere else."""
    reads = await make(owner, "inbox.read", inbox_ids=[str(workspace.inbox_id)])
    own = await make(owner, where="personal-tokens")
    narrow = await ports.authorise(hello(reads["token"], workspace.id), Handshake())
    wide = await ports.authorise(hello(own["token"], workspace.id), Handshake())
    assert (narrow.visible_inboxes, narrow.may_reply) == ({workspace.inbox_id}, False)
    assert (wide.subject_id, wide.visible_inboxes, wide.may_reply) == (workspace.owner_id, None, True)
    with pytest.raises(NotSignedIn):
        await ports.authorise(hello(reads["token"], other.id), Handshake())


async def test_socket_without_reading_is_refused(ports, owner, workspace):
    """Events are what ``inbox.read`` shows: a key without it gets none."""
    writes = await make(owner, "contacts.write")
    with pytest.raises(Forbidden):
        await ports.authorise(hello(writes["token"], workspace.id), Handshake())


@pytest.mark.parametrize("where", ["api-keys", "personal-tokens"])
async def test_revocation_reaches_open_sockets(ports, owner, database, workspace, where):
    """The three ways a socket hears of it: the list of those that ended (3 s), the sweep (45 s), and each frame."""
    made = await make(owner, "inbox.read", "inbox.reply", where=where)
    grant = await ports.authorise(hello(made["token"], workspace.id), Handshake())
    assert await ports.refresh([grant]) == [grant]
    assert str(grant.session_id) == made["key"]["id"]

    await owner.delete(f"{where}/{made['key']['id']}")

    assert grant.session_id in await ports.revoked_sessions(60.0)
    assert await ports.refresh([grant]) == [None]
    with pytest.raises(NotSignedIn):
        await ports.send(grant, Send(client_message_id=clock.new_id(), text="x", conversation_id=clock.new_id()))


async def test_expired_key_is_swept(ports, owner, database, workspace):
    """Expiry makes no event: the sweep finds it."""
    made = await make(owner, "inbox.read")
    grant = await ports.authorise(hello(made["token"], workspace.id), Handshake())
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(
            "UPDATE api_key SET created_at = now() - interval '2 d', expires_at = now() - interval '1 s'"
        )
    assert await ports.refresh([grant]) == [None]


async def test_rights_of_the_maker_are_followed(ports, owner, database, workspace):
    """Whoever answers for a key loses a right: so does its open socket."""
    made = await make(owner, "inbox.read", "inbox.reply")
    grant = await ports.authorise(hello(made["token"], workspace.id), Handshake())
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE member SET role = 'viewer' WHERE id = $1", workspace.owner_id)
    (viewer,) = await ports.refresh([grant])
    assert (grant.may_reply, viewer.may_reply) == (True, False)
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE member SET active = false WHERE id = $1", workspace.owner_id)
    assert await ports.refresh([grant]) == [None]


async def test_scopes_hold_for_each_frame(ports, owner, workspace, conversation_id):
    """A key that reads does not write, and a workspace's key has no read marks."""
    reads = await ports.authorise(hello((await make(owner, "inbox.read"))["token"], workspace.id), Handshake())
    writes = await ports.authorise(
        hello((await make(owner, "inbox.read", "inbox.reply"))["token"], workspace.id), Handshake()
    )
    frame = Send(client_message_id=clock.new_id(), text="x", conversation_id=conversation_id, kind="note")
    with pytest.raises(Forbidden):
        await ports.send(reads, frame)
    assert (await ports.send(writes, frame)).conversation_id == conversation_id
    with pytest.raises(Forbidden):
        await ports.read(writes, Read(seq=1, conversation_id=conversation_id))


async def test_resume_ticket_of_a_key_is_a_keys(ports, owner, workspace):
    """A ticket brings back the same grant: revocation and the sweep know it again."""
    made = await make(owner, "inbox.read")
    grant = await ports.authorise(hello(made["token"], workspace.id), Handshake())
    tickets = ResumeTickets(b"k" * 32, clock.now)
    back = tickets.redeem(tickets.issue(grant, 1), 1)
    assert (back.session_id, back.login_id, back.visible_inboxes) == (grant.session_id, grant.login_id, None)
    await owner.delete(f"api-keys/{made['key']['id']}")
    assert await ports.refresh([back]) == [None]
