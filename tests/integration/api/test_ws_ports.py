"""What the sockets are told by the store: who may come in, and when they may no longer."""

from __future__ import annotations

import msgspec
import pytest

from api.call import Resources
from api.ws_ports import SocketPorts
from hub.accounts import sessions
from hub.accounts import store as accounts
from hub.errors import Forbidden, NotSignedIn
from hub.realtime.ports import Handshake
from hub.realtime.protocol import Hello
from tests.factories import make_workspace

pytestmark = pytest.mark.postgres


class Unused:
    """Stands for parts these calls do not touch."""

    def derive_keys(self, purpose):
        return {1: b"k" * 32}


@pytest.fixture
def ports(database):
    resources = Resources(
        settings=Unused(),
        database=database,
        passwords=Unused(),
        throttle=Unused(),
        frontend_dir=Unused(),
        routes=Unused(),
        sealer=Unused(),
        redis_ephemeral=Unused(),
    )
    return SocketPorts(resources)


@pytest.fixture
async def token(database, workspace):
    async with database.across() as conn:
        return (await sessions.start(conn, workspace.login_id)).token


async def test_bearer_opens_its_own_workspace_only(ports, database, workspace, token):
    """A session opens sockets of workspaces its login belongs to, and no others; a made-up token none."""
    other = await make_workspace(database, name="Other")
    grant = await ports.authorise(Hello(protocol=1, bearer=token, workspace_id=workspace.id), Handshake())

    assert (workspace.owner_id, None, True) == (grant.subject_id, grant.visible_inboxes, grant.may_reply)
    with pytest.raises(Forbidden):
        await ports.authorise(Hello(protocol=1, bearer=token, workspace_id=other.id), Handshake())
    with pytest.raises(NotSignedIn):
        await ports.authorise(Hello(protocol=1, bearer="made-up", workspace_id=workspace.id), Handshake())


async def test_refresh_ends_with_the_session_and_follows_the_rights(ports, database, workspace, token):
    """A revoked session and a member who left are refused; a new role is taken over; others stay as they are."""
    grant = await ports.authorise(Hello(protocol=1, bearer=token, workspace_id=workspace.id), Handshake())
    assert [grant] == await ports.refresh([grant])

    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE member SET role = 'viewer' WHERE id = $1", workspace.owner_id)
    (viewer,) = await ports.refresh([grant])
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE member SET active = false WHERE id = $1", workspace.owner_id)
    (gone,) = await ports.refresh([grant])
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE member SET active = true WHERE id = $1", workspace.owner_id)
    async with database.across() as conn:
        await accounts.revoke_session(conn, sessions.token_hash(token))
    (revoked,) = await ports.refresh([grant])

    assert (viewer.may_reply, len(viewer.visible_inboxes)) == (False, 2)
    assert (gone, revoked) == (None, None)


async def test_refresh_of_another_logins_session_is_refused(ports, database, workspace, token):
    """A grant that names somebody else's session is not renewed."""
    grant = await ports.authorise(Hello(protocol=1, bearer=token, workspace_id=workspace.id), Handshake())
    async with database.transaction([workspace.id]) as conn:
        other_login = await conn.fetchval("SELECT login_id FROM member WHERE id = $1", workspace.agent_id)

    assert await ports.refresh([msgspec.structs.replace(grant, login_id=other_login)]) == [None]
