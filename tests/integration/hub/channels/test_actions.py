"""Channel accounts and inboxes on a real Postgres: changes are events, secrets stay sealed, tenants apart."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import pytest

from hub import clock
from hub.channels import actions, inboxes, store
from hub.channels.model import AccountChange, AccountStatus, ChannelAccount, InboxChange, NewAccount
from hub.channels.sealing import Sealer
from hub.errors import ConfigurationError, Conflict, InvalidInput, NotFound
from hub.events import store as events
from tests import factories
from tests.verify_action import verify_action

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hub.db import Database, TenantConn
    from hub.events.model import LoggedEvent

pytestmark = pytest.mark.postgres

SEALER = Sealer({1: "o" * 32})
CREDENTIALS = {"account_sid": "AC" + "0" * 32, "auth_token": "a very secret token"}


def new_account(workspace_id: int, **changes: object) -> NewAccount:
    return msgspec.structs.replace(
        NewAccount(
            workspace_id=workspace_id,
            id=clock.new_id(),
            channel="twilio_sms",
            name="Front desk",
            credentials=CREDENTIALS,
            settings={"phone_number": "+15550001"},
            external_ref="AC0",
        ),
        **changes,
    )


async def connect(database: Database, workspace_id: int, **changes: object) -> ChannelAccount:
    async with database.transaction([workspace_id]) as conn:
        return await actions.connect(conn, SEALER, new_account(workspace_id, **changes))


async def logged(database: Database, workspace_id: int, seq: int = 0) -> list[LoggedEvent]:
    async with database.snapshot([workspace_id]) as conn:
        return await events.events_after(conn, workspace_id, seq, 100)


async def test_connect_adds_the_account_to_the_first_inbox(database: Database, workspace: factories.WorkspaceFacts):
    """Without an inbox the account feeds the oldest one, and one event carries both rows."""
    account = await connect(database, workspace.id)
    # Both were made in the same transaction: the smaller id is the older.
    oldest = min(workspace.inbox_id, workspace.other_inbox_id)
    assert account.inbox_id == oldest
    (event,) = await logged(database, workspace.id)
    body = msgspec.json.decode(event.data)
    assert (event.type, body["type"]) == ("channel_account_connected", "channel_account_connected")
    assert event.inbox_id == oldest
    assert body["channel_account"]["id"] == str(account.id)
    assert body["inbox"]["id"] == str(oldest)
    assert account.version == event.seq
    async with database.snapshot([workspace.id]) as conn:
        assert await store.get_channel_account(conn, workspace.id, account.id) == account


async def test_connect_makes_the_first_inbox_where_there_is_none(database: Database):
    """A workspace without an inbox gets one, told before the account."""
    async with database.across() as conn:
        workspace_id = await conn.fetchval("SELECT hub_create_workspace('Empty', now())")
    assert isinstance(workspace_id, int)
    account = await connect(database, workspace_id)
    assert [event.type for event in await logged(database, workspace_id)] == [
        "inbox_changed",
        "channel_account_connected",
    ]
    async with database.snapshot([workspace_id]) as conn:
        (inbox,) = await store.list_inboxes(conn, workspace_id, None)
    assert (inbox.id, inbox.name, inbox.version, account.version) == (account.inbox_id, "Inbox", 1, 2)


async def test_credentials_are_stored_sealed(database: Database, workspace: factories.WorkspaceFacts):
    """No column and no event holds a secret; the store opens it again."""
    account = await connect(database, workspace.id)
    async with database.transaction([workspace.id]) as conn:
        row = await conn.fetchrow(
            "SELECT a::text AS all, credentials_sealed FROM channel_account a WHERE id = $1", account.id
        )
        assert row is not None
        opened = await store.open_credentials(conn, SEALER, workspace.id, account.id)
    assert opened == CREDENTIALS
    assert b"secret" not in bytes(row["credentials_sealed"])
    assert CREDENTIALS["auth_token"].encode().hex() not in row["all"]
    assert all(b"secret" not in event.data for event in await logged(database, workspace.id))


async def test_credentials_swapped_between_rows_do_not_open(database: Database, workspace: factories.WorkspaceFacts):
    """Somebody who can write the table cannot make one account use another's secrets."""
    first, second = await connect(database, workspace.id), await connect(database, workspace.id)
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(
            "UPDATE channel_account SET credentials_sealed ="
            " (SELECT credentials_sealed FROM channel_account WHERE id = $1) WHERE id = $2",
            first.id,
            second.id,
        )
        with pytest.raises(ConfigurationError):
            await store.open_credentials(conn, SEALER, workspace.id, second.id)
        assert await store.open_credentials(conn, SEALER, workspace.id, first.id) == CREDENTIALS


async def test_a_new_secret_key_takes_over_with_the_next_change(
    database: Database, workspace: factories.WorkspaceFacts
):
    """With both keys everything opens; the next sealing re-wraps the data key, and the old key can go."""
    account = await connect(database, workspace.id)
    both, only_new = Sealer({1: "o" * 32, 2: "n" * 32}), Sealer({2: "n" * 32})
    async with database.transaction([workspace.id]) as conn:
        assert await store.open_credentials(conn, both, workspace.id, account.id) == CREDENTIALS
        await actions.connect(conn, both, new_account(workspace.id))
    async with database.transaction([workspace.id]) as conn:
        assert await store.open_credentials(conn, only_new, workspace.id, account.id) == CREDENTIALS
        with pytest.raises(ConfigurationError):
            await store.open_credentials(conn, SEALER, workspace.id, account.id)


async def test_change_tells_everything_in_one_event(database: Database, workspace: factories.WorkspaceFacts):
    """Name, settings, credentials and status change together, and the row equals what the event carries."""
    account = await connect(database, workspace.id)
    wanted = AccountChange(
        workspace_id=workspace.id,
        id=account.id,
        name="  Night  desk ",
        settings={"phone_number": "+15550002"},
        credentials={"auth_token": "new"},
        status=AccountStatus.PAUSED,
        status_reason="Holidays",
    )
    async with database.transaction([workspace.id]) as conn:
        changed = await actions.change(conn, SEALER, wanted)
    (event,) = await logged(database, workspace.id, account.version)
    assert event.type == "channel_account_changed"
    body = msgspec.json.decode(event.data)["channel_account"]
    assert msgspec.convert(body, ChannelAccount) == changed
    assert (changed.name, changed.status, changed.status_reason) == ("Night desk", "paused", "Holidays")
    assert changed.version == event.seq
    async with database.transaction([workspace.id]) as conn:
        assert await store.get_channel_account(conn, workspace.id, account.id) == changed
        assert await store.open_credentials(conn, SEALER, workspace.id, account.id) == {"auth_token": "new"}


async def test_change_of_nothing_is_no_event(database: Database, workspace: factories.WorkspaceFacts):
    """Saving what is there already, or pausing twice, appends nothing."""
    account = await connect(database, workspace.id)
    async with database.transaction([workspace.id]) as conn:
        same = AccountChange(workspace_id=workspace.id, id=account.id, name=account.name, settings=account.settings)
        assert await actions.change(conn, SEALER, same) == account
        paused = await actions.pause(conn, workspace.id, account.id)
        assert await actions.pause(conn, workspace.id, account.id) == paused
    assert len(await logged(database, workspace.id)) == 2


async def test_pause_resume_and_sign_in(database: Database, workspace: factories.WorkspaceFacts):
    """An account that lost its keys says why, comes back with new ones, and a pause outlasts both."""
    account = await connect(database, workspace.id)
    async with database.transaction([workspace.id]) as conn:
        lost = await actions.mark_needs_sign_in(conn, workspace.id, account.id, "Twilio refuses the keys.")
        assert (lost.status, lost.status_reason) == ("needs_sign_in", "Twilio refuses the keys.")
        fresh = AccountChange(workspace_id=workspace.id, id=account.id, credentials={"auth_token": "new"})
        back = await actions.change(conn, SEALER, fresh)
        assert (back.status, back.status_reason) == ("connected", "")
        await actions.pause(conn, workspace.id, account.id)
        assert (await actions.mark_needs_sign_in(conn, workspace.id, account.id, "x")).status == "paused"
        assert (await actions.mark_connected(conn, workspace.id, account.id)).status == "paused"
        assert (await actions.resume(conn, workspace.id, account.id)).status == "connected"


async def test_remove_forgets_the_secrets_and_is_final(database: Database, workspace: factories.WorkspaceFacts):
    """A removed account stays listed without secrets and cannot come back."""
    account = await connect(database, workspace.id)
    async with database.transaction([workspace.id]) as conn:
        removed = await actions.remove(conn, workspace.id, account.id)
        assert removed.status == "removed"
        assert removed in await store.list_channel_accounts(conn, workspace.id, None)
        with pytest.raises(NotFound):
            await store.open_credentials(conn, SEALER, workspace.id, account.id)
        assert await actions.remove(conn, workspace.id, account.id) == removed
        assert await actions.mark_needs_sign_in(conn, workspace.id, account.id, "late") == removed
        for wanted in ({"status": AccountStatus.CONNECTED}, {"name": "Again"}, {"credentials": {"a": "b"}}):
            with pytest.raises(Conflict):
                await actions.change(conn, SEALER, AccountChange(workspace_id=workspace.id, id=account.id, **wanted))


@pytest.mark.parametrize("name", ["", "   ", "x" * 201])
async def test_names_are_checked(database: Database, workspace: factories.WorkspaceFacts, name: str):
    """An empty or endless name is refused by every action that takes one."""
    account = await connect(database, workspace.id)
    async with database.transaction([workspace.id]) as conn:
        with pytest.raises(InvalidInput):
            await actions.connect(conn, SEALER, new_account(workspace.id, name=name))
        with pytest.raises(InvalidInput):
            await actions.change(conn, SEALER, AccountChange(workspace_id=workspace.id, id=account.id, name=name))
        with pytest.raises(InvalidInput):
            await inboxes.create_inbox(conn, workspace.actor(), name)
        with pytest.raises(InvalidInput):
            await inboxes.change_inbox(conn, workspace.actor(), workspace.inbox_id, InboxChange(name=name))


async def test_lists_hold_only_visible_inboxes(database: Database, workspace: factories.WorkspaceFacts):
    """An audience sees its inboxes and the accounts that feed them, and nothing of the others."""
    account = await connect(database, workspace.id, inbox_id=workspace.other_inbox_id)
    async with database.snapshot([workspace.id]) as conn:
        inboxes = await store.list_inboxes(conn, workspace.id, [workspace.other_inbox_id])
        accounts = await store.list_channel_accounts(conn, workspace.id, [workspace.other_inbox_id])
        assert [one.id for one in inboxes] == [workspace.other_inbox_id]
        assert [one.id for one in accounts] == [account.id]
        assert await store.list_inboxes(conn, workspace.id, []) == []
        assert len(await store.list_channel_accounts(conn, workspace.id, None)) == 3


async def test_workspaces_never_cross(database: Database, workspace: factories.WorkspaceFacts):
    """Every function answers another tenant's ids as if they did not exist, even when the query names that tenant."""
    mine, theirs = workspace, await factories.make_workspace(database, name="Southwind")
    account = await connect(database, theirs.id)
    same = await connect(database, mine.id, name="Front desk", external_ref="AC0")
    for asked in (mine.id, theirs.id):
        async with database.transaction([mine.id]) as conn:
            for attempt in (
                store.get_inbox(conn, asked, theirs.inbox_id),
                store.get_channel_account(conn, asked, account.id),
                store.open_credentials(conn, SEALER, asked, account.id),
            ):
                with pytest.raises(NotFound):
                    await attempt
            assert (await store.newest_key(conn, asked) is None) == (asked == theirs.id)
            listed = {one.id for one in await store.list_channel_accounts(conn, asked, None)}
            assert account.id not in listed
            inboxes = {one.id for one in await store.list_inboxes(conn, asked, None)}
            assert theirs.inbox_id not in inboxes
    await _refuse_every_action(database, mine.id, theirs.inbox_id, account.id)
    async with database.snapshot([theirs.id]) as conn:
        assert await store.get_channel_account(conn, theirs.id, account.id) == account
    async with database.snapshot([mine.id]) as conn:
        assert await store.open_credentials(conn, SEALER, mine.id, same.id) == CREDENTIALS


async def _refuse_every_action(database: Database, workspace_id: int, inbox_id: UUID, account_id: UUID) -> None:
    async with database.transaction([workspace_id]) as conn:
        for attempt in (
            actions.connect(conn, SEALER, new_account(workspace_id, inbox_id=inbox_id)),
            actions.change(conn, SEALER, AccountChange(workspace_id=workspace_id, id=account_id, name="Mine")),
            actions.pause(conn, workspace_id, account_id),
            actions.resume(conn, workspace_id, account_id),
            actions.remove(conn, workspace_id, account_id),
            actions.mark_connected(conn, workspace_id, account_id),
            actions.mark_needs_sign_in(conn, workspace_id, account_id, "x"),
        ):
            with pytest.raises(NotFound):
                await attempt


async def test_every_action_tells_what_it_did(database: Database, workspace: factories.WorkspaceFacts):
    """For each action the snapshot before plus its events is the snapshot after."""
    account_id, id_ = (await connect(database, workspace.id)).id, workspace.id

    async def run(number_of_events: int, do: Callable[[TenantConn], Awaitable[object]]) -> None:
        told = verify_action(database, workspace.actor(), events_expected=number_of_events)
        async with told, database.transaction([id_]) as conn:
            await do(conn)

    renamed = AccountChange(workspace_id=id_, id=account_id, name="Night desk", settings={"phone_number": "+15550002"})
    await run(1, lambda conn: actions.connect(conn, SEALER, new_account(id_)))
    await run(1, lambda conn: actions.change(conn, SEALER, renamed))
    await run(0, lambda conn: actions.change(conn, SEALER, renamed))
    await run(1, lambda conn: actions.mark_needs_sign_in(conn, id_, account_id, "Refused."))
    await run(1, lambda conn: actions.mark_connected(conn, id_, account_id))
    await run(1, lambda conn: actions.pause(conn, id_, account_id))
    await run(1, lambda conn: actions.resume(conn, id_, account_id))
    await run(1, lambda conn: actions.remove(conn, id_, account_id))
