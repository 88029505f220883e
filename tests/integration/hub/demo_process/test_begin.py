"""Making a demo ready, on a real Postgres, with the kit as a process of its own."""

from __future__ import annotations

import base64

import msgspec
import pytest

from hub.channels import store as channels
from hub.channels.sealing import Sealer, read_keys
from hub.demo import actions
from hub.demo.store import demo_workspaces
from hub.demo_process.begin import begin, park
from hub.demo_process.kept import CUSTOMERS, FILE, Kept, read_kept, write_kept
from hub.demo_process.place import DemoPlace, DemoWanted
from hub.errors import ConfigurationError
from hub.inbox import store
from tests.factories import make_workspace

pytestmark = pytest.mark.postgres

KEY = base64.b64encode(bytes(range(32))).decode()
ALL = frozenset({"livechat", "twilio_sms", "imap_smtp", "whatsapp_cloud", "voice"})


@pytest.fixture
def place(database_urls, tmp_path):
    return DemoPlace(
        database_url=database_urls.database_url,
        redis_ephemeral_url="",
        secret_key=KEY,
        data_dir=tmp_path,
        public_url="https://hub.example",
        host="0.0.0.0",
        port=8123,
        channels=ALL,
    )


async def accounts(database, workspace_id):
    async with database.snapshot([workspace_id]) as conn:
        return await channels.list_channel_accounts(conn, workspace_id, None)


async def conversations(database, workspace_id):
    async with database.snapshot([workspace_id]) as conn:
        return await store.list_conversations(conn, workspace_id, store.ConversationFilter(limit=200))


async def test_empty_installation_gets_a_workspace_with_everything(database, place):
    """Workspace, owner, accounts that are badged, and a history of the past days in which no two are the same age."""
    lines = await begin(place, DemoWanted(), lambda _: None)

    (workspace_id,) = await demo_workspaces(database)
    rows = await conversations(database, workspace_id)
    assert "robin@juniperandoak.example" in lines[0]
    assert {one.channel for one in await accounts(database, workspace_id)} == ALL
    assert all(one.demo for one in await accounts(database, workspace_id))
    assert len(rows) == 30
    assert {row.channel for row in rows} == ALL
    assert len({row.last_activity_at for row in rows}) > 25
    assert {row.status.value for row in rows} == {"open", "closed"}


async def test_second_start_keeps_what_is_there_and_renews_the_secrets(database, place):
    """The same accounts and conversations, new ports and keys, and the same sign-in said again."""
    first = await begin(place, DemoWanted(), lambda _: None)
    (workspace_id,) = await demo_workspaces(database)
    before = await accounts(database, workspace_id)

    assert await begin(place, DemoWanted(), lambda _: None) == first

    after = await accounts(database, workspace_id)
    assert [one.id for one in after] == [one.id for one in before]
    assert len(await conversations(database, workspace_id)) == 30
    sms = next(one for one in after if one.channel == "twilio_sms")
    async with database.snapshot([workspace_id]) as conn:
        opened = await channels.open_credentials(conn, Sealer(read_keys(KEY)), workspace_id, sms.id)
    assert opened["auth_token"]
    assert sms.settings["demo_url"].startswith("http://127.0.0.1:")


async def test_same_seed_fills_the_same_inbox(database, place):
    """Names, subjects, previews and order are those of the seed: a screenshot can be repeated."""

    theirs = await make_workspace(database)

    async def seen(seed):
        await begin(place, DemoWanted(seed=seed, workspace_id=theirs.id), lambda _: None)
        rows = await conversations(database, theirs.id)
        await actions.remove_demo(database, theirs.id)
        return [(row.channel, row.subject, row.preview, row.status) for row in rows]

    first = await seen(3)
    assert await seen(3) == first
    assert await seen(4) != first


async def test_workspace_of_others_is_not_touched_unless_named(database, place):
    """With an owner here, the demo is refused; named, it goes there and leaves nothing when it ends."""
    theirs = await make_workspace(database)
    with pytest.raises(ConfigurationError, match="--demo-workspace"):
        await begin(place, DemoWanted(), lambda _: None)
    before = await accounts(database, theirs.id)

    await begin(place, DemoWanted(workspace_id=theirs.id), lambda _: None)
    assert len(await accounts(database, theirs.id)) == len(before) + len(ALL)
    await actions.remove_demo(database, theirs.id)

    assert await accounts(database, theirs.id) == before
    assert await conversations(database, theirs.id) == []


async def test_channels_this_version_lacks_are_left_out(database, place):
    """Neither account nor history of a channel that is not installed."""
    few = msgspec.structs.replace(place, channels=frozenset({"livechat"}))
    await begin(few, DemoWanted(), lambda _: None)
    (workspace_id,) = await demo_workspaces(database)
    assert {row.channel for row in await conversations(database, workspace_id)} == {"livechat"}


@pytest.mark.slow
async def test_big_history_tells_its_progress(database, place):
    """5,000 conversations through the same action, with a line every thousand messages and one at the end."""
    lines = []
    await begin(place, DemoWanted(is_big=True), lines.append)

    (workspace_id,) = await demo_workspaces(database)
    async with database.snapshot([workspace_id]) as conn:
        counts = await store.count_conversations(conn, workspace_id, None)
        amount, newest = await conn.fetchrow(
            "SELECT count(*), max(seq) FROM event WHERE workspace_id = $1", workspace_id
        )
    assert sum(counts.values()) == 5_000
    assert amount == newest
    assert len(lines) > 10
    assert "5,000 conversations" in lines[-1]


async def test_installation_without_the_kit_says_so(database, place, tmp_path):
    """A wheel has no scripts folder."""
    with pytest.raises(ConfigurationError, match="scripts/emulators"):
        await begin(msgspec.structs.replace(place, root=tmp_path), DemoWanted(), lambda _: None)
    assert await demo_workspaces(database) == []


async def test_start_without_the_demo_pauses_its_accounts_alone(database, place):
    """Where its emulators listened, somebody else may listen now; with --demo they are connected again."""
    await begin(place, DemoWanted(), lambda _: None)
    (workspace_id,) = await demo_workspaces(database)
    async with database.transaction([workspace_id]) as conn:
        await conn.execute("UPDATE channel_account SET demo = false WHERE channel = 'livechat'")

    lines = await park(place.database_url)

    paused = {one.channel: one.status.value for one in await accounts(database, workspace_id)}
    assert "--demo" in lines[0]
    assert paused == dict.fromkeys(ALL, "paused") | {"livechat": "connected"}
    await begin(place, DemoWanted(), lambda _: None)
    assert {one.status.value for one in await accounts(database, workspace_id) if one.demo} == {"connected"}


async def test_start_without_any_demo_says_nothing(database, place):
    """Almost every start of a hub is one."""
    await make_workspace(database)
    assert await park(place.database_url) == ()


async def test_demo_begins_again_in_the_workspace_made_for_it(database, place):
    """After its removal the workspace stays its own: no flag is needed to have it again."""
    first = await begin(place, DemoWanted(), lambda _: None)
    (workspace_id,) = await demo_workspaces(database)
    await actions.remove_demo(database, workspace_id)

    assert await begin(place, DemoWanted(), lambda _: None) == first
    assert await demo_workspaces(database) == [workspace_id]


def test_what_is_kept_is_readable_by_the_owner_of_the_folder_alone(tmp_path):
    """The file repeats the password at every start; text of the struct does not."""
    kept = Kept(workspace_id=1, email="robin@juniperandoak.example", password="secret")
    write_kept(tmp_path, kept)
    assert read_kept(tmp_path) == kept
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert "secret" not in repr(kept)
    assert read_kept(tmp_path / "nowhere") == Kept()


def test_every_run_has_other_customers():
    """Who was here yesterday does not ask the same again; the first run is the seed's own."""
    first = [Kept(runs=runs).first_customer for runs in range(15)]
    assert first[0] == 0
    assert len(set(first)) == 15
    assert max(first) < CUSTOMERS
